package oidcauth

import (
	"errors"
	"net/http"
	"strings"
)

// isNavigation reports whether r is a browser that opens a page at the top level, which alone may be sent to the provider:
// Fetch Metadata where the browser sends it (W3C Fetch Metadata §2), else a GET that prefers HTML.
func isNavigation(r *http.Request) bool {
	if r.Method != http.MethodGet || isPrefetch(r) {
		return false
	}
	if hasFetchMetadata(r) {
		return isTopLevel(r)
	}
	return acceptsHTML(r)
}

func hasFetchMetadata(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") != "" || r.Header.Get("Sec-Fetch-Dest") != ""
}

// isTopLevel reports whether r's Fetch Metadata name a navigation of a whole tab.
func isTopLevel(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// mayStartLogin reports whether r, sent to the login route itself, may start a login: anything but what a browser says is a
// sub-resource, a frame, a prefetch or a prerender.
func mayStartLogin(r *http.Request) bool {
	return !isPrefetch(r) && (!hasFetchMetadata(r) || isTopLevel(r))
}

// errPrefetch is why a request that was made ahead of the user's wish is turned away.
var errPrefetch = errors.New("prefetch")

// isPrefetch reports whether r was made ahead of the user's wish: such requests neither start nor consume a login.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		purpose := strings.ToLower(r.Header.Get(name))
		if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "prerender") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	return false
}

// acceptsHTML reports whether r asks for a page.
func acceptsHTML(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html")
}
