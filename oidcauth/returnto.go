package oidcauth

import (
	"net/url"
	"path"
	"strings"
)

// maxReturnTo bounds a return path: longer ones are cut to "/".
const maxReturnTo = 2048

// returnTo returns raw when a login may return to it, and "/" otherwise.
func (a *Authenticator) returnTo(raw string) string {
	if !localPath(raw) {
		return "/"
	}
	u, _ := url.Parse(raw)
	if a.isOwnRoute(u.Path) || a.isOwnRoute(strings.ToLower(u.Path)) {
		return "/"
	}
	return raw
}

// localPath reports whether raw, byte for byte, is a path and query on this site for every reader: browsers, which take a
// backslash for a slash and drop tabs and line ends; proxies, which may decode once more; and http.Redirect, which cleans paths.
// It refuses more than it must: what is refused only loses its way back.
func localPath(raw string) bool {
	if len(raw) == 0 || len(raw) > maxReturnTo || raw[0] != '/' {
		return false
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return false
		}
	}
	u, err := url.ParseRequestURI(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	rawPath, _, _ := strings.Cut(raw, "?")
	return plainPath(rawPath) && plainPath(u.Path)
}

// plainPath reports whether p, raw or decoded, is a rooted path that cleaning leaves alone and that holds nothing that a second
// decoding could turn into a way out.
func plainPath(p string) bool {
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.Contains(p, `\`) {
		return false
	}
	for i := range len(p) {
		if p[i] < ' ' || p[i] == 0x7f {
			return false
		}
	}
	lower := strings.ToLower(p)
	for _, trick := range []string{"%2f", "%5c", "%2e", "%00", "%09", "%0a", "%0d", "%25"} {
		if strings.Contains(lower, trick) {
			return false
		}
	}
	cleaned := path.Clean(p)
	return cleaned == p || cleaned+"/" == p
}
