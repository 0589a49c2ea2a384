package oidcauthtest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// request returns the request of a navigation, without cookies.
func (n *Navigation) request(u *url.URL) *http.Request {
	target := *u
	target.Fragment, target.RawFragment = "", ""
	r := &http.Request{Method: n.Method, URL: &target, Host: target.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	body := n.body
	if n.Form != nil {
		body = n.Form.Encode()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if body != "" || n.Method == http.MethodPost {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	r.Header.Set("Accept", accepted(n))
	r.Header.Set("Accept-Language", "en-US,en;q=0.9")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) oidcauthtest")
	for name, values := range n.header {
		r.Header[name] = values
	}
	if n.mode == "navigate" {
		r.Header.Set("Upgrade-Insecure-Requests", "1")
	}
	if n.purpose != "" {
		r.Header.Set("Sec-Purpose", n.purpose)
	}
	n.setMetadata(r, u)
	if referer := n.referer(u); referer != "" {
		r.Header.Set("Referer", referer)
	}
	if origin := n.originHeader(u); origin != "" {
		r.Header.Set("Origin", origin)
	}
	return r
}

// accepted returns the Accept header that browsers send for a kind of resource.
func accepted(n *Navigation) string {
	switch {
	case n.mode == "navigate":
		return "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	case n.dest == "image":
		return "image/avif,image/webp,*/*;q=0.8"
	case n.dest == "style":
		return "text/css,*/*;q=0.1"
	}
	return "*/*"
}

// setMetadata adds the Sec-Fetch headers, which browsers send to trustworthy URLs only.
func (n *Navigation) setMetadata(r *http.Request, u *url.URL) {
	if !trustworthy(u) {
		return
	}
	r.Header.Set("Sec-Fetch-Site", relation(n.from.origin(), n.chain, u))
	r.Header.Set("Sec-Fetch-Mode", n.mode)
	r.Header.Set("Sec-Fetch-Dest", n.dest)
	if n.user && n.mode == "navigate" {
		r.Header.Set("Sec-Fetch-User", "?1")
	}
}

// cookieContext says how SameSite sees the request.
func (n *Navigation) cookieContext(u *url.URL) cookieContext {
	if n.behalf != nil {
		return cookieContext{cross: n.behalf.cookieContext(u).cross}
	}
	return cookieContext{
		cross:      crossSite(n.from.origin(), n.chain, u),
		navigation: n.mode == "navigate" && n.dest == "document",
	}
}

// policy returns the last Referrer-Policy that a browser knows, or its default.
func (d *document) policy() string {
	result := "strict-origin-when-cross-origin"
	for word := range strings.SplitSeq(d.referrer, ",") {
		switch word = strings.ToLower(strings.TrimSpace(word)); word {
		case "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin",
			"origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url":
			result = word
		}
	}
	return result
}

// referer returns the Referer header (Referrer Policy §8.3), "" for none.
func (n *Navigation) referer(u *url.URL) string {
	if n.from == nil {
		return ""
	}
	full := *n.from.url
	full.User, full.Fragment, full.RawFragment = nil, "", ""
	short := originOf(n.from.url) + "/"
	same := originOf(u) == originOf(n.from.url)
	downgrade := n.from.url.Scheme == "https" && !trustworthy(u)
	switch policy := n.from.policy(); {
	case policy == "no-referrer", policy == "same-origin" && !same:
		return ""
	case downgrade && (strings.HasPrefix(policy, "strict-") || policy == "no-referrer-when-downgrade"):
		return ""
	case policy == "origin", policy == "strict-origin", strings.HasSuffix(policy, "-when-cross-origin") && !same:
		return short
	}
	return full.String()
}

// originHeader returns the Origin header (Fetch §3.2), "" for none.
func (n *Navigation) originHeader(u *url.URL) string {
	cors := n.mode == "cors" && relation(n.from.origin(), n.chain, u) != "same-origin"
	switch safe := n.Method == http.MethodGet || n.Method == http.MethodHead; {
	case safe && !cors:
		return ""
	case n.from == nil || n.tainted:
		return "null"
	case cors:
		return originOf(n.from.url)
	}
	downgrade := n.from.url.Scheme == "https" && u.Scheme != "https"
	switch policy := n.from.policy(); {
	case policy == "no-referrer",
		policy == "same-origin" && originOf(u) != originOf(n.from.url),
		downgrade && (strings.HasPrefix(policy, "strict-") || policy == "no-referrer-when-downgrade"):
		return "null"
	}
	return originOf(n.from.url)
}
