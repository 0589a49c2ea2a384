package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/pace"
)

// A provider knows the OpenID provider's metadata and keys. Nothing is fetched
// before somebody asks; one fetch runs at a time, whoever asks, and none of
// those who wait can cancel it. It is safe for concurrent use.
type provider struct {
	// issuer is the configured one; issuers says which tokens are its.
	issuer  string
	issuers issuers

	client *http.Client
	log    *slog.Logger

	// limit bounds one fetch, whatever the client's own time-out is.
	limit time.Duration

	// machines says that machines get their tokens here, whom metadata serve in which
	// logins lack something; machinesOnly that nobody signs in here at all.
	machines, machinesOnly bool

	// keys are the provider's signature keys. Everything that verifies shares
	// them, and with them the brakes on fetching.
	keys *keySet

	// document is the metadata.
	document pace.Document[*metadata]

	// partial is the last document that serves machines and no logins; nil when there
	// was none since the last good one.
	partial atomic.Pointer[metadata]

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
		p.document.Since(ctx, t) // answeredSince tells
	}
}

// believe takes m for the provider's metadata for good, so that none are fetched. It is called before the provider is shared.
func (p *provider) believe(m *metadata) { p.document.Believe(m) }

// providerSettings say which provider is meant and how it is called.
type providerSettings struct {
	// Issuer is the issuer identifier, or a template that Tenants fill in.
	Issuer  string
	Tenants []string

	// Client makes the calls. One fetch ends after Timeout, whatever the client's own bound is.
	Client  *http.Client
	Timeout time.Duration

	// MaxAge is how long metadata are used before they are fetched again.
	MaxAge time.Duration

	// Log hears of what fails.
	Log *slog.Logger

	// Machines says that machines get their tokens here, whom metadata serve in which logins lack something; MachinesOnly that
	// nobody signs in here at all.
	Machines, MachinesOnly bool
}

// newProvider returns a provider that has fetched nothing yet.
func newProvider(s providerSettings) *provider {
	p := &provider{
		issuer: s.Issuer, issuers: issuers{s.Issuer, s.Tenants}, limit: s.Timeout, client: s.Client, log: s.Log,
		machines: s.Machines || s.MachinesOnly, machinesOnly: s.MachinesOnly,
	}
	p.document = pace.Document[*metadata]{Fetch: p.fetch, Limit: s.Timeout, MaxAge: s.MaxAge, Failed: p.failed, Log: s.Log}
	p.keys = newKeySet(p)
	return p
}

// metadata returns the provider's metadata: cached while it is younger than
// Config.DiscoveryMaxAge, fetched otherwise. When that fails, the last good
// document goes on serving, however old; with none, the error is a
// *pace.Outage. ctx bounds the wait, not the fetch.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	m, _, err := p.document.Get(ctx)
	return m, err
}

// tokenMetadata is metadata for machines, which need no more than the token endpoint.
func (p *provider) tokenMetadata(ctx context.Context) (*metadata, error) {
	if p.partial.Load() != nil { // it serves still
		patient, cancel := context.WithTimeout(ctx, pace.Patience)
		defer cancel()
		ctx = patient
	}
	m, err := p.metadata(ctx)
	if partial := p.partial.Load(); err != nil && partial != nil {
		return partial, nil
	}
	return m, err
}

// peek returns what is known now, however old, or nil. It does no I/O.
func (p *provider) peek() *metadata {
	m, _ := p.document.Peek()
	return m
}

// fetch gets the metadata, and keeps those apart that serve machines alone.
func (p *provider) fetch(ctx context.Context) (*metadata, error) {
	m, err := p.discover(ctx)
	switch {
	case err == nil:
		p.partial.Store(nil)
		p.hasAnswered()
	case m != nil:
		p.partial.Store(m)
	}
	return m, err
}

// failed logs a fetch that failed.
func (p *provider) failed(ctx context.Context, err error, stale bool) {
	p.log.WarnContext(ctx, "provider unavailable", "issuer", p.issuer, "reason", "discovery", "error", logtext.Clip(err.Error(), logtext.Max), "stale", stale)
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
