package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A flood of forged logout tokens keeps the brake pressed; a true one, signed by a new key, must not be told that it is wrong.
func TestAttackerABrakedLogoutTokenIsSentAgain(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.BackChannelLogout = true })
	w.signIn()
	post := func(raw string) int {
		r := httptest.NewRequest(http.MethodPost, app+"/auth/backchannel-logout", strings.NewReader(url.Values{"logout_token": {raw}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, r)
		return answer.Code
	}
	for i := range 6 {
		forged := oidcauthtest.ParseToken(w.provider.LogoutToken("app", "alice", ""))
		forged.SignWith(oidcauthtest.NewKey("RS256", "attacker-"+string(rune('a'+i))))
		require.Equal(t, http.StatusBadRequest, post(forged.Compact()))
	}
	w.provider.RotateKey()
	time.Sleep(1100 * time.Millisecond) // past the tie of the same second
	code := post(w.provider.LogoutToken("app", "alice", ""))
	t.Log("answer to the true logout token:", code, "session lives:", w.user() != nil)
	require.NotEqual(t, http.StatusBadRequest, code, "the provider will not try again, and the session lives")
}

// Forged response JWTs press the brake of ID tokens too: a refresh that meets a new key must not end the session.
func TestAttackerABrakedRefreshEndsNoSession(t *testing.T) {
	w := newTokenWorld(t, func(c *oidcauth.Config) { c.ResponseMode, c.PAR = oidcauth.QueryJWT, oidcauth.PAROff })
	w.signIn()
	for i := range 6 {
		login := httptest.NewRecorder()
		w.mux.ServeHTTP(login, httptest.NewRequest(http.MethodGet, app+"/auth/login", nil))
		at, _ := url.Parse(login.Header().Get("Location"))
		forged := oidcauthtest.ParseToken(w.provider.LogoutToken("app", "alice", "x", func(tok *oidcauthtest.Token) {
			tok.Header.Set("typ", "JWT")
			tok.Claims.Delete("sub")
			tok.Claims.Set("code", "x")
			tok.Claims.Set("state", at.Query().Get("state"))
			tok.Claims.Set("exp", time.Now().Add(time.Minute).Unix())
		}))
		forged.SignWith(oidcauthtest.NewKey("RS256", "attacker-"+string(rune('a'+i))))
		r := httptest.NewRequest(http.MethodGet, app+"/auth/callback?response="+forged.Compact(), nil)
		r.Header.Set("Cookie", strings.Split(login.Header().Get("Set-Cookie"), ";")[0])
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, r)
		require.Equal(t, http.StatusBadRequest, answer.Code, answer.Body)
	}
	w.provider.RotateKey()
	answer := w.send(w.cookies(), "/token?force")
	t.Log("refresh:", answer.Code, answer.Body)
	require.NotNil(t, w.user(), "the user is signed out")
}

// One user's 429 is everybody's.
func TestAttackerOneUsersRateLimitIsNotEverybodys(t *testing.T) {
	w := newTokenWorld(t)
	w.signIn()
	mallory := w.cookies()
	w.browser = oidcauthtest.NewBrowser(w.network)
	w.signIn()
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Times(1, oidcauthtest.SetHeader("Retry-After", "60")), oidcauthtest.Times(1, oidcauthtest.OAuthError(429, "slow_down")))
	require.NotEqual(t, http.StatusOK, w.send(mallory, "/token?force").Code)
	n := w.refreshes()
	answer := w.send(w.cookies(), "/token?force")
	t.Log("another user's refresh:", answer.Code, answer.Header(), "requests:", w.refreshes()-n)
	require.Equal(t, http.StatusOK, answer.Code)
}

// Costs of what a provider writes.
func TestAttackerNamesOfUserinfoAreCheap(t *testing.T) {
	for _, n := range []int{25_000, 50_000, 100_000, 200_000} {
		info, _ := json.Marshal(map[string]string{"sub": "a", strings.Repeat(".", n): "x"})
		signed := map[string]string{"sub": "a"}
		for i := range 20 { // as in any ID token
			signed["claim"+string(rune('a'+i))] = "x"
		}
		idToken, _ := json.Marshal(signed)
		began := time.Now()
		_, err := oidcauth.MergeClaims(idToken, info)
		require.NoError(t, err)
		t.Log(n, "dots in userinfo:", time.Since(began))
	}
	for _, n := range []int{12_500, 25_000, 50_000, 100_000} { // an ID token has at most 128 KiB
		idToken, _ := json.Marshal(map[string]string{"sub": "a", strings.Repeat(".", n): "x"})
		began := time.Now()
		_, err := oidcauth.MergeClaims(idToken, json.RawMessage(`{"sub":"a","name":"b"}`))
		require.NoError(t, err)
		t.Log(n, "dots in an ID token:", time.Since(began))
	}
}

var _ = session.ErrNoSession
