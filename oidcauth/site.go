package oidcauth

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/signet-go/signet/internal/outbound"
)

// site returns where a valid c has its routes: the origin, what a proxy strips from paths, and, as this process sees them, the
// directory of the own routes and the path of the callback.
func (c *Config) site() (origin, base, prefix, callback string) {
	redirect, _ := url.Parse(c.RedirectURL)
	base = strings.TrimSuffix(c.StrippedPrefix, "/")
	callback = strings.TrimPrefix(redirect.Path, base)
	if prefix = c.RoutePrefix; prefix == "" {
		prefix = callback[:strings.LastIndexByte(callback, '/')]
	}
	return redirect.Scheme + "://" + redirect.Host, base, strings.TrimSuffix(prefix, "/") + "/", callback
}

// validateSite checks the paths of c, whose RedirectURL is u.
func (c *Config) validateSite(u *url.URL, wrong func(field, format string, args ...any)) {
	for field, prefix := range map[string]string{"RoutePrefix": c.RoutePrefix, "StrippedPrefix": c.StrippedPrefix} {
		if err := checkPrefix(prefix); err != nil {
			wrong(field, "%v", err)
			return
		}
	}
	if !below(u.Path, c.StrippedPrefix) {
		wrong("StrippedPrefix", "RedirectURL's path %q is not below %q, where browsers see this application", u.Path, c.StrippedPrefix)
		return
	}
	_, base, prefix, callback := c.site()
	for _, name := range routeNames {
		if callback == prefix+name {
			wrong("RedirectURL", "%q is the path of another route of the Authenticator's: choose another, or another RoutePrefix", callback)
		}
	}
	c.validateCookieReach(u, base+prefix, wrong)
}

// validateCookieReach refuses session cookies that browsers would drop, or not send to the routes that need them: such logins
// succeed and don't stick.
func (c *Config) validateCookieReach(u *url.URL, routes string, wrong func(field, format string, args ...any)) {
	s := c.effectiveSession()
	host, domain := strings.ToLower(u.Hostname()), strings.ToLower(strings.TrimPrefix(s.CookieDomain, "."))
	if domain != "" && host != domain && !strings.HasSuffix(host, "."+domain) {
		wrong("Session.CookieDomain", "%q does not cover RedirectURL's host %q: browsers refuse such a cookie", s.CookieDomain, host)
	}
	for _, needs := range []string{u.Path, routes} {
		if s.CookiePath != "" && !below(needs, s.CookiePath) {
			wrong("Session.CookiePath", "%q does not cover %q: browsers would not send the cookie there", s.CookiePath, needs)
			return
		}
	}
}

// below reports whether a path is prefix, or below it, as browsers match a cookie's path (RFC 6265 §5.1.4).
func below(p, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return p == prefix || strings.HasPrefix(p, prefix+"/")
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
		return errors.New(`is empty; it is the registered callback, such as "https://app.example.com/auth/callback"`)
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil:
		return fmt.Errorf("%q is not an absolute URL", redirect)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(redirect, "#"):
		return fmt.Errorf("%q has a query or fragment", redirect)
	case u.Path == "" || u.Path == "/" || path.Clean(u.Path) != u.Path || u.RawPath != "":
		return fmt.Errorf(`%q must have a clean path of its own, such as "/auth/callback"`, redirect)
	}
	return outbound.CheckScheme(u)
}
