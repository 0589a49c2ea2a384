package oidcauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func responseMode(mode oidcauth.ResponseMode) func(*oidcauth.Config) {
	return func(c *oidcauth.Config) { c.ResponseMode = mode }
}

func TestAResponseInAJWTSignsIn(t *testing.T) {
	for _, mode := range []oidcauth.ResponseMode{oidcauth.QueryJWT, oidcauth.FormPostJWT} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorld(t, responseMode(mode))
			w.signIn()
			require.Equal(t, "alice", w.user().Subject)
			require.Equal(t, string(mode), w.authenticationRequest().Get("response_mode"))
		})
	}
}

func TestARefusalInAJWTIsTheProvidersWord(t *testing.T) {
	w := newWorld(t, responseMode(oidcauth.QueryJWT))
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Nobody = true })
	require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/me").Status)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestABadResponseJWTIsRefused(t *testing.T) {
	set := func(name string, value any) func(*oidcauthtest.Token) {
		return func(t *oidcauthtest.Token) { t.Claims.Set(name, value) }
	}
	drop := func(name string) func(*oidcauthtest.Token) {
		return func(t *oidcauthtest.Token) { t.Claims.Delete(name) }
	}
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"signed by a stranger":               func(t *oidcauthtest.Token) { t.Key = oidcauthtest.ForeignKey("RS256") },
		"unsigned":                           func(t *oidcauthtest.Token) { t.Unsign("none") },
		"with a changed signature":           func(t *oidcauthtest.Token) { t.FlipSignature() },
		"signed with the client's secret":    func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.HMACKey([]byte("app-secret"))) },
		"by another algorithm":               func(t *oidcauthtest.Token) { t.Header.Set("alg", "PS256") },
		"with a critical header":             func(t *oidcauthtest.Token) { t.Header.Set("crit", []string{"b64"}) },
		"of another issuer":                  set("iss", "https://evil.test"),
		"without an issuer":                  drop("iss"),
		"for another client":                 set("aud", "other"),
		"for nobody":                         drop("aud"),
		"for several, and not us by azp":     set("aud", []string{"app", "other"}),
		"that has expired":                   set("exp", time.Now().Add(-2*time.Minute).Unix()),
		"without an end":                     drop("exp"),
		"that ends in words":                 set("exp", "tomorrow"),
		"that is an ID token, by nonce":      set("nonce", "n"),
		"that is an ID token, by subject":    set("sub", "alice"),
		"with a code that is no string":      set("code", []string{"a"}),
		"with a code and an error":           set("error", "access_denied"),
		"without a code":                     drop("code"),
		"without a state":                    drop("state"),
		"with two codes":                     func(t *oidcauthtest.Token) { t.Claims.Add("code", "other") },
		"with two states":                    func(t *oidcauthtest.Token) { t.Claims.Add("state", "other") },
		"with claims that are no object":     func(t *oidcauthtest.Token) { t.Claims.Replace(`[]`) },
		"in four parts":                      func(t *oidcauthtest.Token) { t.Rewrite(func(s string) string { return s + "." }) },
		"of nothing":                         func(t *oidcauthtest.Token) { t.Rewrite(func(string) string { return "" }) },
		"in the standard alphabet of base64": func(t *oidcauthtest.Token) { t.Rewrite(func(s string) string { return s + "=" }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR, responseMode(oidcauth.QueryJWT))
			var good string
			w.provider.BendResponseJWT(func(token *oidcauthtest.Token) {
				good = token.Compact()
				bend(token)
			})
			page := w.browser.Get(app + "/me")
			require.Equal(t, http.StatusBadRequest, page.Status, page.Body)
			requireProtected(t, page.Header)
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			require.False(t, w.hasSession())
			page = w.browser.Get(app + "/auth/callback?response=" + good)
			require.Equal(t, http.StatusOK, page.Status, "the true response still completes the login")
		})
	}
}

func TestNothingCountsBesideAResponseJWT(t *testing.T) {
	for name, alter := range map[string]func(url.Values){
		"a code":              func(q url.Values) { q.Set("code", "evil") },
		"a state":             func(q url.Values) { q.Set("state", "evil") },
		"an issuer":           func(q url.Values) { q.Set("iss", oidcauthtest.DefaultIssuer) },
		"an error":            func(q url.Values) { q.Set("error", "access_denied") },
		"a second JWT":        func(q url.Values) { q.Add("response", q.Get("response")) },
		"an empty code":       func(q url.Values) { q["code"] = []string{""} },
		"a description":       func(q url.Values) { q.Set("error_description", "x") },
		"the code, unwrapped": func(q url.Values) { q["response"] = nil; q.Set("code", "c"); q.Set("state", "s") },
	} {
		for _, mode := range []oidcauth.ResponseMode{oidcauth.QueryJWT, oidcauth.FormPostJWT} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t, noPAR, responseMode(mode))
				cb := w.callbackURL()
				bent := *cb
				if mode == oidcauth.FormPostJWT {
					bent.Form = url.Values{"response": {cb.Form.Get("response")}}
					alter(bent.Form)
				} else {
					u := mustParsed(t, cb.URL)
					q := u.Query()
					alter(q)
					u.RawQuery = q.Encode()
					bent.URL = u.String()
				}
				require.Equal(t, http.StatusBadRequest, w.browser.NewTab().Go(&bent).Status)
				require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
				require.Equal(t, http.StatusOK, w.browser.Go(cb).Status, "the true response still completes the login")
			})
		}
	}
}

func TestAResponseJWTIsNothingWhereNoneWasAskedFor(t *testing.T) {
	w := newWorld(t, noPAR)
	cb := w.callbackURL()
	q := mustParsed(t, cb.URL).Query()
	token := oidcauthtest.ParseToken("e30.e30.")
	for name := range q {
		token.Claims.Set(name, q.Get(name))
	}
	require.Equal(t, http.StatusBadRequest, w.browser.Get(app+"/auth/callback?response="+token.Compact()).Status)
	require.Equal(t, http.StatusOK, w.browser.Go(cb).Status)
}

func TestAStrangersResponseJWTCostsNoKeyFetch(t *testing.T) {
	w := newWorld(t, noPAR, responseMode(oidcauth.QueryJWT))
	cb := w.callbackURL()
	for range 20 {
		token := oidcauthtest.ParseToken(mustParsed(t, cb.URL).Query().Get("response"))
		token.Claims.Set("state", randomState())
		token.SignWith(oidcauthtest.ForeignKey("RS256"))
		require.Equal(t, http.StatusBadRequest, w.browser.Get(app+"/auth/callback?response="+token.Compact()).Status)
	}
	require.Zero(t, w.provider.Count(oidcauthtest.JWKS))
	require.Equal(t, http.StatusOK, w.browser.Go(cb).Status)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.JWKS))
}

func randomState() string { return incompressible(22) }

func TestWithoutKeysAResponseJWTIsNotBelieved(t *testing.T) {
	w := newWorld(t, noPAR, responseMode(oidcauth.QueryJWT))
	w.provider.Intercept(oidcauthtest.JWKS, oidcauthtest.Reply(http.StatusInternalServerError, "", ""))
	cb := w.callbackURL()
	page := w.browser.Go(cb)
	require.Equal(t, http.StatusServiceUnavailable, page.Status)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}
