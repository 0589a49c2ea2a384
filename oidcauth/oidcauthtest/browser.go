package oidcauthtest

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Browser keeps cookies and sends requests by the rules of today's browsers, which are stricter
// than those of [http.Client] and its jar: see the package's overview. Its own Get, Click, Submit,
// Fetch… act in its first tab; [Browser.NewTab] opens more, which share the cookies.
//
// Tabs may be used from several goroutines, but each tab only from one at a time. Set the exported
// fields before the first request.
type Browser struct {
	*Tab

	// Now is the browser's clock, by which cookies expire [time.Now].
	Now func() time.Time
	// MaxRedirects bounds the redirects of one navigation [20].
	MaxRedirects int
	// DeviceAlg makes the browser bind sessions to keys, as Device Bound Session Credentials ask it
	// to over https: ES256 or RS256, the algorithm of its keys. Empty means that it ignores such
	// requests, like browsers that don't support them.
	DeviceAlg string
	// Header is sent with every request and overrides what the browser would send:
	// X-Forwarded-Host, or the test's own Cookie header.
	Header http.Header

	transport http.RoundTripper
	mu        sync.Mutex
	jar       jar
	device    device
	history   []Exchange
	tabs      int
}

// NewBrowser returns a browser without cookies that sends its requests through transport: a
// [Network] in memory, or nil for real sockets.
func NewBrowser(transport http.RoundTripper) *Browser {
	if transport == nil {
		transport = http.DefaultTransport
	}
	b := &Browser{transport: transport, Now: time.Now, MaxRedirects: 20}
	b.Tab = b.NewTab()
	return b
}

// NewTab opens an empty tab.
func (b *Browser) NewTab() *Tab {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tabs++
	return &Tab{browser: b, number: b.tabs}
}

// Exchange is one of the browser's requests and its response.
type Exchange struct {
	Tab    int // 1 for the first tab
	Method string
	URL    string
	Header http.Header // as sent, with Cookie, Origin, Referer and Sec-Fetch-*
	Form   url.Values  // of a form submission

	Status    int // 0 when no answer came
	Answer    http.Header
	Location  string         // where it redirects to, resolved; else ""
	SetCookie []*http.Cookie // as the answer asked
	Refused   []RefusedCookie
	Err       error // why no answer came
}

// RefusedCookie is a Set-Cookie line that the browser refused.
type RefusedCookie struct {
	// Line is the header's value, Reason the rule that it breaks.
	Line, Reason string
}

// History returns every exchange of all tabs, oldest first.
func (b *Browser) History() []Exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.history)
}

// Cookies returns the cookies, with their attributes, that a navigation typed into the address bar
// would send to this URL.
func (b *Browser) Cookies(rawURL string) []*http.Cookie {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*http.Cookie
	for _, c := range b.jar.match(mustParse(rawURL), topLevel, http.MethodGet, b.Now()) {
		list = append(list, c.standard())
	}
	return list
}

// Cookie returns the cookie with this name that the browser would send, or nil.
func (b *Browser) Cookie(rawURL, name string) *http.Cookie {
	for _, c := range b.Cookies(rawURL) {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// SetCookie stores a cookie as if a response from this URL had set it, and returns the reason if
// the browser refuses it.
func (b *Browser) SetCookie(rawURL string, c *http.Cookie) (refused string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.jar.store(mustParse(rawURL), topLevel, c.String(), b.Now())
}

// DeleteCookie removes the cookies of this name that would be sent to the URL.
func (b *Browser) DeleteCookie(rawURL, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.jar.match(mustParse(rawURL), topLevel, http.MethodGet, b.Now()) {
		if c.name == name {
			b.jar.remove(c)
		}
	}
}

// ClearCookies forgets every cookie.
func (b *Browser) ClearCookies() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.jar.cookies = nil
}
