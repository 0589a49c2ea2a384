package oidcauth

import (
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/jwt"
)

// An issuedToken is an access token and what is known about it. It never holds a
// refresh token: one that leaves the package would be spent elsewhere, and the
// session with it.
type issuedToken struct {
	// value is the token, kind its type: Bearer or DPoP.
	value, kind string

	// key is what a DPoP token is bound to; nil for Bearer.
	key *jwt.ProofKey

	// created is when the token came, expiry when its life ends, by our clock.
	created, expiry time.Time

	// scope and details are what was granted (RFC 6749 §5.1, RFC 9396 §7), as far
	// as that is known.
	scope   string
	details json.RawMessage
}

// String keeps the token out of logs and debug dumps.
func (t *issuedToken) String() string { return "access token (redacted)" }

// GoString is String.
func (t *issuedToken) GoString() string { return t.String() }

// valid reports whether the provider still accepts t.
func (t *issuedToken) valid(now time.Time) bool { return t != nil && now.Before(t.expiry) }

// A token is renewed when the smaller of maxMargin and marginPercent of its life is
// left, so that it does not expire on its way to an API.
const (
	maxMargin     = time.Minute
	marginPercent = 20
)

// fresh reports whether t lasts for a while: until the smaller of a minute and a
// fifth of its life is left. Up to a tenth of that margin comes off, by a part of
// the issue time that is as good as random, so that sessions which began together,
// in whichever process, don't come back together.
func (t *issuedToken) fresh(now time.Time) bool {
	if t == nil {
		return false
	}
	margin := min(maxMargin, t.expiry.Sub(t.created)*marginPercent/100)
	jitter := margin * time.Duration(t.created.UnixMilli()%64) / 640
	return now.Before(t.expiry.Add(jitter - margin))
}

// maxRequestToken is how long a token serves the request for which it came, whatever
// its life: a provider whose tokens expire at once (expires_in 0) has no better one.
// Streams last longer.
const maxRequestToken = time.Minute

// cameFor reports whether t came after the request arrived that asks for it.
func (t *issuedToken) cameFor(q *tokenRequest, now time.Time) bool {
	return t != nil && !q.since.IsZero() && t.created.UnixMilli() > q.since.UnixMilli() && now.Sub(t.created) < maxRequestToken
}

// serves reports whether t may be handed out for q without asking the provider.
func (t *issuedToken) serves(q *tokenRequest, now time.Time) bool {
	return (t.fresh(now) || t.cameFor(q, now)) && (q.rejected == "" || t.value != q.rejected)
}

// bridges reports whether t may be handed out for q because no newer one can be
// had.
func (t *issuedToken) bridges(q *tokenRequest, now time.Time) bool {
	return t.valid(now) && !q.force && (q.rejected == "" || t.value != q.rejected)
}

// or returns t if it bridges, else err.
func (t *issuedToken) or(q *tokenRequest, err error) (*issuedToken, error) {
	if t.bridges(q, time.Now()) {
		return t, nil
	}
	return nil, err
}

// oauth2 is t as it leaves the package.
func (t *issuedToken) oauth2() *oauth2.Token {
	token := &oauth2.Token{AccessToken: t.value, TokenType: t.kind, Expiry: t.expiry}
	extra := map[string]any{}
	if t.scope != "" {
		extra["scope"] = t.scope
	}
	var details []any
	if json.Unmarshal(t.details, &details) == nil {
		extra["authorization_details"] = details
	}
	return token.WithExtra(extra)
}

// bound gives t the key that it is bound to. A DPoP token without a key, or a key beside a Bearer token, is a mix-up, and such a
// token is not sent at all (RFC 9449 §7.1).
func (t *issuedToken) bound(key *jwt.ProofKey) (*issuedToken, error) {
	if (t.kind == "DPoP") != (key != nil) {
		return nil, errProofMismatch
	}
	t.key = key
	return t, nil
}

// minRejectedAge is how old a user's access token must be for an API's refusal to
// be taken for the token's end. A younger one is refused for another reason, which
// a refresh would not cure.
const minRejectedAge = 30 * time.Second

// rejectedAge is minRejectedAge, or half of a life that is shorter than twice that:
// a provider that counts in whole seconds ends a token up to one second before its
// time, which of a few seconds' life is more than the margin.
func (t *issuedToken) rejectedAge() time.Duration {
	if life := t.expiry.Sub(t.created); life > 0 {
		return min(minRejectedAge, life/2)
	}
	return minRejectedAge
}

// errProofMismatch means that a token would go out without its proof, or with one that is not its own.
var errProofMismatch = errors.New("token type and DPoP key don't belong together")
