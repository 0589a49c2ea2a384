package oidcauth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
)

// What tests of the token code reach inside for.
var (
	BlamesToken = blamesToken
	StepUpOf    = stepUpOf
)

// Send sends r through base with a token of this type and no key.
func Send(base http.RoundTripper, r *http.Request, kind, value string) (*http.Response, error) {
	t := &transport{base: base, nonces: new(oauth.Nonces)}
	return t.send(r, &issuedToken{kind: kind, value: value}, new(oauth.Retry))
}

// CachedTokens counts the tokens that m keeps.
func CachedTokens(m *Machine) int {
	m.tokens.mu.Lock()
	defer m.tokens.mu.Unlock()
	return m.tokens.cache.Len()
}

// MachineKey returns the key of m's newest token.
func MachineKey(ctx context.Context, m *Machine) *jwt.ProofKey {
	t, _ := m.tokens.token(ctx, tokenRequest{})
	return t.key
}

// ReadsTokenRow reports whether a row of the Store holds a token of use.
func ReadsTokenRow(raw string) bool {
	var row tokenRow
	return json.Unmarshal([]byte(raw), &row) == nil && row.issued() != nil
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
