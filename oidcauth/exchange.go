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

// Audience names whom an exchanged token is to be for (RFC 8693 §2.1), as the provider calls them;
// given more than once, for all of them.
func Audience(name string) TokenOption {
	return func(q *tokenRequest) { t := termsOf(q); t.Audience = append(t.Audience, name) }
}

// TokenType asks an exchange for a token of this type (RFC 8693 §3) in place of an access token: its
// answer must say that it is one, and be sent as Bearer or DPoP.
func TokenType(uri string) TokenOption {
	return func(q *tokenRequest) { termsOf(q).Requested = uri }
}

// Actor names in an exchange who acts for the user: m, by its own access token (actor_token, RFC
// 8693 §2.1). Without it the new token does not say that anybody stands between.
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

// SubjectIDToken exchanges the ID token of the user who is signed in in place of the access token.
// Some providers want it so. It is a danger: an ID token says that somebody has signed in here, not
// what this application may do for them, and whoever gets hold of one could do the same.
func SubjectIDToken() TokenOption {
	return func(q *tokenRequest) { termsOf(q).SubjectIDToken = true }
}

// JWTBearer exchanges by the JWT bearer grant (RFC 7523 §2.1), for providers that do not have RFC
// 8693: the user's token is the assertion.
func JWTBearer() TokenOption {
	return func(q *tokenRequest) { termsOf(q).Form = access.JWTBearer }
}

// OnBehalfOf exchanges as Microsoft Entra ID wants it: the JWT bearer grant with requested_token_use
// on_behalf_of. Scopes names the API.
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

// An Exchange is a token got for another one, for another API. It is made for one request and is
// cheap to make; its methods may be called concurrently.
type Exchange struct {
	source tokenSource

	// transport sends requests with the token, through base where the caller names no other.
	transport access.Transport
}

// Exchange gets a token for another API in exchange for the access token of the user who is signed
// in in ctx or, below a guard of a [ResourceServer], of its caller (RFC 8693): the other API then
// knows for whom it works, and this application passes on no token that is meant for itself.
// Options say for whom: [Audience], [Resource], [Scopes]. The form is RFC 8693's, or [JWTBearer], or
// [OnBehalfOf].
//
// The request is made at this Authenticator's provider, as its client, once however many callers
// want the same; the token is kept in this process until shortly before its end. It is only ever
// had with the very token that it was exchanged for, so that it ends with the session, at a logout
// or revocation, and when that token changes. A refresh token in the answer is dropped. With
// Advanced.DPoP it is bound to the session's key, or to one of this process's for callers.
//
// There is no way back to the token that was to be exchanged: where there is no other one, there is
// none.
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

// newExchange reads what is wanted. subject gets the token that is exchanged.
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

// TokenSource returns the source of exchanged tokens. Their Extra has what came back, beside "scope"
// and "authorization_details" as of [Authenticator.TokenSource]: "issued_token_type", which is what
// was asked for. A scope that is narrower than asked for is no error.
//
// Errors: ErrLoginRequired when there is no token to exchange, a caller's has expired, or the provider takes it for none
// (invalid_grant); a *GrantError when it refuses the exchange; an *UnavailableError when it can't be
// used and there is no valid token; session.ErrUnavailable.
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

// asExchangeRefusal is asRefusal. A subject token that the provider takes for none can't be mended
// but by a newer one.
func asExchangeRefusal(err error) error {
	err = asRefusal(err)
	if refused, ok := errors.AsType[*GrantError](err); ok && refused.Code == "invalid_grant" {
		return fmt.Errorf("%w: %w", ErrLoginRequired, err)
	}
	return err
}
