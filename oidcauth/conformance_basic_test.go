package oidcauth_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// basicModules are those of the basic plan, and of its form_post sister.
var basicModules = []module{
	{"oidcc-client-test", completes(asIs)},
	{"oidcc-client-test-invalid-iss", stops(suffixed("iss", "1"))},
	{"oidcc-client-test-missing-sub", stops(lacking("sub"))},
	{"oidcc-client-test-invalid-aud", stops(suffixed("aud", "1"))},
	{"oidcc-client-test-missing-iat", stops(lacking("iat"))},
	{"oidcc-client-test-kid-absent-single-jwks", completes(func(s *suite) {
		idToken(withoutKeyID)(s)
		s.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
			return append(oidcauthtest.DecoyKeys("decoy"), keys...)
		})
	})},
	{"oidcc-client-test-kid-absent-multiple-jwks", completes(func(s *suite) {
		idToken(withoutKeyID)(s)
		s.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
			return append([]*oidcauthtest.Object{oidcauthtest.ForeignKey("RS256").JWK(), secondForeign().JWK()}, keys...)
		})
	})},
	{"oidcc-client-test-idtoken-sig-rs256", completes(func(s *suite) {
		s.provider.BendIDToken(func(t *oidcauthtest.Token) { require.Equal(s, "RS256", t.Header.Text("alg")) })
	})},
	// The suite lets a client accept an unsigned token from the token endpoint; ours gets its SKIPPED for refusing.
	{"oidcc-client-test-idtoken-sig-none", stops(idToken(func(t *oidcauthtest.Token) { t.Unsign("none") }))},
	{"oidcc-client-test-invalid-sig-rs256", stops(idToken((*oidcauthtest.Token).FlipSignature))},
	{"oidcc-client-test-userinfo-invalid-sub", func(s *suite) {
		s.provider.BendUserInfo(func(t *oidcauthtest.Token) { t.Claims.Set("sub", t.Claims.Text("sub")+"invalid") })
		s.refused()
		require.Equal(s, 1, s.provider.Count(oidcauthtest.UserInfo))
		s.straighten()
		s.signIn()
	}},
	{"oidcc-client-test-nonce-invalid", stops(suffixed("nonce", "1"))},
	{"oidcc-client-test-scope-userinfo-claims", func(s *suite) {
		s.signIn()
		scopes := strings.Fields(s.provider.Last(oidcauthtest.Authorize).Form.Get("scope"))
		require.True(s, slices.ContainsFunc(scopes, func(scope string) bool {
			return slices.Contains([]string{"profile", "email", "phone", "address"}, scope)
		}))
		require.Equal(s, "Alice Adams", s.user().Name)
	}},
	{"oidcc-client-test-client-secret-basic", completes(asIs)}, // judge asserts it in every module
}

func withoutKeyID(t *oidcauthtest.Token) { t.Header.Delete("kid") }

// secondForeign is a foreign RSA key under another kid.
func secondForeign() *oidcauthtest.Key {
	return oidcauthtest.SignerKey(oidcauthtest.ForeignKey("PS256").Signer(), "RS256", "foreign-2")
}

// The basic plan: oidcc-client-basic-certification-test-plan.
func TestConformanceBasic(t *testing.T) {
	plan{}.run(t, basicModules)
}

// The form_post plan: oidcc-client-formpost-basic-certification-test-plan.
func TestConformanceFormPost(t *testing.T) {
	p := plan{configure: func(c *oidcauth.Config) { c.ResponseMode = oidcauth.FormPost }}
	modules := slices.Clone(basicModules)
	for i, m := range modules {
		modules[i].run = func(s *suite) {
			m.run(s)
			s.judgeFormPost()
		}
	}
	p.run(t, modules)
}

// judgeFormPost asserts that every response came as a form that another site posted.
func (s *suite) judgeFormPost() {
	for _, r := range s.provider.Requests(oidcauthtest.Authorize) {
		require.Equal(s, "form_post", r.Form.Get("response_mode"))
	}
	posted := 0
	for _, x := range s.browser.History() {
		if strings.HasPrefix(x.URL, s.app+"/auth/callback") {
			require.Equal(s, http.MethodPost, x.Method)
			require.Equal(s, "cross-site", x.Header.Get("Sec-Fetch-Site"))
			posted++
		}
	}
	require.NotZero(s, posted)
}

// A module of the comprehensive form_post plan: prompt=none and max_age=0 at once, which no provider can satisfy.
func TestConformanceFormPostError(t *testing.T) {
	plan{
		settings: oidcauthtest.Settings{Nobody: true},
		configure: func(c *oidcauth.Config) {
			c.ResponseMode, c.Login = oidcauth.FormPost, oidcauth.LoginOptions{Prompt: "none", MaxAge: -1}
		},
	}.run(t, []module{{"oidcc-client-test-form-post-error", func(s *suite) {
		page := s.refused()
		require.Equal(s, http.StatusBadRequest, page.Status)
		request := s.provider.Last(oidcauthtest.Authorize).Form
		require.Equal(s, "none", request.Get("prompt"))
		require.Equal(s, "0", request.Get("max_age"))
		require.Zero(s, s.provider.Count(oidcauthtest.TokenEndpoint))
		s.judgeFormPost()
	}}})
}

// Further modules of the comprehensive plan, oidcc-client-test-plan.
func TestConformanceComprehensive(t *testing.T) {
	plan{}.run(t, []module{
		{"oidcc-client-test-missing-aud", stops(lacking("aud"))},
		{"oidcc-client-test-userinfo-bearer-header", completes(asIs)}, // judge asserts it in every module
		{"oidcc-client-test-invalid-sig-hs256", stops(idToken(func(t *oidcauthtest.Token) {
			t.SignWith(oidcauthtest.HMACKey([]byte("app-secret")))
			t.FlipSignature()
		}))},
		{"oidcc-client-test-nonce-unless-code-flow", completes(asIs)}, // judge asserts a nonce in every module
	})
	plan{
		settings:  oidcauthtest.Settings{Alg: "ES256"},
		configure: func(c *oidcauth.Config) { c.SigningAlg = "ES256" },
	}.run(t, []module{
		{"oidcc-client-test-invalid-sig-es256", stops(idToken((*oidcauthtest.Token).FlipSignature))},
	})
}
