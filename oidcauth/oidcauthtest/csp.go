package oidcauthtest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

var (
	// ErrFormAction is the Err of a page whose form the Content-Security-Policy forbids to lead
	// there. Like Chromium, the browser applies form-action to the redirects after a submission
	// too.
	ErrFormAction = errors.New("oidcauthtest: form-action forbids this form submission")
	// ErrFraming is the Err of a page that refuses to be shown in this frame.
	ErrFraming = errors.New("oidcauthtest: the page refuses to be framed")
)

// mayFrame applies frame-ancestors and, without it, X-Frame-Options (CSP Level 3 §6.4.2, HTML §7.8)
// to a page in a frame of another.
func mayFrame(header http.Header, framed, parent *url.URL) bool {
	policies := directives(header.Values("Content-Security-Policy"), "frame-ancestors")
	for _, sources := range policies {
		if !anySource(sources, framed, parent) {
			return false
		}
	}
	switch option := strings.ToUpper(header.Get("X-Frame-Options")); {
	case len(policies) > 0:
		return true
	case option == "DENY":
		return false
	case option == "SAMEORIGIN":
		return originOf(framed) == originOf(parent)
	}
	return true
}

// maySubmit applies form-action (CSP Level 3 §6.4.1).
func (d *document) maySubmit(target *url.URL) bool {
	if d == nil {
		return true
	}
	for _, sources := range directives(d.csp, "form-action") {
		if !anySource(sources, d.url, target) {
			return false
		}
	}
	return true
}

// directives returns the sources of one directive of each policy that has it.
func directives(headers []string, name string) [][]string {
	var found [][]string
	for policy := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		for directive := range strings.SplitSeq(policy, ";") {
			words := strings.Fields(strings.ToLower(directive))
			if len(words) > 0 && words[0] == name {
				found = append(found, words[1:])
				break // a second of the same name does not count
			}
		}
	}
	return found
}

// anySource reports whether a source matches u; 'self' is the origin of self.
func anySource(sources []string, self, u *url.URL) bool {
	for _, source := range sources {
		if matchSource(source, self, u) {
			return true
		}
	}
	return false
}

// matchSource applies one source expression (CSP Level 3 §6.7.2): a keyword, a scheme, or a host
// with or without scheme, wildcard and port. Paths are ignored.
func matchSource(source string, self, u *url.URL) bool {
	switch {
	case source == "'self'":
		return originOf(u) == originOf(self)
	case source == "*":
		return u.Scheme == "https" || u.Scheme == "http"
	case strings.HasSuffix(source, ":"):
		return u.Scheme+":" == source
	}
	scheme, host, found := strings.Cut(source, "://")
	if !found {
		scheme, host = self.Scheme, source
	}
	host, _, _ = strings.Cut(host, "/")
	at := strings.TrimPrefix(originOf(u), u.Scheme+"://")
	if suffix, wild := strings.CutPrefix(host, "*"); wild {
		return scheme == u.Scheme && strings.HasSuffix(at, suffix)
	}
	return originOf(&url.URL{Scheme: scheme, Host: host}) == u.Scheme+"://"+at
}
