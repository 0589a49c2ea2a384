package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
)

// A tokenKeeper gets access tokens: a user's, out of the session, or a machine's.
type tokenKeeper interface {
	// token returns a token for q, of whom ctx says.
	token(ctx context.Context, q tokenRequest) (*issuedToken, error)

	// replaceable reports whether a new token may be got because an API refused t.
	replaceable(t *issuedToken) bool
}

// A transport adds access tokens to requests. It is safe for concurrent use.
type transport struct {
	// keeper gets the tokens, and apis says where they may go.
	keeper tokenKeeper
	apis   apis

	// nonces are those of APIs that want DPoP proofs.
	nonces *oauth.Nonces

	// base sends requests; nil means http.DefaultTransport.
	base http.RoundTripper

	// bound says whose tokens; nil means each request's own context.
	bound context.Context

	// query is the token that is wanted, err a mistake in it.
	query tokenRequest
	err   error

	transportRules
}

// transportRules are what a transport is told about sessions and errors, of which it knows nothing.
type transportRules struct {
	// Belongs refuses a request that is not of the user whom bound says. Nil refuses none.
	Belongs func(*http.Request) error

	// StepUp returns the error for a 401 that asks for another login, nil where it asks for none. Nil means that none does.
	StepUp func(http.Header) error

	// Hopeless is in the chain of errors after which an API's answer is of no interest.
	Hopeless error

	// Outward turns an error into what the caller of the transport is told.
	Outward func(error) error
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel, err := t.tokenContext(r)
	defer cancel()
	var token *issuedToken
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

// tokenContext is the context that says whose token a request gets. It ends with
// the request's.
func (t *transport) tokenContext(r *http.Request) (context.Context, context.CancelFunc, error) {
	none := func() {}
	if t.bound == nil {
		return r.Context(), none, nil
	}
	if t.Belongs != nil {
		if err := t.Belongs(r); err != nil {
			return nil, none, err
		}
	}
	ctx, cancel := context.WithCancel(t.bound)
	stop := context.AfterFunc(r.Context(), cancel)
	return ctx, func() { stop(); cancel() }, nil
}

// firstToken decides whether r gets a token, and which.
func (t *transport) firstToken(ctx context.Context, r *http.Request) (*issuedToken, error) {
	if t.err != nil {
		return nil, t.err
	}
	// Before the token is got: a request that may not be made refreshes nothing.
	if err := t.apis.check(r.URL); err != nil {
		return nil, err
	}
	return t.keeper.token(ctx, t.query)
}

// send sends a copy of r with token: a RoundTripper must not change its request,
// and the token must not stay in it. The scheme is that of the token's type and no
// other: a token that is bound to a key is worth nothing without its proof, and
// must not go out as if it were a Bearer token (RFC 9449 §7.1). again permits one
// repetition for a nonce that the API asks for.
func (t *transport) send(r *http.Request, token *issuedToken, again *oauth.Retry) (*http.Response, error) {
	if bound := token.kind == "DPoP"; bound != (token.key != nil) || !bound && token.kind != "Bearer" {
		outbound.CloseBody(r)
		return nil, fmt.Errorf("oidcauth: access token of type %q: there is no key to prove it with, or one too many", token.kind)
	}
	base := t.base
	if base == nil {
		base = http.DefaultTransport //nolint:forbidigo // the caller's context bounds it, as with any http.Client{}
	}
	out := r.Clone(t.sendContext(r))
	out.Header.Del("DPoP")
	res, err := t.nonces.Authorized(base.RoundTrip, out, token.key, token.value, again)
	if res != nil {
		res.Request = r // and not the copy with the token
	}
	return res, err
}

// sendContext is r's, or one that ends with the user's request where r's never
// ends.
func (t *transport) sendContext(r *http.Request) context.Context {
	if t.bound == nil || r.Context().Done() != nil {
		return r.Context()
	}
	return valuesOf{t.bound, r.Context()}
}

// valuesOf is a context with the values of another.
type valuesOf struct {
	context.Context
	values context.Context
}

// Value returns the other context's value.
func (c valuesOf) Value(key any) any { return c.values.Value(key) }

// secondChance sends r again with another token, once, when that may help.
// Otherwise it returns res. What once permits is permitted for both together.
func (t *transport) secondChance(ctx context.Context, r *http.Request, res *http.Response, token *issuedToken, once *oauth.Retry) (*http.Response, error) {
	if res.StatusCode != http.StatusUnauthorized || !oauth.BlamesToken(res.Header) || !t.keeper.replaceable(token) {
		return res, nil
	}
	again, ok := outbound.Rewound(r)
	if !ok {
		return res, nil
	}
	q := t.query
	// Not forced: a token that somebody else has got meanwhile will do.
	q.force, q.rejected = false, token.value
	next, err := t.keeper.token(ctx, q)
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
