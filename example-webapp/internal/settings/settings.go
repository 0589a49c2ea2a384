// Package settings is the environment of the example, parsed and checked: some forty variables,
// which make the test bench out of a small application.
//
// It promises that a configuration is whole or none: Parse names every mistake at once, each by its
// variable, and no secret is in an error text. It reads key files, and never calls anybody. Start
// at Config and Parse. An application of yours has a handful of fixed values in their place, and
// fills oidcauth.Config with them.
package settings

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// signingAlgs are the algorithms that OIDC_SIGNING_ALG can name: asymmetric ones only. The first is
// the default.
//
// HMAC would make the client secret a signing key that both sides hold, and "none" is no signature;
// neither can be configured, not even for a test (RFC 8725 §3.1, §3.2).
var signingAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// A Config is the environment, parsed and checked. Only the embedded provider adds to it, once its
// port is known: the issuer and the client's credentials.
//
// It is plain data: reading it does no I/O but for the key files that it names, and nothing else in
// the program reads the environment.
type Config struct {
	Addr string
	// AdminAddr is where the figures and probes are that an operator's machinery asks for; "" is
	// nowhere.
	AdminAddr string
	BaseURL   *url.URL // scheme and host, and the path that a proxy strips, without a slash at its end

	// CallbackPath is the path of the redirect URI, as this process sees it.
	CallbackPath string

	Embedded bool // by the development provider: OIDC_ISSUER is unset
	OIDC     oidcauth.Config
	Second   *Second // nil: OIDC is the only provider
	Session  session.Config

	RandomKeys bool // Session.Keys were made up for this run
	// FreshAfterRevoke: users who signed out everywhere have to authenticate again when they come
	// back.
	FreshAfterRevoke bool

	// RecordAddress: the list of a user's sessions says where each login came from.
	RecordAddress bool
	Store         string
	Redis         *Redis    // nil without REDIS_URL
	Database      *Database // nil without DATABASE_URL

	// The downstream API. Its origin is the only one that access tokens may go to.
	API *url.URL
	// What tokens for /resource must be meant for, and the scopes that they must have. Without an
	// audience there is no such route.
	ResourceAudience string
	ResourceScopes   []string
	// ExchangeAudience is whom /api/exchange gets a token for; empty: no such route.
	ExchangeAudience string

	// Asked for by the machine client; nil sends no scope parameter, and the provider's default
	// counts (RFC 6749 §3.3).
	MachineScopes []string
}

// Parse reads the whole environment and reports every mistake in one error, one line each, led by
// the variable's name.
//
// All of them at once: somebody who sets up a deployment corrects them in one go. Variables that it
// does not know are left alone, since the environment is shared.
func Parse(getenv func(string) string) (*Config, error) {
	e := &env{getenv: getenv}
	c := &Config{
		Addr:          e.address("ADDR", "127.0.0.1:8080"),
		AdminAddr:     e.adminAddress("ADMIN_ADDR"),
		BaseURL:       e.base("BASE_URL", "http://localhost:8080"),
		Embedded:      getenv("OIDC_ISSUER") == "",
		MachineScopes: e.scopes("MACHINE_SCOPES"),
		CallbackPath:  e.callbackPath("OIDC_CALLBACK_PATH"),

		ResourceAudience: e.text("RESOURCE_AUDIENCE", ""), ResourceScopes: e.scopes("RESOURCE_SCOPE"),
		ExchangeAudience: e.text("EXCHANGE_AUDIENCE", ""),
	}
	// The demo API at the public address, not at ADDR: the token's audience and a DPoP proof's htu
	// name it by that.
	c.API = c.BaseURL.JoinPath("/demo/api")
	if getenv("API_URL") != "" {
		c.API = e.url("API_URL", "")
	}
	c.readProvider(e)
	c.readLogin(e)
	c.readSession(e)
	c.readStore(e)
	c.readSecond(e)
	c.checkDevelopmentOnly(e)
	c.checkFAPI(e)
	if err := e.err(); err != nil {
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	return c, nil
}

// Base is what paths begin with for the browser, and not for this process.
func (c *Config) Base() string { return c.BaseURL.Path }

// readProvider reads who the provider is, who we are to it, and how the two talk.
//
// A secret is read only where it is used, so that a secret which stayed in the environment beside a
// key goes nowhere.
func (c *Config) readProvider(e *env) {
	c.OIDC.RedirectURL, c.OIDC.RoutePrefix = c.BaseURL.JoinPath(c.CallbackPath).String(), OwnPrefix
	c.OIDC.SigningAlg = e.oneOf("OIDC_SIGNING_ALG", signingAlgs...)
	c.OIDC.Timeout = e.duration("OIDC_TIMEOUT", 10*time.Second)
	c.OIDC.DiscoveryMaxAge = e.duration("OIDC_DISCOVERY_MAX_AGE", 24*time.Hour)
	c.OIDC.ClientID = e.text("OIDC_CLIENT_ID", "")
	c.OIDC.ClientAuth = e.clientAuth()
	c.readAdvanced(e)
	if c.UsesSecret() {
		c.OIDC.ClientSecret = e.text("OIDC_CLIENT_SECRET", "")
	}
	if !c.Embedded {
		c.OIDC.Issuer = e.issuer("OIDC_ISSUER")
		c.checkClient(e)
	}
}

// checkClient asks for the credentials that only the embedded provider can make up.
func (c *Config) checkClient(e *env) {
	if c.OIDC.ClientID == "" {
		e.mistake("OIDC_CLIENT_ID", "required with OIDC_ISSUER")
	}
	if c.UsesSecret() && c.OIDC.ClientSecret == "" {
		e.mistake("OIDC_CLIENT_SECRET", "required by %s; for a public client set OIDC_CLIENT_AUTH=none", c.OIDC.ClientAuth.Method)
	}
}

// UsesSecret is the first provider's answer.
func (c *Config) UsesSecret() bool { return UsesSecret(&c.OIDC) }

// UsesSecret reports whether a client proves who it is by sending its secret (OpenID Connect Core
// §9).
func UsesSecret(o *oidcauth.Config) bool {
	return o.ClientAuth.Method == oidcauth.ClientSecretBasic || o.ClientAuth.Method == oidcauth.ClientSecretPost
}

// readSession reads keys, lifetimes and the cookie's form.
//
// Cookies without Secure are for browsers that refuse Secure ones on http://localhost. On any other
// host they would travel in the clear, and with form_post they would not travel at all: both are
// refused here rather than found out at the first login.
func (c *Config) readSession(e *env) {
	c.Session = session.Config{
		Keys:           e.words("SESSION_KEYS"),
		Lifetime:       e.duration("SESSION_LIFETIME", 12*time.Hour),
		IdleTimeout:    e.duration("SESSION_IDLE", time.Hour),
		InsecureCookie: e.flag("COOKIE_INSECURE", false),
		Persistence:    persistence(e.flag("SESSION_PERSISTENT", true)),
	}
	c.RecordAddress = e.flag("SESSION_RECORD_ADDRESS", false)
	c.FreshAfterRevoke = e.flag("SESSION_FRESH_AFTER_REVOKE", false)
	if c.Session.InsecureCookie && !IsLoopback(c.BaseURL.Hostname()) {
		e.mistake("COOKIE_INSECURE", "allowed only when BASE_URL is on localhost, 127.0.0.0/8 or [::1]")
	}
	if mode := c.OIDC.ResponseMode; c.Session.InsecureCookie && (mode == oidcauth.FormPost || mode == oidcauth.FormPostJWT) {
		e.mistake("COOKIE_INSECURE", "not possible with OIDC_RESPONSE_MODE=%s: cross-site posts carry only Secure cookies", mode)
	}
	if len(c.Session.Keys) == 0 {
		c.RandomKeys, c.Session.Keys = true, []string{session.NewKey()}
	}
	c.readDevices(e)
	c.checkSession(e)
}

// persistence says whether cookies outlive the browser.
func persistence(outlives bool) session.Persistence {
	if outlives {
		return session.Persistent
	}
	return session.Transient
}

// checkSession asks the session package about each variable apart, so that its errors can name
// them.
func (c *Config) checkSession(e *env) {
	if _, err := session.New(session.Config{Keys: c.Session.Keys}); err != nil {
		e.mistake("SESSION_KEYS", "%w; make one with: openssl rand -base64 32", err)
	}
	key := []string{session.NewKey()}
	if _, err := session.New(session.Config{Keys: key, Lifetime: c.Session.Lifetime}); err != nil {
		e.mistake("SESSION_LIFETIME", "%w", err)
	}
	if _, err := session.New(session.Config{Keys: key, IdleTimeout: c.Session.IdleTimeout}); err != nil {
		e.mistake("SESSION_IDLE", "%w", err)
	}
}

// checkDevelopmentOnly refuses what is safe on one's own machine only: made-up keys and the
// embedded provider, whose passwords are public.
//
// The test is BASE_URL, which the operator has to set for anybody else to sign in. ADDR would tell
// less: behind a proxy or in a container a public app listens on any address.
func (c *Config) checkDevelopmentOnly(e *env) {
	if c.BaseURL.Host != "" && !IsLoopback(c.BaseURL.Hostname()) {
		if c.Embedded {
			e.mistake("OIDC_ISSUER", "required, since BASE_URL is not on this machine")
		}
		if c.RandomKeys {
			e.mistake("SESSION_KEYS", "required, since BASE_URL is not on this machine; make one with: openssl rand -base64 32")
		}
	}
	if c.Embedded && c.OIDC.ClientAuth.Certificate != nil {
		e.mistake("OIDC_CLIENT_CERT_FILE", "the embedded provider speaks plain http; set OIDC_ISSUER")
	}
	if c.Embedded && c.OIDC.Advanced.DecryptionKeys != nil {
		e.mistake("OIDC_DECRYPTION_KEY_FILE", "the embedded provider encrypts nothing; set OIDC_ISSUER")
	}
}

// PostedPaths are those that providers and other sites post to: they carry proofs of their own
// (state, a signed logout token) or change nothing.
func (c *Config) PostedPaths() []string {
	return []string{
		c.CallbackPath, OwnPrefix + "login", OwnPrefix + "backchannel-logout",
		SecondPrefix + "callback", SecondPrefix + "login", SecondPrefix + "backchannel-logout",
	}
}

// APIIsOurs reports whether the API behind /api/call is this app's own demo API.
func (c *Config) APIIsOurs() bool {
	return c.API.String() == c.BaseURL.JoinPath("/demo/api").String()
}

// ProviderName is what people call the first provider. The issuer of the embedded one is known only
// when it has a port.
func (c *Config) ProviderName() string {
	if c.Embedded {
		return "Development provider"
	}
	return HostOf(c.OIDC.Issuer)
}

// SecondAPI is the API that is called for users of the second provider: the demo API believes one
// provider's tokens, and so there are two of it.
func (c *Config) SecondAPI() *url.URL {
	if c.APIIsOurs() {
		return c.BaseURL.JoinPath("/demo2/api")
	}
	return c.API
}

// Scopes are all scopes that anything here asks for, each once: what the embedded provider has to
// know.
//
// Others would be refused as unknown, as providers do.
func (c *Config) Scopes() []string {
	all := slices.Concat([]string{"openid", "profile", "email", "offline_access"}, c.OIDC.Scopes, c.MachineScopes)
	slices.Sort(all)
	return slices.Compact(all)
}
