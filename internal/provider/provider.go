// Package provider decides what of a provider's words is believed: metadata and keys ([Provider]),
// ID tokens, logout tokens, response JWTs, userinfo and the claims of other parties ([Verifier]).
// It fetches what is public, and nothing else: requests in the client's name are package oauth's.
// It knows no sessions and no browser. Start reading at [Verifier.Login].
package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/pace"
)

// A Provider knows the OpenID provider's metadata and keys. Nothing is fetched before somebody
// asks; one fetch runs at a time, whoever asks, and none of those who wait can cancel it. It is
// safe for concurrent use.
type Provider struct {
	// issuer is the configured one.
	issuer string

	// Issuers says which tokens are its.
	Issuers Issuers

	client *http.Client
	log    *slog.Logger

	// responseMode is Settings.ResponseMode.
	responseMode string

	// limit bounds one fetch, whatever the client's own timeout is.
	limit time.Duration

	// machines says that machines get their tokens here, whom metadata serve in which logins lack
	// something; machinesOnly that nobody signs in here at all.
	machines, machinesOnly bool

	// keys are the provider's signature keys. Everything that verifies shares them, and with them
	// the brakes on fetching.
	keys *keySet

	// document is the metadata.
	document pace.Document[*Metadata]

	// partial is the last document that serves machines and no logins; nil when there was none
	// since the last good one.
	partial atomic.Pointer[Metadata]

	// answered is when a call to the provider last succeeded. It has a lock of its own, for whoever
	// notes it may hold another.
	answered atomic.Pointer[time.Time]
}

// HasAnswered notes that a call to the provider has succeeded.
func (p *Provider) HasAnswered() {
	now := time.Now()
	p.answered.Store(&now)
}

// AnsweredSince reports whether a call to the provider has succeeded after t.
func (p *Provider) AnsweredSince(t time.Time) bool {
	at := p.answered.Load()
	return at != nil && at.After(t)
}

// Inquire makes sure that AnsweredSince knows: where nobody has called the provider after t, it
// fetches the metadata.
func (p *Provider) Inquire(ctx context.Context, t time.Time) {
	if !p.AnsweredSince(t) {
		p.document.Since(ctx, t) // AnsweredSince tells
	}
}

// Believe takes m for the provider's metadata for good, so that none are fetched. It is called
// before the provider is shared.
func (p *Provider) Believe(m *Metadata) { p.document.Believe(m) }

// Settings say which provider is meant and how it is called.
type Settings struct {
	// Issuer is the issuer identifier, or a template that Tenants fill in.
	Issuer  string
	Tenants []string

	// Client makes the calls. One fetch ends after Timeout, whatever the client's own bound is.
	Client  *http.Client
	Timeout time.Duration

	// MaxAge is how long metadata are used before they are fetched again.
	MaxAge time.Duration

	// ResponseMode is the response mode of logins as the protocol names it, for a warning where the
	// provider doesn't list it.
	ResponseMode string

	// Log hears of what fails.
	Log *slog.Logger

	// Machines says that machines get their tokens here, whom metadata serve in which logins lack
	// something; MachinesOnly that nobody signs in here at all.
	Machines, MachinesOnly bool
}

// New returns a provider that has fetched nothing yet.
func New(s Settings) *Provider {
	p := &Provider{
		issuer: s.Issuer, Issuers: Issuers{s.Issuer, s.Tenants}, limit: s.Timeout, client: s.Client, log: s.Log,
		machines: s.Machines || s.MachinesOnly, machinesOnly: s.MachinesOnly,
		responseMode: s.ResponseMode,
	}
	p.document = pace.Document[*Metadata]{Fetch: p.fetch, Limit: s.Timeout, MaxAge: s.MaxAge, Failed: p.failed, Log: s.Log}
	p.keys = newKeySet(p)
	return p
}

// Metadata returns the provider's metadata: cached while it is younger than Config.DiscoveryMaxAge,
// fetched otherwise. When that fails, the last good document goes on serving, however old; with
// none, the error is a *pace.Outage. ctx bounds the wait, not the fetch.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) {
	m, _, err := p.document.Get(ctx)
	return m, err
}

// TokenMetadata is metadata for machines, which need no more than the token endpoint.
func (p *Provider) TokenMetadata(ctx context.Context) (*Metadata, error) {
	if p.partial.Load() != nil { // it serves still
		patient, cancel := context.WithTimeout(ctx, pace.Patience)
		defer cancel()
		ctx = patient
	}
	m, err := p.Metadata(ctx)
	if partial := p.partial.Load(); err != nil && partial != nil {
		return partial, nil
	}
	return m, err
}

// Peek returns what is known now, however old, or nil. It does no I/O.
func (p *Provider) Peek() *Metadata {
	m, _ := p.document.Peek()
	return m
}

// fetch gets the metadata, and keeps those apart that serve machines alone.
func (p *Provider) fetch(ctx context.Context) (*Metadata, error) {
	m, err := p.discover(ctx)
	switch {
	case err == nil:
		p.partial.Store(nil)
		p.HasAnswered()
		p.checkResponseMode(ctx, m)
	case m != nil:
		p.partial.Store(m)
	}
	return m, err
}

// checkResponseMode warns of a provider that doesn't know the configured response mode: many don't
// refuse, but answer in another one.
func (p *Provider) checkResponseMode(ctx context.Context, m *Metadata) {
	mode := p.responseMode
	if mode == "" || p.machinesOnly || slices.Contains(m.ResponseModes, mode) {
		return
	}
	p.log.WarnContext(ctx, "response mode not supported", "issuer", p.issuer, "response_mode", mode, "supported", m.ResponseModes,
		"hint", "logins fail if the provider answers in another mode: set Config.ResponseMode to one of its own")
}

// failed logs a fetch that failed.
func (p *Provider) failed(ctx context.Context, err error, stale bool) {
	p.log.WarnContext(ctx, "provider unavailable", "issuer", p.issuer, "reason", "discovery", "error", logtext.Clip(err.Error(), logtext.Max), "stale", stale)
}

// discover gets and checks the discovery document (Discovery §4). With an error it returns the
// document only if that serves machines all the same.
func (p *Provider) discover(ctx context.Context) (*Metadata, error) {
	// A terminating slash of the issuer is removed before the path is appended (Discovery §4.1).
	document, err := outbound.GetJSON(ctx, p.client, strings.TrimSuffix(p.Issuers.discovery(), "/")+"/.well-known/openid-configuration")
	if status, ok := errors.AsType[*outbound.StatusError](err); ok && status.Refuses() {
		return p.discoverServer(ctx, fmt.Errorf("%w: is Config.Issuer right?", err))
	}
	if err != nil {
		return nil, err
	}
	m, err := ParseMetadata(document, p.issuer)
	if err == nil && !p.machinesOnly {
		err = m.ServesLogins()
	}
	return m, err
}

// discoverServer looks where an authorization server that is no OpenID provider has its metadata
// (RFC 8414 §3), if there are machines to whom that is enough; missing is why no OpenID provider
// was found, which logins need.
func (p *Provider) discoverServer(ctx context.Context, missing error) (*Metadata, error) {
	if !p.machines {
		return nil, missing
	}
	document, err := outbound.GetJSON(ctx, p.client, serverMetadataURL(p.Issuers.discovery()))
	if err != nil {
		return nil, fmt.Errorf("%w; %w", missing, err)
	}
	m, err := ParseMetadata(document, p.issuer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w; %w", missing, err)
	case p.machinesOnly:
		return m, nil
	}
	return m, missing
}

// serverMetadataURL puts the well-known path between host and path of the issuer (RFC 8414 §3.1),
// which configuration has checked.
func serverMetadataURL(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.EscapedPath(), "/")
}
