package oidcauth_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)


// A hook that keeps a role from everybody, and finds nothing to take away at the login.
func TestAttackerARefreshBringsNoRoleThatTheHookKeepsBack(t *testing.T) {
	w := newTokenWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			u.Roles = slices.DeleteFunc(u.Roles, func(role string) bool { return role == "admin" })
			return nil
		}
	})
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("roles", []string{"user"}) })
	w.signIn()
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("roles", []string{"user", "admin"}) })
	w.token("?force")
	require.Equal(t, http.StatusForbidden, w.send(w.cookies(), "/admin").Code, "roles: %q", w.user().Roles)
}
