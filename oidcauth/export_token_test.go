package oidcauth

import "net/http"

// What tests of the token code reach inside for.
var (
	BlamesToken = blamesToken
	StepUpOf    = stepUpOf
)

// Send sends r through base with a token of this type and no key.
func Send(base http.RoundTripper, r *http.Request, kind, value string) (*http.Response, error) {
	t := &transport{base: base, nonces: new(nonces)}
	return t.send(r, &issuedToken{kind: kind, value: value})
}

// CachedTokens counts the tokens that m keeps.
func CachedTokens(m *Machine) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.cache)
}
