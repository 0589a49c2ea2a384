package oidcauthtest

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxPage bounds what a browser reads of one page.
const maxPage = 4 << 20

// credentials is the credentials mode of a request.
type credentials int

const (
	include    credentials = iota // navigations, frames, sub-resources
	sameOrigin                    // what fetch does unless told otherwise
	omit
)

// ErrTooManyRedirects is the Err of a page behind more than MaxRedirects redirects.
var ErrTooManyRedirects = errors.New("oidcauthtest: too many redirects")

var errNotSameOrigin = errors.New("oidcauthtest: fetch in same-origin mode to another origin")

// load sends a navigation's request, follows its redirects and returns the page.
func (t *Tab) load(n *Navigation) *Page {
	defer t.register()
	page := &Page{}
	for n = n.complete(); ; {
		page.URL, page.navigation = n.URL, n
		u, err := url.Parse(n.URL)
		switch {
		case err != nil || u.Host == "":
			page.Err = errors.New("oidcauthtest: not an absolute URL: " + n.URL)
		case n.form && !n.from.maySubmit(u):
			page.Err = ErrFormAction
		case len(page.Exchanges) > t.browser.MaxRedirects:
			page.Err = ErrTooManyRedirects
		case t.pauseAt != "" && strings.HasPrefix(n.URL, t.pauseAt) && !n.paused:
			n.paused = true
			page.Paused = n
		}
		if page.Err != nil || page.Paused != nil {
			return page
		}
		body, x := t.send(n, u)
		page.Exchanges = append(page.Exchanges, x)
		if page.Err = x.Err; page.Err != nil {
			return page
		}
		if x.Location == "" {
			page.Status, page.Header, page.Body = x.Status, x.Answer, body
			return page
		}
		n = n.redirected(u, x)
	}
}

// complete fills in what a navigation made from scratch leaves out.
func (n *Navigation) complete() *Navigation {
	next := *n
	next.Method = orDefault(n.Method, http.MethodGet)
	if n.mode == "" {
		next.mode, next.dest, next.user = "navigate", "document", true
	}
	return &next
}

// again returns the navigation to the same URL as at first, without the redirects.
func (n *Navigation) again() *Navigation {
	next := *n
	next.chain, next.paused = nil, false
	return &next
}

// send makes one request, stores the cookies of its answer and records both.
func (t *Tab) send(n *Navigation, u *url.URL) (string, Exchange) {
	b := t.browser
	r := n.request(u)
	ctx := n.cookieContext(u)
	// Cookies are decided again at each redirect, for the site that it leads to.
	withCookies := n.cookies == include || n.cookies == sameOrigin && relation(n.from.origin(), n.chain, u) == "same-origin"
	if withCookies {
		if skipped := t.withBoundCookies(n, u); len(skipped) > 0 {
			r.Header["Secure-Session-Skipped"] = skipped
		}
		b.addCookies(r, ctx)
	}
	for name, values := range b.Header {
		r.Header[name] = values
	}
	x := Exchange{Tab: t.number, Method: r.Method, URL: u.String(), Header: r.Header.Clone(), Form: n.Form}
	response, err := b.transport.RoundTrip(r)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(response.Body, maxPage))
		_ = response.Body.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.history = append(b.history, x) }()
	if err != nil {
		x.Err = err
		return "", x
	}
	x.Status, x.Answer, x.SetCookie = response.StatusCode, response.Header, response.Cookies()
	if withCookies {
		if n.behalf != nil {
			ctx = cookieContext{} // the answer is taken as one to the origin itself
		}
		b.takeCookies(&x, u, ctx)
		b.obeyDevice(n, &x, u)
	}
	x.Location = redirectTarget(u, response)
	return string(body), x
}

// addCookies writes one Cookie header, as browsers do in HTTP/1.1.
func (b *Browser) addCookies(r *http.Request, ctx cookieContext) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var pairs []string
	for _, c := range b.jar.match(r.URL, ctx, r.Method, b.Now()) {
		pairs = append(pairs, c.name+"="+c.value)
	}
	if len(pairs) > 0 {
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
}

// takeCookies obeys Set-Cookie and Clear-Site-Data. The browser's mutex is held.
func (b *Browser) takeCookies(x *Exchange, u *url.URL, ctx cookieContext) {
	for _, line := range x.Answer.Values("Set-Cookie") {
		if reason := b.jar.store(u, ctx, line, b.Now()); reason != "" {
			x.Refused = append(x.Refused, RefusedCookie{line, reason})
		}
	}
	clear := x.Answer.Get("Clear-Site-Data")
	if trustworthy(u) && (strings.Contains(clear, `"cookies"`) || strings.Contains(clear, `"*"`)) {
		b.jar.clear(registrable(u.Hostname()))
	}
}

// redirectTarget returns where an answer sends the browser, "" for nowhere.
func redirectTarget(u *url.URL, response *http.Response) string {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return ""
	}
	location := response.Header.Get("Location")
	if location == "" {
		return ""
	}
	// Browsers read a backslash as a slash in http URLs (URL Standard §4.4).
	target, err := u.Parse(strings.ReplaceAll(location, `\`, "/"))
	if err != nil {
		return location
	}
	if target.Fragment == "" {
		target.Fragment = u.Fragment
	}
	return target.String()
}

// redirected returns the navigation that a redirect leads to (Fetch §4.4).
func (n *Navigation) redirected(u *url.URL, x Exchange) *Navigation {
	next := *n
	next.URL = x.Location
	next.chain = append(slices.Clone(n.chain), u)
	next.paused = false
	if target, err := url.Parse(next.URL); err == nil && originOf(target) != originOf(u) && n.from != nil && originOf(n.from.url) != originOf(u) {
		next.tainted = true
	}
	if policy := x.Answer.Get("Referrer-Policy"); policy != "" && n.from != nil {
		from := *n.from
		from.referrer = policy
		next.from = &from
	}
	toGet := x.Status == http.StatusSeeOther && n.Method != http.MethodHead ||
		(x.Status == http.StatusFound || x.Status == http.StatusMovedPermanently) && n.Method == http.MethodPost
	if toGet {
		next.Method, next.Form, next.body = http.MethodGet, nil, ""
	}
	return &next
}
