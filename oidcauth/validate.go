package oidcauth

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// ownParameters are set by the package in authorization requests; Extra may not touch them.
var ownParameters = []string{
	"client_id", "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method", "prompt", "login_hint", "ui_locales", "acr_values", "max_age", "resource", "request",
	"request_uri", "dpop_jkt", "claims", "client_secret", "client_assertion", "client_assertion_type", "code_verifier", "id_token_hint",
}

// validate reports every mistake in c, whose defaults are filled in.
func (c *Config) validate() error {
	var mistakes []error
	wrong := func(field, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("oidcauth: %s: %s", field, fmt.Sprintf(format, args...)))
	}
	if err := checkIssuerURL(c.Issuer); err != nil {
		wrong("Issuer", "%v", err)
	}
	if c.ClientID == "" {
		wrong("ClientID", "is empty; use the client identifier from the registration at the provider")
	}
	if err := checkRedirectURL(c.RedirectURL); err != nil {
		wrong("RedirectURL", "%v", err)
	} else if u, err := url.Parse(c.RedirectURL); err == nil {
		c.validateSite(u, wrong)
	}
	if !slices.Contains(jwt.SigningAlgs, c.SigningAlg) {
		wrong("SigningAlg", "%q is not one of %s", c.SigningAlg, strings.Join(jwt.SigningAlgs, ", "))
	}
	c.validateTenants(wrong)
	c.validateModes(wrong)
	c.validateTimes(wrong)
	c.validateLists(wrong)
	c.ClientAuth.validate(c.ClientSecret, "ClientAuth", wrong)
	c.validateFAPI(wrong)
	c.validateClaimsProviders(wrong)
	checkMessages(c.Messages, wrong)
	for _, key := range c.Advanced.DecryptionKeys {
		if err := jwt.CheckDecryptionKey(key); err != nil {
			wrong("Advanced.DecryptionKeys", "%v", err)
		}
	}
	return errors.Join(mistakes...)
}

func (c *Config) validateModes(wrong func(field, format string, args ...any)) {
	if !slices.Contains([]ResponseMode{Query, FormPost, QueryJWT, FormPostJWT}, c.ResponseMode) {
		wrong("ResponseMode", "%q is not one of Query, FormPost, QueryJWT, FormPostJWT", c.ResponseMode)
	}
	if c.Advanced.SignedRequests && c.ClientAuth.Key == nil {
		wrong("Advanced.SignedRequests", "needs ClientAuth.Key")
	}
	if c.ResponseMode.isPost() && c.insecureCookies() {
		wrong("ResponseMode", "FormPost needs Secure cookies, which Session.InsecureCookie drops: use Query or real https")
	}
	if !slices.Contains([]PARMode{PARAuto, PAROn, PAROff, PARRequire}, c.PAR) {
		wrong("PAR", "%q is not one of PARAuto, PAROn, PAROff, PARRequire", c.PAR)
	}
	if c.UserInfo != UserInfoOn && c.UserInfo != UserInfoOff {
		wrong("UserInfo", "%q is neither UserInfoOn nor UserInfoOff", c.UserInfo)
	}
	if u, err := url.Parse(c.RedirectURL); err == nil && c.insecureCookies() && !outbound.LoopbackHost(u.Hostname()) {
		wrong("Session", "insecure cookies are for loopback hosts only, and RedirectURL's host is %q", u.Hostname())
	}
	if u, err := url.Parse(c.RedirectURL); err == nil && u.Scheme == "http" && c.effectiveSession().DeviceBound == session.DeviceRequire {
		wrong("Session.DeviceBound", "DeviceRequire needs https, and RedirectURL is %q: over plain http browsers bind no sessions, so no one could stay signed in: use https, or DeviceOn", c.RedirectURL)
	}
	if c.ListSessions && !c.hasStore() {
		wrong("ListSessions", "needs Session.Store, where the lists are kept")
	}
	if c.RecordAddress != nil && !c.ListSessions {
		wrong("RecordAddress", "is for the list of sessions: set ListSessions")
	}
	if (c.BackChannelLogout || c.FrontChannelLogout) && !c.hasStore() {
		wrong("BackChannelLogout, FrontChannelLogout", "need Session.Store: without one a logout can't reach the sessions")
	}
}

func (c *Config) validateTimes(wrong func(field, format string, args ...any)) {
	if c.LoginTimeout < 0 || c.Timeout < 0 || c.DiscoveryMaxAge < 0 || c.TokenLifetime < 0 || c.RevalidateAfter < 0 {
		wrong("LoginTimeout, Timeout, DiscoveryMaxAge, TokenLifetime, RevalidateAfter", "must not be negative")
	}
	if c.Skew < 0 || c.Skew > maxSkew {
		wrong("Skew", "%s is not between 0 and %s", c.Skew, maxSkew)
	}
}

func (c *Config) validateLists(wrong func(field, format string, args ...any)) {
	for _, scope := range c.Scopes {
		if !oauth.IsScope(scope) {
			wrong("Scopes", "%q is not a scope token (RFC 6749 §3.3): printable ASCII without space, quote and backslash", scope)
		}
	}
	if c.Login.Scopes != nil {
		wrong("Login.Scopes", "is for single logins; use Scopes")
	}
	if c.Login.Persistence != 0 {
		wrong("Login.Persistence", "is for single logins; use Session.Persistence")
	}
	if _, err := oauth.EssentialClaims(c.Login.Claims, nil); err != nil {
		wrong("Login.Claims", "is not a JSON object of objects (Core §5.5)")
	}
	for name := range c.Login.Extra {
		if slices.Contains(ownParameters, name) {
			wrong("Login.Extra", "%q is set by the package; use its own field instead", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Machines)) {
		own, where := c.Machines[name], fmt.Sprintf("Machines[%q].", name)
		own.validateWithin(c, where, wrong)
		m := own.within(c)
		m.validate(where, wrong)
	}
	for _, api := range c.APIs {
		if err := checkOrigin(api); err != nil {
			wrong("APIs", "%q: %v", api, err)
		}
	}
	for _, origin := range c.FrameAncestors {
		if err := checkOrigin(origin); err != nil {
			wrong("FrameAncestors", "%q: %v", origin, err)
		}
	}
}

func (a *ClientAuth) validate(secret, field string, wrong func(field, format string, args ...any)) {
	a.validateKeys(field, wrong)
	switch a.Method {
	case ClientSecretBasic, ClientSecretPost:
		if secret == "" && a.SecretFunc == nil {
			wrong(field, "%s needs ClientSecret or SecretFunc", a.Method)
		}
	case PrivateKeyJWT:
		if a.Key == nil {
			wrong(field, "%s needs Key", a.Method)
		} else if _, err := jwt.SigningAlg(a.Key, a.Alg); err != nil {
			wrong(field, "Key: %v", err)
		}
	case TLSClientAuth:
		if a.Certificate == nil {
			wrong(field, "%s needs Certificate", a.Method)
		}
	case PublicClient:
		if secret != "" || a.SecretFunc != nil {
			wrong(field, "%s sends no secret, but one is set: remove it, or name the method that uses it", a.Method)
		}
	default:
		wrong(field, "%q is not a supported method", a.Method)
	}
}

// checkIssuerURL holds OpenID Connect Discovery §2: an https URL without query and fragment.
func checkIssuerURL(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		return errors.New("is empty; use the provider's issuer, exactly as in its .well-known/openid-configuration")
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil:
		return fmt.Errorf("%q is not an absolute URL", issuer)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(issuer, "#"):
		return fmt.Errorf("%q has a query or fragment", issuer)
	}
	return outbound.CheckScheme(u)
}

// checkOrigin accepts scheme and host alone.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return errors.New(`is not an origin, such as "https://api.example.com"`)
	}
	return outbound.CheckScheme(u)
}

// validateTenants reports what does not go together.
func (c *Config) validateTenants(wrong func(field, format string, args ...any)) {
	many := provider.Issuers{Configured: c.Issuer}.Many()
	if many && len(c.Tenants) == 0 {
		wrong("Tenants", "is empty, and Issuer names %s: list the tenants whose users may sign in", provider.TenantPlace)
	}
	if !many && len(c.Tenants) > 0 {
		wrong("Tenants", "needs an Issuer that names %s", provider.TenantPlace)
	}
	for _, tenant := range c.Tenants {
		if err := provider.CheckTenant(tenant); err != nil {
			wrong("Tenants", "%q: %v", tenant, err)
		}
	}
	if many && c.ClientAuth.Method == PrivateKeyJWT && c.ClientAuth.Audience == "" {
		wrong("ClientAuth.Audience", "is empty, and Issuer is a template: use the provider's token URL")
	}
}

// validateKeys reports what must not be published.
func (a *ClientAuth) validateKeys(field string, wrong func(field, format string, args ...any)) {
	if len(a.PublishKeys) > 0 && a.KeyID == "" {
		wrong(field, "PublishKeys: needs KeyID, by which a provider tells the keys apart")
	}
	for _, id := range slices.Sorted(maps.Keys(a.PublishKeys)) {
		err := jwt.CheckPublicKey(a.PublishKeys[id])
		if id == "" || id == a.KeyID {
			err = errors.New("expected a kid other than KeyID, which is Key's")
		}
		if err != nil {
			wrong(field, "PublishKeys[%q]: %v", id, err)
		}
	}
}

// validateSite checks the paths of c, whose RedirectURL is u.
func (c *Config) validateSite(u *url.URL, wrong func(field, format string, args ...any)) {
	for field, prefix := range map[string]string{"RoutePrefix": c.RoutePrefix, "StrippedPrefix": c.StrippedPrefix} {
		if err := checkPrefix(prefix); err != nil {
			wrong(field, "%v", err)
			return
		}
	}
	if !browser.Below(u.Path, c.StrippedPrefix) {
		wrong("StrippedPrefix", "RedirectURL's path %q is not below %q, where browsers see this application", u.Path, c.StrippedPrefix)
		return
	}
	site := c.site()
	for _, name := range routeNames {
		if site.Callback == site.Prefix+name {
			wrong("RedirectURL", "%q is also another route of the Authenticator: choose another path or another RoutePrefix", site.Callback)
		}
	}
	c.validateCookieReach(u, site.At(""), wrong)
}

// validateCookieReach refuses session cookies that browsers would drop, or not send to the routes
// that need them: such logins succeed and don't stick.
func (c *Config) validateCookieReach(u *url.URL, routes string, wrong func(field, format string, args ...any)) {
	s := c.effectiveSession()
	host, domain := strings.ToLower(u.Hostname()), strings.ToLower(strings.TrimPrefix(s.CookieDomain, "."))
	if domain != "" && host != domain && !strings.HasSuffix(host, "."+domain) {
		wrong("Session.CookieDomain", "%q does not cover RedirectURL's host %q, so browsers reject the cookie: set it to that host or a parent domain, or leave it empty", s.CookieDomain, host)
	}
	for _, needs := range []string{u.Path, routes} {
		if s.CookiePath != "" && !browser.Below(needs, s.CookiePath) {
			wrong("Session.CookiePath", "%q does not cover %q, where browsers would not send the cookie: set it to \"/\", or to a path above both", s.CookiePath, needs)
			return
		}
	}
}

// checkPrefix accepts "" and a clean absolute path, with or without a slash at its end.
func checkPrefix(prefix string) error {
	if prefix == "" || prefix == "/" {
		return nil
	}
	trimmed := strings.TrimSuffix(prefix, "/")
	if u, err := url.Parse(trimmed); err != nil || !strings.HasPrefix(trimmed, "/") || path.Clean(trimmed) != trimmed || u.Path != trimmed || u.Host != "" {
		return fmt.Errorf(`%q is not a clean absolute path, such as "/auth/"`, prefix)
	}
	return nil
}

// checkRedirectURL accepts the URLs that can be a callback's.
func checkRedirectURL(redirect string) error {
	u, err := url.Parse(redirect)
	switch {
	case redirect == "":
		return errors.New(`is empty; use the registered callback, such as "https://app.example.com/auth/callback"`)
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil:
		return fmt.Errorf("%q is not an absolute URL", redirect)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(redirect, "#"):
		return fmt.Errorf("%q has a query or fragment", redirect)
	case u.Path == "" || u.Path == "/" || path.Clean(u.Path) != u.Path || u.RawPath != "":
		return fmt.Errorf(`%q must have a clean path of its own, such as "/auth/callback"`, redirect)
	}
	return outbound.CheckScheme(u)
}
