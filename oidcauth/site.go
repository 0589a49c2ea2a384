package oidcauth

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"path"
	"strings"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/outbound"
)

// A site is where the application is, as browsers and as this process see it, and which ways back
// lead to a page of it. It is immutable once others is set, and safe for concurrent use.
type site struct {
	// issuer is for the log.
	issuer string
	log    *slog.Logger

	// origin is scheme and host of RedirectURL.
	origin string

	// base is what a proxy strips from paths, without a slash at its end.
	base string

	// prefix is the path of the own routes but the callback, as this process sees it, with a slash
	// at its end; callback is that of RedirectURL.
	prefix, callback string

	// own yields the own routes, as this process sees them. others reports whether an Authenticator
	// that shares the sessions serves a path, as the browser sees it.
	own    iter.Seq[string]
	others func(string) bool
}

// newSite returns where a valid c has its routes.
func newSite(c *Config) *site {
	redirect, _ := url.Parse(c.RedirectURL)
	s := &site{issuer: c.Issuer, log: c.Logger, origin: redirect.Scheme + "://" + redirect.Host, base: strings.TrimSuffix(c.StrippedPrefix, "/")}
	s.callback = strings.TrimPrefix(redirect.Path, s.base)
	if s.prefix = c.RoutePrefix; s.prefix == "" {
		s.prefix = s.callback[:strings.LastIndexByte(s.callback, '/')]
	}
	s.prefix = strings.TrimSuffix(s.prefix, "/") + "/"
	return s
}

// at returns the path of one of the own routes, as the browser sees it.
func (s *site) at(name string) string { return s.base + s.prefix + name }

// home is the application's start page, as the browser sees it.
func (s *site) home() string { return s.base + "/" }

// isRoute reports whether a path, as this process sees it, is an own route.
func (s *site) isRoute(p string) bool {
	for route := range s.own {
		if route == p {
			return true
		}
	}
	return false
}

// loginURL is the path that starts a login which comes back to returnTo, a way back that was
// judged.
func (s *site) loginURL(returnTo string) string {
	if returnTo == s.home() {
		return s.at("login")
	}
	return s.at("login") + "?return_to=" + url.QueryEscape(returnTo)
}

// backFrom returns where t comes back to. It was judged before it was sealed.
func (s *site) backFrom(t *browser.Transaction) string {
	if t.ReturnTo == "" || checkSeen(t.ReturnTo) != nil {
		return s.home()
	}
	return t.ReturnTo
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
	site := newSite(c)
	for _, name := range routeNames {
		if site.callback == site.prefix+name {
			wrong("RedirectURL", "%q is the path of another route of the Authenticator's: choose another, or another RoutePrefix", site.callback)
		}
	}
	c.validateCookieReach(u, site.at(""), wrong)
}

// validateCookieReach refuses session cookies that browsers would drop, or not send to the routes
// that need them: such logins succeed and don't stick.
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

// below reports whether a path is prefix, or below it, as browsers match a cookie's path (RFC 6265
// §5.1.4).
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
