package oidcauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

// ResourceConfig describes an API that takes access tokens. URL, Audience and Issuers are required;
// every other field's zero value is safe and usual. NewResource copies it, with its lists: later
// changes have no effect.
type ResourceConfig struct {
	// URL is where callers find the API: scheme and host, and the path that a proxy removes from
	// each request, if one does. DPoP proofs are compared with it and the request's own path, never
	// with a Host or Forwarded header. It is https; plain http is for loopback hosts.
	URL string

	// Audience lists the names of the API: a token is accepted if its aud has one of them. A token
	// that is meant for somebody else is refused, whoever signed it (RFC 9068 §4).
	Audience []string

	// InsecureAnyAudience accepts tokens whoever they are meant for, with an empty Audience: every
	// application that is given a token of an issuer's can then call this API as its user. It is
	// for providers that name no audience, where that is known of every application.
	InsecureAnyAudience bool

	// Issuers are the authorization servers whose tokens are accepted.
	Issuers []TokenIssuer

	// SigningAlgs are the algorithms that tokens may be signed with. Nil means every asymmetric one
	// that the issuer's published key is for; unsigned tokens and HMAC are never accepted.
	SigningAlgs []string

	// RolesClaim names the claim that holds the caller's roles, as in [Config]. Empty means
	// "roles".
	RolesClaim string

	// DPoPNonces demands a nonce of ours in each DPoP proof (RFC 9449 §9), so that proofs can't be
	// made in advance. False demands none.
	DPoPNonces bool

	// ClientCertificate returns the certificate that the client of r has proved to own, nil for
	// none: where TLS ends at a proxy, out of a header that the proxy alone can set. Nil means that
	// of r.TLS.
	ClientCertificate func(r *http.Request) (*x509.Certificate, error)

	// CrossOrigin checks the requests that [ResourceServer.Beside] leaves to a session's guard: they come
	// with a cookie, which other sites can make a browser send. Nil means a new
	// http.CrossOriginProtection.
	CrossOrigin *http.CrossOriginProtection

	// PublishMetadata says that [ResourceServer.ServeMetadata] is served at [ResourceServer.MetadataPath]:
	// challenges then name it (RFC 9728 §5.1). ScopesSupported are the scopes that it lists.
	PublishMetadata bool
	ScopesSupported []string

	// Store remembers DPoP proofs for all processes, sealed with Keys (see session.NewKey), so that
	// each passes once. Nil means the Store of the first Issuers' Authenticator that has one, and
	// otherwise the memory of this process.
	Store session.Store
	Keys  []string

	// Skew is the tolerated difference between an issuer's clock and ours for nbf, iat and
	// auth_time. Zero means 60 seconds. exp is taken at its word: callers renew their tokens before.
	Skew time.Duration

	// Timeout and HTTPClient are as in [Config], for calls to Issuers without an Authenticator of
	// their own.
	Timeout    time.Duration
	HTTPClient *http.Client

	// Logger receives what is refused, and why. Nil means that of the first Authenticator among
	// Issuers, else slog.Default().
	Logger *slog.Logger

	// ErrorHandler writes refusals in place of the built-in JSON. Its error is always a *Problem;
	// status headers and challenges are set before the call. Nil means the built-in answer.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
}

// A TokenIssuer is an authorization server whose access tokens a [ResourceServer] accepts: Auth, or Issuer
// and what belongs to it.
type TokenIssuer struct {
	// Auth is an Authenticator of this provider, whose metadata, keys, client and Store are used.
	// The fields below but Introspect are then empty.
	Auth *Authenticator

	// Issuer is the issuer identifier, and Tenants are those of a template, as in [Config]. The iss
	// of a JWT must be it, character by character.
	Issuer  string
	Tenants []string

	// Introspect asks the issuer about tokens that are no JWTs (RFC 7662), in the name of a client:
	// that of Auth, or ClientID. An answer is used for at most a minute, so that a revocation takes
	// effect within one. At most one issuer can be asked, since such a token doesn't say whose it
	// is. False refuses these tokens.
	Introspect bool

	// ClientID, ClientSecret and ClientAuth say who asks, as in [Config].
	ClientID, ClientSecret string
	ClientAuth             ClientAuth
}

// withDefaults returns a copy of c that shares no list with it, in which every zero field has its
// documented meaning.
func (c ResourceConfig) withDefaults() ResourceConfig {
	c.Audience, c.Issuers, c.ScopesSupported = slices.Clone(c.Audience), slices.Clone(c.Issuers), slices.Clone(c.ScopesSupported)
	if c.SigningAlgs = slices.Clone(c.SigningAlgs); c.SigningAlgs == nil {
		c.SigningAlgs = jwt.SigningAlgs
	}
	if c.RolesClaim == "" {
		c.RolesClaim = "roles"
	}
	c.Skew, c.Timeout = orDuration(c.Skew, defaultSkew), orDuration(c.Timeout, defaultTimeout)
	if c.CrossOrigin == nil {
		c.CrossOrigin = http.NewCrossOriginProtection()
	}
	for i := range c.Issuers {
		if auth := c.Issuers[i].Auth; auth != nil && c.Logger == nil {
			c.Logger = auth.config.Logger
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// validate reports every mistake in c, whose defaults are filled in.
func (c *ResourceConfig) validate() error {
	var mistakes []error
	wrong := func(field, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("oidcauth: %s: %s", field, fmt.Sprintf(format, args...)))
	}
	if err := checkResourceURL(c.URL); err != nil {
		wrong("URL", "%v", err)
	}
	switch {
	case len(c.Audience) == 0 && !c.InsecureAnyAudience:
		wrong("Audience", "is empty; name what aud has in tokens that are meant for this API")
	case len(c.Audience) > 0 && c.InsecureAnyAudience:
		wrong("InsecureAnyAudience", "is set beside an Audience: which of the two counts?")
	case slices.Contains(c.Audience, ""):
		wrong("Audience", "has an empty name")
	}
	if len(c.SigningAlgs) == 0 {
		wrong("SigningAlgs", "is empty, so that no token would be accepted; nil means every asymmetric algorithm")
	}
	for _, alg := range c.SigningAlgs {
		if !slices.Contains(jwt.SigningAlgs, alg) {
			wrong("SigningAlgs", "%q is not one of %s", alg, strings.Join(jwt.SigningAlgs, ", "))
		}
	}
	if c.Skew < 0 || c.Skew > maxSkew || c.Timeout < 0 {
		wrong("Skew, Timeout", "must not be negative, and Skew is at most %s", maxSkew)
	}
	if c.Store == nil && len(c.Keys) > 0 {
		wrong("Keys", "are set without a Store to seal for")
	}
	c.validateIssuers(wrong)
	return errors.Join(mistakes...)
}

// validateIssuers is validate for Issuers.
func (c *ResourceConfig) validateIssuers(wrong func(field, format string, args ...any)) {
	if len(c.Issuers) == 0 {
		wrong("Issuers", "is empty; name whose tokens are accepted")
	}
	asked := 0
	for i := range c.Issuers {
		issuer, where := &c.Issuers[i], fmt.Sprintf("Issuers[%d]", i)
		if issuer.Introspect {
			asked++
		}
		if issuer.Auth != nil {
			if issuer.Issuer != "" || issuer.Tenants != nil || issuer.ClientID != "" || issuer.ClientSecret != "" || issuer.ClientAuth.given() {
				wrong(where, "has an Auth, and fields that Auth brings: give one of them")
			}
			continue
		}
		issuer.validate(c, where, wrong)
	}
	if asked > 1 {
		wrong("Issuers", "%d of them introspect: a token that is no JWT would be shown to a provider that it is not of", asked)
	}
}

// validate is validateIssuers for one that is no Authenticator's.
func (i *TokenIssuer) validate(c *ResourceConfig, where string, wrong func(field, format string, args ...any)) {
	at := i.client(c)
	if err := checkIssuerURL(i.Issuer); err != nil {
		wrong(where+".Issuer", "%v", err)
	}
	at.validateTenants(func(field, format string, args ...any) { wrong(where+"."+field, format, args...) })
	if !i.Introspect {
		if i.ClientID != "" || i.ClientSecret != "" || i.ClientAuth.given() {
			wrong(where+".ClientID", "names a client that nothing is asked for: is Introspect due?")
		}
		return
	}
	if i.ClientID == "" {
		wrong(where+".ClientID", "is empty; Introspect asks in a client's name")
	}
	at.ClientAuth.validate(i.ClientSecret, where+".ClientAuth", wrong)
}

// client is i as far as the protocol layer is concerned, defaults filled in.
func (i *TokenIssuer) client(c *ResourceConfig) *Config {
	d := Config{
		Issuer: i.Issuer, Tenants: i.Tenants, ClientID: i.ClientID, ClientSecret: i.ClientSecret, ClientAuth: i.ClientAuth,
		Skew: c.Skew, Timeout: c.Timeout, HTTPClient: c.HTTPClient, Logger: c.Logger,
	}.withDefaults()
	return &d
}

// checkResourceURL accepts what can be put before a request's path.
func checkResourceURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New(`is empty; use the URL at which callers reach the API, such as "https://api.example.com"`)
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil:
		return fmt.Errorf("%q is not an absolute URL", raw)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return fmt.Errorf("%q has a query or fragment", raw)
	}
	if err := checkPrefix(u.Path); err != nil {
		return err
	}
	return outbound.CheckScheme(u)
}

// ring returns the keys that c brings, nil for none.
func (c *ResourceConfig) ring() (*seal.Keyring, error) {
	if c.Store == nil {
		return nil, nil
	}
	ring, err := seal.NewKeyring(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: Keys: %w", err)
	}
	return ring, nil
}
