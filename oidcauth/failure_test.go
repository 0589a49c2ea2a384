package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// clientRefusals are how providers say that they don't accept a client.
var clientRefusals = map[string]oidcauthtest.Middleware{
	"401 invalid_client":       oidcauthtest.OAuthError(401, "invalid_client"),
	"400 invalid_client":       oidcauthtest.OAuthError(400, "invalid_client"),
	"401 invalid_request":      oidcauthtest.OAuthError(401, "invalid_request"),
	"401 unauthorized_client":  oidcauthtest.OAuthError(401, "unauthorized_client"),
	"401 and a code of theirs": oidcauthtest.OAuthError(401, "unauthorized"),
	"401 and nothing":          oidcauthtest.Reply(401, "", ""),
	"401 and a page":           oidcauthtest.Reply(401, "text/html", "<h1>Unauthorized</h1>"),
	"403 unauthorized_client":  oidcauthtest.OAuthError(403, "unauthorized_client"),
	"403 and nothing":          oidcauthtest.Reply(403, "", ""),
}

// requireClientHints asserts that the log sends the operator to the client's authentication, and nowhere else.
func requireClientHints(t *testing.T, said string) {
	t.Helper()
	require.Contains(t, said, `msg="client authentication refused" issuer=https://id.provider.test client_id=app endpoint=`)
	require.Contains(t, said, "check ClientID and the secret or key that the provider has for it, and ClientAuth.Method")
	for _, elsewhere := range []string{"RedirectURL", "PAROff", "authorization code flow"} {
		require.NotContains(t, said, elsewhere)
	}
}

func TestARefusedClientIsNotTakenForAnythingElseAtALogin(t *testing.T) {
	for name, refusal := range clientRefusals {
		for endpoint, at := range map[string]oidcauthtest.Endpoint{"pushed": oidcauthtest.PAR, "with the code": oidcauthtest.TokenEndpoint} {
			t.Run(name+", "+endpoint, func(t *testing.T) {
				w := newWorld(t, pushing, func(c *oidcauth.Config) { c.LoginTimeout = time.Minute })
				w.provider.Intercept(at, refusal)
				page := w.browser.Get(app + "/me")
				require.Equal(t, http.StatusBadGateway, page.Status, page.Body)
				require.False(t, w.hasSession())
				require.Equal(t, 1, w.provider.Count(at))
				requireClientHints(t, w.log.String())
			})
		}
	}
}

func TestARefusedClientEndsNoSessionAtARefresh(t *testing.T) {
	for name, refusal := range clientRefusals {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, refusal)
				answer := w.send(w.cookies(), "/token")
				require.Equal(t, http.StatusBadGateway, answer.Code, answer.Body)
				require.Contains(t, answer.Body.String(), "check ClientID", "the error says it, too")
				requireClientHints(t, w.log.String())
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				time.Sleep(2 * time.Minute)
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code, "the refresh token is good")
			})
		})
	}
}

func TestARefusedClientIsARefusedGrantForAMachine(t *testing.T) {
	for name, refusal := range clientRefusals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
				w.provider.Intercept(oidcauthtest.TokenEndpoint, refusal)
				_, err := w.machineToken()
				var refused *oidcauth.GrantError
				require.ErrorAs(t, err, &refused)
				require.NotEmpty(t, refused.Code)
				require.ErrorContains(t, err, "check ClientID")
				requireClientHints(t, w.log.String())
			})
		})
	}
}

// What is said about the grant, or not by somebody who knows, is no word about the client.
func TestOtherRefusalsAreNotTakenForOnesOfTheClient(t *testing.T) {
	for name, refusal := range map[string]oidcauthtest.Middleware{
		"403 invalid_grant":       oidcauthtest.OAuthError(403, "invalid_grant"),
		"403 invalid_code":        oidcauthtest.OAuthError(403, "invalid_code"),
		"401 invalid_grant":       oidcauthtest.OAuthError(401, "invalid_grant"),
		"400 invalid_request":     oidcauthtest.OAuthError(400, "invalid_request"),
		"503 and nothing":         oidcauthtest.Reply(503, "", ""),
		"503 unauthorized_client": oidcauthtest.OAuthError(503, "unauthorized_client"),
		"a proxy that is full":    oidcauthtest.Reply(429, "text/plain", "slow down"),
		"401 that asks to wait":   oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Status = 401; a.Header.Set("Retry-After", "1"); a.Body = nil }),
		"400 and nothing":         oidcauthtest.Reply(400, "", ""),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.Intercept(oidcauthtest.TokenEndpoint, refusal)
			require.GreaterOrEqual(t, w.browser.Get(app+"/me").Status, 500)
			require.NotContains(t, w.log.String(), "client authentication")
			require.NotContains(t, w.log.String(), "check ClientID")
		})
	}
}

func TestUserinfoAuthenticatesNoClient(t *testing.T) {
	w := newWorld(t)
	w.provider.Intercept(oidcauthtest.UserInfo, oidcauthtest.Reply(401, "", ""))
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
	require.NotContains(t, w.log.String(), "client authentication")
}

func TestAnUnlistedScopeIsNamed(t *testing.T) {
	refused := oidcauthtest.OAuthError(400, "invalid_scope")
	const asked = `asked for scope \"openid profile email offline_access\", of which the provider's metadata do not list \"offline_access\"`
	unlisted := func(w *world) {
		w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Set("scopes_supported", []string{"openid", "email", "profile"}) })
	}
	for name, bend := range map[string]func(*world){
		"at the authorization endpoint": func(w *world) {
			w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error = "invalid_scope" })
		},
		"where requests are pushed": func(w *world) {
			w.provider.BendMetadata(func(o *oidcauthtest.Object) {
				o.Set("scopes_supported", []string{"openid", "email", "profile"})
				o.Set("require_pushed_authorization_requests", true)
			})
			w.provider.Intercept(oidcauthtest.PAR, refused)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			unlisted(w)
			bend(w)
			require.GreaterOrEqual(t, w.browser.Get(app+"/me").Status, 400)
			require.Contains(t, w.log.String(), asked)
			require.Contains(t, w.log.String(), "compare Config.Scopes")
		})
	}
	t.Run("that one login has asked for", func(t *testing.T) {
		w := newWorld(t)
		unlisted(w)
		w.mux.HandleFunc("/more", func(rw http.ResponseWriter, r *http.Request) {
			w.auth.Login(rw, r, oidcauth.LoginOptions{Scopes: []string{"payments"}})
		})
		w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error = "invalid_scope" })
		w.browser.Get(app + "/more")
		asked := w.authenticationRequest().Get("scope")
		require.Contains(t, asked, "payments")
		require.Contains(t, w.log.String(), `asked for scope \"`+asked+`\", of which the provider's metadata do not list \"`)
	})
	t.Run("for a machine", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _ := newMachineWorld(t, oidcauth.MachineConfig{Scopes: []string{"read"}})
			w.provider.Intercept(oidcauthtest.TokenEndpoint, refused)
			_, err := w.machineToken()
			require.ErrorContains(t, err, `asked for scope "read", of which the provider's metadata do not list "read"`)
			require.Contains(t, w.log.String(), `asked for scope \"read\"`)
		})
	})
	t.Run("where the metadata list none", func(t *testing.T) {
		w := newWorld(t)
		w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("scopes_supported") })
		w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error = "invalid_scope" })
		w.browser.Get(app + "/me")
		require.Contains(t, w.log.String(), `asked for scope \"openid profile email offline_access\";`)
	})
}

// What the provider says in the redirect may repeat what we sent.
func TestAnErrorOfTheResponseRepeatsNoSecret(t *testing.T) {
	w := newWorld(t)
	w.provider.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) {
		r.Params.Del("code")
		r.Params.Set("error", "server_error")
		r.Params.Set("error_description", "no state "+r.Params.Get("state")+" for nonce "+w.authenticationRequest().Get("nonce"))
	})
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
	require.Contains(t, w.log.String(), "no state [removed] for nonce [removed]")
}
