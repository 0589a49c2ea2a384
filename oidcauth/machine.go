package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/seal"
)

// A Machine gets access tokens for the application itself (client credentials, RFC 6749 §4.4). It
// keeps each token until shortly before it expires, renews it in the background, and makes one
// request however many callers need it. Create it with NewMachine, or name it in Config.Machines.
// It is safe for concurrent use.
type Machine struct {
	// err is what every call returns, of a Machine that could not be made.
	err error

	tokens    *access.Machine
	exchanges *access.Exchanges
	apis      access.APIs
	nonces    *oauth.Nonces

	// base sends the requests to the APIs; nil means http.DefaultTransport.
	base http.RoundTripper
}

// NewMachine makes a Machine for programs without users. It does no I/O. The error joins every
// mistake in c.
func NewMachine(c MachineConfig) (*Machine, error) {
	var mistakes []error
	c = c.clone()
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
	client := outbound.NewClient(derived.outbound())
	return newMachine(c, derived, derived.endpointAt(machineProvider(derived, client), client), "MachineConfig.APIs", vault), nil
}

// machineRows is the purpose of rows with machine tokens.
const machineRows = "machine token"

// newMachine makes a Machine of a configuration that is valid.
func newMachine(c MachineConfig, derived *Config, e *oauth.Endpoint, apiField string, vault *seal.Vault) *Machine {
	return &Machine{
		tokens: access.NewMachine(access.MachineSettings{
			Issuer: c.Issuer, TokenURL: c.TokenURL, ClientID: c.ClientID, Scopes: c.Scopes, Resource: c.Resource, Extra: c.Extra, DPoP: c.DPoP,
			Endpoint: e, Refused: asRefusal, Timeout: derived.Timeout, Lifetime: derived.TokenLifetime, Vault: vault, Log: derived.Logger,
		}),
		exchanges: newExchanges(derived, c.TokenURL, e),
		apis:      access.NewAPIs(apiField, c.APIs), nonces: e.Nonces, base: apiTransport(derived.ClientAuth.Certificate),
	}
}

// Machine returns the machine called name in Config.Machines. If there is none, every call of the
// Machine fails with an error that says so.
func (a *Authenticator) Machine(name string) *Machine {
	if m := a.machines[name]; m != nil {
		return m
	}
	known := "an empty map"
	if len(a.machines) > 0 {
		names := slices.Sorted(maps.Keys(a.machines))
		known = `"` + strings.Join(names, `", "`) + `"`
	}
	return &Machine{err: fmt.Errorf("oidcauth: Config.Machines has no %q, only %s", name, known)}
}

// TokenSource returns a source of the machine's access tokens; ctx bounds how long its calls wait.
// Resource and Scopes replace those of the configuration. Errors are a *GrantError if the endpoint
// refuses, and an *UnavailableError if it can't be reached and no valid token is left. Failures are
// not cached, but retries are spaced out by the endpoint's Retry-After or a backoff. It is safe for
// concurrent use.
func (m *Machine) TokenSource(ctx context.Context, options ...TokenOption) oauth2.TokenSource {
	q, err := newTokenRequest(options)
	return &tokenSource{ctx: ctx, keeper: m.tokens, query: q, err: errors.Join(m.err, err)}
}

// Client returns an HTTP client that sends requests with the machine's access token, to the origins
// in its APIs only, as Authenticator.Client does with a user's. Requests that have no deadline or
// cancellation of their own end when ctx does.
func (m *Machine) Client(ctx context.Context, options ...TokenOption) *http.Client {
	q, err := newTokenRequest(options)
	return &http.Client{Transport: &access.Transport{Keeper: m.tokens, APIs: m.apis, Nonces: m.nonces, Base: m.base, Bound: ctx, Query: q, Err: errors.Join(m.err, err), Rules: clientRules}}
}

// Transport returns a RoundTripper that does what Client does on top of base; nil means
// http.DefaultTransport.
func (m *Machine) Transport(base http.RoundTripper) http.RoundTripper {
	return &access.Transport{Keeper: m.tokens, APIs: m.apis, Nonces: m.nonces, Base: base, Err: m.err, Rules: clientRules}
}
