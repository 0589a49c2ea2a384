package oidcauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/session"
)

// A TokenOption says which access token you want. Without options it is the one that came with the
// login. Audience, TokenType, Actor, SubjectIDToken, JWTBearer and OnBehalfOf are for Exchange, and
// an error elsewhere.
type TokenOption func(*tokenRequest)

// A tokenRequest is which token a caller wants.
type tokenRequest = access.Request

// Resource asks for a token for the API that uri identifies (RFC 8707 §2.2). Repeat it for several.
// Tokens for different resources are kept apart, and one refresh token gets them all.
func Resource(uri string) TokenOption {
	return func(q *tokenRequest) { q.Resource = append(q.Resource, uri) }
}

// Scopes asks for a token with exactly these scopes (RFC 6749 §6): for a user, a subset of what the
// login was granted. Tokens with different scopes are kept apart.
func Scopes(scopes ...string) TokenOption {
	return func(q *tokenRequest) { q.Scopes = append(q.Scopes, scopes...) }
}

// ForceRefresh asks for a newer token than the current one, however fresh that is. Concurrent calls
// may share one refresh. If the refresh fails, the error is returned even though the old token may
// still be valid.
func ForceRefresh() TokenOption {
	return func(q *tokenRequest) { q.Force = true }
}

// newTokenRequest applies options and checks what they name. Those of an exchange are a mistake:
// the token that was meant to be exchanged must not go out in place of the other.
func newTokenRequest(options []TokenOption) (access.Request, error) {
	q, err := readOptions(options)
	if err == nil && q.Terms != nil {
		err = errors.New("oidcauth: Audience, TokenType, Actor, SubjectIDToken, JWTBearer and OnBehalfOf are for Exchange")
	}
	return q, err
}

// readOptions is newTokenRequest for an exchange, too.
func readOptions(options []TokenOption) (access.Request, error) {
	var q access.Request
	for _, o := range options {
		if o != nil {
			o(&q)
		}
	}
	for _, uri := range q.Resource {
		if u, err := url.Parse(uri); err != nil || !u.IsAbs() || strings.Contains(uri, "#") {
			return q, fmt.Errorf("oidcauth: Resource: expected an absolute URI without fragment (RFC 8707 §2), got %q", uri)
		}
	}
	for _, scope := range q.Scopes {
		if !oauth.IsScope(scope) {
			return q, fmt.Errorf("oidcauth: Scopes: expected scope tokens (RFC 6749 §3.3), got %q", scope)
		}
	}
	return q, nil
}

// A tokenSource is an oauth2.TokenSource bound to a context.
type tokenSource struct {
	// ctx says whose tokens, and bounds how long Token waits.
	ctx    context.Context
	keeper access.Keeper
	query  access.Request

	// err is a mistake in the options, which every call returns.
	err error
}

// Token implements oauth2.TokenSource.
func (s *tokenSource) Token() (*oauth2.Token, error) {
	if s.err != nil {
		return nil, s.err
	}
	t, err := s.keeper.Token(s.ctx, s.query)
	if err != nil {
		return nil, exported(err)
	}
	return t.OAuth2(), nil
}

// TokenSource returns the source of access tokens for the signed-in user in ctx. Each call of Token
// returns a token that is valid for at least another 54 to 60 seconds or, if its lifetime is below
// five minutes, another 18 to 20 % of that. If necessary, it is refreshed first, once for all
// concurrent requests in all processes. The result contains no refresh token. Its Extra has what
// was granted, as far as the provider said or the request implies: "scope", a space-separated
// string, and "authorization_details", a list of objects (RFC 9396 §7).
//
// Errors: ErrLoginRequired if no user is signed in, the user comes from WithUser, or only a new
// login helps; an *UnavailableError if the provider is unreachable and no valid token is left;
// session.ErrUnavailable if the session store is. The last two say nothing about the user: answer
// 503 and keep the session. Below [Authenticator.Peek] nothing is refreshed, and an expired token
// is an error. It is safe for concurrent use. Don't wrap it in oauth2.ReuseTokenSource, which would
// ignore logouts and the margin.
func (a *Authenticator) TokenSource(ctx context.Context, options ...TokenOption) oauth2.TokenSource {
	q, err := newTokenRequest(options)
	return &tokenSource{ctx: ctx, keeper: a.tokens, query: q, err: err}
}

// TokenExpiry returns when the current access token of the user in ctx expires, and whether there
// is one. It makes no requests: it neither refreshes the token nor asks whether it is still valid.
func (a *Authenticator) TokenExpiry(ctx context.Context) (expiry time.Time, ok bool) {
	have, err := a.tokens.lookFor(a.sessions.From(ctx), "")
	if err != nil || have == nil {
		return time.Time{}, false
	}
	return have.Expiry, true
}

// Client returns an HTTP client that sends requests with the access token of the signed-in user in
// ctx, as fresh as from TokenSource, whose errors it returns. It is bound to that user: a request
// whose context carries another session fails with ErrOtherSession. Create one for each of the
// user's requests, which is cheap; requests through it without their own deadline or cancellation
// end when ctx does.
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
		if j := judgedBy(r.Context()); j != nil && j != judgedBy(ctx) {
			return ErrOtherSession
		}
		if other := a.sessions.From(r.Context()); other != nil && !sameSession(other, a.sessions.From(ctx)) {
			return ErrOtherSession
		}
		return nil
	}
}

// Token implements access.Keeper: it returns the access token that q asks for of the user in ctx.
func (t *tokens) Token(ctx context.Context, q access.Request) (*access.Token, error) {
	s := t.auth.sessions.From(ctx)
	name := nameOf(s, &q)
	have, err := t.lookFor(s, name)
	if err != nil {
		return nil, err
	}
	q.Since = inside.OfSession(s).Arrived()
	if q.Force && have != nil {
		q.Rejected = have.Value
	}
	now := time.Now()
	if have.Serves(&q, now) {
		return have, nil
	}
	if got, _ := inside.OfSession(s).Kept(keptToken(s, name)).(*access.Token); got != nil && got.Value != q.Rejected && !q.Force && now.Sub(got.Created) < access.MaxRequestToken {
		return got, nil
	}
	return t.renewed(ctx, s, name, q, have)
}

// nameOf is q's name in s. A request for exactly the resources of the login is one for the login's
// own token.
func nameOf(s *session.Session, q *access.Request) string {
	if len(q.Scopes) > 0 || len(q.Resource) == 0 {
		return q.Name()
	}
	if id, err := identityOf(s); err == nil && slices.Equal(q.Resource, id.record().Resource) {
		return ""
	}
	return q.Name()
}
