package oidcauthtest

import (
	"net/http"
	"net/url"
	"strings"
)

// Tab is one tab of a [Browser]: the page that it shows, and the ways to leave it. Addresses may be
// relative to the page. Requests from a tab that shows nothing yet, except by Get, count as coming
// from a blank page of the target's own origin.
type Tab struct {
	browser *Browser
	number  int
	page    *Page
	past    []*Page
	pauseAt string
}

// Page returns the page that the tab shows, nil before the first.
func (t *Tab) Page() *Page { return t.page }

// Get navigates as if the user had typed the address: Sec-Fetch-Site is none. A page that submits
// its form by itself, as that of response_mode=form_post does, is submitted.
func (t *Tab) Get(rawURL string) *Page { return t.Go(&Navigation{URL: rawURL}) }

// Click follows a link on the tab's page.
func (t *Tab) Click(href string) *Page {
	n := t.request("navigate", "document", href)
	n.user = true
	return t.Go(n)
}

// Post submits a form on the tab's page. The page need not actually contain it, since an attacker's
// page could: see [Tab.Show].
func (t *Tab) Post(action string, form url.Values) *Page {
	n := t.request("navigate", "document", action)
	n.Method, n.Form, n.user, n.form = http.MethodPost, form, true, true
	if form == nil {
		n.Form = url.Values{}
	}
	return t.Go(n)
}

// Submit submits the page's first form that has a field with this name, or whose action ends with
// it, with its current fields and these changes. If there is no such form, the page that it returns
// has a [*FormError].
func (t *Tab) Submit(which string, changes url.Values) *Page {
	for _, f := range t.page.Forms() {
		if !f.Fields.Has(which) && !strings.HasSuffix(f.Action, which) {
			continue
		}
		for name, values := range changes {
			f.Fields[name] = values
		}
		return t.Go(f.navigation(t.page, true))
	}
	return &Page{Err: &FormError{which}}
}

// FormError says that a page has no such form.
type FormError struct{ Name string }

// Error names the field or action that no form has.
func (e *FormError) Error() string { return "oidcauthtest: the page has no form for " + e.Name }

// Go makes the tab perform a navigation: a paused one continues as if nothing had happened, with
// any changes made to it.
func (t *Tab) Go(n *Navigation) *Page {
	page := t.load(n)
	for range t.browser.MaxRedirects {
		form := page.autoSubmitted()
		if form == nil {
			break
		}
		next := t.load(form.navigation(page, false))
		next.Exchanges = append(page.Exchanges, next.Exchanges...)
		page = next
	}
	if page.Paused == nil {
		t.past = append(t.past, t.page)
		t.page = page
	}
	return page
}

// Show puts a page into the tab without a request: an attacker's page, or one that links to the
// application. An empty body is a blank page.
func (t *Tab) Show(rawURL, body string) *Page {
	t.past = append(t.past, t.page)
	t.page = &Page{URL: mustParse(rawURL).String(), Status: http.StatusOK, Body: body, Header: http.Header{"Content-Type": {"text/html"}}}
	return t.page
}

// Reload requests the page again, with the same method and form.
func (t *Tab) Reload() *Page {
	n := t.page.navigation
	t.page = t.load(n.again())
	return t.page
}

// Back returns to the previous page: from memory, or if it may not be stored, by requesting it
// again, as Reload does.
func (t *Tab) Back() *Page {
	if len(t.past) == 0 || t.past[len(t.past)-1] == nil {
		return t.page
	}
	t.page = t.past[len(t.past)-1]
	t.past = t.past[:len(t.past)-1]
	if strings.Contains(t.page.Header.Get("Cache-Control"), "no-store") {
		return t.Reload()
	}
	return t.page
}

// PauseAt makes each of the tab's navigations stop before a request whose URL has this prefix; the
// page that Get and similar methods return then has it as Paused, and the tab still shows what it
// showed before. "" turns this off. [Tab.Go] continues a paused navigation.
func (t *Tab) PauseAt(prefix string) { t.pauseAt = prefix }

// Frame loads an address into a frame on the tab's page, and obeys the response's frame-ancestors
// and X-Frame-Options.
func (t *Tab) Frame(src string) *Page {
	n := t.request("navigate", "iframe", src)
	page := t.load(n)
	if page.Status != 0 && !mayFrame(page.Header, mustParse(page.URL), n.from.url) {
		page.Err = ErrFraming
	}
	return page
}

// Load fetches a sub-resource of the tab's page, such as an image; dest is its Sec-Fetch-Dest:
// image, script, style…
func (t *Tab) Load(src, dest string) *Page { return t.load(t.request("no-cors", dest, src)) }

// Prefetch does what link rel=prefetch does: it loads a page in case the user goes there.
func (t *Tab) Prefetch(href string) *Page {
	n := t.request("no-cors", "empty", href)
	n.purpose = "prefetch"
	return t.load(n)
}

// Prerender does what a speculation rule does: it renders a page in case the user goes there.
func (t *Tab) Prerender(href string) *Page {
	n := t.request("navigate", "document", href)
	n.purpose = "prefetch;prerender"
	return t.load(n)
}

// request returns a GET that the tab's page causes.
func (t *Tab) request(mode, dest, ref string) *Navigation {
	n := &Navigation{Method: http.MethodGet, URL: ref, mode: mode, dest: dest, from: t.page.document()}
	if n.from == nil {
		n.from = &document{url: mustParse(origin(ref) + "/")}
		return n
	}
	if u, err := n.from.url.Parse(ref); err == nil {
		n.URL = u.String()
	}
	return n
}
