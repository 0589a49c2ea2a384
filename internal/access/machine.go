package access

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/seal"
)

// Machine are the tokens of one machine client (RFC 6749 §4.4). It keeps each until shortly before
// its end, renews it in the background, and asks once however many callers want it. It is safe for
// concurrent use.
type Machine struct {
	MachineSettings

	// proof returns the key of new tokens, made when the first is needed; nil for Bearer tokens.
	proof func() (*jwt.ProofKey, error)

	// shared is what other processes know; nil without a Store.
	shared *sharedTokens

	// plain is the request without options, which is nearly every one.
	plain tokenOrder

	// renewer joins equal requests, and spaces out what fails.
	renewer *Renewer[*Token]

	mu sync.Mutex

	// cache holds the newest token of each request.
	cache expiring.Map[string, *Token]

	// replaced is when an API's refusal last led to a new token.
	replaced time.Time
}

// MachineSettings say what a machine asks for, and of whom.
type MachineSettings struct {
	// Issuer or TokenURL is where tokens come from, for the client called ClientID. With the form
	// they name a request.
	Issuer, TokenURL, ClientID string

	// Scopes, Resource and Extra are parameters of every request that names no others.
	Scopes, Resource []string
	Extra            url.Values

	// DPoP binds tokens to a key of the machine's.
	DPoP bool

	// Endpoint is asked. Refused turns its refusal into what callers are told.
	Endpoint *oauth.Endpoint
	Refused  func(error) error

	// Timeout bounds one call; Lifetime is taken for tokens that don't say how long they live.
	Timeout, Lifetime time.Duration

	// Vault is what processes share, nil for nothing.
	Vault *seal.Vault

	Log *slog.Logger

	// Observe is called before a token is got, and what it returns afterward; nil for nobody.
	Observe func(context.Context) (context.Context, func(error))
}

// NewMachine returns the tokens of a machine, of which there are none yet.
func NewMachine(s MachineSettings) *Machine {
	m := &Machine{MachineSettings: s, proof: func() (*jwt.ProofKey, error) { return nil, nil }, renewer: NewRenewer[*Token](s.Log)}
	m.renewer.Limit, m.cache.Limit = 2*s.Timeout+leaseSlack, maxMachineTokens
	if s.DPoP {
		m.proof = sync.OnceValues(jwt.NewProofKey)
	}
	if s.Vault != nil {
		m.shared = &sharedTokens{vault: s.Vault, lease: s.Timeout + leaseSlack}
	}
	m.plain = m.order(&Request{})
	return m
}

// A tokenOrder is a request for a token, as it will be sent, and a name that no other request has.
type tokenOrder struct {
	form url.Values
	key  string
}

// order is what q means for m. The key covers all that the endpoint sees, and the endpoint: tokens
// of different scope, resource, audience, tenant or client must never be taken for each other.
func (m *Machine) order(q *Request) tokenOrder {
	form := maps.Clone(m.Extra)
	if form == nil {
		form = url.Values{}
	}
	scopes, resource := m.Scopes, m.Resource
	if len(q.Scopes) > 0 {
		scopes = q.Scopes
	}
	if len(q.Resource) > 0 {
		resource = q.Resource
	}
	form.Set("grant_type", "client_credentials")
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if len(resource) > 0 {
		form["resource"] = resource
	}
	key := fmt.Sprintf("%q %q %q %t %q", m.Issuer, m.TokenURL, m.ClientID, m.DPoP, form.Encode())
	return tokenOrder{form: form, key: key}
}

// Token returns the token that q asks for.
func (m *Machine) Token(ctx context.Context, q Request) (*Token, error) {
	o := m.plain
	if len(q.Scopes) > 0 || len(q.Resource) > 0 {
		o = m.order(&q)
	}
	have := m.cached(o.key)
	if q.Force && have != nil {
		q.Rejected = have.Value
	}
	if have.Serves(&q, time.Now()) {
		return have, nil
	}
	return m.renewer.Renew(ctx, &Order[*Token]{
		Name: o.key, Query: &q, Have: have,
		Fetch: func(ctx context.Context) (*Token, error) { return m.renew(ctx, o, q) },
		Land:  func(t *Token, err error) (*Token, error) { return t, err },
	})
}

// renew gets a token, apart from every caller.
func (m *Machine) renew(ctx context.Context, o tokenOrder, q Request) (t *Token, err error) {
	if t := m.cached(o.key); t.Serves(&q, time.Now()) {
		return t, nil // a call has ended since the caller looked
	}
	if err := m.renewer.Pauses.Check(o.key); err != nil {
		return nil, err // and so has a failing one
	}
	if m.Observe != nil {
		var end func(error)
		ctx, end = m.Observe(ctx)
		defer func() { end(err) }()
	}
	if m.shared != nil {
		t, err = m.shared.token(ctx, m.Log, o.key, &q, func() (*Token, error) { return m.request(ctx, o) })
	} else {
		t, err = m.request(ctx, o)
	}
	if err != nil {
		m.Log.LogAttrs(ctx, slog.LevelWarn, "machine token failed", slog.String("client_id", m.ClientID), logtext.Reason(err))
		return nil, m.renewer.Pauses.Failed(o.key, o.key, m.Refused(err))
	}
	m.renewer.Pauses.Succeeded(o.key)
	m.keep(o.key, t)
	return t, nil
}

// request asks the endpoint, once.
func (m *Machine) request(ctx context.Context, o tokenOrder) (*Token, error) {
	key, err := m.proof()
	if err != nil {
		return nil, err
	}
	endpoint := m.Endpoint.Bind(key)
	var answer *oauth.TokenAnswer
	if m.TokenURL != "" {
		answer, err = endpoint.TokenAt(ctx, m.TokenURL, o.form)
	} else {
		answer, err = endpoint.MachineToken(ctx, o.form)
	}
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &Token{Value: answer.AccessToken, Kind: answer.TokenType, Created: now, Expiry: answer.Expiry}
	if t.Expiry.IsZero() {
		t.Expiry = now.Add(m.Lifetime)
	}
	return t.Bound(key)
}

// Replaceable lets an API's refusal of even a young token count, since a machine's may be revoked
// by hand, but only now and then: an API that refuses every token must not make one request to the
// endpoint for each of its own.
func (m *Machine) Replaceable(t *Token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if age := t.RejectedAge(); now.Sub(t.Created) < age && now.Sub(m.replaced) < age {
		return false
	}
	m.replaced = now
	return true
}

// maxMachineTokens bounds the tokens that one Machine keeps.
const maxMachineTokens = 1000

// cached returns the newest token of the request called key, nil when there is none or it has
// expired.
func (m *Machine) cached(key string) *Token {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, _ := m.cache.Get(key, time.Now())
	return t
}

// keep makes t the token of the request called key.
func (m *Machine) keep(key string, t *Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache.Put(key, t, 1, time.Now(), time.Until(t.Expiry))
}
