package access

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
)

// Token types (RFC 8693 §3).
const (
	AccessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	IDTokenType     = "urn:ietf:params:oauth:token-type:id_token"
)

// A Form is how one token is asked for in exchange for another.
type Form int

// Forms of an exchange.
const (
	TokenExchange Form = iota // RFC 8693 §2.1
	JWTBearer                 // the subject is an assertion (RFC 7523 §2.1)
	OnBehalfOf                // the same, as Microsoft Entra ID wants it
)

// Terms are what an exchange asks for, besides resource and scopes.
type Terms struct {
	Form     Form
	Audience []string

	// Requested is the type of the requested token; "" means an access token.
	Requested string

	// SubjectIDToken has the ID token be the subject.
	SubjectIDToken bool

	// Actor gets the token of who acts for the subject; nil means nobody who is to be named.
	Actor func(context.Context) (*Token, error)
}

// A Subject is whose token is exchanged.
type Subject struct {
	// Value is the token, Type its type by RFC 8693 §3.
	Value, Type string

	// Caller names whose it is, for what an endpoint says to one caller.
	Caller string

	// Key is what the new token is bound to, nil for a Bearer token.
	Key *jwt.ProofKey
}

// String keeps the token out of logs and debug dumps.
func (s Subject) String() string { return "subject token (redacted)" }

// GoString is String.
func (s Subject) GoString() string { return s.String() }

// Exchanges get tokens for other tokens, at one endpoint as one client. Each is kept in this process
// for as long as it lasts, and is had by whoever brings the same subject token alone: what ends that
// one, a logout or a refresh, ends the way to it. They are safe for concurrent use.
type Exchanges struct {
	ExchangeSettings

	renewer *Renewer[*Token]

	mu    sync.Mutex
	cache expiring.Map[string, *Token]
}

// ExchangeSettings say who asks, and where.
type ExchangeSettings struct {
	// Issuer or TokenURL is where tokens come from, for the client called ClientID. With the form
	// they name a request.
	Issuer, TokenURL, ClientID string

	// Endpoint is asked. Refused turns its refusal into what callers are told.
	Endpoint *oauth.Endpoint
	Refused  func(error) error

	// Timeout bounds one call; Lifetime is taken for tokens that don't say how long they live.
	Timeout, Lifetime time.Duration

	Log *slog.Logger
}

// maxExchanged bounds the memory of the tokens that are kept, in bytes: an endpoint says how long
// they are.
const maxExchanged = 8 << 20

// NewExchanges returns the exchanges of a client, of which there are none yet.
func NewExchanges(s ExchangeSettings) *Exchanges {
	x := &Exchanges{ExchangeSettings: s, renewer: NewRenewer[*Token](s.Log)}
	x.renewer.Limit, x.cache.Limit = 2*s.Timeout, maxExchanged
	x.renewer.Pauses.Enough = manyCallers
	return x
}

// manyCallers is how many callers have to be told that there are too many requests, before it counts
// for all.
const manyCallers = 3

// Token returns what s is exchanged for, as q asks for it. It is never the subject itself.
func (x *Exchanges) Token(ctx context.Context, s Subject, q Request) (*Token, error) {
	form, err := q.exchangeForm(ctx, s)
	if err != nil {
		return nil, err
	}
	name, err := x.name(s, form)
	if err != nil {
		return nil, err
	}
	have := x.kept(name)
	if q.Force && have != nil {
		q.Rejected = have.Value
	}
	if have.Serves(&q, time.Now()) {
		return have, nil
	}
	return x.renewer.Renew(ctx, &Order[*Token]{
		Name: name, Query: &q, Have: have,
		Fetch: func(ctx context.Context) (*Token, error) { return x.renew(ctx, name, form, s, q) },
		Land:  func(t *Token, err error) (*Token, error) { return t, err },
	})
}

// exchangeForm is the request for q (RFC 8693 §2.1, RFC 7523 §2.1).
func (q *Request) exchangeForm(ctx context.Context, s Subject) (url.Values, error) {
	terms := q.terms()
	form := url.Values{}
	if len(q.Scopes) > 0 {
		form.Set("scope", strings.Join(q.Scopes, " "))
	}
	if len(q.Resource) > 0 {
		form["resource"] = q.Resource
	}
	if len(terms.Audience) > 0 {
		form["audience"] = terms.Audience
	}
	if terms.Form != TokenExchange {
		form.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
		form.Set("assertion", s.Value)
		if terms.Form == OnBehalfOf {
			form.Set("requested_token_use", "on_behalf_of")
		}
		return form, nil
	}
	form.Set("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
	form.Set("subject_token", s.Value)
	form.Set("subject_token_type", s.Type)
	form.Set("requested_token_type", terms.requested())
	if terms.Actor != nil {
		actor, err := terms.Actor(ctx)
		if err != nil {
			return nil, err
		}
		form.Set("actor_token", actor.Value)
		form.Set("actor_token_type", AccessTokenType)
	}
	return form, nil
}

// terms are q's, or those of who names none.
func (q *Request) terms() *Terms {
	if q.Terms == nil {
		return new(Terms)
	}
	return q.Terms
}

// requested is the type of the requested token.
func (t *Terms) requested() string {
	if t.Requested == "" {
		return AccessTokenType
	}
	return t.Requested
}

// name is of all that the endpoint sees, the whole subject token among it, of the endpoint and of
// the key: tokens of different users, audiences, scopes, clients or keys must never be taken for
// each other. It is a hash, since it holds tokens.
func (x *Exchanges) name(s Subject, form url.Values) (string, error) {
	thumbprint := ""
	if s.Key != nil {
		var err error
		if thumbprint, err = s.Key.Thumbprint(); err != nil {
			return "", err
		}
	}
	sum := Hash(fmt.Sprintf("%q %q %q %q %q", x.Issuer, x.TokenURL, x.ClientID, thumbprint, form.Encode()))
	return string(sum[:]), nil
}

// renew exchanges, apart from every caller.
func (x *Exchanges) renew(ctx context.Context, name string, form url.Values, s Subject, q Request) (*Token, error) {
	if t := x.kept(name); t.Serves(&q, time.Now()) {
		return t, nil // a call has ended since the caller looked
	}
	if err := x.renewer.Pauses.Check(name); err != nil {
		return nil, err // and so has a failing one
	}
	t, err := x.request(ctx, form, s, &q)
	if err != nil {
		x.Log.LogAttrs(ctx, slog.LevelWarn, "token exchange failed", slog.String("client_id", x.ClientID), logtext.Reason(err))
		return nil, x.renewer.Pauses.Failed(name, s.Caller, x.Refused(err))
	}
	x.renewer.Pauses.Succeeded(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cache.Put(name, t, len(t.Value)+len(t.Scope)+len(t.Details)+seenOverhead, time.Now(), time.Until(t.Expiry))
	return t, nil
}

// request asks the endpoint, once. A refresh token in the answer is dropped: nobody keeps it, and it
// would outlive the subject.
func (x *Exchanges) request(ctx context.Context, form url.Values, s Subject, q *Request) (t *Token, err error) {
	endpoint := x.Endpoint.Bind(s.Key)
	var answer *oauth.TokenAnswer
	if x.TokenURL != "" {
		answer, err = endpoint.TokenAt(ctx, x.TokenURL, form)
	} else {
		answer, err = endpoint.MachineToken(ctx, form)
	}
	if err != nil {
		return nil, err
	}
	if err := q.terms().check(answer, form); err != nil {
		return nil, err
	}
	g := GrantOf("", answer, x.Lifetime, time.Now())
	g.Inherit(nil, q.Scopes)
	t = g.Token(answer.AccessToken)
	t.Type = answer.IssuedType
	return t.Bound(s.Key)
}

// check refuses an answer with another token than the one that was asked for: of another type, or
// one of those that were sent, which are meant for somebody else.
func (t *Terms) check(answer *oauth.TokenAnswer, sent url.Values) error {
	for _, field := range []string{"subject_token", "actor_token", "assertion"} {
		if answer.AccessToken == sent.Get(field) {
			return &wrongAnswer{fmt.Errorf("the endpoint returned the very token that was sent as %s", field)}
		}
	}
	switch want := t.requested(); {
	case answer.IssuedType == want:
	case answer.IssuedType == "" && t.Form != TokenExchange: // RFC 7523 knows no such member
	default:
		return &wrongAnswer{fmt.Errorf("issued_token_type: expected %s, got %s", want, logtext.Quote(answer.IssuedType))}
	}
	return nil
}

// A wrongAnswer is a token that was not asked for. The same request would bring it again.
type wrongAnswer struct{ error }

// Unwrap returns the finding.
func (e *wrongAnswer) Unwrap() error { return e.error }

// Pause implements pace.Failure.
func (e *wrongAnswer) Pause() (time.Duration, pace.Audience) { return 0, pace.Caller }

// Final implements pace.Failure.
func (e *wrongAnswer) Final() bool { return true }

// kept returns the newest token of the exchange called name, nil when there is none.
func (x *Exchanges) kept(name string) *Token {
	x.mu.Lock()
	defer x.mu.Unlock()
	t, _ := x.cache.Get(name, time.Now())
	return t
}
