package oidcauth

import (
	"context"
	"net/http"
	"time"

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
	t := &transport{
		keeper: oneToken{&issuedToken{kind: kind, value: value}}, apis: newAPIs("", []string{origin}), base: base, nonces: new(oauth.Nonces),
		transportRules: clientRules,
	}
	return t.RoundTrip(r)
}

// oneToken keeps one access token for everybody.
type oneToken struct{ have *issuedToken }

func (k oneToken) token(context.Context, tokenRequest) (*issuedToken, error) { return k.have, nil }
func (k oneToken) replaceable(*issuedToken) bool                             { return false }

// CachedTokens counts the tokens that m keeps.
func CachedTokens(m *Machine) int {
	return m.tokens.kept()
}

// MachineKey returns the key of m's newest token.
func MachineKey(ctx context.Context, m *Machine) *jwt.ProofKey {
	t, _ := m.tokens.token(ctx, tokenRequest{})
	return t.key
}

// WithBase returns a transport of ours that sends through base.
func WithBase(rt, base http.RoundTripper) http.RoundTripper {
	t := *rt.(*transport)
	t.base = base
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
