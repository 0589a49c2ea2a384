package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
)

// A Keeper gets access tokens: a user's, out of the session, or a machine's.
type Keeper interface {
	// Token returns a token for q, of whom ctx says.
	Token(ctx context.Context, q Request) (*Token, error)

	// Replaceable reports whether a new token may be got because an API refused t.
	Replaceable(t *Token) bool
}

// A Transport adds access tokens to requests. It is safe for concurrent use.
type Transport struct {
	// Keeper gets the tokens, and APIs says where they may go.
	Keeper Keeper
	APIs   APIs

	// Nonces are those of APIs that want DPoP proofs.
	Nonces *oauth.Nonces

	// Base sends requests; nil means http.DefaultTransport.
	Base http.RoundTripper

	// Bound says whose tokens; nil means each request's own context.
	Bound context.Context

	// Query is the requested token, Err a mistake in it.
	Query Request
	Err   error

	Rules
}

// Rules are what a transport is told about sessions and errors, of which it knows nothing.
type Rules struct {
	// Belongs refuses a request that is not of the user whom Bound says. Nil refuses none.
	Belongs func(*http.Request) error

	// StepUp returns the error for a 401 that asks for another login, nil where it asks for none.
	// Nil means that none does.
	StepUp func(http.Header) error

	// Hopeless is in the chain of errors after which an API's answer is of no interest.
	Hopeless error

	// Outward turns an error into what the caller of the transport is told.
	Outward func(error) error
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel, err := t.tokenContext(r)
	defer cancel()
	var token *Token
	if err == nil {
		token, err = t.firstToken(ctx, r)
	}
	if err != nil {
		outbound.CloseBody(r)
		return nil, t.Outward(err)
	}
	again := new(oauth.Retry)
	res, err := t.send(r, token, again) // from here on the base closes the body
	if err != nil {
		return nil, err
	}
	if res, err = t.secondChance(ctx, r, res, token, again); err != nil {
		return nil, t.Outward(err)
	}
	if res.StatusCode == http.StatusUnauthorized {
		if err := t.StepUp(res.Header); err != nil {
			outbound.Discard(res)
			return nil, err
		}
	}
	return res, nil
}

// tokenContext is the context that says whose token a request gets. It ends with the request's.
func (t *Transport) tokenContext(r *http.Request) (context.Context, context.CancelFunc, error) {
	none := func() {}
	if t.Bound == nil {
		return r.Context(), none, nil
	}
	if t.Belongs != nil {
		if err := t.Belongs(r); err != nil {
			return nil, none, err
		}
	}
	ctx, cancel := context.WithCancel(t.Bound)
	stop := context.AfterFunc(r.Context(), cancel)
	return ctx, func() { stop(); cancel() }, nil
}

// firstToken decides whether r gets a token, and which.
func (t *Transport) firstToken(ctx context.Context, r *http.Request) (*Token, error) {
	if t.Err != nil {
		return nil, t.Err
	}
	// Before the token is got: a request that may not be made refreshes nothing.
	if err := t.APIs.Check(r.URL); err != nil {
		return nil, err
	}
	return t.Keeper.Token(ctx, t.Query)
}

// send sends a copy of r with token: a RoundTripper must not change its request, and the token must
// not stay in it. The scheme is that of the token's type and no other: a token that is bound to a
// key is worth nothing without its proof, and must not go out as if it were a Bearer token (RFC
// 9449 §7.1). again permits one repetition for a nonce that the API asks for.
func (t *Transport) send(r *http.Request, token *Token, again *oauth.Retry) (*http.Response, error) {
	if bound := token.Kind == "DPoP"; bound != (token.Key != nil) || !bound && token.Kind != "Bearer" {
		outbound.CloseBody(r)
		return nil, fmt.Errorf("oidcauth: access token of type %q: its type and its DPoP key don't match", token.Kind)
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport //nolint:forbidigo // the caller's context bounds it, as with any http.Client{}
	}
	out := r.Clone(t.sendContext(r))
	out.Header.Del("DPoP")
	res, err := t.Nonces.Authorized(base.RoundTrip, out, token.Key, token.Value, again)
	if res != nil {
		res.Request = r // and not the copy with the token
	}
	return res, err
}

// sendContext is r's, or one that ends with the user's request where r's never ends.
func (t *Transport) sendContext(r *http.Request) context.Context {
	if t.Bound == nil || r.Context().Done() != nil {
		return r.Context()
	}
	return valuesOf{t.Bound, r.Context()}
}

// valuesOf is a context with the values of another.
type valuesOf struct {
	context.Context
	values context.Context
}

// Value returns the other context's value.
func (c valuesOf) Value(key any) any { return c.values.Value(key) }

// secondChance sends r again with another token, once, when that may help. Otherwise it returns
// res. What once permits is permitted for both together.
func (t *Transport) secondChance(ctx context.Context, r *http.Request, res *http.Response, token *Token, once *oauth.Retry) (*http.Response, error) {
	if res.StatusCode != http.StatusUnauthorized || !oauth.BlamesToken(res.Header) || !t.Keeper.Replaceable(token) {
		return res, nil
	}
	again, ok := outbound.Rewound(r)
	if !ok {
		return res, nil
	}
	q := t.Query
	// Not forced: a token that somebody else has got meanwhile will do.
	q.Force, q.Rejected = false, token.Value
	next, err := t.Keeper.Token(ctx, q)
	if err != nil {
		outbound.CloseBody(again)
		if errors.Is(err, t.Hopeless) {
			outbound.Discard(res)
			return nil, err
		}
		return res, nil // the API's answer says more than ours
	}
	outbound.Discard(res)
	res, err = t.send(again, next, once)
	if res != nil {
		res.Request = r
	}
	return res, err
}
