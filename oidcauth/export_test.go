package oidcauth

import (
	"context"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/claims"
)

// What tests in oidcauth_test need to reach.
var (
	RolesOf          = claims.Roles
	FollowsRedirects = browser.FollowsRedirects
)

// TransactionCookie names the cookie of the login with this state.
func (a *Authenticator) TransactionCookie(state string) string { return a.logins.CookieOf(state) }

// LimitConsumed lets the memory of finished logins hold no more than limit.
func (a *Authenticator) LimitConsumed(limit int) { a.logins.Limit(limit) }

// FillCallbacks takes every place for a callback under way; release gives one back.
func FillCallbacks(a *Authenticator) (release func()) {
	for {
		one, err := a.callbackPlaces.Take(context.Background(), 0)
		if err != nil {
			return release
		}
		release = one
	}
}

// LocalPath reports whether a wish to return to raw is granted as far as the path itself decides.
func LocalPath(raw string) bool {
	_, err := localPath(raw)
	return err == nil && len(raw) <= maxReturnTo
}
