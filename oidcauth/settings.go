package oidcauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// outbound is what the client for calls to the provider is told.
func (c *Config) outbound() outbound.Settings {
	return outbound.Settings{Base: c.HTTPClient, Certificate: c.ClientAuth.Certificate, Timeout: c.Timeout}
}

// caller makes the calls to the provider.
func (c *Config) caller() *http.Client {
	if c.place != nil {
		return c.place.client(c)
	}
	return outbound.NewClient(c.outbound())
}

// key names issuer and client in what is sealed, behind the name where there is one.
func (c *Config) key() string {
	key := providerKey(c.Issuer, c.ClientID)
	if c.place != nil {
		return c.place.name + "." + key
	}
	return key
}

// nameIn returns the name in a key, "" where there is none.
func nameIn(key string) string {
	name, _, named := strings.Cut(key, ".")
	if !named {
		return ""
	}
	return name
}

// providerVia is what the provider is told, whom client calls. Metadata that lack what a login
// needs are enough for machines, where there are any.
func (c *Config) providerVia(client *http.Client) provider.Settings {
	return provider.Settings{
		Issuer: c.Issuer, Tenants: c.Tenants, Client: client, Timeout: c.Timeout, MaxAge: c.DiscoveryMaxAge, Log: c.Logger,
		Machines: c.hasMachinesHere(), ResponseMode: string(cmp.Or(c.ResponseMode, "query")),
	}
}

// hasMachinesHere reports whether machines get their tokens from the provider that users sign in
// at.
func (c *Config) hasMachinesHere() bool {
	for _, m := range c.Machines {
		if m.Issuer == "" || m.Issuer == c.Issuer {
			return true
		}
	}
	return false
}

// verifier is what decides on the provider's tokens is told.
func (c *Config) verifier() provider.VerifierSettings {
	return provider.VerifierSettings{ClientID: c.ClientID, Alg: c.SigningAlg, Skew: c.Skew, Decryption: c.Advanced.DecryptionKeys}
}

// endpointAt returns the endpoint at p for the client that c describes.
func (c *Config) endpointAt(p *provider.Provider, client *http.Client) *oauth.Endpoint {
	return oauth.NewEndpoint(p, provider.NewVerifier(p, c.verifier()), client, c.authentication())
}

// authentication is what proves who the client is.
func (c *Config) authentication() oauth.Client {
	auth := c.ClientAuth.withDefaults(c.ClientSecret)
	return oauth.Client{
		ClientID: c.ClientID, Issuer: c.Issuer, Method: oauth.Method(auth.Method), Secret: c.ClientSecret, SecretFunc: auth.SecretFunc,
		Key: auth.Key, KeyID: auth.KeyID, Alg: auth.Alg, Audience: auth.Audience, Certificate: auth.Certificate, Log: c.Logger,
	}
}

// loginSettings say how logins under way are kept. The session's configuration says how cookies
// are.
func (a *core) loginSettings() browser.Settings {
	c, s := &a.config, a.sessions
	return browser.Settings{
		Cookie: s.CookieName(), Path: cmp.Or(s.Config().CookiePath, "/"), Sealer: inside.OfManager(s).Sealer("login transaction"), Provider: a.key,
		Vault: inside.OfManager(s).Vault("consumed login"), Origin: a.site.Origin, Life: c.LoginTimeout, Skew: c.Skew, Insecure: c.insecureCookies(),
		Posted: c.ResponseMode.isPost(), Finished: maxFinishedLogins, Memory: c.finished(),
	}
}

// finished is the memory of logins that is somebody else's, nil where there is none.
func (c *Config) finished() *browser.Memory {
	if c.place == nil {
		return nil
	}
	return c.place.finished
}

// maxFinishedLogins is how many logins a process remembers whose callback came.
const maxFinishedLogins = 200_000

// manager returns the session manager that c asks for.
func (c *Config) manager() (*session.Manager, error) {
	if c.Sessions != nil {
		if c.Session.Keys != nil || c.Session.Store != nil {
			return nil, errors.New("oidcauth: Session and Sessions are both set: give one of them")
		}
		return c.Sessions, nil
	}
	if c.Session.Logger == nil {
		c.Session.Logger = c.Logger
	}
	m, err := session.New(c.Session)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: Session: %w", err)
	}
	return m, nil
}

// effectiveSession returns the session configuration in force, whichever field brought it.
func (c *Config) effectiveSession() session.Config {
	if c.Sessions != nil {
		return c.Sessions.Config()
	}
	return c.Session
}

func (c *Config) hasStore() bool { return c.effectiveSession().Store != nil }

func (c *Config) insecureCookies() bool { return c.effectiveSession().InsecureCookie }

// providerKey names issuer and client in few bytes.
func providerKey(issuer, clientID string) string {
	return logtext.Short(issuer, clientID)
}

// newClaimsProviders makes c's claims providers ready for its client and OpenID provider.
func newClaimsProviders(c *Config) *provider.ClaimsProviders {
	s := &provider.ClaimsProviders{Limit: c.Timeout, Log: c.Logger, Refused: c.logRefusedSource}
	for i := range c.Advanced.ClaimsProviders {
		s.Trusted = append(s.Trusted, newClaimsProvider(c, &c.Advanced.ClaimsProviders[i]))
	}
	return s
}

func newClaimsProvider(c *Config, p *ClaimsProvider) *provider.ClaimsProvider {
	client := outbound.NewPublicClient(c.outbound(), outbound.ReachOf(p.Issuer))
	if c.place != nil {
		client = c.place.client(c.withoutCertificate()) // which is for the provider alone
	}
	known := provider.New(provider.Settings{Issuer: p.Issuer, Client: client, Timeout: c.Timeout, MaxAge: c.DiscoveryMaxAge, Log: c.Logger})
	if p.JWKSURL != "" {
		known.Believe(&provider.Metadata{Issuer: p.Issuer, JWKSURI: p.JWKSURL})
	}
	origins := p.Origins
	if len(origins) == 0 {
		origins = []string{p.Issuer}
	}
	at := access.NewAPIs("Advanced.ClaimsProviders", origins)
	return &provider.ClaimsProvider{
		Issuer: p.Issuer, Claims: slices.Clone(p.Claims),
		Verifier:    provider.NewVerifier(known, provider.VerifierSettings{ClientID: c.ClientID, Alg: p.alg(), Skew: c.Skew}),
		SameSubject: provider.Issuers{Configured: c.Issuer, Tenants: c.Tenants}.Allow(p.Issuer),
		At:          func(u *url.URL) bool { return at.Check(u) == nil },
		Fetch:       (&oauth.ClaimsEndpoints{Issuer: p.Issuer, Client: client}).Fetch,
	}
}

// withoutCertificate is c, as far as calls are concerned, without what it authenticates itself by.
func (c *Config) withoutCertificate() *Config {
	plain := *c
	plain.ClientAuth.Certificate = nil
	return &plain
}

// logRefusedSource tells the log of a source whose claims are left out.
func (c *Config) logRefusedSource(ctx context.Context, source string, err error) {
	if level, ok := endedEarly(ctx, err); ok {
		c.Logger.LogAttrs(ctx, level, "request ended early", slog.String("issuer", c.Issuer), logtext.Reason(err))
		return
	}
	c.Logger.LogAttrs(ctx, slog.LevelWarn, "claim source refused", slog.String("issuer", c.Issuer),
		slog.String("source", strings.Trim(logtext.Quote(source), `"`)), logtext.Reason(err))
}

// publicKeys are the public halves of the client's keys.
func (c *Config) publicKeys() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	auth := c.ClientAuth
	if auth.Key != nil {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: auth.Key.Public(), KeyID: auth.KeyID, Algorithm: auth.Alg, Use: "sig"})
	}
	for _, id := range slices.Sorted(maps.Keys(auth.PublishKeys)) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: auth.PublishKeys[id], KeyID: id, Use: "sig"})
	}
	if auth.Certificate != nil && auth.Method == TLSClientAuth {
		set.Keys = append(set.Keys, jwt.CertificateKeys(auth.Certificate)...)
	}
	set.Keys = append(set.Keys, jwt.EncryptionKeys(c.Advanced.DecryptionKeys)...)
	return set
}

// site is where a valid c has its routes.
func (c *Config) site() *browser.Site {
	s := browser.NewSite(c.RedirectURL, c.RoutePrefix, c.StrippedPrefix)
	s.Issuer, s.Log = c.Issuer, c.Logger
	return s
}

// machineProvider is a provider at which nobody signs in.
func machineProvider(c *Config, client *http.Client) *provider.Provider {
	s := c.providerVia(client)
	s.MachinesOnly = true
	return provider.New(s)
}

// newMachines makes the machines of a's configuration, which is valid.
func newMachines(a *Authenticator) map[string]*Machine {
	machines := make(map[string]*Machine, len(a.config.Machines))
	vault := inside.OfManager(a.sessions).Vault(machineRows)
	for name, c := range a.config.Machines {
		own := c.ClientID != "" || c.ClientSecret != "" || c.HTTPClient != nil || c.Timeout != 0
		c = c.within(&a.config)
		derived, to := c.client(), a.endpoint
		if own || c.Issuer != a.config.Issuer {
			derived.place = a.config.place
			client, p := derived.caller(), a.provider
			if c.Issuer != a.config.Issuer {
				p = machineProvider(derived, client)
			}
			to = derived.endpointAt(p, client)
		}
		machines[name] = newMachine(c, derived, to, fmt.Sprintf("Config.Machines[%q].APIs or Config.APIs", name), vault)
		machines[name].tokens.Observe = a.machineObserver()
	}
	return machines
}

// client is m as far as the protocol layer is concerned, defaults filled in.
func (m *MachineConfig) client() *Config {
	c := Config{
		Issuer: m.Issuer, ClientID: m.ClientID, ClientSecret: m.ClientSecret, ClientAuth: m.ClientAuth,
		Timeout: m.Timeout, TokenLifetime: m.TokenLifetime, HTTPClient: m.HTTPClient, Logger: m.Logger,
	}
	// Without an issuer the one name that a client assertion can be made out to is the endpoint
	// that the configuration names.
	if m.Issuer == "" {
		c.ClientAuth.Audience = cmp.Or(c.ClientAuth.Audience, m.TokenURL)
	}
	c = c.withDefaults()
	return &c
}
