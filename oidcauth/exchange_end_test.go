package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// What ends the token that was exchanged ends the way to the other.
func TestAnExchangeEndsWithTheSession(t *testing.T) {
	for name, end := range map[string]func(w *exchangeWorld){
		"at a logout": func(w *exchangeWorld) { w.browser.Post(app+"/auth/logout", nil) },
		"at a mark": func(w *exchangeWorld) {
			require.NoError(w.T, w.auth.Sessions().Revoke(w.Context(), w.user().Tag()))
		},
		"at a back-channel logout": func(w *exchangeWorld) {
			w.postLogoutToken(w.provider.LogoutToken("app", "alice", ""))
		},
	} {
		for kind, mode := range modes {
			if kind == "cookie, no store" {
				continue // where nobody remembers an end
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				w := newExchangeWorld(t, mode, backChannel)
				w.signIn()
				cookies := w.cookies()
				require.Equal(t, http.StatusOK, w.send(cookies, "/exchange").Code)
				end(w)
				before := w.exchanges()
				require.Equal(t, http.StatusUnauthorized, w.send(cookies, "/exchange").Code)
				require.ErrorIs(t, w.err, oidcauth.ErrLoginRequired)
				require.Equal(t, http.StatusUnauthorized, w.send(cookies, "/call").Code)
				require.Equal(t, before, w.exchanges())
			})
		}
	}
}

func TestANewSubjectTokenMakesANewExchange(t *testing.T) {
	w := newExchangeWorld(t)
	w.mux.Handle("/renew", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
		require.NoError(t, err)
	})))
	w.signIn()
	before := w.browser.Get(app + "/exchange").Body
	w.browser.Get(app + "/renew")
	require.NotEqual(t, before, w.browser.Get(app+"/exchange").Body)
	require.Equal(t, 2, w.exchanges())
}
