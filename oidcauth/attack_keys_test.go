package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Strangers send tokens of keys that nobody has, so that the keys are not looked for any more when the provider changes them.

// burst is how many refetches tokens of one kind can cause at once.
const burst = 5

// forgedBy signs raw with the i-th of a stranger's keys.
func forgedBy(i int, raw string) string {
	token := oidcauthtest.ParseToken(raw)
	token.SignWith(oidcauthtest.NewKey("RS256", "stranger-"+strconv.Itoa(i)))
	return token.Compact()
}

func TestABrakedLogoutTokenIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *oidcauth.Config) { c.BackChannelLogout = true })
		w.signIn()
		post := func(raw string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, app+"/auth/backchannel-logout", strings.NewReader(url.Values{"logout_token": {raw}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			answer := httptest.NewRecorder()
			w.mux.ServeHTTP(answer, r)
			return answer
		}
		for i := range burst {
			require.Equal(t, http.StatusBadRequest, post(forgedBy(i, w.provider.LogoutToken("app", "alice", ""))).Code)
		}
		known := w.provider.LogoutToken("app", "alice", "")
		at := strings.LastIndex(known, ".") + 10
		bent := known[:at] + map[bool]string{true: "B", false: "A"}[known[at] == 'A'] + known[at+1:]
		require.Equal(t, http.StatusBadRequest, post(bent).Code, "its key is known: nothing is left to look for")
		w.provider.RotateKey()
		time.Sleep(time.Second) // past the tie of the same second
		token := w.provider.LogoutToken("app", "alice", "")
		answer := post(token)
		require.Equal(t, http.StatusServiceUnavailable, answer.Code, "400 would be for good")
		require.NotEmpty(t, answer.Header().Get("Retry-After"))
		time.Sleep(10 * time.Second)
		require.Equal(t, http.StatusOK, post(token).Code)
		require.Nil(t, w.user())
	})
}

// A response JWT is anybody's who starts a login. Neither does it keep others from finding a new key.
func TestBrakedResponsesEndNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, noPAR, func(c *oidcauth.Config) { c.ResponseMode = oidcauth.QueryJWT })
		w.signIn()
		respond := func(i int) int {
			login := w.send("", "/auth/login")
			at, err := url.Parse(login.Header().Get("Location"))
			require.NoError(t, err)
			forged := forgedBy(i, w.provider.LogoutToken("app", "alice", "x", func(tok *oidcauthtest.Token) {
				tok.Header.Set("typ", "JWT")
				tok.Claims.Delete("sub")
				tok.Claims.Set("code", "x")
				tok.Claims.Set("state", at.Query().Get("state"))
				tok.Claims.Set("exp", time.Now().Add(time.Minute).Unix())
			}))
			return w.send(strings.Split(login.Header().Get("Set-Cookie"), ";")[0], "/auth/callback?response="+forged).Code
		}
		for i := range burst {
			require.Equal(t, http.StatusBadRequest, respond(i))
		}
		require.Equal(t, http.StatusBadRequest, respond(burst), "braked, and as wrong as before")
		w.provider.RotateKey()
		w.token("?force")
		require.NotNil(t, w.user(), "the user is signed out")
		require.Equal(t, 1, w.refreshes())
	})
}
