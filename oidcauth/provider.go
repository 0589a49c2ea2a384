package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
)

// stalePatience is how long a caller waits for metadata to be renewed while an
// older document is at hand.
const stalePatience = 3 * time.Second

// A provider knows the OpenID provider's metadata and keys. Nothing is fetched
// before somebody asks; one fetch runs at a time, whoever asks, and none of
// those who wait can cancel it. It is safe for concurrent use.
type provider struct {
	// issuer is the configured one; issuers says which tokens are its.
	issuer  string
	issuers issuers

	client *http.Client
	log    *slog.Logger

	// maxAge is Config.DiscoveryMaxAge; limit bounds one fetch, whatever the
	// client's own time-out is.
	maxAge, limit time.Duration

	// machines says that machines get their tokens here, whom metadata serve in which
	// logins lack something; machinesOnly that nobody signs in here at all.
	machines, machinesOnly bool

	// keys are the provider's signature keys. Everything that verifies shares
	// them, and with them the brakes on fetching.
	keys *keySet

	// flight makes one fetch out of many callers.
	flight singleflight.Group

	// mu guards what follows.
	mu sync.Mutex

	// current is the last good document, nil before the first; fetched is when
	// it came.
	current *metadata
	fetched time.Time

	// partial is the last document that serves machines and no logins; nil when there
	// was none since the last good one.
	partial *metadata

	// retry spaces out fetches that fail; lastErr is why the latest one failed,
	// nil when it succeeded.
	retry   backoff
	lastErr error

	// answered is when a call to the provider last succeeded. It has a lock of its
	// own, for whoever notes it may hold another.
	answered atomic.Pointer[time.Time]
}

// hasAnswered notes that a call to the provider has succeeded.
func (p *provider) hasAnswered() {
	now := time.Now()
	p.answered.Store(&now)
}

// answeredSince reports whether a call to the provider has succeeded after t.
func (p *provider) answeredSince(t time.Time) bool {
	at := p.answered.Load()
	return at != nil && at.After(t)
}

// inquire makes sure that answeredSince knows: where nobody has called the provider
// after t, it fetches the metadata.
func (p *provider) inquire(ctx context.Context, t time.Time) {
	if !p.answeredSince(t) {
		_ = p.refetch(ctx, t) // answeredSince tells
	}
}

// believe takes m for the provider's metadata for good, so that none are fetched. It is called before the provider is shared.
func (p *provider) believe(m *metadata) {
	p.current, p.fetched, p.maxAge = m, time.Now(), math.MaxInt64
}

// newProvider returns a provider that has fetched nothing yet. c has its
// defaults filled in.
func newProvider(c *Config, client *http.Client) *provider {
	p := &provider{
		issuer: c.Issuer, issuers: issuers{c.Issuer, c.Tenants},
		maxAge: c.DiscoveryMaxAge, limit: c.Timeout, client: client, log: c.Logger,
	}
	p.keys = newKeySet(p)
	return p
}

// metadata returns the provider's metadata: cached while it is younger than
// Config.DiscoveryMaxAge, fetched otherwise. When that fails, the last good
// document goes on serving, however old; with none, the error is an
// *UnavailableError that says when asking again makes sense. ctx bounds the
// wait, not the fetch.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	cached, fresh, wait := p.look()
	switch {
	case fresh, cached != nil && wait > 0:
		return cached, nil
	case wait > 0:
		return nil, p.unavailable()
	case cached != nil: // it serves still: don't let a hanging provider hold up everybody
		patient, cancel := context.WithTimeout(ctx, stalePatience)
		defer cancel()
		_ = p.refetch(patient, time.Time{}) // failed or not, there is a document
		return p.peek(), nil
	}
	if err := p.refetch(ctx, time.Time{}); err != nil {
		return nil, err
	}
	if m := p.peek(); m != nil {
		return m, nil
	}
	return nil, p.unavailable()
}

// tokenMetadata is metadata for machines, which need no more than the token endpoint.
func (p *provider) tokenMetadata(ctx context.Context) (*metadata, error) {
	if p.peekPartial() != nil { // it serves still
		patient, cancel := context.WithTimeout(ctx, stalePatience)
		defer cancel()
		ctx = patient
	}
	m, err := p.metadata(ctx)
	if partial := p.peekPartial(); err != nil && partial != nil {
		return partial, nil
	}
	return m, err
}

func (p *provider) peekPartial() *metadata {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.partial
}

// refetch fetches what is not fresh, or not from after t, once for all who wait, on
// a context that none of them can cancel. Its error is only ever that the caller's own wait ended; what the
// fetch brought is in the fields.
func (p *provider) refetch(ctx context.Context, t time.Time) error {
	done := p.flight.DoChan("metadata", func() (any, error) {
		p.fetch(context.WithoutCancel(ctx), t)
		return nil, nil
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return &UnavailableError{RetryAfter: firstDelay, Err: ctx.Err()}
	}
}

// peek returns what is known now, however old, or nil. It does no I/O.
func (p *provider) peek() *metadata {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// look tells metadata what to do: use the cache, wait for the back-off, or
// fetch.
func (p *provider) look() (cached *metadata, fresh bool, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fresh = p.current != nil && time.Since(p.fetched) < p.maxAge
	return p.current, fresh, p.retry.wait()
}

// unavailable is the error while there is no document at all. RetryAfter is
// when the back-off ends.
func (p *provider) unavailable() *UnavailableError {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &UnavailableError{RetryAfter: max(p.retry.wait(), firstDelay), Err: p.lastErr}
}

// fetch is refetch's, of which only one runs at a time.
func (p *provider) fetch(ctx context.Context, t time.Time) {
	if _, fresh, wait := p.look(); fresh && p.fetchedAfter(t) || wait > 0 {
		return // somebody else's fetch ended between our look and now
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	m, err := p.discover(ctx)
	stale := p.store(m, err)
	if err != nil { // logged without the lock, which every login waits for
		p.log.WarnContext(ctx, "provider unavailable", "issuer", p.issuer, "reason", "discovery", "error", logtext.Clip(err.Error(), logtext.Max), "stale", stale)
	}
}

// fetchedAfter reports whether the metadata at hand came after t.
func (p *provider) fetchedAfter(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetched.After(t)
}

// store keeps what a fetch brought. A failed one leaves the document alone; stale reports whether there is one.
func (p *provider) store(m *metadata, err error) (stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastErr = err
	if err != nil {
		p.retry.failed()
		if m != nil {
			p.partial = m
		}
		return p.current != nil
	}
	p.retry.succeeded()
	p.current, p.fetched, p.partial = m, time.Now(), nil
	p.hasAnswered()
	return false
}

// discover gets and checks the discovery document (Discovery §4). With an error it returns the document only if that serves
// machines all the same.
func (p *provider) discover(ctx context.Context) (*metadata, error) {
	// A terminating slash of the issuer is removed before the path is appended
	// (Discovery §4.1).
	document, err := outbound.GetJSON(ctx, p.client, strings.TrimSuffix(p.issuers.discovery(), "/")+"/.well-known/openid-configuration")
	if status, ok := errors.AsType[*outbound.StatusError](err); ok && status.Refuses() {
		return p.discoverServer(ctx, fmt.Errorf("%w: is Config.Issuer right?", err))
	}
	if err != nil {
		return nil, err
	}
	m, err := parseMetadata(document, p.issuer)
	if err == nil && !p.machinesOnly {
		err = m.servesLogins()
	}
	return m, err
}

// discoverServer looks where an authorization server that is no OpenID provider has its metadata (RFC 8414 §3), if there are machines
// to whom that is enough; missing is why no OpenID provider was found, which logins need.
func (p *provider) discoverServer(ctx context.Context, missing error) (*metadata, error) {
	if !p.machines {
		return nil, missing
	}
	document, err := outbound.GetJSON(ctx, p.client, serverMetadataURL(p.issuers.discovery()))
	if err != nil {
		return nil, fmt.Errorf("%w; %w", missing, err)
	}
	m, err := parseMetadata(document, p.issuer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w; %w", missing, err)
	case p.machinesOnly:
		return m, nil
	}
	return m, missing
}

// serverMetadataURL puts the well-known path between host and path of the issuer (RFC 8414 §3.1), which configuration has checked.
func serverMetadataURL(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.EscapedPath(), "/")
}
