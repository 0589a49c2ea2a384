package oidcauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// The configuration plan: oidcc-client-config-certification-test-plan.
func TestConformanceConfig(t *testing.T) {
	plan{}.run(t, []module{
		{"oidcc-client-test-discovery-openid-config", func(s *suite) {
			s.signIn()
			require.Equal(s, "/.well-known/openid-configuration", s.provider.Last(oidcauthtest.Discovery).URL.Path)
			require.Equal(s, 1, s.provider.Count(oidcauthtest.Discovery))
		}},
		{"oidcc-client-test-discovery-jwks-uri-keys", func(s *suite) {
			s.metadata(func(d *oidcauthtest.Object) { d.Set("jwks_uri", s.provider.URL(oidcauthtest.JWKS)+"?module=x7Tq") })
			s.signIn()
			require.Equal(s, "module=x7Tq", s.provider.Last(oidcauthtest.JWKS).URL.RawQuery)
			order := s.order()
			require.Less(s, slices.Index(order, oidcauthtest.JWKS), slices.Index(order, oidcauthtest.UserInfo))
		}},
		{"oidcc-client-test-discovery-issuer-mismatch", func(s *suite) {
			s.metadata(func(d *oidcauthtest.Object) { d.Set("issuer", d.Text("issuer")+"INVALID") })
			page := s.refused()
			require.Contains(s, []int{http.StatusBadGateway, http.StatusServiceUnavailable}, page.Status)
			require.Zero(s, s.provider.Count(oidcauthtest.Authorize, oidcauthtest.TokenEndpoint, oidcauthtest.JWKS, oidcauthtest.UserInfo))
		}},
		{"oidcc-client-test-idtoken-sig-none", stops(idToken(func(t *oidcauthtest.Token) { t.Unsign("none") }))},
		{"oidcc-client-test-signing-key-rotation-just-before-signing", func(s *suite) {
			s.signIn() // so that the key set is known
			s.browser.ClearCookies()
			s.provider.BendAuthorization(func(*oidcauthtest.Authorization) { s.provider.RotateKey() })
			s.signIn()
			require.Equal(s, 2, s.provider.Count(oidcauthtest.JWKS), "one more fetch for the unknown kid")
		}},
		{"oidcc-client-test-signing-key-rotation", func(s *suite) {
			logins := 0
			s.provider.BendAuthorization(func(*oidcauthtest.Authorization) {
				if logins++; logins == 2 {
					s.provider.RotateKey()
				}
			})
			s.signIn()
			s.browser.Get(s.app + "/auth/login")
			require.Equal(s, 2, s.provider.Count(oidcauthtest.JWKS))
			require.Equal(s, 2, s.provider.Count(oidcauthtest.UserInfo))
			require.NotNil(s, s.user())
		}},
	})
}

// order returns which endpoints were called, in order.
func (s *suite) order() (endpoints []oidcauthtest.Endpoint) {
	for _, r := range s.provider.Requests() {
		endpoints = append(endpoints, r.Endpoint)
	}
	return endpoints
}

// The refresh token plan: oidcc-client-refreshtoken-test-plan. Its modules end when userinfo is called with the new token.
func TestConformanceRefreshToken(t *testing.T) {
	plan{}.run(t, []module{
		{"oidcc-client-test-refresh-token", func(s *suite) {
			s.signIn()
			first := s.provider.Last(oidcauthtest.UserInfo).Header.Get("Authorization")
			require.Equal(s, http.StatusOK, s.refreshAndFetch().Status)
			request := s.provider.Last(oidcauthtest.TokenEndpoint).Form
			require.Equal(s, "refresh_token", request.Get("grant_type"))
			require.False(s, request.Has("scope"), "no more than was granted")
			require.Equal(s, 2, s.provider.Count(oidcauthtest.UserInfo))
			require.NotEqual(s, first, s.provider.Last(oidcauthtest.UserInfo).Header.Get("Authorization"))
			require.NotNil(s, s.user())
		}},
		{"oidcc-client-test-refresh-token-invalid-issuer", refreshStops("iss")},
		{"oidcc-client-test-refresh-token-invalid-sub", refreshStops("sub")},
	})
}

// refreshAndFetch has the application refresh the user's tokens and fetch userinfo with the new one.
func (s *suite) refreshAndFetch() *oidcauthtest.Page {
	s.Helper()
	userInfo, err := url.Parse(s.provider.URL(oidcauthtest.UserInfo))
	require.NoError(s, err)
	page := s.browser.NewTab().Fetch(s.app+"/resource"+userInfo.Path+"?refresh", oidcauthtest.FetchOptions{})
	require.NoError(s, page.Err)
	return page
}

// refreshStops is a module in which a claim of the refreshed ID token is another's: no call with the new token may follow.
func refreshStops(claim string) func(*suite) {
	return func(s *suite) {
		s.signIn()
		s.provider.BendIDToken(func(t *oidcauthtest.Token) { t.Claims.Set(claim, t.Claims.Text(claim)+"1") })
		page := s.refreshAndFetch()
		require.Equal(s, http.StatusUnauthorized, page.Status, page.Body)
		require.Equal(s, 2, s.provider.Count(oidcauthtest.TokenEndpoint))
		require.Equal(s, 1, s.provider.Count(oidcauthtest.UserInfo), "the login's alone")
		require.Nil(s, s.user(), "the session has ended")
	}
}

// The plan of third-party-initiated login: oidcc-client-test-3rd-party-init-login-test-plan.
func TestConformanceThirdPartyInitiatedLogin(t *testing.T) {
	plan{}.run(t, []module{{"oidcc-client-test-3rd-party-init-login", func(s *suite) {
		initiate := s.app + "/auth/login?iss=" + url.QueryEscape(s.provider.Issuer())
		s.browser.Show(s.provider.Issuer()+"/portal", "")
		page := s.browser.Click(initiate + "&login_hint=alice&target_link_uri=" + url.QueryEscape(s.app+"/me"))
		require.Equal(s, http.StatusOK, page.Status, page.Body)
		require.Equal(s, s.app+"/me", page.URL)
		require.Equal(s, "alice", s.provider.Last(oidcauthtest.Authorize).Form.Get("login_hint"))
		require.Equal(s, 1, s.provider.Count(oidcauthtest.UserInfo))
		require.Equal(s, 1, s.provider.Count(oidcauthtest.Authorize), "no request before the visit")
		require.NotNil(s, s.user())
		s.browser.Show(s.provider.Issuer()+"/portal", "")
		page = s.browser.Click(s.app + "/auth/login?iss=" + url.QueryEscape(s.provider.Issuer()+"1"))
		require.Equal(s, http.StatusBadRequest, page.Status)
		require.Equal(s, 1, s.provider.Count(oidcauthtest.Authorize), "another issuer's users are none of ours")
	}}})
}
