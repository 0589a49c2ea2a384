package oidcauthtest

import (
	"net/http"
	"net/url"
)

// Page is what a tab shows after a navigation, or what a fetch returned.
type Page struct {
	URL    string // after all redirects
	Status int    // 0 when Err or Paused is set
	Header http.Header
	Body   string // at most 4 MiB of it

	// Err is why there is no page: the connection failed, there were too many redirects, or one of
	// the page's policies forbids it.
	Err error
	// Paused is the request that a pause held back, nil without one.
	Paused *Navigation
	// Exchanges are the requests that led here, redirects and automatic form submissions included.
	Exchanges []Exchange

	navigation *Navigation // whose answer it is
}

// Navigation is a request that a tab is about to make. A paused one may be changed and then sent
// with [Tab.Go]. One made from scratch counts as typed into the address bar.
type Navigation struct {
	Method string // [GET]
	URL    string
	Form   url.Values // the body of a POST; nil: none

	mode, dest string    // Sec-Fetch-Mode and -Dest
	purpose    string    // Sec-Purpose
	user       bool      // the user caused it
	form       bool      // a form did
	from       *document // nil: the address bar
	chain      []*url.URL
	tainted    bool // Origin has become null
	paused     bool // it was held back before
	cookies    credentials
	header     http.Header // what a script adds
	body       string      // what a script sends, without a Form
	own        bool        // the browser itself sends it: a registration, or a renewal
	behalf     *Navigation // of such: the request that waits for it, or has caused it
}

// document is what matters of the page that a request comes from.
type document struct {
	url      *url.URL
	referrer string // its Referrer-Policy
	csp      []string
}

// origin returns the document's URL, nil for the address bar.
func (d *document) origin() *url.URL {
	if d == nil {
		return nil
	}
	return d.url
}

// document returns the page as the source of requests, nil when there is none.
func (p *Page) document() *document {
	if p == nil || p.Status == 0 {
		return nil
	}
	return &document{mustParse(p.URL), p.Header.Get("Referrer-Policy"), p.Header.Values("Content-Security-Policy")}
}
