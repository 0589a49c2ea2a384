package oidcauthtest

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limits of a browser's jar.
const (
	maxCookieSize       = 4096 // of a whole Set-Cookie line
	maxCookiesPerDomain = 180
	maxCookieAge        = 400 * 24 * time.Hour // RFC 6265bis §5.5
	laxPostAge          = 2 * time.Minute      // while which Chromium sends a cookie without SameSite with a cross-site POST
)

// cookieContext is what SameSite depends on, besides the method.
type cookieContext struct {
	cross      bool // the request is cross-site
	navigation bool // it is a navigation of the top-level page
}

var topLevel = cookieContext{navigation: true}

// jar keeps cookies by RFC 6265bis. The browser's mutex guards it.
type jar struct{ cookies []*cookie }

type cookie struct {
	name, value, domain, path  string
	hostOnly, secure, httpOnly bool
	sameSite                   http.SameSite // SameSiteDefaultMode: no attribute
	expires, created, used     time.Time     // no expiry: ends with the browser
}

// match returns the cookies to send, in the order of the header: longer paths first, then older
// cookies (RFC 6265bis §5.8.3).
func (j *jar) match(u *url.URL, ctx cookieContext, method string, now time.Time) []*cookie {
	j.cookies = slices.DeleteFunc(j.cookies, func(c *cookie) bool { return c.expired(now) })
	var list []*cookie
	for _, c := range j.cookies {
		if c.matches(u) && (!c.secure || trustworthy(u)) && c.allowed(ctx, method, now) {
			c.used = now
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *cookie) int {
		return cmp.Or(cmp.Compare(len(b.path), len(a.path)), a.created.Compare(b.created))
	})
	return list
}

// store obeys one Set-Cookie line of an answer from u, or says why not.
func (j *jar) store(u *url.URL, ctx cookieContext, line string, now time.Time) (refused string) {
	parsed, err := http.ParseSetCookie(line)
	switch {
	case err != nil:
		return err.Error()
	case len(line) > maxCookieSize:
		return fmt.Sprintf("%d bytes; a browser takes %d with name and attributes", len(line), maxCookieSize)
	}
	c := newCookie(u, parsed, now)
	if reason := c.refusal(u, parsed, ctx); reason != "" {
		return reason
	}
	for _, old := range j.cookies {
		if old.secure && !trustworthy(u) && old.name == c.name && (domainMatch(old.domain, c.domain) || domainMatch(c.domain, old.domain)) {
			return "a Secure cookie of this name can't be overwritten over plain http"
		}
	}
	for _, old := range j.cookies {
		if old.same(c) {
			c.created = old.created
			j.remove(old)
			break
		}
	}
	if !c.expired(now) {
		j.cookies = append(j.cookies, c)
		j.evict(registrable(c.domain))
	}
	return ""
}

// remove forgets this very cookie.
func (j *jar) remove(c *cookie) {
	j.cookies = slices.DeleteFunc(j.cookies, func(other *cookie) bool { return other == c })
}

// clear removes every cookie of a registrable domain.
func (j *jar) clear(domain string) {
	j.cookies = slices.DeleteFunc(j.cookies, func(c *cookie) bool { return registrable(c.domain) == domain })
}

// evict drops the longest unused cookies of a domain that has too many.
func (j *jar) evict(domain string) {
	var list []*cookie
	for _, c := range j.cookies {
		if registrable(c.domain) == domain {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *cookie) int { return a.used.Compare(b.used) })
	for len(list) > maxCookiesPerDomain {
		j.remove(list[0])
		list = list[1:]
	}
}

// newCookie reads the attributes of a Set-Cookie line and fills in what it leaves out (RFC 6265bis
// §5.7).
func newCookie(u *url.URL, parsed *http.Cookie, now time.Time) *cookie {
	c := &cookie{
		name: parsed.Name, value: parsed.Value, path: parsed.Path,
		domain: strings.ToLower(strings.TrimPrefix(parsed.Domain, ".")),
		secure: parsed.Secure, httpOnly: parsed.HttpOnly, sameSite: parsed.SameSite,
		expires: parsed.Expires, created: now, used: now,
	}
	if parsed.Quoted { // browsers keep the quotes, net/http takes them off
		c.value = `"` + c.value + `"`
	}
	if c.domain == "" {
		c.domain, c.hostOnly = strings.ToLower(u.Hostname()), true
	}
	if !strings.HasPrefix(c.path, "/") {
		c.path = defaultPath(u)
	}
	if c.sameSite == 0 {
		c.sameSite = http.SameSiteDefaultMode
	}
	switch {
	case parsed.MaxAge > 0:
		c.expires = now.Add(time.Duration(min(parsed.MaxAge, int(maxCookieAge/time.Second))) * time.Second)
	case parsed.MaxAge < 0:
		c.expires = time.Unix(1, 0)
	}
	if latest := now.Add(maxCookieAge); c.expires.After(latest) {
		c.expires = latest
	}
	return c
}

// refusal returns why a browser ignores the cookie, "" when it does not (RFC 6265bis §5.7).
func (c *cookie) refusal(u *url.URL, parsed *http.Cookie, ctx cookieContext) string {
	host, prefix := strings.ToLower(u.Hostname()), strings.ToLower(c.name)
	switch {
	case c.secure && !trustworthy(u):
		return "Secure over plain http"
	case !c.hostOnly && !domainMatch(host, c.domain):
		return "Domain is not the host's"
	case !c.hostOnly && c.domain != host && !strings.Contains(c.domain, "."):
		return "Domain is a public suffix"
	case c.sameSite == http.SameSiteNoneMode && !c.secure:
		return "SameSite=None without Secure"
	case ctx.cross && !ctx.navigation && c.sameSite != http.SameSiteNoneMode:
		return "SameSite forbids it to a cross-site request that is no navigation"
	case strings.HasPrefix(prefix, "__secure-") && !c.secure:
		return "__Secure- without Secure"
	case strings.HasPrefix(prefix, "__host-") && (!c.secure || !c.hostOnly || parsed.Path != "/"):
		return "__Host- wants Secure, Path=/ and no Domain"
	}
	return ""
}

// expired reports whether the cookie's time is over; a session cookie's never is.
func (c *cookie) expired(now time.Time) bool { return !c.expires.IsZero() && !now.Before(c.expires) }

// same reports whether one cookie replaces the other: name, domain and path are its identity.
func (c *cookie) same(o *cookie) bool {
	return c.name == o.name && c.domain == o.domain && c.hostOnly == o.hostOnly && c.path == o.path
}

// matches reports whether host and path are the cookie's. Ports don't count.
func (c *cookie) matches(u *url.URL) bool {
	host, path := strings.ToLower(u.Hostname()), orDefault(u.EscapedPath(), "/")
	if c.hostOnly && host != c.domain || !domainMatch(host, c.domain) {
		return false
	}
	rest, ok := strings.CutPrefix(path, c.path)
	return ok && (rest == "" || strings.HasSuffix(c.path, "/") || rest[0] == '/')
}

// allowed applies SameSite (RFC 6265bis §5.8.3), with Chromium's two minutes for cookies that have
// no such attribute.
func (c *cookie) allowed(ctx cookieContext, method string, now time.Time) bool {
	safe := method == http.MethodGet || method == http.MethodHead
	switch {
	case !ctx.cross || c.sameSite == http.SameSiteNoneMode:
		return true
	case c.sameSite == http.SameSiteStrictMode || !ctx.navigation:
		return false
	case c.sameSite == http.SameSiteDefaultMode && !safe:
		return now.Sub(c.created) < laxPostAge
	}
	return safe
}

// standard returns the cookie in the form of net/http.
func (c *cookie) standard() *http.Cookie {
	out := &http.Cookie{Name: c.name, Value: c.value, Path: c.path, Secure: c.secure, HttpOnly: c.httpOnly, SameSite: c.sameSite, Expires: c.expires}
	if !c.hostOnly {
		out.Domain = c.domain
	}
	return out
}

// domainMatch implements RFC 6265bis §5.1.3: an address has no sub-domains.
func domainMatch(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain) && net.ParseIP(host) == nil
}

// defaultPath is the directory of the URL that set the cookie (RFC 6265bis §5.1.4).
func defaultPath(u *url.URL) string {
	path := u.EscapedPath()
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return "/"
}
