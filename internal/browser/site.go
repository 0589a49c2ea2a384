package browser

import (
	"iter"
	"log/slog"
	"net/url"
	"strings"
)

// A Site is where the application is, as browsers and as this process see it, and which ways back
// lead to a page of it. It is safe for concurrent use, and its fields are set before that.
type Site struct {
	// Issuer is for the log.
	Issuer string
	Log    *slog.Logger

	// Origin is scheme and host of the callback.
	Origin string

	// Base is what a proxy strips from paths, without a slash at its end.
	Base string

	// Prefix is the path of the own routes but the callback, as this process sees it, with a slash
	// at its end; Callback is that of the callback.
	Prefix, Callback string

	// Own yields the own routes, as this process sees them. Others reports whether somebody else's
	// route has a path, as the browser sees it.
	Own    iter.Seq[string]
	Others func(string) bool
}

// NewSite returns the site whose callback is at redirectURL. An empty routePrefix means the
// callback's directory.
func NewSite(redirectURL, routePrefix, strippedPrefix string) *Site {
	redirect, _ := url.Parse(redirectURL)
	s := &Site{Origin: redirect.Scheme + "://" + redirect.Host, Base: strings.TrimSuffix(strippedPrefix, "/")}
	s.Callback = strings.TrimPrefix(redirect.Path, s.Base)
	if s.Prefix = routePrefix; s.Prefix == "" {
		s.Prefix = s.Callback[:strings.LastIndexByte(s.Callback, '/')]
	}
	s.Prefix = strings.TrimSuffix(s.Prefix, "/") + "/"
	return s
}

// At returns the path of one of the own routes, as the browser sees it.
func (s *Site) At(name string) string { return s.Base + s.Prefix + name }

// Home is the application's start page, as the browser sees it.
func (s *Site) Home() string { return s.Base + "/" }

// IsRoute reports whether a path, as this process sees it, is an own route.
func (s *Site) IsRoute(p string) bool {
	for route := range s.Own {
		if route == p {
			return true
		}
	}
	return false
}

// LoginURL is the path that starts a login which comes back to returnTo, a way back that was
// judged.
func (s *Site) LoginURL(returnTo string) string { return s.loginAt("login", returnTo) }

// LoginURLOf is LoginURL at one of several providers, whose routes are below name.
func (s *Site) LoginURLOf(name, returnTo string) string { return s.loginAt(name+"/login", returnTo) }

// loginAt is the path of a login route with a way back.
func (s *Site) loginAt(route, returnTo string) string {
	if returnTo == s.Home() {
		return s.At(route)
	}
	return s.At(route) + "?return_to=" + url.QueryEscape(returnTo)
}

// BackFrom returns where t comes back to. It was judged before it was sealed.
func (s *Site) BackFrom(t *Transaction) string {
	if t.ReturnTo == "" || checkSeen(t.ReturnTo) != nil {
		return s.Home()
	}
	return t.ReturnTo
}

// Below reports whether a path is prefix, or below it, as browsers match a cookie's path (RFC 6265
// §5.1.4).
func Below(p, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return p == prefix || strings.HasPrefix(p, prefix+"/")
}
