package oidcauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Hooks.Login may change u's Claims. A guard must see what it made of them.
func TestAttackerWhatTheLoginHookTakesAwayIsGone(t *testing.T) {
	for name, change := range map[string]func(claims map[string]any){
		"replaced": func(claims map[string]any) { claims["department"] = "none" },
		"removed":  func(claims map[string]any) { delete(claims, "department") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *oidcauth.Config) {
				c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
					var claims map[string]any
					_ = json.Unmarshal(u.Claims, &claims)
					change(claims)
					u.Claims, _ = json.Marshal(claims)
					return nil
				}
			})
			w.mux.Handle("/payroll", w.auth.Require(oidcauth.Claim("department", "finance"))(http.HandlerFunc(writeUser)))
			w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("department", "finance") })
			w.signIn()
			require.Equal(t, http.StatusForbidden, w.send(w.cookies(), "/payroll").Code, "the hook's decision is lost: %s", w.user().Claims)
		})
	}
}

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
