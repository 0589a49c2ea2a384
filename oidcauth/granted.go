package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signet-go/signet/session"
)

// granted is the i-th grant of rec. The login's own has the scope that was asked for where the
// provider said nothing else (RFC 6749 §5.1).
func (a *core) granted(rec *record, i int) grant {
	g := rec.Access[i]
	if g.Scope == "" && g.Name == "" {
		g.Scope = strings.Join(a.asked(rec.Scopes), " ")
	}
	return g
}

// inherit fills in what the answer to a refresh left out: the scopes that were asked for, else all
// that was granted before (RFC 6749 §6).
func (g *grant) inherit(before *grant, scopes []string) {
	if g.Scope == "" && len(scopes) > 0 {
		g.Scope = strings.Join(scopes, " ")
	}
	if before == nil {
		return
	}
	if g.Scope == "" {
		g.Scope = before.Scope
	}
	if g.Details == nil {
		g.Details = before.Details
	}
}

// before is the grant of the token that r replaces, nil when there was none.
func (r *attempt) before() *grant {
	i := slices.IndexFunc(r.record.Access, func(g grant) bool { return g.Name == r.name })
	if i < 0 {
		return nil
	}
	return &r.record.Access[i]
}

// IDToken returns the ID token of the user who is signed in in ctx, as the provider signed it,
// decrypted if it was encrypted: for APIs that take it as an assertion, say. It was verified when
// it came, may have expired since, and holds personal data; nothing but this session's user may be
// concluded from it. Errors: ErrLoginRequired when nobody is signed in by this Authenticator, or
// WithUser brought the user; session.ErrUnavailable.
func (a *Authenticator) IDToken(ctx context.Context) (string, error) {
	s := a.sessions.From(ctx)
	id, err := identityOf(s)
	switch {
	case errors.Is(err, session.ErrNoSession):
		return "", ErrLoginRequired
	case err != nil:
		return "", err
	case id.record.Provider != a.key:
		return "", fmt.Errorf("%w: the session is of another provider", ErrLoginRequired)
	}
	raw, ok := s.Token(idTokenName)
	if !ok {
		return "", ErrLoginRequired
	}
	return raw, nil
}
