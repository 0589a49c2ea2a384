package settings

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An env reads configuration variables and collects every mistake, so that the start can name all
// of them at once. An empty variable counts as unset. Values of variables that hold secrets never
// reach an error text.
//
// There are no priorities, files or flags: one place to look, and the same in a shell, a container
// and a test.
type env struct {
	getenv   func(string) string
	mistakes []error
}

// mistake records what is wrong with the variable name: what was expected, and what came.
//
// A mistake never stops the reading, so readers also return something usable, which nobody will
// use.
func (e *env) mistake(name, format string, args ...any) {
	e.mistakes = append(e.mistakes, fmt.Errorf(name+": "+format, args...))
}

// err returns all mistakes as one error, nil without any.
func (e *env) err() error {
	return errors.Join(e.mistakes...)
}

// text takes anything.
func (e *env) text(name, fallback string) string {
	if v := e.getenv(name); v != "" {
		return v
	}
	return fallback
}

// words splits a list separated by white space; unset is nil.
func (e *env) words(name string) []string {
	list := strings.Fields(e.getenv(name))
	if len(list) == 0 {
		return nil
	}
	return list
}

// Scopes splits a list of scope tokens (RFC 6749 §3.3).
func (e *env) scopes(name string) []string {
	list := e.words(name)
	for _, s := range list {
		if strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' }) {
			e.mistake(name, "want scopes of printable ASCII without quotes and backslashes, got %q", s)
		}
	}
	return list
}

// oneOf accepts one of choices; the first one is the default.
func (e *env) oneOf(name string, choices ...string) string {
	v := e.text(name, choices[0])
	if !slices.Contains(choices, v) {
		e.mistake(name, "want %s, got %q", strings.Join(choices, ", "), v)
	}
	return v
}

// flag takes what strconv.ParseBool does: true, 1, false, 0 and their like. Anything else is a
// mistake, never "on" or "off".
func (e *env) flag(name string, fallback bool) bool {
	v, err := strconv.ParseBool(e.text(name, strconv.FormatBool(fallback)))
	if err != nil {
		e.mistake(name, "want true or false, got %q", e.getenv(name))
	}
	return v
}

// duration accepts Go durations above zero.
//
// Zero and below would mean "none" or "at once", depending on the reader; both are better said by
// other means.
func (e *env) duration(name string, fallback time.Duration) time.Duration {
	d, err := time.ParseDuration(e.text(name, fallback.String()))
	if err != nil || d <= 0 {
		e.mistake(name, "want a Go duration above zero such as %s, got %q", fallback, e.getenv(name))
	}
	return d
}

// durationOrNever is duration for what is off by default: unset and 0 are never.
func (e *env) durationOrNever(name string) time.Duration {
	if d, err := time.ParseDuration(e.text(name, "0")); err == nil && d == 0 {
		return 0
	}
	return e.duration(name, 10*time.Minute)
}

// address accepts host:port with a numeric port.
//
// The host may be empty, for all addresses, as net.Listen has it.
func (e *env) address(name, fallback string) string {
	v := e.text(name, fallback)
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		e.mistake(name, "want host:port such as %s, got %q", fallback, v)
	}
	return v
}

// adminAddress is an address that strangers must not reach: without a host it is loopback, and any
// other host has to be written out.
func (e *env) adminAddress(name string) string {
	if e.getenv(name) == "" {
		return ""
	}
	v := e.address(name, "127.0.0.1:9090")
	if port, found := strings.CutPrefix(v, ":"); found {
		return "127.0.0.1:" + port
	}
	return v
}

// url accepts absolute https URLs, http ones on loopback only, without user information and
// fragment. It never returns nil.
//
// User information would put a password into logs and pages; a fragment never reaches a server (RFC
// 9110 §4.2.4, §4.2.5).
func (e *env) url(name, fallback string) *url.URL {
	v := e.text(name, fallback)
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		e.mistake(name, "want an absolute URL, got %q", withoutUser(v))
		return &url.URL{}
	case u.User != nil || u.Fragment != "" || strings.Contains(v, "#"):
		e.mistake(name, "a URL without user information and fragment is needed")
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())):
		e.mistake(name, "want https (http only for localhost, 127.0.0.0/8 and [::1]), got %q", v)
	}
	return u
}

// Base is url without query. A path is that of an app which a proxy serves below one, and strips;
// one closing slash is forgiven.
//
// The path is in links and redirect URIs, so that it has to be what browsers and providers write
// alike.
func (e *env) base(name, fallback string) *url.URL {
	u := e.url(name, fallback)
	base := strings.TrimSuffix(u.Path, "/")
	if u.RawQuery != "" || u.ForceQuery || base != "" && !isPlainPath(base) {
		e.mistake(name, "want an address such as %s, maybe with a plain path, got %q", fallback, u)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: base}
}

// The prefixes of the library's routes.
const (
	OwnPrefix    = "/auth/"
	SecondPrefix = "/auth2/"
)

// takenPaths are those of the app's own routes, and of those that it may get: nothing else can be
// at them, or below them.
var takenPaths = []string{
	"/profile", "/api-calls", "/admin", "/stepup", "/errors", "/choose", "/api", "/demo", "/demo2", "/static", "/healthz", "/readyz",
	"/proxy", "/resource", "/forward-auth", "/metrics", strings.TrimSuffix(SecondPrefix, "/"),
}

// ownNames are those of the library's routes below OwnPrefix, whether they are served or not.
var ownNames = []string{
	"login", "logout", "signed-out", "style.css", "jwks.json", "backchannel-logout", "frontchannel-logout", "session", "device",
}

// callbackPath accepts the path of a redirect URI: absolute, not the start page, and no other
// route's.
func (e *env) callbackPath(name string) string {
	v := e.text(name, OwnPrefix+"callback")
	taken := func(route string) bool { return v == route || strings.HasPrefix(v, route+"/") }
	switch {
	case !isPlainPath(v):
		e.mistake(name, "want a plain absolute path such as /signin-oidc, got %q", v)
		return OwnPrefix + "callback"
	case v+"/" == OwnPrefix, slices.ContainsFunc(takenPaths, taken), slices.ContainsFunc(ownNames, func(name string) bool { return taken(OwnPrefix + name) }):
		e.mistake(name, "%q is another route's", v)
	}
	return v
}

// isPlainPath reports whether p is an absolute path, longer than "/", that every reader takes for
// the same, and that is no pattern.
func isPlainPath(p string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~"
	return len(p) > 1 && p[0] == '/' && path.Clean(p) == p && strings.Trim(p, plain) == ""
}

// issuer is url without query. The text is kept exactly as it was written, since issuers are
// compared byte by byte (OpenID Connect Discovery §4.3).
func (e *env) issuer(name string) string {
	if u := e.url(name, ""); u.RawQuery != "" || u.ForceQuery {
		e.mistake(name, "an issuer has no query, got %q", u)
	}
	return e.getenv(name)
}

// IsLoopback reports whether host names this machine for certain: no name but localhost is resolved
// or trusted.
//
// What the resolver says about any other name can change after the check (RFC 8252 §8.3 makes the
// same distinction).
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// withoutUser cuts off what may be a password.
func withoutUser(address string) string {
	return address[strings.LastIndex(address, "@")+1:]
}

// HostOf is how people know a provider that nobody gave a name.
func HostOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Host
}
