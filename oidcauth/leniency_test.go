package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// markBOM puts a byte order mark before every answer of these endpoints.
func (w *world) markBOM(endpoints ...oidcauthtest.Endpoint) {
	for _, e := range endpoints {
		w.provider.Intercept(e, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Body = append([]byte("\ufeff"), a.Body...) }))
	}
}

func TestAByteOrderMarkBeforeJSONIsIgnored(t *testing.T) {
	for _, e := range []oidcauthtest.Endpoint{
		oidcauthtest.Discovery, oidcauthtest.JWKS, oidcauthtest.PAR, oidcauthtest.TokenEndpoint, oidcauthtest.UserInfo,
	} {
		t.Run(string(e), func(t *testing.T) {
			w := newWorld(t, pushing)
			w.markBOM(e)
			w.signIn()
			require.Equal(t, "Alice Adams", w.user().Name)
			require.Equal(t, 1, w.provider.Count(e))
		})
	}
	t.Run("at a refresh", func(t *testing.T) {
		inEachMode(t, func(t *testing.T, w *world) {
			w.markBOM(oidcauthtest.TokenEndpoint)
			time.Sleep(11 * time.Minute)
			require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
		})
	})
	t.Run("of an error", func(t *testing.T) {
		w := newWorld(t)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(400, "application/json", "\ufeff"+`{"error":"invalid_scope"}`))
		w.browser.Get(app + "/me")
		require.Contains(t, w.log.String(), "token endpoint answered 400: invalid_scope")
	})
	t.Run("for a machine", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, _ := newMachineWorld(t, oidcauth.MachineConfig{})
			w.markBOM(oidcauthtest.Discovery, oidcauthtest.TokenEndpoint)
			require.NotEmpty(t, w.mustToken())
		})
	})
}

func TestOneMarkIsIgnoredAndNothingElse(t *testing.T) {
	for name, before := range map[string]string{"two of them": "\ufeff\ufeff", "one of UTF-16": "\xff\xfe", "another character": "\u200b"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) { a.Body = append([]byte(before), a.Body...) }))
			require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
		})
	}
}

// Keycloak writes iss twice into each response JWT.
func TestAResponseJWTMaySayTheSameTwice(t *testing.T) {
	for name, row := range map[string]struct {
		bend func(*oidcauthtest.Token)
		want int
	}{
		"the issuer, equal":     {func(tok *oidcauthtest.Token) { tok.Claims.Add("iss", oidcauthtest.DefaultIssuer) }, http.StatusOK},
		"the issuer, different": {func(tok *oidcauthtest.Token) { tok.Claims.Add("iss", "https://evil.example") }, http.StatusBadRequest},
		"the issuer three times": {func(tok *oidcauthtest.Token) {
			tok.Claims.Add("iss", oidcauthtest.DefaultIssuer)
			tok.Claims.Add("iss", "x")
		}, http.StatusBadRequest},
		"the state, equal":    {func(tok *oidcauthtest.Token) { tok.Claims.Add("state", tok.Claims.Text("state")) }, http.StatusOK},
		"the code, different": {func(tok *oidcauthtest.Token) { tok.Claims.Add("code", "evil") }, http.StatusBadRequest},
		"within an object":    {func(tok *oidcauthtest.Token) { tok.Claims.Set("x", json.RawMessage(`{"a":1,"a":1}`)) }, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, responseMode(oidcauth.QueryJWT))
			w.provider.BendResponseJWT(row.bend)
			require.Equal(t, row.want, w.browser.Get(app+"/me").Status)
			require.Equal(t, row.want == http.StatusOK, w.hasSession())
		})
	}
}

// What may be said twice in a response JWT may not in any other.
func TestIDTokensAndLogoutTokensSayNothingTwice(t *testing.T) {
	repeated := func(tok *oidcauthtest.Token) { tok.Claims.Add("iss", oidcauthtest.DefaultIssuer) }
	t.Run("an ID token", func(t *testing.T) {
		w := newWorld(t)
		w.provider.BendIDToken(repeated)
		require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
		require.False(t, w.hasSession())
	})
	t.Run("a logout token", func(t *testing.T) {
		w := newWorld(t, backChannel)
		w.signIn()
		require.Equal(t, http.StatusBadRequest, w.postLogoutToken(w.provider.LogoutToken("app", "alice", "", repeated)).StatusCode)
		require.NotNil(t, w.user())
	})
}
