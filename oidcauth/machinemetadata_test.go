package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// serverMetadata lets the provider be an authorization server that is no OpenID provider: its metadata are where RFC 8414 has them,
// and there alone.
func serverMetadata(w *world, path string) {
	known := http.NewServeMux()
	document := &oidcauthtest.Answer{}
	w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
		document.Body = a.Body
		a.Status, a.Body = http.StatusNotFound, nil
	}))
	known.HandleFunc(path, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(document.Body)
	})
	known.Handle("/", w.provider)
	w.network.Handle(w.provider.Issuer(), known)
}

func TestAMachineNeedsIssuerAndTokenEndpointAlone(t *testing.T) {
	lacking := func(names ...string) func(*world) {
		return func(w *world) {
			w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Delete(names...) })
		}
	}
	for name, row := range map[string]struct {
		bend func(*world)
		ok   bool
	}{
		"without keys":                      {lacking("jwks_uri"), true},
		"without an authorization endpoint": {lacking("authorization_endpoint"), true},
		"with no more than the two":         {lacking("jwks_uri", "authorization_endpoint", "userinfo_endpoint", "end_session_endpoint", "response_types_supported"), true},
		"at an authorization server":        {func(w *world) { serverMetadata(w, "/.well-known/oauth-authorization-server") }, true},
		"without a token endpoint":          {lacking("token_endpoint"), false},
		"with the metadata of another issuer": {func(w *world) {
			w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Set("issuer", "https://evil.example") })
		}, false},
		"with keys that may not be called": {func(w *world) {
			w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Set("jwks_uri", "http://evil.example/") })
		}, false},
		"at a server with another's metadata there": {func(w *world) {
			serverMetadata(w, "/.well-known/oauth-authorization-server")
			w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Set("issuer", "https://evil.example") })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
				row.bend(w)
				alone, err := oidcauth.NewMachine(oidcauth.MachineConfig{
					Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", HTTPClient: w.network.Client(), Logger: w.auth.Sessions().Config().Logger,
				})
				require.NoError(t, err)
				_, err = alone.TokenSource(t.Context()).Token()
				require.Equal(t, row.ok, err == nil, "%v", err)
				_, err = w.machineToken()
				require.Equal(t, row.ok, err == nil, "%v", err)
				var down *oidcauth.UnavailableError
				require.ErrorAs(t, w.auth.Discover(t.Context()), &down, "logins need more")
				require.Equal(t, http.StatusServiceUnavailable, w.browser.Get(app+"/me").Status)
			})
		})
	}
}

func TestThePathOfAnIssuerFollowsTheWellKnownOne(t *testing.T) {
	for _, issuer := range []string{"https://id.provider.test/tenants/a", "https://id.provider.test/tenants/a/"} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{T: t, provider: oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: issuer}), network: oidcauthtest.NewNetwork()}
			serverMetadata(w, "/.well-known/oauth-authorization-server/tenants/a")
			m, err := oidcauth.NewMachine(oidcauth.MachineConfig{
				Issuer: issuer, ClientID: "app", ClientSecret: "app-secret", HTTPClient: w.network.Client(),
			})
			require.NoError(t, err)
			_, err = m.TokenSource(t.Context()).Token()
			require.NoError(t, err)
		})
	}
}

// What serves machines alone never takes the place of what logins had.
func TestMetadataThatServeNoLoginLeaveTheGoodOnesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
		w.signIn()
		w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("authorization_endpoint") })
		time.Sleep(25 * time.Hour)
		w.signIn()
		require.NotEmpty(t, w.mustToken())
		require.Contains(t, w.log.String(), "authorization_endpoint: expected an absolute URL")
		w.provider.BendMetadata(nil)
		time.Sleep(2 * time.Minute)
		w.signIn()
		require.Equal(t, 1, strings.Count(w.log.String(), `reason=discovery`))
	})
}

// Without machines nobody looks for an authorization server.
func TestALoginLooksForAnOpenIDProviderAlone(t *testing.T) {
	w := newWorld(t)
	serverMetadata(w, "/.well-known/oauth-authorization-server")
	require.Equal(t, http.StatusServiceUnavailable, w.browser.Get(app+"/me").Status)
	require.NotContains(t, w.log.String(), "oauth-authorization-server")
}
