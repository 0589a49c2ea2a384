package oidcauthtest

import (
	"net/http"
	"net/url"
)

// FetchOptions are the options of a script's fetch(). The zero value is a GET in cors mode with
// credentials for the page's own origin, as in browsers.
type FetchOptions struct {
	Method string     // [GET]
	Form   url.Values // a form body, in place of Body
	Body   string
	Header http.Header // set by the script: Accept, Content-Type…
	// Mode is cors, no-cors or same-origin [cors]. A cross-origin request in same-origin mode fails
	// without a request.
	Mode string
	// Credentials is same-origin, include or omit [same-origin]: whether cookies go along and may
	// be set.
	Credentials string
}

// Fetch makes a script on the tab's page call fetch(). Redirects are followed. The page that it
// returns has the complete response, even if a browser would hide it from the script because CORS
// headers are missing; preflights are not sent.
func (t *Tab) Fetch(rawURL string, o FetchOptions) *Page {
	n := t.request(orDefault(o.Mode, "cors"), "empty", rawURL)
	n.Method, n.Form, n.body, n.header = orDefault(o.Method, http.MethodGet), o.Form, o.Body, o.Header
	switch o.Credentials {
	case "", "same-origin":
		n.cookies = sameOrigin
	case "omit":
		n.cookies = omit
	}
	if n.mode == "same-origin" && originOf(mustParse(n.URL)) != originOf(n.from.url) {
		return &Page{URL: n.URL, Err: errNotSameOrigin}
	}
	return t.load(n)
}
