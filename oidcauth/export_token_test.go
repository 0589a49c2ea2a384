package oidcauth

import "net/http"

// What tests of the token code reach inside for.
var (
	BlamesToken = blamesToken
	StepUpOf    = stepUpOf
)

// Authorize puts a token of this type into r.
func Authorize(r *http.Request, kind, value string) error {
	return authorize(r, &issuedToken{kind: kind, value: value})
}

// CachedTokens counts the tokens that m keeps.
func CachedTokens(m *Machine) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.cache)
}
