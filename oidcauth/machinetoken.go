package oidcauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
)

// A tokenOrder is a request for a token, as it will be sent, and a name that no
// other request has.
type tokenOrder struct {
	form url.Values
	key  string
}

// order is what q means for m. The key covers all that the endpoint sees, and the
// endpoint: tokens of different scope, resource, audience, tenant or client must
// never be taken for each other.
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
	if err := m.pauses.Check(o.key); err != nil {
		return have.or(&q, err)
	}
	done := m.flight.Start(ctx, o.key+"\x00"+q.rejected, 2*m.config.Timeout+leaseSlack, func(ctx context.Context) (*issuedToken, error) {
		return m.renew(ctx, o, q)
	})
	if have.bridges(&q, time.Now()) {
		return have, nil // the flight goes on, and a later caller gets what it brings
	}
	select {
	case r := <-done:
		return r.Value, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// renew gets a token, apart from every caller.
func (m *Machine) renew(ctx context.Context, o tokenOrder, q tokenRequest) (t *issuedToken, err error) {
	if t := m.cached(o.key); t.serves(&q, time.Now()) {
		return t, nil // a flight has ended since the caller looked
	}
	if err := m.pauses.Check(o.key); err != nil {
		return nil, err // and so has a failing one
	}
	if m.shared != nil {
		t, err = m.shared.token(ctx, m.log, o.key, &q, func() (*issuedToken, error) { return m.request(ctx, o) })
	} else {
		t, err = m.request(ctx, o)
	}
	if err != nil {
		m.log.LogAttrs(ctx, slog.LevelWarn, "machine token failed", slog.String("client_id", m.config.ClientID), logtext.Reason(err))
		return nil, m.pauses.Failed(o.key, o.key, asRefusal(err))
	}
	m.pauses.Succeeded(o.key)
	m.keep(o.key, t)
	return t, nil
}

// request asks the endpoint, once.
func (m *Machine) request(ctx context.Context, o tokenOrder) (*issuedToken, error) {
	key, err := m.proof()
	if err != nil {
		return nil, err
	}
	endpoint := m.endpoint.Bind(key)
	var answer *oauth.TokenAnswer
	if m.config.TokenURL != "" {
		answer, err = endpoint.TokenAt(ctx, m.config.TokenURL, o.form)
	} else {
		answer, err = endpoint.MachineToken(ctx, o.form)
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

// replaceable lets an API's refusal of even a young token count, since a machine's
// may be revoked by hand, but only now and then: an API that refuses every token
// must not make one request to the endpoint for each of its own.
func (m *Machine) replaceable(t *issuedToken) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if age := t.rejectedAge(); now.Sub(t.created) < age && now.Sub(m.replaced) < age {
		return false
	}
	m.replaced = now
	return true
}

// maxMachineTokens bounds the tokens that one Machine keeps.
const maxMachineTokens = 1000

// cached returns the newest token of the request called key, nil when there is none or it has expired.
func (m *Machine) cached(key string) *issuedToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, _ := m.cache.Get(key, time.Now())
	return t
}

// keep makes t the token of the request called key.
func (m *Machine) keep(key string, t *issuedToken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache.Put(key, t, 1, time.Now(), time.Until(t.expiry))
}
