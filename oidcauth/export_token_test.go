package oidcauth

import (
	"context"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
)

// What tests of the token code reach inside for.
var (
	BlamesToken = oauth.BlamesToken
	StepUpOf    = stepUpOf
)

// Send sends r through base with a token of this type and no key.
func Send(base http.RoundTripper, r *http.Request, kind, value string) (*http.Response, error) {
	origin := r.URL.Scheme + "://" + r.URL.Host
	t := &access.Transport{
		Keeper: oneToken{&access.Token{Kind: kind, Value: value}}, APIs: access.NewAPIs("", []string{origin}), Base: base, Nonces: new(oauth.Nonces),
		Rules: clientRules,
	}
	return t.RoundTrip(r)
}

// oneToken keeps one access token for everybody.
type oneToken struct{ have *access.Token }

func (k oneToken) Token(context.Context, access.Request) (*access.Token, error) { return k.have, nil }
func (k oneToken) Replaceable(*access.Token) bool                               { return false }

// CachedTokens counts the tokens that m keeps.
func CachedTokens(m *Machine) int {
	return m.tokens.Kept()
}

// MachineKey returns the key of m's newest token.
func MachineKey(ctx context.Context, m *Machine) *jwt.ProofKey {
	t, _ := m.tokens.Token(ctx, access.Request{})
	return t.Key
}

// WithBase returns a transport of ours that sends through base.
func WithBase(rt, base http.RoundTripper) http.RoundTripper {
	t := *rt.(*access.Transport)
	t.Base = base
	return &t
}

// MustRevalidate reports whether, now, a session has to be confirmed that a login began at that time.
func MustRevalidate(a *Authenticator, now, login time.Time) bool {
	return a.mustRevalidate(&record{Login: login.UnixMilli()}, now)
}

// RevalidationDue is how long after its login a session has to be confirmed.
func RevalidationDue(a *Authenticator, login time.Time) time.Duration {
	due, _ := a.revalidation(&record{Login: login.UnixMilli()}, login)
	return due.Sub(login)
}
