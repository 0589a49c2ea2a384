package oidcauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/session"
)

// Client returns an HTTP client that sends requests with the access token of the
// user who is signed in in ctx, fresh as from TokenSource, whose errors come back
// from it. It is bound to that user: a request whose context carries another
// session is refused with ErrOtherSession. It is made for one request of the user's
// and is cheap to make; requests through it that have no deadline or cancellation
// of their own end when ctx does.
//
// Tokens go only to the origins in Config.APIs. Any other, also behind a redirect,
// is an error with ErrOrigin in its chain, and nothing is sent there. When the API
// answers 401 because of the token (RFC 6750 §3.1), and the token is older than 30
// seconds or half of its life, it is refreshed and the request sent once more, if
// its body can be (http.Request.GetBody). An API that wants a fresher or stronger login (RFC 9470)
// makes the request fail with a *StepUpError. Every other answer, a second 401
// included, is the caller's.
//
// Tokens that are bound to a DPoP key go out with a proof (RFC 9449 §7), once more
// where the API asks for a nonce. Client uses http.DefaultTransport, with the
// certificate in ClientAuth where there is one; for any other, put Transport into a
// client of your own, which for tokens that are bound to the certificate has to
// present it (RFC 8705 §3).
func (a *Authenticator) Client(ctx context.Context, options ...TokenOption) *http.Client {
	q, err := newTokenRequest(options)
	return &http.Client{Transport: &transport{keeper: a.tokens, apis: a.tokens.apis, nonces: a.endpoint.Nonces, base: a.tokens.base, bound: ctx, users: a.sessions, query: q, err: err}}
}

// apiTransport is what clients send their requests through: nil for
// http.DefaultTransport, or a copy of that which presents the certificate that
// tokens are bound to (RFC 8705 §3).
func apiTransport(certificate *tls.Certificate) http.RoundTripper {
	if certificate == nil {
		return nil
	}
	return outbound.WithCertificate(http.DefaultTransport, certificate) //nolint:forbidigo // see transport.send
}

// Transport returns a RoundTripper that does what Client does for the user whom
// each request's own context carries: for httputil.ReverseProxy, whose outgoing
// requests keep the context of the incoming ones. An Authorization or DPoP header
// of the request is replaced; its cookies are not touched. base sends the requests;
// nil means http.DefaultTransport.
func (a *Authenticator) Transport(base http.RoundTripper) http.RoundTripper {
	return &transport{keeper: a.tokens, apis: a.tokens.apis, nonces: a.endpoint.Nonces, base: base}
}

// A tokenKeeper gets access tokens: a user's, out of the session, or a machine's.
type tokenKeeper interface {
	// token returns a token for q, of whom ctx says.
	token(ctx context.Context, q tokenRequest) (*issuedToken, error)

	// replaceable reports whether a new token may be got because an API refused t.
	replaceable(t *issuedToken) bool
}

// minRejectedAge is how old a user's access token must be for an API's refusal to
// be taken for the token's end. A younger one is refused for another reason, which
// a refresh would not cure.
const minRejectedAge = 30 * time.Second

// replaceable implements tokenKeeper.
func (t *tokens) replaceable(token *issuedToken) bool {
	return time.Since(token.created) >= token.rejectedAge()
}

// rejectedAge is minRejectedAge, or half of a life that is shorter than twice that:
// a provider that counts in whole seconds ends a token up to one second before its
// time, which of a few seconds' life is more than the margin.
func (t *issuedToken) rejectedAge() time.Duration {
	if life := t.expiry.Sub(t.created); life > 0 {
		return min(minRejectedAge, life/2)
	}
	return minRejectedAge
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

	// bound says whose tokens; nil means each request's own context. With users it
	// carries one of theirs, and requests that carry another's session are refused.
	bound context.Context
	users *session.Manager

	// query is the token that is wanted, err a mistake in it.
	query tokenRequest
	err   error
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
		return nil, exported(err)
	}
	again := new(oauth.Retry)
	res, err := t.send(r, token, again) // from here on the base closes the body
	if err != nil {
		return nil, err
	}
	if res, err = t.secondChance(ctx, r, res, token, again); err != nil {
		return nil, exported(err)
	}
	if res.StatusCode == http.StatusUnauthorized {
		if stepUp := stepUpOf(res.Header); stepUp != nil {
			outbound.Discard(res)
			return nil, stepUp
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
	if t.users != nil {
		if other := t.users.From(r.Context()); other != nil && !sameSession(other, t.users.From(t.bound)) {
			return nil, none, ErrOtherSession
		}
	}
	ctx, cancel := context.WithCancel(t.bound)
	stop := context.AfterFunc(r.Context(), cancel)
	return ctx, func() { stop(); cancel() }, nil
}

// sameSession reports whether a and b are one session, be it in two requests.
func sameSession(a, b *session.Session) bool {
	return a == b || a != nil && b != nil && a.ID() != "" && a.ID() == b.ID()
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
	if res.StatusCode != http.StatusUnauthorized || !blamesToken(res.Header) || !t.keeper.replaceable(token) {
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
		if errors.Is(err, errDeadGrant) {
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
