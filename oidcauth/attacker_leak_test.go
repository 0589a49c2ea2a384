package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A refresh that lands between the loading of the session by the logout's request and its end.
func TestAttackerALogoutRevokesTheNewestTokens(t *testing.T) {
	w := newTokenWorld(t)
	w.signIn()
	old := w.cookies()
	var newest string
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { newest = a.Text("refresh_token") })
	// The application's own sign-out button: a guard, something slow, and Logout.
	w.mux.Handle("POST /bye", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		oidcauth.UserFrom(r.Context())
		require.Equal(t, http.StatusOK, w.send(old, "/token?force").Code)
		w.auth.Logout(rw, r)
	})))
	r := httptest.NewRequest(http.MethodPost, app+"/bye", nil)
	r.Header.Set("Cookie", old)
	w.mux.ServeHTTP(httptest.NewRecorder(), r)
	require.NotEmpty(t, newest)
	revoked := []string{}
	for _, request := range w.provider.Requests(oidcauthtest.Revocation) {
		revoked = append(revoked, request.Form.Get("token"))
	}
	require.Contains(t, revoked, newest, "the newest refresh token lives on at the provider")
}
