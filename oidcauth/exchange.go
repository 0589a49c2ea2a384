package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/oauth"
)

// Audience names the audience of an exchanged token (RFC 8693 §2.1), by the provider's name for it.
// Repeat it for several.
func Audience(name string) TokenOption {
	return func(q *tokenRequest) { t := termsOf(q); t.Audience = append(t.Audience, name) }
}

// TokenType asks an exchange for a token of this type (RFC 8693 §3) instead of an access token: the
// response must confirm the type, and the token must be one that is sent as Bearer or DPoP.
func TokenType(uri string) TokenOption {
	return func(q *tokenRequest) { termsOf(q).Requested = uri }
}

// Actor names m, by its own access token, as the one who acts for the user in an exchange
// (actor_token, RFC 8693 §2.1). Without it, the new token doesn't show that anyone acts in between.
func Actor(m *Machine) TokenOption {
	return func(q *tokenRequest) {
		termsOf(q).Actor = func(ctx context.Context) (*access.Token, error) {
			switch {
			case m == nil:
				return nil, errors.New("oidcauth: Actor: expected a Machine, got nil")
			case m.err != nil:
				return nil, m.err
			}
			return m.tokens.Token(ctx, access.Request{})
		}
	}
}

// SubjectIDToken exchanges the signed-in user's ID token instead of the access token, as some
// providers require. That is dangerous: an ID token says that someone signed in here, not what this
// application may do on their behalf, and the exchange lets any holder of one get access.
func SubjectIDToken() TokenOption {
	return func(q *tokenRequest) { termsOf(q).SubjectIDToken = true }
}

// JWTBearer exchanges with the JWT bearer grant (RFC 7523 §2.1), for providers without RFC 8693:
// the user's token is the assertion.
func JWTBearer() TokenOption {
	return func(q *tokenRequest) { termsOf(q).Form = access.JWTBearer }
}

// OnBehalfOf exchanges the way Microsoft Entra ID requires: with the JWT bearer grant and
// requested_token_use on_behalf_of. Scopes names the API.
func OnBehalfOf() TokenOption {
	return func(q *tokenRequest) { termsOf(q).Form = access.OnBehalfOf }
}

// termsOf are those of q, which it has from now on.
func termsOf(q *tokenRequest) *access.Terms {
	if q.Terms == nil {
		q.Terms = new(access.Terms)
	}
	return q.Terms
}

// An Exchange obtains a token for another API in exchange for an existing one. Create one for each
// request, which is cheap; its methods may be called concurrently.
type Exchange struct {
	source tokenSource

	// transport sends requests with the token, through base where the caller names no other.
	transport access.Transport
}

// Exchange gets a token for another API in exchange for the access token of the user signed in in
// ctx or, below a guard of a [ResourceServer], of its caller (RFC 8693). The other API then knows
// on whose behalf it is called, and this application passes on no token that is meant for itself.
// The options [Audience], [Resource] and [Scopes] say what the token is for. The request takes RFC
// 8693's form unless [JWTBearer] or [OnBehalfOf] is given.
//
// The request goes to this Authenticator's provider, as its client, once however many callers want
// the same token; this process keeps the token until shortly before it expires. Only the very token
// that it was exchanged for leads to it, so it ends with the session, at a logout or revocation,
// and when that token changes. A refresh token in the response is discarded. With Advanced.DPoP,
// the new token is bound to the session's key or, for callers, to a key of this process.
//
// If the exchange fails there is no token: the original is never used in its place.
func (a *Authenticator) Exchange(ctx context.Context, options ...TokenOption) *Exchange {
	e := newExchange(ctx, options, a.exchanges, a.exchangeSubject)
	e.transport.APIs, e.transport.Nonces, e.transport.Base = a.tokens.apis, a.endpoint.Nonces, a.tokens.base
	e.transport.Belongs = a.sameSessionAs(ctx)
	return e
}

// Exchange is Authenticator.Exchange for the machine's own token, at its token endpoint.
func (m *Machine) Exchange(ctx context.Context, options ...TokenOption) *Exchange {
	e := newExchange(ctx, options, m.exchanges, m.exchangeSubject)
	e.source.err = errors.Join(m.err, e.source.err)
	e.transport.Err = e.source.err
	e.transport.APIs, e.transport.Nonces, e.transport.Base = m.apis, m.nonces, m.base
	return e
}

// newExchange reads the options. subject gets the token to exchange.
func newExchange(ctx context.Context, options []TokenOption, x *access.Exchanges, subject subjectOf) *Exchange {
	q, err := newExchangeRequest(options)
	keeper := &exchangeKeeper{x, subject}
	return &Exchange{
		source:    tokenSource{ctx: ctx, keeper: keeper, query: q, err: err},
		transport: access.Transport{Keeper: keeper, Bound: ctx, Query: q, Err: err, Rules: clientRules},
	}
}

// newExchangeRequest is newTokenRequest for an exchange.
func newExchangeRequest(options []TokenOption) (access.Request, error) {
	q, err := readOptions(options)
	terms := termsOf(&q)
	if u, bad := url.Parse(terms.Requested); err == nil && terms.Requested != "" && (bad != nil || !u.IsAbs()) {
		err = fmt.Errorf("oidcauth: TokenType: expected a URI (RFC 8693 §3), got %q", terms.Requested)
	}
	if err == nil && slices.Contains(terms.Audience, "") {
		err = errors.New("oidcauth: Audience: expected a name, got an empty one")
	}
	if err == nil && terms.Form != access.TokenExchange && (terms.Actor != nil || terms.Requested != "") {
		err = errors.New("oidcauth: Actor and TokenType are RFC 8693's: JWTBearer and OnBehalfOf have none")
	}
	return q, err
}

// TokenSource returns the source of exchanged tokens. Their Extra has, in addition to the "scope"
// and "authorization_details" of [Authenticator.TokenSource], "issued_token_type", which is always
// the requested one. A scope narrower than requested is not an error.
//
// Errors: ErrLoginRequired if there is no token to exchange, the caller's has expired, or the
// provider doesn't accept it (invalid_grant); a *GrantError if the provider refuses the exchange;
// an *UnavailableError if it can't be reached and no valid token is left; session.ErrUnavailable.
func (e *Exchange) TokenSource() oauth2.TokenSource { return &e.source }

// Client returns an HTTP client that sends requests with the exchanged token, to the same origins
// and by the same rules as Authenticator.Client with the user's.
func (e *Exchange) Client() *http.Client {
	t := e.transport
	return &http.Client{Transport: &t}
}

// Transport returns a RoundTripper that does what Client does on top of base; nil means
// http.DefaultTransport.
func (e *Exchange) Transport(base http.RoundTripper) http.RoundTripper {
	t := e.transport
	t.Base = base
	return &t
}

// A subjectOf gets the token that q exchanges, of whom ctx says.
type subjectOf func(ctx context.Context, q *access.Request) (access.Subject, error)

// An exchangeKeeper gets exchanged tokens.
type exchangeKeeper struct {
	exchanges *access.Exchanges
	subject   subjectOf
}

// Token implements access.Keeper.
func (k *exchangeKeeper) Token(ctx context.Context, q access.Request) (*access.Token, error) {
	s, err := k.subject(ctx, &q)
	if err != nil {
		return nil, err
	}
	return k.exchanges.Token(ctx, s, q)
}

// Replaceable implements access.Keeper.
func (k *exchangeKeeper) Replaceable(t *access.Token) bool { return new(tokens).Replaceable(t) }

// exchangeSubject is the token of the caller in ctx, or of the user.
func (a *Authenticator) exchangeSubject(ctx context.Context, q *access.Request) (s access.Subject, err error) {
	if j := judgedBy(ctx); j != nil {
		return a.callerSubject(j, q)
	}
	t, err := a.tokens.Token(ctx, access.Request{})
	if err != nil {
		return s, err
	}
	s = access.Subject{Value: t.Value, Type: access.AccessTokenType, Key: t.Key}
	if u := UserFrom(ctx); u != nil {
		s.Caller = u.Subject
	}
	if q.Terms.SubjectIDToken {
		s.Type = access.IDTokenType
		s.Value, err = a.IDToken(ctx)
	}
	return s, err
}

// callerSubject is the token of a caller, which no other provider than its own understands.
func (a *Authenticator) callerSubject(j *judged, q *access.Request) (s access.Subject, err error) {
	if !a.provider.Issuers.Allow(j.caller.Issuer) {
		return s, fmt.Errorf("%w: the caller's token is of another issuer", ErrLoginRequired)
	}
	if q.Terms.SubjectIDToken {
		return s, errors.New("oidcauth: SubjectIDToken: a caller sends no ID token")
	}
	if end := j.caller.Expiry; !end.IsZero() && !time.Now().Before(end) {
		return s, fmt.Errorf("%w: the caller's token has expired since the request came", ErrLoginRequired)
	}
	s = access.Subject{Value: j.token, Type: access.AccessTokenType, Caller: j.caller.Subject}
	if a.config.Advanced.DPoP {
		s.Key, err = a.callersKey()
	}
	return s, err
}

// exchangeSubject is the machine's own token.
func (m *Machine) exchangeSubject(ctx context.Context, q *access.Request) (s access.Subject, err error) {
	if q.Terms.SubjectIDToken {
		return s, errors.New("oidcauth: SubjectIDToken: a machine has no ID token")
	}
	t, err := m.tokens.Token(ctx, access.Request{})
	if err != nil {
		return s, err
	}
	return access.Subject{Value: t.Value, Type: access.AccessTokenType, Key: t.Key}, nil
}

// newExchanges returns the exchanges at e of the client that c describes.
func newExchanges(c *Config, tokenURL string, e *oauth.Endpoint) *access.Exchanges {
	return access.NewExchanges(access.ExchangeSettings{
		Issuer: c.Issuer, TokenURL: tokenURL, ClientID: c.ClientID, Endpoint: e, Refused: asExchangeRefusal,
		Timeout: c.Timeout, Lifetime: c.TokenLifetime, Log: c.Logger,
	})
}

// asExchangeRefusal is asRefusal. A subject token that the provider doesn't accept can't be fixed
// but by a newer one.
func asExchangeRefusal(err error) error {
	err = asRefusal(err)
	if refused, ok := errors.AsType[*GrantError](err); ok && refused.Code == "invalid_grant" {
		return fmt.Errorf("%w: %w", ErrLoginRequired, err)
	}
	return err
}
