package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/session"
)

// A TokenOption says which access token is wanted. Without options it is the one that came with the
// login.
type TokenOption func(*tokenRequest)

// A tokenRequest is which token a caller wants.
type tokenRequest = access.Request

// Resource asks for a token for the API that uri identifies (RFC 8707 §2.2); given more than once,
// for all of them. Tokens of different resources are kept apart, and one refresh token gets them
// all.
func Resource(uri string) TokenOption {
	return func(q *tokenRequest) { q.Resource = append(q.Resource, uri) }
}

// Scopes asks for a token of exactly these scopes (RFC 6749 §6): for a user, a part of what the
// login was granted. Tokens of different scopes are kept apart.
func Scopes(scopes ...string) TokenOption {
	return func(q *tokenRequest) { q.Scopes = append(q.Scopes, scopes...) }
}

// ForceRefresh asks for a token that is newer than the one at hand, however fresh that is. Calls at
// the same time may share one refresh. Where a refresh fails, the error is returned although the
// old token may still be valid.
func ForceRefresh() TokenOption {
	return func(q *tokenRequest) { q.Force = true }
}

// newTokenRequest applies options and checks what they name.
func newTokenRequest(options []TokenOption) (access.Request, error) {
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
		if !validScope(scope) {
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

// TokenSource returns the source of access tokens of the user who is signed in in ctx. Each call of
// Token returns one that is fresh: it lasts for another minute, or a fifth of its life where that
// is less. Otherwise it is refreshed first, once, however many requests ask at the same time and
// whichever process they reach. There is no refresh token in what it returns. Its Extra has what
// was granted, as far as the provider has said so or the request implies it: "scope", a string with
// spaces, and "authorization_details", a list of objects (RFC 9396 §7).
//
// Errors: ErrLoginRequired when nobody is signed in, WithUser brought the user, or only a new login
// helps; an *UnavailableError when the provider can't be reached and no valid token is left;
// session.ErrUnavailable when the session store can't be. The last two say nothing about the user:
// answer 503, and keep the session. Below [Authenticator.Peek] nothing is refreshed, and a token
// that is used up is an error. It is safe for concurrent use. Don't wrap it in
// oauth2.ReuseTokenSource, whose memory knows neither logout nor margin.
func (a *Authenticator) TokenSource(ctx context.Context, options ...TokenOption) oauth2.TokenSource {
	q, err := newTokenRequest(options)
	return &tokenSource{ctx: ctx, keeper: a.tokens, query: q, err: err}
}

// look reads the token called name out of s, nil when there is none, and the record. It costs no
// I/O beyond loading the session.
func (t *tokens) look(s *session.Session, name string) (*access.Token, *record, error) {
	id, err := identityOf(s)
	switch {
	case errors.Is(err, session.ErrNoSession):
		return nil, nil, ErrLoginRequired
	case err != nil:
		return nil, nil, err
	case id.record.Provider != t.auth.key:
		return nil, nil, fmt.Errorf("%w: the session is of another provider", ErrLoginRequired)
	case t.stopped(s):
		return nil, nil, errDeadGrant
	}
	rec := &id.record
	i := slices.IndexFunc(rec.Access, func(g grant) bool { return g.Name == name })
	if i < 0 {
		return nil, rec, nil
	}
	value, ok := s.Token(accessTokenName + name)
	if !ok {
		return nil, rec, nil
	}
	key, err := t.auth.sessionKey(id)
	if err != nil {
		return nil, nil, err
	}
	g := t.auth.granted(rec, i)
	token, err := g.issued(value).Bound(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrLoginRequired, err)
	}
	return token, rec, nil
}

// proofKey returns the key that the tokens of s are bound to, nil when they are Bearer tokens.
func (t *tokens) proofKey(s *session.Session) (*jwt.ProofKey, error) {
	id, err := identityOf(s)
	if err != nil {
		return nil, err
	}
	return t.auth.sessionKey(id)
}

// issued is the access token that g describes.
func (g *grant) issued(value string) *access.Token {
	t := &access.Token{
		Value: value, Kind: g.Type, Created: time.UnixMilli(g.Created), Expiry: time.UnixMilli(g.Expiry),
		Scope: g.Scope, Details: g.Details,
	}
	if t.Kind == "" {
		t.Kind = "Bearer"
	}
	return t
}

// Token implements access.Keeper: it returns the access token that q asks for of the user in ctx.
func (t *tokens) Token(ctx context.Context, q access.Request) (*access.Token, error) {
	s := t.auth.sessions.From(ctx)
	name := nameOf(s, &q)
	have, _, err := t.look(s, name)
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

// keptToken is under which a request keeps the token called name that it got for s.
func keptToken(s *session.Session, name string) string { return "token " + s.ID() + " " + name }

// nameOf is q's name in s. A request for exactly the resources of the login is one for the login's
// own token.
func nameOf(s *session.Session, q *access.Request) string {
	if len(q.Scopes) > 0 || len(q.Resource) == 0 {
		return q.Name()
	}
	if id, err := identityOf(s); err == nil && slices.Equal(q.Resource, id.record.Resource) {
		return ""
	}
	return q.Name()
}

// TokenExpiry returns when the access token at hand of the user in ctx expires, and whether there
// is one. It asks nobody: not for a token, and not whether the one at hand is still good.
func (a *Authenticator) TokenExpiry(ctx context.Context) (expiry time.Time, ok bool) {
	have, _, err := a.tokens.look(a.sessions.From(ctx), "")
	if err != nil || have == nil {
		return time.Time{}, false
	}
	return have.Expiry, true
}

// A GrantError is a token endpoint that refused a grant: for a resource or scope that the user or
// client may not have, or because the client's own authentication failed. Its text is for logs, not
// for pages.
type GrantError struct {
	// Code is the endpoint's error code (RFC 6749 §5.2); invalid_client also where it answered 401
	// or 403 without a code.
	Code string

	// Description is the endpoint's error_description, cut and cleaned. It is untrusted text.
	Description string

	// Err is the cause.
	Err error
}

// Error names code and description, and what to try where that is known.
func (e *GrantError) Error() string {
	text := "oidcauth: token refused: " + e.Code
	if e.Description != "" {
		text += fmt.Sprintf(" (%q)", e.Description)
	}
	if hint := oauth.HintIn(e.Err); hint != "" {
		text += "; " + hint
	}
	return text
}

// Unwrap returns the cause.
func (e *GrantError) Unwrap() error { return e.Err }

// asRefusal turns an endpoint's error answer into a *GrantError. Other errors stay: they are
// outages, which callers learn of as *UnavailableErrors.
func asRefusal(err error) error {
	what, refused, ok := oauth.FailureOf(err)
	if !ok || what != oauth.ClientRefused && what != oauth.RequestRefused {
		return err
	}
	return &GrantError{Code: refused.ErrorCode(), Description: refused.Description, Err: err}
}
