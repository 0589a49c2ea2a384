package oidcauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/signet-go/signet/internal/seal"
)

// A Machine gets access tokens for the application itself (client credentials, RFC 6749 §4.4). It keeps each until shortly
// before its end, renews it in the background, and asks once however many callers want it. Make it with NewMachine, or name it in
// Config.Machines. It is safe for concurrent use.
type Machine struct {
	err      error // of every call
	config   MachineConfig
	endpoint *endpoint
	log      *slog.Logger
	apis     apis
	base     http.RoundTripper         // nil: http.DefaultTransport
	shared   *sharedTokens             // nil: this process alone
	plain    tokenOrder                // without options
	proof    func() (*proofKey, error) // the key of new tokens, made when the first is needed; nil for Bearer tokens

	flight singleflight.Group
	pauses pauses

	mu       sync.Mutex
	cache    map[string]*issuedToken
	replaced time.Time
}

// NewMachine makes a Machine for programs in which nobody signs in. It does no I/O. The error joins every mistake in c.
func NewMachine(c MachineConfig) (*Machine, error) {
	var mistakes []error
	c.validate("", func(field, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("oidcauth: %s: %s", field, fmt.Sprintf(format, args...)))
	})
	var vault *seal.Vault
	switch {
	case c.Store != nil:
		ring, err := seal.NewKeyring(c.Keys)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("oidcauth: Keys: %w", err))
			break
		}
		vault = ring.Vault(c.Store, machineRows)
	case len(c.Keys) > 0:
		mistakes = append(mistakes, errors.New("oidcauth: Keys: are set without a Store to seal for"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	derived := c.client()
	client := newHTTPClient(derived)
	return newMachine(c, derived, newEndpoint(derived, newProvider(derived, client), client), "MachineConfig.APIs", vault), nil
}

// machineRows is the purpose of rows with machine tokens.
const machineRows = "machine token"

// newMachines makes the machines of a's configuration, which is valid.
func newMachines(a *Authenticator) map[string]*Machine {
	machines := make(map[string]*Machine, len(a.config.Machines))
	vault := a.sessions.Vault(machineRows)
	for name, c := range a.config.Machines {
		own := c.ClientID != "" || c.ClientSecret != "" || c.HTTPClient != nil || c.Timeout != 0
		c = c.within(&a.config)
		derived, to := c.client(), a.endpoint
		if own || c.Issuer != a.config.Issuer {
			client, p := newHTTPClient(derived), a.provider
			if c.Issuer != a.config.Issuer {
				p = newProvider(derived, client)
			}
			to = newEndpoint(derived, p, client)
			to.nonces = a.endpoint.nonces
		}
		machines[name] = newMachine(c, derived, to, fmt.Sprintf("Config.Machines[%q].APIs or Config.APIs", name), vault)
	}
	return machines
}

func newMachine(c MachineConfig, derived *Config, e *endpoint, apiField string, vault *seal.Vault) *Machine {
	c.Timeout, c.TokenLifetime = derived.Timeout, derived.TokenLifetime
	m := &Machine{config: c, endpoint: e, log: derived.Logger, apis: newAPIs(apiField, c.APIs), base: apiTransport(derived.ClientAuth.Certificate), cache: map[string]*issuedToken{}}
	if vault != nil {
		m.shared = &sharedTokens{vault: vault, lease: c.Timeout + leaseSlack}
	}
	m.proof = func() (*proofKey, error) { return nil, nil }
	if c.DPoP {
		m.proof = sync.OnceValues(newProofKey)
	}
	m.plain = m.order(&tokenRequest{})
	return m
}

// Machine returns the machine that Config.Machines calls name. For a name that is not there, every call of the Machine fails
// with an error that says so.
func (a *Authenticator) Machine(name string) *Machine {
	if m := a.machines[name]; m != nil {
		return m
	}
	return &Machine{err: fmt.Errorf("oidcauth: Config.Machines has no %q", name)}
}

// TokenSource returns a source of the machine's access tokens; ctx bounds how long its calls wait. Resource and Scopes replace
// those of the configuration. Errors are a *GrantError when the endpoint refuses, and an *UnavailableError when it can't be used
// and there is no valid token. Failures are not cached, and not repeated at once: they are spaced out, as the endpoint's
// Retry-After says or by a back-off. It is safe for concurrent use.
func (m *Machine) TokenSource(ctx context.Context, options ...TokenOption) oauth2.TokenSource {
	q, err := newTokenRequest(options)
	return &tokenSource{ctx: ctx, keeper: m, query: q, err: err}
}

// Client returns an HTTP client that sends requests with the machine's access token, to the origins in its APIs only, as
// Authenticator.Client does with a user's. Requests that have no deadline or cancellation of their own end when ctx does.
func (m *Machine) Client(ctx context.Context, options ...TokenOption) *http.Client {
	q, err := newTokenRequest(options)
	return &http.Client{Transport: &transport{keeper: m, apis: m.apis, base: m.base, bound: ctx, query: q, err: errors.Join(m.err, err)}}
}

// Transport returns a RoundTripper that does what Client does on top of base; nil means http.DefaultTransport.
func (m *Machine) Transport(base http.RoundTripper) http.RoundTripper {
	return &transport{keeper: m, apis: m.apis, base: base, err: m.err}
}

// A tokenOrder is a request for a token, as it will be sent, and a name that no other request has.
type tokenOrder struct {
	form url.Values
	key  string
}

// order is what q means for m. The key covers all that the endpoint sees, and the endpoint: tokens of different scope, resource,
// audience, tenant or client must never be taken for each other.
func (m *Machine) order(q *tokenRequest) tokenOrder {
	form := maps.Clone(m.config.Extra)
	if form == nil {
		form = url.Values{}
	}
	scopes, resource := m.config.Scopes, m.config.Resource
	if len(q.scopes) > 0 {
		scopes = q.scopes
	}
	if len(q.resource) > 0 {
		resource = q.resource
	}
	form.Set("grant_type", "client_credentials")
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if len(resource) > 0 {
		form["resource"] = resource
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %t %q", m.config.Issuer, m.config.TokenURL, m.config.ClientID, m.config.DPoP, form.Encode()))
	return tokenOrder{form: form, key: base64.RawURLEncoding.EncodeToString(sum[:])}
}

// token returns the token that q asks for.
func (m *Machine) token(ctx context.Context, q tokenRequest) (*issuedToken, error) {
	if m.err != nil {
		return nil, m.err
	}
	o := m.plain
	if len(q.scopes) > 0 || len(q.resource) > 0 {
		o = m.order(&q)
	}
	have := m.cached(o.key)
	if q.force && have != nil {
		q.rejected = have.value
	}
	if have.serves(&q, time.Now()) {
		return have, nil
	}
	if err := m.pauses.check(o.key); err != nil {
		return have.or(&q, err)
	}
	done := m.flight.DoChan(o.key+"\x00"+q.rejected, func() (any, error) { return m.renew(ctx, o, q) })
	if have.bridges(&q, time.Now()) {
		return have, nil // and the next caller gets the new one
	}
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*issuedToken), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// or returns t if it may be handed out for q while no newer token can be had, else err.
func (t *issuedToken) or(q *tokenRequest, err error) (*issuedToken, error) {
	if t.bridges(q, time.Now()) {
		return t, nil
	}
	return nil, err
}

// renew gets a token, apart from every caller.
func (m *Machine) renew(ctx context.Context, o tokenOrder, q tokenRequest) (t *issuedToken, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*m.config.Timeout+leaseSlack)
	defer cancel()
	defer recovered(ctx, m.log, &err)
	if t := m.cached(o.key); t.serves(&q, time.Now()) {
		return t, nil // a flight has ended since the caller looked
	}
	if err := m.pauses.check(o.key); err != nil {
		return nil, err
	}
	if m.shared != nil {
		t, err = m.shared.token(ctx, m.log, o.key, &q, func() (*issuedToken, error) { return m.request(ctx, o) })
	} else {
		t, err = m.request(ctx, o)
	}
	if err != nil {
		m.log.LogAttrs(ctx, slog.LevelWarn, "machine token failed", slog.String("client_id", m.config.ClientID), reason(err))
		return nil, m.pauses.failed(o.key, asRefusal(err))
	}
	m.pauses.succeeded(o.key)
	m.keep(o.key, t)
	return t, nil
}

// request asks the endpoint, once.
func (m *Machine) request(ctx context.Context, o tokenOrder) (*issuedToken, error) {
	key, err := m.proof()
	if err != nil {
		return nil, err
	}
	endpoint := m.endpoint.bind(key)
	var answer *tokenAnswer
	if m.config.TokenURL != "" {
		answer, err = endpoint.tokenAt(ctx, m.config.TokenURL, o.form)
	} else {
		answer, err = endpoint.token(ctx, o.form)
	}
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &issuedToken{value: answer.AccessToken, kind: answer.TokenType, created: now, expiry: answer.Expiry}
	if t.expiry.IsZero() {
		t.expiry = now.Add(m.config.TokenLifetime)
	}
	return t.bound(key)
}

func (m *Machine) serverNonces() *nonces { return m.endpoint.nonces }

// replaceable lets an API's refusal of even a young token count, since a machine's may be revoked by hand, but only now and
// then: an API that refuses every token must not make one request to the endpoint for each of its own.
func (m *Machine) replaceable(t *issuedToken) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Sub(t.created) < minRejectedAge && now.Sub(m.replaced) < minRejectedAge {
		return false
	}
	m.replaced = now
	return true
}

// maxMachineTokens bounds the tokens that one Machine keeps.
const maxMachineTokens = 1000

func (m *Machine) cached(key string) *issuedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cache[key]
}

func (m *Machine) keep(key string, t *issuedToken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.cache[key]; !known && len(m.cache) >= maxMachineTokens {
		now := time.Now()
		maps.DeleteFunc(m.cache, func(_ string, t *issuedToken) bool { return !t.valid(now) })
		for other := range m.cache {
			if len(m.cache) < maxMachineTokens {
				break
			}
			delete(m.cache, other)
		}
	}
	m.cache[key] = t
}
