package oidcauth

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/packed"
)

// MaxPlaces is what a test needs that fills them all.
const MaxPlaces = maxPlaces

// StepUpOf is reached by the fuzz target of challenges, for which a round trip is too dear.
var StepUpOf = stepUpOf

// WriteBuiltIn is reached by the fuzz target of the built-in pages, which have to hold whatever a
// person is called.
func WriteBuiltIn(w *bytes.Buffer, data any) { (&pageWriter{w}).page(data) }

// Fail answers r with p. Some codes need a device, or a proxy, to come about.
func Fail(a *Authenticator, w http.ResponseWriter, r *http.Request, p *Problem) {
	a.fail(w, r, p)
}

// PageIn is the head of a page in English; its texts can't be given from outside.
func PageIn(a *Authenticator, title string, user *User) Page {
	p := Page{Lang: "en", Title: title, Stylesheet: a.site.At("style.css"), Home: a.site.Home(), User: user, texts: english}
	if user != nil {
		p.LogoutURL = a.site.At("logout")
	}
	return p
}

// TransactionCookie names the cookie of the login with this state, into which a fuzz target puts
// anything.
func (a *Authenticator) TransactionCookie(state string) string { return a.logins.CookieOf(state) }

// LimitConsumed lets the memory of finished logins hold no more than limit: the real one takes
// minutes to fill.
func (a *Authenticator) LimitConsumed(limit int) {
	s := a.logins.Settings
	s.Finished = limit
	*a.logins = *browser.New(s)
}

// FillCallbacks takes every place for a callback under way, which no test can do from outside
// without as many connections; release gives one back.
func FillCallbacks(a *Authenticator) (release func()) {
	for {
		one, err := a.callbackPlaces.Take(context.Background(), 0)
		if err != nil {
			return release
		}
		release = one
	}
}

// MachineKey returns the key of m's newest token, which never leaves the process in the clear.
func MachineKey(ctx context.Context, m *Machine) *jwt.ProofKey {
	t, _ := m.tokens.Token(ctx, access.Request{})
	return t.Key
}

// MustRevalidate reports whether, now, a session has to be confirmed that a login began at that
// time: no session from the future can be made from outside.
func MustRevalidate(a *Authenticator, now, login time.Time) bool {
	return a.tokens.mustRevalidate(&record{Login: packed.Login{Time: login.UnixMilli()}}, now)
}

// RevalidationDue is how long after its login a session has to be confirmed: a jitter's spread
// needs more of them than can sign in.
func RevalidationDue(a *Authenticator, login time.Time) time.Duration {
	due, _ := a.tokens.revalidation(&record{Login: packed.Login{Time: login.UnixMilli()}}, login)
	return due.Sub(login)
}

// ForgetTokens makes every token one that r has not seen.
func ForgetTokens(r *ResourceServer) { r.seen = access.Seen[*verdict]{} }

// Built counts the providers that are built, with what they remember.
func Built(p *Providers) int {
	p.idle.mu.Lock()
	defer p.idle.mu.Unlock()
	return len(p.idle.built)
}
