package oidcauth_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// The modules of the comprehensive plan that are about claims of other sources (Core §5.6.2). The suite's provider is its own
// claims provider.
func TestConformanceClaimSources(t *testing.T) {
	plan{configure: func(c *oidcauth.Config) {
		c.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{Issuer: c.Issuer, Claims: []string{"address", "phone_number", "credit_score"}}}
	}}.run(t, []module{
		{"oidcc-client-test-aggregated-claims", func(s *suite) {
			aggregates(s.provider)(s)
			s.signIn()
			require.Equal(s, "Los Angeles", s.claims()["address"].(map[string]any)["locality"])
			require.Equal(s, "+1 (310) 123-4567", s.claims()["phone_number"])
		}},
		{"oidcc-client-test-distributed-claims", func(s *suite) {
			distributes(s.provider)(s)
			s.signIn()
			require.EqualValues(s, 650, s.claims()["credit_score"])
			require.Equal(s, 1, s.provider.Count(oidcauthtest.Claims))
			require.Regexp(s, "^Bearer .+", s.provider.Last(oidcauthtest.Claims).Header.Get("Authorization"))
		}},
		// The suite's own JWTs have no iss, and those of aggregated claims no signature: its modules pass, for it judges by the
		// requests, and the claims are not believed.
		{"oidcc-client-test-aggregated-claims as the suite makes them", func(s *suite) {
			aggregates(s.provider, func(t *oidcauthtest.Token) {
				t.Unsign("none")
				t.Claims.Delete("iss", "aud", "iat", "exp")
			})(s)
			s.signIn()
			require.NotContains(s, s.claims(), "address")
		}},
		{"oidcc-client-test-distributed-claims as the suite makes them", func(s *suite) {
			distributes(s.provider, func(t *oidcauthtest.Token) { t.Claims.Delete("iss", "aud", "iat", "exp") })(s)
			s.signIn()
			require.NotContains(s, s.claims(), "credit_score")
			require.Equal(s, 1, s.provider.Count(oidcauthtest.Claims))
		}},
	})
}

// The same modules with a claims provider of its own, at another origin.
func TestConformanceClaimSourcesOfAnotherParty(t *testing.T) {
	other := oidcauthtest.Start(t, oidcauthtest.Settings{Alg: "ES256"})
	plan{configure: func(c *oidcauth.Config) {
		c.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{
			Issuer: other.Issuer(), SigningAlg: "ES256", JWKSURL: other.URL(oidcauthtest.JWKS), Claims: []string{"address", "credit_score"},
		}}
	}}.run(t, []module{
		{"oidcc-client-test-aggregated-claims", func(s *suite) {
			aggregates(other)(s)
			s.signIn()
			require.Contains(s, s.claims(), "address")
			require.NotContains(s, s.claims(), "phone_number", "nobody trusts it with that")
		}},
		{"oidcc-client-test-distributed-claims", func(s *suite) {
			distributes(other)(s)
			s.signIn()
			require.EqualValues(s, 650, s.claims()["credit_score"])
		}},
	})
}

// Without the opt-in no source is asked, and none believed. The suite then waits for a call of the source, in vain: whoever is
// told an address to call may be told any.
func TestConformanceClaimSourcesAreOffByDefault(t *testing.T) {
	plan{}.run(t, []module{
		{"oidcc-client-test-aggregated-claims", func(s *suite) {
			aggregates(s.provider)(s)
			s.signIn()
			require.NotContains(s, s.claims(), "address")
		}},
		{"oidcc-client-test-distributed-claims", func(s *suite) {
			distributes(s.provider)(s)
			s.signIn()
			require.NotContains(s, s.claims(), "credit_score")
			require.Zero(s, s.provider.Count(oidcauthtest.Claims))
		}},
	})
}

// aggregates has userinfo bring a claims provider's JWT.
func aggregates(by *oidcauthtest.Provider, hooks ...func(*oidcauthtest.Token)) func(*suite) {
	claims := map[string]any{"address": map[string]any{"locality": "Los Angeles", "country": "US"}, "phone_number": "+1 (310) 123-4567"}
	return func(s *suite) {
		s.provider.BendUserInfo(func(t *oidcauthtest.Token) {
			t.AddSource("src1", by.AggregatedSource("app", claims, hooks...), "address", "phone_number")
		})
	}
}

// distributes has userinfo name a claims provider's endpoint.
func distributes(by *oidcauthtest.Provider, hooks ...func(*oidcauthtest.Token)) func(*suite) {
	return func(s *suite) {
		s.provider.BendUserInfo(func(t *oidcauthtest.Token) {
			t.AddSource("src1", by.DistributedSource("app", map[string]any{"credit_score": 650}, hooks...), "credit_score")
		})
	}
}

// claims are those of who is signed in.
func (s *suite) claims() (claims map[string]any) {
	s.Helper()
	require.NoError(s, json.Unmarshal(s.user().Claims, &claims))
	return claims
}
