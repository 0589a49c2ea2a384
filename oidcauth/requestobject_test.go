package oidcauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// newSigningWorld is a world whose authentication requests are signed.
func newSigningWorld(t *testing.T, configure ...func(*oidcauth.Config)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*oidcauth.Config){func(c *oidcauth.Config) {
		c.Advanced.SignedRequests, c.ClientSecret = true, ""
		c.ClientAuth = oidcauth.ClientAuth{Key: ecKey(), KeyID: "sig-1"}
	}}, configure...)...)
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Clients[0].Secret, s.Clients[0].Keys = "", keySetOf(ecKey()) })
	return w
}

// Beside a request by value stands what makes it a request to an OpenID provider (Core §6.1); beside a pushed one, nothing.
func TestASignedRequestHoldsAllParametersAndLittleStandsBeside(t *testing.T) {
	for _, pushed := range []bool{true, false} {
		w := newSigningWorld(t, func(c *oidcauth.Config) {
			c.Login = oidcauth.LoginOptions{MaxAge: time.Minute, Resource: []string{"urn:a", "urn:b"}, Claims: []byte(`{"id_token":{"email":null}}`)}
			if c.PAR = oidcauth.PAROff; pushed {
				c.PAR = oidcauth.PAROn
			}
		})
		w.signIn()
		form := w.authenticationRequest()
		outside := []string{"client_id", "request", "response_type", "scope"}
		if pushed {
			outside = []string{"client_id", "request", "client_assertion", "client_assertion_type"}
		}
		require.ElementsMatch(t, outside, parametersOf(form))
		header, claims := verifyAssertion(t, form.Get("request"), ecKey().Public())
		require.Equal(t, m{"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": "sig-1"}, header)
		require.Equal(t, "app", claims["iss"])
		require.Equal(t, w.provider.Issuer(), claims["aud"])
		require.InDelta(t, time.Now().Unix(), claims["nbf"], 5)
		require.LessOrEqual(t, claims["exp"].(float64)-claims["nbf"].(float64), 3600.0)
		require.NotEmpty(t, claims["jti"])
		require.NotContains(t, claims, "sub", "or it could pass for a client assertion (RFC 9101 §10.8)")
		require.Equal(t, 60.0, claims["max_age"], "a number")
		require.Equal(t, []any{"urn:a", "urn:b"}, claims["resource"])
		require.Equal(t, m{"id_token": m{"email": nil}}, claims["claims"], "an object")
		for _, name := range []string{"response_type", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method"} {
			require.NotEmpty(t, claims[name], name)
			if form.Has(name) {
				require.Equal(t, claims[name], form.Get(name), "inside and outside agree")
			}
		}
	}
}

func TestWhatIsAddedToASignedRequestCountsForNothing(t *testing.T) {
	w := newSigningWorld(t, noPAR)
	tab := w.browser.NewTab()
	tab.PauseAt(w.provider.URL(oidcauthtest.Authorize))
	page := tab.Get(app + "/me")
	require.NotNil(t, page.Paused)
	tab.PauseAt("")
	page.Paused.URL += "&state=evil&redirect_uri=https%3A%2F%2Fevil.test&scope=openid&nonce=evil"
	require.Equal(t, http.StatusOK, tab.Go(page.Paused).Status)
	require.Equal(t, "alice", w.user().Subject)
}

func TestAnAuthorizationServerOfAnothersKeyRefusesTheRequest(t *testing.T) {
	w := newSigningWorld(t, noPAR)
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Clients[0].Keys = keySetOf(rsaKey()) })
	require.Equal(t, http.StatusBadRequest, w.browser.Get(app+"/me").Status)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestSignedRequestsNeedAKey(t *testing.T) {
	c := goodConfig()
	c.Advanced.SignedRequests = true
	_, err := oidcauth.New(c)
	require.ErrorContains(t, err, "Advanced.SignedRequests: needs ClientAuth.Key")
}
