// Package access knows an access token's life: whether one serves a request, may bridge an outage
// or was rejected ([Token]); the transport that sends requests with it to the APIs that it may go
// to, and to no others ([Transport]); and the tokens of machine clients, which processes can share
// ([Machine]). It also has what our resource server requires of the tokens that it receives: proofs
// of a key ([Proofs]), and a memory of those that came before ([Seen]).
//
// It knows no session: whose token a request gets, a [Keeper] says. The transport sends no token
// where the configuration names no API. Start reading at [Token], then [Renewer], which lists what
// makes a token be renewed.
package access

import (
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/jwt"
)

// A Token is an access token and what is known about it. It never holds a refresh token: one that
// leaves the package would be spent elsewhere, and the session with it.
type Token struct {
	// Value is the token, Kind its type: Bearer or DPoP.
	Value, Kind string

	// Key is what a DPoP token is bound to; nil for Bearer.
	Key *jwt.ProofKey

	// Created is when the token came, Expiry when its life ends, by our clock.
	Created, Expiry time.Time

	// Type is what the endpoint says that it has issued in an exchange (RFC 8693 §2.2.1), else "".
	Type string

	// Scope and Details are what was granted (RFC 6749 §5.1, RFC 9396 §7), as far as that is known.
	Scope   string
	Details json.RawMessage
}

// String keeps the token out of logs and debug dumps.
func (t *Token) String() string { return "access token (redacted)" }

// GoString is String.
func (t *Token) GoString() string { return t.String() }

// valid reports whether the provider still accepts t.
func (t *Token) valid(now time.Time) bool { return t != nil && now.Before(t.Expiry) }

// A token is renewed when the smaller of maxMargin and marginPercent of its life is left, less up to
// a tenth of that, so that it does not expire on its way to an API: of an hour's token, when 60 to
// 54 seconds are left; of a minute's, 12 to 10.8.
const (
	maxMargin     = time.Minute
	marginPercent = 20
)

// fresh reports whether t lasts longer than its margin. What comes off that is given by a part of
// the issue time that is as good as random, so that sessions which began together, in whichever
// process, don't come back together.
func (t *Token) fresh(now time.Time) bool {
	if t == nil {
		return false
	}
	margin := min(maxMargin, t.Expiry.Sub(t.Created)*marginPercent/100)
	jitter := margin * time.Duration(t.Created.UnixMilli()%64) / 640
	return now.Before(t.Expiry.Add(jitter - margin))
}

// MaxRequestToken is how long a token serves the request for which it came, whatever its life: a
// provider whose tokens expire at once (expires_in 0) has no better one. Streams last longer.
const MaxRequestToken = time.Minute

// cameFor reports whether t came after the request arrived that asks for it.
func (t *Token) cameFor(q *Request, now time.Time) bool {
	return t != nil && !q.Since.IsZero() && t.Created.UnixMilli() > q.Since.UnixMilli() && now.Sub(t.Created) < MaxRequestToken
}

// Serves reports whether t may be handed out for q without asking the provider.
func (t *Token) Serves(q *Request, now time.Time) bool {
	return (t.fresh(now) || t.cameFor(q, now)) && (q.Rejected == "" || t.Value != q.Rejected)
}

// bridges reports whether t may be handed out for q because no newer one can be had.
func (t *Token) bridges(q *Request, now time.Time) bool {
	return t.valid(now) && !q.Force && (q.Rejected == "" || t.Value != q.Rejected)
}

// Or returns t if it bridges, else err.
func (t *Token) Or(q *Request, err error) (*Token, error) {
	if t.bridges(q, time.Now()) {
		return t, nil
	}
	return nil, err
}

// OAuth2 is t as it leaves the package.
func (t *Token) OAuth2() *oauth2.Token {
	token := &oauth2.Token{AccessToken: t.Value, TokenType: t.Kind, Expiry: t.Expiry}
	if t.Scope == "" && len(t.Details) == 0 && t.Type == "" {
		return token
	}
	extra := map[string]any{}
	if t.Type != "" {
		extra["issued_token_type"] = t.Type
	}
	if t.Scope != "" {
		extra["scope"] = t.Scope
	}
	var details []any
	if len(t.Details) > 0 && json.Unmarshal(t.Details, &details) == nil {
		extra["authorization_details"] = details
	}
	return token.WithExtra(extra)
}

// Bound gives t the key that it is bound to. A DPoP token without a key, or a key with a Bearer
// token, is a mix-up, and such a token is not sent at all (RFC 9449 §7.1).
func (t *Token) Bound(key *jwt.ProofKey) (*Token, error) {
	if (t.Kind == "DPoP") != (key != nil) {
		return nil, errProofMismatch
	}
	t.Key = key
	return t, nil
}

// minRejectedAge is how old a user's access token must be for an API's refusal to be taken for the
// token's end. A younger one is refused for another reason, which a refresh would not cure.
const minRejectedAge = 30 * time.Second

// RejectedAge is minRejectedAge, or half of a life that is shorter than twice that: a provider that
// counts in whole seconds ends a token up to one second before its time, which of a few seconds'
// life is more than the margin.
func (t *Token) RejectedAge() time.Duration {
	if life := t.Expiry.Sub(t.Created); life > 0 {
		return min(minRejectedAge, life/2)
	}
	return minRejectedAge
}

// errProofMismatch means that a token would go out without its proof, or with one that is not its
// own.
var errProofMismatch = errors.New("the token type and the DPoP key don't match")
