package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// The same two managers without the outer Load: the guard opens its own session, and refuses.
func TestAttackerControlTheStaffGuardRefusesByItself(t *testing.T) {
	w := newWorld(t)
	staff := newAuthenticator(t, w, func(c *oidcauth.Config) {
		c.RedirectURL, c.Session.CookieName = app+"/staff/callback", "staff"
	})
	w.mux.Handle("/vault", staff.RequireLogin(http.HandlerFunc(writeUser)))
	both := w.auth.Load(w.mux)
	w.network.Handle(app, both)
	w.signIn()
	require.Equal(t, http.StatusUnauthorized, w.sendTo(both, w.cookies(), "/vault").Code)
}
