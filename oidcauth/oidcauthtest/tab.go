package oidcauthtest

import (
	"net/http"
	"net/url"
	"strings"
)

// Tab is one tab of a [Browser]: the page that it shows, and the ways to leave it.
type Tab struct {
	browser *Browser
	number  int
	page    *Page
	pauseAt string
}

// Page is what a tab shows after a navigation, or what a fetch returned.
type Page struct {
	URL    string // after all redirects
	Status int    // 0 when Err or Paused is set
	Header http.Header
	Body   string

	// Err is why there is no page: the connection failed, there were too many
	// redirects, or the page may not be shown in a frame.
	Err error
	// Paused is the request that a pause held back, nil without one.
	Paused *Navigation
	// Exchanges are the requests that led here, redirects and automatic form
	// submissions included.
	Exchanges []Exchange
}

// Navigation is a request that a tab is about to make. One that was paused may
// be changed and then sent on its way with [Tab.Go].
type Navigation struct {
	Method string
	URL    string
	Form   url.Values // the body of a POST; nil: none

	mode, dest string    // Sec-Fetch-Mode and -Dest
	purpose    string    // Sec-Purpose
	user       bool      // the user caused it
	from       *document // nil: the address bar
	chain      []*url.URL
	tainted    bool // Origin has become null
	paused     bool // it was held back before
	cookies    credentials
	header     http.Header // what a script adds
	body       string      // what a script sends, without a Form
}

// document is what matters of the page that a request comes from.
type document struct {
	url      *url.URL
	referrer string // its Referrer-Policy
	csp      []string
}

// Page returns the page that the tab shows, nil before the first.
func (t *Tab) Page() *Page { return t.page }

// Get navigates as if the user had typed the address: Sec-Fetch-Site is none. A
// page that submits its form by itself, as that of response_mode=form_post
// does, is submitted.
func (t *Tab) Get(rawURL string) *Page {
	return t.Go(&Navigation{Method: http.MethodGet, URL: rawURL, mode: "navigate", dest: "document", user: true})
}

// Click follows a link on the tab's page. The address may be relative.
func (t *Tab) Click(href string) *Page {
	return t.Go(&Navigation{Method: http.MethodGet, URL: t.resolve(href), mode: "navigate", dest: "document", user: true, from: t.document()})
}

// Post submits a form on the tab's page, which need not really be there: a page
// of an attacker's would bring it. The address may be relative.
func (t *Tab) Post(action string, form url.Values) *Page {
	if form == nil {
		form = url.Values{}
	}
	return t.Go(&Navigation{Method: http.MethodPost, URL: t.resolve(action), Form: form, mode: "navigate", dest: "document", user: true, from: t.document()})
}

// Submit submits the page's first form that has a field of this name, or whose
// action ends so, with its fields as they stand and these changes. The page
// must have such a form; a button is not needed.
func (t *Tab) Submit(which string, changes url.Values) *Page {
	for _, f := range t.page.Forms() {
		if _, ok := f.Fields[which]; !ok && !strings.HasSuffix(f.Action, which) {
			continue
		}
		for name, values := range changes {
			f.Fields[name] = values
		}
		return t.Go(f.navigation(t, true))
	}
	return &Page{Err: &FormError{which}}
}

// FormError says that a page has no such form.
type FormError struct{ Name string }

func (e *FormError) Error() string { return "oidcauthtest: the page has no form for " + e.Name }

// Go makes the tab take a navigation: one that was paused goes on as if nothing
// had happened, with the changes that were made to it.
func (t *Tab) Go(n *Navigation) *Page {
	page := t.load(n)
	for page.Err == nil && page.Paused == nil {
		form := page.autoSubmitted()
		if form == nil || len(page.Exchanges) > t.browser.MaxRedirects {
			break
		}
		t.page = page
		next := t.load(form.navigation(t, false))
		next.Exchanges = append(page.Exchanges, next.Exchanges...)
		page = next
	}
	if page.Paused == nil {
		t.page = page
	}
	return page
}

// PauseAt makes each navigation of the tab stop before a request whose URL has
// this prefix; the page that Get and its like return then has it as Paused. ""
// ends that. A paused navigation passes by [Tab.Go].
func (t *Tab) PauseAt(prefix string) { t.pauseAt = prefix }

// Frame loads an address into a frame of the tab's page. The tab goes on to
// show its page.
func (t *Tab) Frame(src string) *Page {
	return t.load(&Navigation{Method: http.MethodGet, URL: t.resolve(src), mode: "navigate", dest: "iframe", from: t.document()})
}

// Load fetches a sub-resource of the tab's page, such as an image; dest is its
// Sec-Fetch-Dest: image, script, style…
func (t *Tab) Load(src, dest string) *Page {
	return t.load(&Navigation{Method: http.MethodGet, URL: t.resolve(src), mode: "no-cors", dest: dest, from: t.document()})
}

// Prefetch does what link rel=prefetch does: it loads a page in case the user goes there.
func (t *Tab) Prefetch(href string) *Page {
	return t.load(&Navigation{Method: http.MethodGet, URL: t.resolve(href), mode: "no-cors", dest: "empty", purpose: "prefetch", from: t.document()})
}

// Prerender does what a speculation rule does: it renders a page in case the user goes there.
func (t *Tab) Prerender(href string) *Page {
	return t.load(&Navigation{Method: http.MethodGet, URL: t.resolve(href), mode: "navigate", dest: "document", purpose: "prefetch;prerender", from: t.document()})
}

// document returns the tab's page as the source of requests, nil for an empty tab.
func (t *Tab) document() *document {
	if t.page == nil || t.page.Status == 0 {
		return nil
	}
	return &document{mustParse(t.page.URL), t.page.Header.Get("Referrer-Policy"), t.page.Header.Values("Content-Security-Policy")}
}

func (t *Tab) resolve(ref string) string {
	if t.page == nil || t.page.URL == "" {
		return ref
	}
	u, err := mustParse(t.page.URL).Parse(ref)
	if err != nil {
		return ref
	}
	return u.String()
}
