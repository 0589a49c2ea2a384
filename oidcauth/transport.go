package oidcauth

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/session"
)

// Client returns an HTTP client that sends requests with the access token of the user who is signed
// in in ctx, fresh as from TokenSource, whose errors come back from it. It is bound to that user: a
// request whose context carries another session is refused with ErrOtherSession. It is made for one
// request of the user's and is cheap to make; requests through it that have no deadline or
// cancellation of their own end when ctx does.
//
// Tokens go only to the origins in Config.APIs. Any other, also behind a redirect, is an error with
// ErrOrigin in its chain, and nothing is sent there. When the API answers 401 because of the token
// (RFC 6750 §3.1), and the token is older than 30 seconds or half of its life, it is refreshed and
// the request sent once more, if its body can be (http.Request.GetBody). An API that wants a
// fresher or stronger login (RFC 9470) makes the request fail with a *StepUpError. Every other
// answer, a second 401 included, is the caller's.
//
// Tokens that are bound to a DPoP key go out with a proof (RFC 9449 §7), once more where the API
// asks for a nonce. Client uses http.DefaultTransport, with the certificate in ClientAuth where
// there is one; for any other, put Transport into a client of your own, which for tokens that are
// bound to the certificate has to present it (RFC 8705 §3).
func (a *Authenticator) Client(ctx context.Context, options ...TokenOption) *http.Client {
	q, err := newTokenRequest(options)
	rules := clientRules
	rules.Belongs = a.sameSessionAs(ctx)
	return &http.Client{Transport: &access.Transport{Keeper: a.tokens, APIs: a.tokens.apis, Nonces: a.endpoint.Nonces, Base: a.tokens.base, Bound: ctx, Query: q, Err: err, Rules: rules}}
}

// apiTransport is what clients send their requests through: nil for http.DefaultTransport, or a
// copy of that which presents the certificate that tokens are bound to (RFC 8705 §3).
func apiTransport(certificate *tls.Certificate) http.RoundTripper {
	if certificate == nil {
		return nil
	}
	return outbound.WithCertificate(http.DefaultTransport, certificate) //nolint:forbidigo // see transport.send
}

// Transport returns a RoundTripper that does what Client does for the user whom each request's own
// context carries: for httputil.ReverseProxy, whose outgoing requests keep the context of the
// incoming ones. An Authorization or DPoP header of the request is replaced; its cookies are not
// touched. base sends the requests; nil means http.DefaultTransport.
func (a *Authenticator) Transport(base http.RoundTripper) http.RoundTripper {
	return &access.Transport{Keeper: a.tokens, APIs: a.tokens.apis, Nonces: a.endpoint.Nonces, Base: base, Rules: clientRules}
}

// Replaceable implements access.Keeper.
func (t *tokens) Replaceable(token *access.Token) bool {
	return time.Since(token.Created) >= token.RejectedAge()
}

// sameSession reports whether a and b are one session, be it in two requests.
func sameSession(a, b *session.Session) bool {
	return a == b || a != nil && b != nil && a.ID() != "" && a.ID() == b.ID()
}

// clientRules are those of every transport here.
var clientRules = access.Rules{
	StepUp: func(h http.Header) error {
		if stepUp := stepUpOf(h); stepUp != nil {
			return stepUp
		}
		return nil
	},
	Hopeless: errDeadGrant,
	Outward:  exported,
}

// sameSessionAs refuses requests whose context carries another session than ctx.
func (a *Authenticator) sameSessionAs(ctx context.Context) func(*http.Request) error {
	return func(r *http.Request) error {
		if other := a.sessions.From(r.Context()); other != nil && !sameSession(other, a.sessions.From(ctx)) {
			return ErrOtherSession
		}
		return nil
	}
}
