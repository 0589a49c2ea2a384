package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

const (
	fapiPrefix = "fapi2-security-profile-final-client-test-"
	accounts   = "/api/open-banking/v1.1/accounts"
	fapiKid    = "client-1"
)

// fapiPlan is fapi2-security-profile-final-client-test-plan as private_key_jwt, dpop and plain_fapi: the provider wants pushed
// requests and bound tokens, and has decoys beside its key, under the same kid.
func fapiPlan() plan {
	return plan{
		settings: oidcauthtest.Settings{Alg: "PS256", RequirePAR: true, DPoPNonces: true},
		client: func(c *oidcauthtest.Client) {
			c.Secret, c.RequireDPoP = "", true
			c.Keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: fapiKid, Algorithm: "PS256", Use: "sig"}}}
		},
		configure: func(c *oidcauth.Config) {
			c.Advanced.FAPI, c.SigningAlg = true, "PS256"
			c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: rsaKey(), Alg: "PS256", KeyID: fapiKid}
			c.Machines = map[string]oidcauth.MachineConfig{"bank": {Scopes: []string{"accounts"}}}
		},
		pushes: true,
	}
}

// decoys publishes the provider's key behind others of its kid.
func (s *suite) decoys() {
	s.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
		return append(oidcauthtest.DecoyKeys(keys[0].Text("kid")), keys...)
	})
}

// TestConformanceFAPI holds the modules that apply to a client with private_key_jwt, DPoP and plain FAPI. Not among them:
// invalid-openbanking-intent-id (UK only), refresh-token-test (Brazil only), and those of JARM (message signing).
func TestConformanceFAPI(t *testing.T) {
	runFAPI(t, []module{
		{"happy-path", func(s *suite) {
			s.fetchesAccounts()
			require.Equal(s, 2, s.provider.Count(oidcauthtest.TokenEndpoint), "once more, for the nonce")
		}},
		{"happy-path-no-dpop-nonce", func(s *suite) {
			s.provider.Configure(func(settings *oidcauthtest.Settings) { settings.DPoPNonces = false })
			s.fetchesAccounts()
			require.Equal(s, 1, s.provider.Count(oidcauthtest.TokenEndpoint))
		}},
		{"discovery-issuer-mismatch", func(s *suite) {
			s.metadata(func(d *oidcauthtest.Object) { d.Set("issuer", d.Text("issuer")+"/") })
			s.refused()
			require.Equal(s, s.provider.Count(), s.provider.Count(oidcauthtest.Discovery), "nothing comes after discovery")
		}},
		{"invalid-iss", endsAtTheIDToken(suffixed("iss", "1"))},
		{"invalid-aud", endsAtTheIDToken(suffixed("aud", "1"))},
		{"invalid-missing-iss", endsAtTheIDToken(lacking("iss"))},
		{"invalid-missing-aud", endsAtTheIDToken(lacking("aud"))},
		{"invalid-missing-exp", endsAtTheIDToken(lacking("exp"))},
		{"invalid-expired-exp", endsAtTheIDToken(idToken(func(t *oidcauthtest.Token) { t.Claims.Set("exp", time.Now().Add(-6*time.Minute).Unix()) }))},
		{"invalid-null-alg", endsAtTheIDToken(idToken(func(t *oidcauthtest.Token) { t.Unsign("none") }))},
		{"invalid-alternate-alg", endsAtTheIDToken(func(s *suite) {
			other := oidcauthtest.NewKey("RS256", "rs256")
			s.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { return append(keys, other.JWK()) })
			s.provider.BendIDToken(func(t *oidcauthtest.Token) { t.SignWith(other) })
		})},
		{"valid-aud-as-array", func(s *suite) {
			idToken(func(t *oidcauthtest.Token) { t.Claims.Set("aud", []string{t.Claims.Text("aud")}) })(s)
			s.fetchesAccounts()
		}},
		{"invalid-secondary-aud", endsAtTheIDToken(idToken(func(t *oidcauthtest.Token) {
			t.Claims.Set("aud", []string{t.Claims.Text("aud"), t.Claims.Text("aud") + "1"})
		}))},
		{"invalid-nonce", endsAtTheIDToken(suffixed("nonce", "1"))},
		{"invalid-missing-nonce", endsAtTheIDToken(lacking("nonce"))},
		{"invalid-authorization-response-iss", endsAtTheResponse(func(p url.Values) { p.Set("iss", p.Get("iss")+"1") })},
		{"remove-authorization-response-iss", endsAtTheResponse(func(p url.Values) { p.Del("iss") })},
		{"ensure-authorization-response-with-invalid-state-fails", endsAtTheResponse(func(p url.Values) { p.Set("state", p.Get("state")+"1") })},
		{"ensure-authorization-response-with-invalid-missing-state-fails", endsAtTheResponse(func(p url.Values) { p.Del("state") })},
		{"token-endpoint-response-without-expires_in", func(s *suite) {
			s.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("expires_in") })
			s.fetchesAccounts()
		}},
		{"token-type-case-insensitivity", func(s *suite) {
			s.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "dPOP") })
			s.fetchesAccounts()
		}},
		{"rs-dpop-auth-scheme-case-insensitivity", func(s *suite) {
			s.oddSchemes()
			s.fetchesAccounts()
			require.Equal(s, 1, s.refusedForNonce())
		}},
	}, (*suite).judgeLogin)
}

// The same plan with fapi_profile=fapi_client_credentials_grant: nobody signs in.
func TestConformanceFAPIClientCredentials(t *testing.T) {
	runFAPI(t, []module{
		{"happy-path", func(s *suite) {
			s.fetchesAccountsAsMachine()
			require.Equal(s, 2, s.provider.Count(oidcauthtest.TokenEndpoint), "once more, for the nonce")
		}},
		{"happy-path-no-dpop-nonce", func(s *suite) {
			s.provider.Configure(func(settings *oidcauthtest.Settings) { settings.DPoPNonces = false })
			s.fetchesAccountsAsMachine()
			require.Equal(s, 1, s.provider.Count(oidcauthtest.TokenEndpoint))
		}},
		{"discovery-issuer-mismatch", func(s *suite) {
			s.metadata(func(d *oidcauthtest.Object) { d.Set("issuer", d.Text("issuer")+"/") })
			_, err := s.auth.Machine("bank").Client(s.Context()).Get(s.provider.Issuer() + accounts)
			require.Error(s, err)
			require.Equal(s, s.provider.Count(), s.provider.Count(oidcauthtest.Discovery))
		}},
		{"token-endpoint-response-without-expires_in", func(s *suite) {
			s.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("expires_in") })
			s.fetchesAccountsAsMachine()
		}},
		{"token-type-case-insensitivity", func(s *suite) {
			s.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("token_type", "dPOP") })
			s.fetchesAccountsAsMachine()
		}},
		{"rs-dpop-auth-scheme-case-insensitivity", func(s *suite) {
			s.oddSchemes()
			s.fetchesAccountsAsMachine()
			require.Equal(s, 1, s.refusedForNonce())
		}},
	}, func(s *suite) { require.Zero(s, s.provider.Count(oidcauthtest.Authorize, oidcauthtest.PAR)) })
}

// runFAPI runs modules of the plan, each of which the given judge and judgeClient look at in the end.
func runFAPI(t *testing.T, modules []module, judge func(*suite)) {
	for _, m := range modules {
		t.Run(fapiPrefix+m.name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t, fapiPlan())
			s.decoys()
			m.run(s)
			judge(s)
			s.judgeClient()
		})
	}
}

// oddSchemes makes the API demand a nonce of its own, in odd letters: what came before gives none that it takes.
func (s *suite) oddSchemes() {
	s.provider.Intercept(oidcauthtest.Any, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
		if a.Status == http.StatusOK {
			a.Header.Del("DPoP-Nonce")
		}
	}))
	s.provider.Intercept(oidcauthtest.API, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
		if value := a.Header.Get("WWW-Authenticate"); value != "" {
			a.Header.Set("WWW-Authenticate", strings.Replace(value, "DPoP", "dPOp", 1))
		}
	}))
}

// refusedForNonce counts the API calls that were answered 401.
func (s *suite) refusedForNonce() (n int) {
	for _, r := range s.provider.Requests(oidcauthtest.API) {
		if r.Status == http.StatusUnauthorized {
			n++
		}
	}
	return n
}

// fetchesAccounts signs in and fetches the resource, which ends a module.
func (s *suite) fetchesAccounts() {
	s.Helper()
	page := s.browser.Get(s.app + "/resource" + accounts)
	require.NoError(s, page.Err)
	require.Equal(s, http.StatusOK, page.Status, "%s\n%s", page.Body, s.log)
	last := s.provider.Last(oidcauthtest.API)
	require.Equal(s, accounts, last.URL.Path)
	require.Equal(s, http.StatusOK, last.Status)
}

func (s *suite) fetchesAccountsAsMachine() {
	s.Helper()
	answer, err := s.auth.Machine("bank").Client(s.Context()).Get(s.provider.Issuer() + accounts)
	require.NoError(s, err)
	defer answer.Body.Close()
	require.Equal(s, http.StatusOK, answer.StatusCode)
	require.Equal(s, accounts, s.provider.Last(oidcauthtest.API).URL.Path)
}

// endsAtTheIDToken is a module in which nothing may be called after the token endpoint. That it is because of what bend does shows
// in a login that succeeds afterwards.
func endsAtTheIDToken(bend func(*suite)) func(*suite) {
	return func(s *suite) {
		bend(s)
		s.refused()
		require.Positive(s, s.provider.Count(oidcauthtest.TokenEndpoint))
		require.Zero(s, s.provider.Count(oidcauthtest.UserInfo, oidcauthtest.API))
		s.straighten()
		s.fetchesAccounts()
	}
}

// endsAtTheResponse is a module in which the token endpoint may not be called.
func endsAtTheResponse(bend func(url.Values)) func(*suite) {
	return func(s *suite) {
		s.provider.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) { bend(r.Params) })
		s.refused()
		require.Zero(s, s.provider.Count(oidcauthtest.TokenEndpoint, oidcauthtest.UserInfo, oidcauthtest.API))
		s.provider.BendAuthorizationResponse(nil)
		s.fetchesAccounts()
	}
}

// judgeLogin asserts what the plan enforces of authorization requests.
func (s *suite) judgeLogin() {
	s.Helper()
	for _, r := range s.provider.Requests(oidcauthtest.PAR) {
		s.judgeAuthorize(r.Form)
		require.Len(s, r.Form.Get("dpop_jkt"), 43)
	}
	for _, r := range s.provider.Requests(oidcauthtest.Authorize) {
		require.ElementsMatch(s, []string{"client_id", "request_uri"}, parametersOf(r.Form))
	}
}

// judgeClient asserts what the plan enforces of client authentication and of calls with tokens.
func (s *suite) judgeClient() {
	s.Helper()
	all := s.provider.Requests()
	require.Equal(s, oidcauthtest.Discovery, all[0].Endpoint, "discovery comes before any other call")
	require.Zero(s, s.provider.Count(oidcauthtest.Unknown), "a path was called that nobody announced")
	used := map[any]bool{}
	for _, r := range s.provider.Requests(oidcauthtest.PAR, oidcauthtest.TokenEndpoint) {
		require.Empty(s, r.Header.Get("Authorization"))
		require.Empty(s, r.URL.RawQuery)
		header, claims := verifyAssertion(s.T, r.Form.Get("client_assertion"), rsaKey().Public())
		require.Equal(s, "PS256", header["alg"])
		require.Equal(s, fapiKid, header["kid"])
		require.Equal(s, s.provider.Issuer(), claims["aud"], "one string")
		require.Equal(s, "app", claims["iss"])
		require.Equal(s, "app", claims["sub"])
		require.LessOrEqual(s, claims["exp"].(float64)-claims["iat"].(float64), 60.0)
		require.False(s, used[claims["jti"]], "an assertion was used twice")
		used[claims["jti"]] = true
	}
	for _, r := range s.provider.Requests(oidcauthtest.TokenEndpoint, oidcauthtest.API, oidcauthtest.UserInfo) {
		_, claims := proofOf(s.T, &http.Request{Header: r.Header})
		require.False(s, used[claims["jti"]], "a proof was used twice")
		used[claims["jti"]] = true
		if r.Endpoint != oidcauthtest.TokenEndpoint {
			require.Regexp(s, "^DPoP .+", r.Header.Get("Authorization"))
			require.Empty(s, r.URL.RawQuery)
		}
	}
}
