package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// strangersCallback starts a login and answers it with response, as a script does that never asks the provider.
func (w *world) strangersCallback(response url.Values) *httptest.ResponseRecorder {
	w.Helper()
	login := w.send("", "/auth/login")
	at, err := url.Parse(login.Header().Get("Location"))
	require.NoError(w, err)
	response.Set("state", at.Query().Get("state"))
	response.Set("iss", w.provider.Issuer())
	return w.send(strings.Split(login.Header().Get("Set-Cookie"), ";")[0], "/auth/callback?"+response.Encode())
}

func TestStrangersFillNoMemoryOfLogins(t *testing.T) {
	const limit = 8
	for name, store := range map[string]session.Store{"without a Store": nil, "with a Store": session.NewMemoryStore()} {
		for what, response := range map[string]url.Values{"errors": {"error": {"x"}}, "codes that are made up": {"code": {"x"}}} {
			t.Run(what+" "+name, func(t *testing.T) {
				w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Session.Store = store })
				w.auth.LimitConsumed(limit)
				for range 3 * limit {
					answer := w.strangersCallback(response)
					require.Contains(t, []int{http.StatusBadRequest, http.StatusBadGateway}, answer.Code, answer.Body)
					require.Contains(t, answer.Header().Get("Set-Cookie"), "Max-Age=0", "the transaction is over in the browser")
				}
				w.signIn()
			})
		}
	}
}

// With a Store the memory of a process is a shortcut, not the verdict.
func TestLoginsAreRefusedOnlyWhereNobodyRemembersThem(t *testing.T) {
	for _, row := range []struct {
		name   string
		store  session.Store
		status int
	}{
		{"without a Store a full memory refuses", nil, http.StatusServiceUnavailable},
		{"with a Store it does not", session.NewMemoryStore(), http.StatusOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Session.Store = row.store })
			w.auth.LimitConsumed(1)
			w.signIn()
			w.anew()
			require.Equal(t, row.status, w.browser.Get(app+"/me").Status)
		})
	}
}

// A code that the provider refused is not sent again, however often its callback comes.
func TestARefusedCodeIsSentOnce(t *testing.T) {
	w := newWorld(t, noPAR)
	callback := w.callbackURL()
	cookies := w.cookies()
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_grant"))
	path := strings.TrimPrefix(callback.URL, app)
	require.Equal(t, http.StatusBadGateway, w.send(cookies, path).Code)
	require.Equal(t, http.StatusBadRequest, w.send(cookies, path).Code)
	require.Equal(t, http.StatusBadRequest, w.send(cookies, path).Code)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
}
