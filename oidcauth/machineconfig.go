package oidcauth

import (
	"cmp"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/session"
)

// MachineConfig is one of the application's own clients (client credentials, RFC 6749 §4.4). In
// Config.Machines, a zero field means Config's value unless its comment says otherwise; for
// NewMachine it means the default that Config documents. New and NewMachine copy it, including
// lists and maps: later changes have no effect.
type MachineConfig struct {
	// Issuer is the provider whose metadata name the token endpoint; they need nothing else. They
	// are fetched from the location for OpenID providers, then from that for authorization servers
	// (RFC 8414). NewMachine needs Issuer or TokenURL.
	Issuer string

	// TokenURL is the token endpoint. Empty means the one in the issuer's metadata.
	TokenURL string

	// ClientID is the client's identifier. In Config.Machines, empty means Config.ClientID together
	// with its authentication; it is required there if Issuer differs from Config's or TokenURL has
	// a different origin, because that server must not see Config's credentials. NewMachine needs
	// it.
	ClientID string

	// ClientSecret and ClientAuth say how this ClientID authenticates, as in Config. Setting them
	// without a ClientID is an error.
	ClientSecret string
	ClientAuth   ClientAuth

	// DPoP binds tokens to the machine's own key (RFC 9449); Bearer tokens are then refused.
	// Processes that share tokens also share each token's key, sealed with it. In Config.Machines
	// it is also on if Config.Advanced.DPoP is.
	DPoP bool

	// Scopes are requested. Nil means that no scope parameter is sent.
	Scopes []string

	// Resource are the resource indicators that are sent (RFC 8707 §2.2). Nil means none.
	Resource []string

	// Extra are additional parameters, such as audience. Those that the package sets itself are
	// refused.
	Extra url.Values

	// APIs lists the origins that tokens may be sent to, as Config.APIs.
	APIs []string

	// Timeout, TokenLifetime, HTTPClient and Logger are as in Config.
	Timeout       time.Duration
	TokenLifetime time.Duration
	HTTPClient    *http.Client
	Logger        *slog.Logger

	// Store shares tokens between processes, sealed with Keys (see session.NewKey), so that many
	// replicas make one request. In Config.Machines both come from the session configuration, and
	// setting them is an error. A nil Store shares nothing.
	Store session.Store
	Keys  []string
}

// machineParameters are set by the package in requests for machine tokens; Extra may not touch
// them.
var machineParameters = []string{"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope", "resource"}

// clone returns a copy of m that shares no list or map with it.
func (m MachineConfig) clone() MachineConfig {
	m.Scopes, m.Resource, m.APIs = slices.Clone(m.Scopes), slices.Clone(m.Resource), slices.Clone(m.APIs)
	m.Extra = cloneValues(m.Extra)
	return m
}

// within returns m with zero fields taken from c.
func (m MachineConfig) within(c *Config) MachineConfig {
	m.Issuer = cmp.Or(m.Issuer, c.Issuer)
	// A client and its credentials go together: never one client's secret with another's name.
	if m.ClientID == "" && m.ClientSecret == "" {
		m.ClientID, m.ClientSecret, m.ClientAuth = c.ClientID, c.ClientSecret, c.ClientAuth
	}
	if m.APIs == nil {
		m.APIs = c.APIs
	}
	m.DPoP = m.DPoP || c.Advanced.DPoP
	m.Timeout = cmp.Or(m.Timeout, c.Timeout)
	m.TokenLifetime = cmp.Or(m.TokenLifetime, c.TokenLifetime)
	m.HTTPClient = cmp.Or(m.HTTPClient, c.HTTPClient)
	m.Logger = cmp.Or(m.Logger, c.Logger)
	return m
}

// validateWithin reports what m may not say as one of c's Machines. It is called before m takes
// anything from c.
func (m *MachineConfig) validateWithin(c *Config, where string, wrong func(field, format string, args ...any)) {
	if m.Store != nil || m.Keys != nil {
		wrong(where+"Store, Keys", "are for NewMachine: Machines share tokens through the sessions' Store")
	}
	if m.ClientID != "" {
		return
	}
	if !reflect.ValueOf(m.ClientAuth).IsZero() {
		wrong(where+"ClientAuth", "says how a client authenticates: name the ClientID, too")
	}
	if m.leaves(c.Issuer) {
		wrong(where+"ClientID", "is empty, and Config's client is not for another issuer or another origin than its own: name the client that is registered there")
	}
}

// leaves reports whether m asks for tokens elsewhere than at issuer, whose client's credentials
// must not go there.
func (m *MachineConfig) leaves(issuer string) bool {
	if m.Issuer != "" && m.Issuer != issuer {
		return true
	}
	if m.TokenURL == "" {
		return false
	}
	own, err1 := url.Parse(issuer)
	target, err2 := url.Parse(m.TokenURL)
	return err1 != nil || err2 != nil || outbound.Origin(own) != outbound.Origin(target)
}

// validate reports every mistake in m. where is put before the names of fields.
func (m *MachineConfig) validate(where string, wrong func(field, format string, args ...any)) {
	m.validateEndpoint(where, wrong)
	if m.ClientID == "" {
		wrong(where+"ClientID", "is empty; use the client identifier from the registration at the provider")
	}
	for _, scope := range m.Scopes {
		if !oauth.IsScope(scope) {
			wrong(where+"Scopes", "%q is not a scope token (RFC 6749 §3.3): printable ASCII without space, quote and backslash", scope)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Extra)) {
		if slices.Contains(machineParameters, name) {
			wrong(where+"Extra", "%q is set by the package; use its own field instead", name)
		}
	}
	for _, api := range m.APIs {
		if err := checkOrigin(api); err != nil {
			wrong(where+"APIs", "%q: %v", api, err)
		}
	}
	if m.Timeout < 0 || m.TokenLifetime < 0 {
		wrong(where+"Timeout, TokenLifetime", "must not be negative")
	}
	auth := m.ClientAuth.withDefaults(m.ClientSecret)
	auth.validate(m.ClientSecret, where+"ClientAuth", wrong)
}

// validateEndpoint is validate for what leads to the token endpoint.
func (m *MachineConfig) validateEndpoint(where string, wrong func(field, format string, args ...any)) {
	if m.Issuer == "" && m.TokenURL == "" {
		wrong(where+"Issuer, TokenURL", "are both empty; one of them leads to the token endpoint")
	}
	if m.Issuer != "" {
		if err := checkIssuerURL(m.Issuer); err != nil {
			wrong(where+"Issuer", "%v", err)
		}
	}
	if m.TokenURL == "" {
		return
	}
	u, err := url.Parse(m.TokenURL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		wrong(where+"TokenURL", "%q is not an absolute URL without user and fragment", m.TokenURL)
	} else if err := outbound.CheckScheme(u); err != nil {
		wrong(where+"TokenURL", "%v", err)
	}
}
