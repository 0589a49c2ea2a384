package oidcauth_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// fapi is the smallest configuration that the profile accepts.
func fapi(c *oidcauth.Config) {
	c.Advanced.FAPI, c.SigningAlg = true, "ES256"
	c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: ecKey()}
}

func TestFAPIRefusesWhatTheProfileForbids(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*oidcauth.Config)
		says   string
	}{
		"an algorithm that is not named": {func(c *oidcauth.Config) { c.SigningAlg = "" }, "oidcauth: SigningAlg: "},
		"RS256":                          {func(c *oidcauth.Config) { c.SigningAlg = "RS256" }, "oidcauth: SigningAlg: "},
		"ES384":                          {func(c *oidcauth.Config) { c.SigningAlg = "ES384" }, "oidcauth: SigningAlg: "},
		"a secret":                       {func(c *oidcauth.Config) { c.ClientSecret, c.ClientAuth = "s", oidcauth.ClientAuth{} }, `not "client_secret_basic"`},
		"a secret in the body": {func(c *oidcauth.Config) {
			c.ClientSecret, c.ClientAuth = "s", oidcauth.ClientAuth{Method: oidcauth.ClientSecretPost}
		}, `not "client_secret_post"`},
		"a public client":              {func(c *oidcauth.Config) { c.ClientAuth = oidcauth.ClientAuth{} }, `not "none"`},
		"an assertion with RS256":      {func(c *oidcauth.Config) { c.ClientAuth = oidcauth.ClientAuth{Key: rsaKey(), Alg: "RS256"} }, `not "RS256"`},
		"an assertion for another":     {func(c *oidcauth.Config) { c.ClientAuth.Audience = "https://id.example.test/token" }, "Audience"},
		"requests that are not pushed": {func(c *oidcauth.Config) { c.PAR = oidcauth.PAROff }, "oidcauth: PAR: "},
		"an issuer of many tenants": {func(c *oidcauth.Config) {
			c.Issuer, c.Tenants = "https://id.example.test/{tenantid}/v2.0", []string{"a"}
		}, "oidcauth: Tenants: "},
		"a machine with a secret": {func(c *oidcauth.Config) {
			c.Machines = map[string]oidcauth.MachineConfig{"reports": {ClientID: "r", ClientSecret: "s"}}
		}, `Machines["reports"].ClientAuth`},
		"a machine with Bearer tokens": {func(c *oidcauth.Config) {
			c.ClientAuth.Certificate = new(tls.Certificate)
			c.Machines = map[string]oidcauth.MachineConfig{"reports": {ClientID: "r", ClientAuth: oidcauth.ClientAuth{Key: ecKey()}}}
		}, `Machines["reports"].DPoP`},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			fapi(&c)
			row.change(&c)
			_, err := oidcauth.New(c)
			require.ErrorContains(t, err, row.says)
			if name != "a public client" && name != "an issuer of many tenants" {
				c.Advanced.FAPI = false
				_, err = oidcauth.New(c)
				require.NoError(t, err, "it is the profile that forbids this")
			}
		})
	}
}

func TestFAPITakesWhatTheProfileAllows(t *testing.T) {
	for name, change := range map[string]func(*oidcauth.Config){
		"ES256":                      func(*oidcauth.Config) {},
		"PS256":                      func(c *oidcauth.Config) { c.SigningAlg, c.ClientAuth.Key = "PS256", rsaKey() },
		"EdDSA":                      func(c *oidcauth.Config) { c.SigningAlg = "EdDSA" },
		"pushed requests by name":    func(c *oidcauth.Config) { c.PAR = oidcauth.PARRequire },
		"the issuer by name":         func(c *oidcauth.Config) { c.ClientAuth.Audience = c.Issuer },
		"a certificate":              func(c *oidcauth.Config) { c.ClientAuth = oidcauth.ClientAuth{Certificate: new(tls.Certificate)} },
		"a key and a certificate":    func(c *oidcauth.Config) { c.ClientAuth.Certificate = new(tls.Certificate) },
		"a certificate, and DPoP":    func(c *oidcauth.Config) { c.ClientAuth.Certificate, c.Advanced.DPoP = new(tls.Certificate), true },
		"a machine that is the same": func(c *oidcauth.Config) { c.Machines = map[string]oidcauth.MachineConfig{"reports": {}} },
		"signed requests":            func(c *oidcauth.Config) { c.Advanced.SignedRequests = true },
		"responses as JWTs":          func(c *oidcauth.Config) { c.ResponseMode = oidcauth.QueryJWT },
		"a response by POST":         func(c *oidcauth.Config) { c.ResponseMode = oidcauth.FormPost },
		"a machine of the same issue": func(c *oidcauth.Config) {
			c.Machines = map[string]oidcauth.MachineConfig{"r": {ClientID: "r", ClientAuth: oidcauth.ClientAuth{Key: ecKey()}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			fapi(&c)
			change(&c)
			_, err := oidcauth.New(c)
			require.NoError(t, err)
		})
	}
}

// newFAPIWorld is a world at a provider with the profile's demands.
func newFAPIWorld(t *testing.T, configure ...func(*oidcauth.Config)) *world {
	t.Helper()
	w := newTokenWorld(t, append([]func(*oidcauth.Config){fapi}, configure...)...)
	w.provider.Configure(func(s *oidcauthtest.Settings) {
		s.Alg, s.RequirePAR, s.DPoPNonces = "ES256", true, true
		s.Clients[0].RequireDPoP, s.Clients[0].Secret, s.Clients[0].Keys = true, "", keySetOf(ecKey())
	})
	return w
}

func TestALoginUnderFAPI(t *testing.T) {
	w := newFAPIWorld(t)
	w.signIn()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/token?force=1").Status)
	require.ElementsMatch(t, []string{"client_id", "request_uri"}, parametersOf(w.provider.Last(oidcauthtest.Authorize).Form))
	for _, r := range w.provider.Requests(oidcauthtest.PAR, oidcauthtest.TokenEndpoint) {
		_, claims := verifyAssertion(t, r.Form.Get("client_assertion"), ecKey().Public())
		require.Equal(t, w.provider.Issuer(), claims["aud"], "one string")
	}
}

func parametersOf(form url.Values) (names []string) {
	for name := range form {
		names = append(names, name)
	}
	return names
}

func TestUnderFAPIEveryResponseNamesItsIssuer(t *testing.T) {
	for _, promised := range []bool{true, false} {
		for name, iss := range map[string][]string{"none": nil, "another": {"https://evil.test"}, "an empty one": {""}, "two": {oidcauthtest.DefaultIssuer, oidcauthtest.DefaultIssuer}} {
			t.Run(name, func(t *testing.T) {
				w := newFAPIWorld(t)
				w.provider.BendMetadata(func(d *oidcauthtest.Object) { d.Set("authorization_response_iss_parameter_supported", promised) })
				w.provider.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) { r.Params["iss"] = iss })
				require.Equal(t, http.StatusBadRequest, w.browser.Get(app+"/me").Status)
				require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			})
		}
	}
}

func TestUnderFAPIAProviderWithoutPushedRequestsIsNoProvider(t *testing.T) {
	w := newFAPIWorld(t)
	w.provider.BendMetadata(func(d *oidcauthtest.Object) { d.Delete("pushed_authorization_request_endpoint") })
	page := w.browser.Get(app + "/me")
	require.GreaterOrEqual(t, page.Status, 400)
	require.Zero(t, w.provider.Count(oidcauthtest.Authorize))
}

func TestUnderFAPIABearerTokenIsRefused(t *testing.T) {
	w := newFAPIWorld(t)
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "Bearer") })
	require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
	require.Zero(t, w.provider.Count(oidcauthtest.UserInfo))
}
