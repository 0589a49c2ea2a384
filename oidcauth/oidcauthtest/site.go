package oidcauthtest

import (
	"net"
	"net/url"
	"strings"
)

// site returns the schemeful site of a URL: its scheme and registrable domain. Without a list of
// public suffixes the last two labels are the registrable domain, which is right for localhost,
// .test, .example, .com and their like.
func site(u *url.URL) string { return u.Scheme + "://" + registrable(u.Hostname()) }

// registrable returns the registrable domain of a host, an address as it is.
func registrable(host string) string {
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	if net.ParseIP(host) != nil || len(labels) <= 2 {
		return host
	}
	return strings.Join(labels[len(labels)-2:], ".")
}

// trustworthy reports whether a URL is potentially trustworthy (Secure Contexts §3.1): https, or
// loopback by name or address.
func trustworthy(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	ip := net.ParseIP(host)
	return u.Scheme == "https" || host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// relation returns the value of Sec-Fetch-Site for a request to target that went through these
// redirects: same-origin, same-site or cross-site, whichever is the farthest of all its URLs; none
// for one that the user typed (Fetch Metadata §2.3).
func relation(initiator *url.URL, chain []*url.URL, target *url.URL) string {
	if initiator == nil {
		return "none"
	}
	result := "same-origin"
	for _, u := range append(chain[:len(chain):len(chain)], target) {
		switch {
		case site(u) != site(initiator):
			return "cross-site"
		case originOf(u) != originOf(initiator):
			result = "same-site"
		}
	}
	return result
}

// crossSite reports whether a request counts as cross-site for SameSite: its initiator, or a
// redirect that it went through, is of another site (RFC 6265bis §5.2).
func crossSite(initiator *url.URL, chain []*url.URL, target *url.URL) bool {
	if initiator != nil && site(initiator) != site(target) {
		return true
	}
	for _, u := range chain {
		if site(u) != site(target) {
			return true
		}
	}
	return false
}
