package browser

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// A Kind is who reads the answer to a request. It is judged in KindOf and nowhere else.
type Kind int

// Kinds of readers.
const (
	Script Kind = iota // a program: a script of a page, a sub-resource, a client that is no browser
	HTMX               // a script of htmx, which does what our headers say
	Frame              // a person, in a frame of a page
	Page               // a person, in a whole tab: a page that is opened, or a form that is sent
)

// frameDests are the destinations of a document inside another (Fetch §2.2.5).
var frameDests = []string{"iframe", "frame", "embed", "object", "fencedframe"}

// KindOf judges by Fetch Metadata where the browser sends them (W3C Fetch Metadata §2), else by
// what the request prefers.
//
// The mode navigate can't be made by a script: neither fetch nor the Request constructor takes it.
// A destination is lost where a service worker passes a navigation on, which in Firefox also turns
// the mode into same-origin; either header is lost in old browsers and to proxies that drop what
// they don't know. Behind a worker a frame looks like a whole tab, which is why each of our pages
// refuses to be framed.
func KindOf(r *http.Request) Kind {
	mode, dest := fetchMetadata(r, "Sec-Fetch-Mode"), fetchMetadata(r, "Sec-Fetch-Dest")
	unmarked, wholeTab := mode == "", dest == "document"
	switch {
	case unmarked && dest == "":
		if !sentByScript(r) && prefersHTML(r) {
			return Page
		}
	case mode == "navigate" && (wholeTab || dest == "empty" || dest == ""), unmarked && wholeTab:
		return Page
	case (mode == "navigate" || unmarked) && slices.Contains(frameDests, dest):
		return Frame
	case mode == "same-origin" && dest == "empty" && !sentByScript(r) && beginsWithHTML(r):
		return Page
	}
	if r.Header.Get("HX-Request") != "" {
		return HTMX
	}
	return Script
}

// fetchMetadata returns the value of a Fetch Metadata header. One that stands there twice is no
// value that we know.
func fetchMetadata(r *http.Request, name string) string {
	return strings.Join(r.Header.Values(name), ", ")
}

func hasFetchMetadata(r *http.Request) bool {
	return fetchMetadata(r, "Sec-Fetch-Mode") != "" || fetchMetadata(r, "Sec-Fetch-Dest") != ""
}

// sentByScript reports whether r says by a header of its own that a script sent it.
func sentByScript(r *http.Request) bool {
	return r.Header.Get("X-Requested-With") != "" || r.Header.Get("HX-Request") != ""
}

// IsPageView reports whether r opens a page in a whole tab, now: the judgment by which guards send
// a browser to the provider, and answer everything else 401. Forms, frames, scripts, sub-resources
// and prefetches are no page views.
func IsPageView(r *http.Request) bool {
	return r.Method == http.MethodGet && !IsPrefetch(r) && KindOf(r) == Page
}

// WantsPage reports whether a person is shown the answer to r, so that an error is to be a page, as
// those of this package then are: a page view, a form that was sent, a frame. For everything else
// they are JSON.
func WantsPage(r *http.Request) bool {
	kind := KindOf(r)
	return kind == Page || kind == Frame
}

// MayStartLogin reports whether r, sent to the login route itself, may start a login: anything but
// what a browser says is a script, a sub-resource, a frame, a prefetch or a prerender.
func MayStartLogin(r *http.Request) bool {
	return !IsPrefetch(r) && (KindOf(r) == Page || !hasFetchMetadata(r) && !sentByScript(r))
}

// FollowsRedirects reports whether a redirect to another site, or a page with a form, reaches the
// person. It is what a logout answers wherever it can: its target has the ID token in it, which no
// page may show.
func FollowsRedirects(r *http.Request) bool {
	switch {
	case fetchMetadata(r, "Sec-Fetch-Mode") == "navigate" || WantsPage(r):
		return true
	case r.Header.Get("HX-Request") != "":
		return false
	case beginsWithHTML(r):
		return true
	}
	return !hasFetchMetadata(r) && !sentByScript(r) && quality(r, "application/json") <= 0 // no browser that we know
}

// ErrPrefetch is why a request that was made ahead of the user's wish is turned away.
var ErrPrefetch = errors.New("prefetch")

// IsPrefetch reports whether r was made ahead of the user's wish: such requests neither start nor
// consume a login.
func IsPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		purpose := strings.ToLower(r.Header.Get(name))
		if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}
