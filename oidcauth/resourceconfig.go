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

// ResourceConfig describes an API that accepts access tokens. URL, Issuers and, unless
// InsecureAnyAudience is set, Audience are required; the zero value of every other field is safe and
// the usual choice. NewResource copies it, including lists: later changes have no effect.
type ResourceConfig struct {
	// URL is where callers find the API: scheme and host, and the path that a proxy removes from
	// each request, if one does. DPoP proofs are compared with it and the request's own path, never
	// with a Host or Forwarded header. It is https; plain http is for loopback hosts.
	URL string

	// Audience lists the names of the API: a token is accepted if its aud has one of them. A token
	// meant for another audience is refused, whoever signed it (RFC 9068 §4).
	Audience []string

	// InsecureAnyAudience, with an empty Audience, accepts tokens meant for any audience: every
	// application that receives a token from one of the issuers can then call this API as the
	// token's user. It is for providers that set no audience, if all of their applications may do
	// that.
	InsecureAnyAudience bool

	// Issuers are the authorization servers whose tokens are accepted.
	Issuers []TokenIssuer

	// SigningAlgs are the algorithms that tokens may be signed with. Nil means every asymmetric one
	// that the issuer's published key is for; unsigned tokens and HMAC are never accepted.
	SigningAlgs []string

	// RolesClaim names the claim that holds the caller's roles, as in [Config]. Empty means
	// "roles".
	RolesClaim string

	// DPoPNonces requires a nonce issued by this API in each DPoP proof (RFC 9449 §9), so that
	// proofs can't be made in advance. False requires none.
	DPoPNonces bool

	// ClientCertificate returns the certificate that r's client has proved to own, or nil. If TLS
	// terminates at a proxy, take it from a header that only the proxy can set. Nil means the
	// certificate of r.TLS.
	ClientCertificate func(r *http.Request) (*x509.Certificate, error)

	// CrossOrigin checks the requests that [ResourceServer.Beside] leaves to a session's guard:
	// they carry a cookie, which other sites can make a browser send. Nil means a new
	// http.CrossOriginProtection.
	CrossOrigin *http.CrossOriginProtection

	// PublishMetadata says that [ResourceServer.ServeMetadata] is served at [ResourceServer.MetadataPath]:
	// challenges then name it (RFC 9728 §5.1). ScopesSupported are the scopes that it lists.
	PublishMetadata bool
	ScopesSupported []string

	// Store remembers DPoP proofs for all processes, sealed with Keys (see session.NewKey), so that
	// each is accepted once. Nil means the Store of the first Authenticator among Issuers that has
	// one, and otherwise the memory of this process.
	Store session.Store
	Keys  []string

	// Skew is the tolerated difference between an issuer's clock and this machine's for nbf, iat
	// and auth_time. Zero means 60 seconds. It doesn't extend exp: callers renew their tokens
	// before that.
	Skew time.Duration

	// Timeout and HTTPClient are as in [Config], for calls to Issuers without Auth.
	Timeout    time.Duration
	HTTPClient *http.Client

	// Logger receives what is refused and why. Nil means the logger of the first Authenticator
	// among Issuers, or slog.Default().
	Logger *slog.Logger

	// ErrorHandler writes refusals in place of the built-in JSON. Its error is always a *Problem;
	// status headers and challenges are set before the call. Nil means the built-in response.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
}

// A TokenIssuer is an authorization server whose access tokens a [ResourceServer] accepts: either
// Auth, or Issuer and the fields that go with it.
type TokenIssuer struct {
	// Auth is an Authenticator for this provider, whose metadata, keys, client and Store are used.
	// All other fields except Introspect must then be empty.
	Auth *Authenticator

	// Issuer is the issuer identifier, and Tenants are those of a template, as in [Config]. The iss
	// of a JWT must be it, character by character.
	Issuer  string
	Tenants []string

	// Introspect asks the issuer about tokens that aren't JWTs (RFC 7662), as Auth's client or as
	// ClientID. A response is used for at most a minute, so a revocation takes effect within a
	// minute. At most one issuer can introspect, since such a token doesn't say who issued it.
	// False refuses these tokens.
	Introspect bool

	// ClientID, ClientSecret and ClientAuth are the client that introspects, as in [Config].
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
