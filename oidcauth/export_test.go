package oidcauth

import (
	"context"
	"log/slog"

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

// LocalPath reports whether a wish to return to raw is granted.
func LocalPath(raw string) bool {
	site := browser.NewSite("https://app.example.com/auth/callback", "", "")
	site.Log, site.Own, site.Others = slog.New(slog.DiscardHandler), func(func(string) bool) {}, func(string) bool { return false }
	return site.ReturnTo(context.Background(), raw) == raw
}
