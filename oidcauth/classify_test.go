package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// What browsers accept where they open a page, and where a script asks without saying what.
const (
	acceptsPage = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	acceptsAny  = "*/*"
)

// requestWith returns a request with these headers, in pairs; an empty value leaves one out.
func requestWith(method string, pairs ...string) *http.Request {
	r := httptest.NewRequest(method, "/", http.NoBody)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
	return r
}

// shape names what a request is taken for.
func shape(r *http.Request) string {
	switch {
	case oidcauth.IsPageView(r):
		return "page view"
	case oidcauth.WantsPage(r):
		return "page"
	}
	return "script"
}

// Every combination of mode and destination, those that are missing and those that no browser sends included.
func TestARequestIsJudgedByItsFetchMetadata(t *testing.T) {
	frames := []string{"iframe", "frame", "embed", "object", "fencedframe"}
	for _, mode := range []string{"", "navigate", "same-origin", "cors", "no-cors", "websocket", "Navigate", "navigate, navigate", "x"} {
		for _, dest := range append([]string{"", "empty", "document", "Document", "image", "script", "style", "worker", "serviceworker", "report", "webidentity", "x"}, frames...) {
			if mode == "" && dest == "" {
				continue
			}
			for _, accept := range []string{"", acceptsAny, acceptsPage, "application/json", "Text/HTML", "text/htmlx, text/html"} {
				want := "script"
				switch {
				case mode == "navigate" && slices.Contains([]string{"document", "empty", ""}, dest), mode == "" && dest == "document":
					want = "page view"
				case (mode == "navigate" || mode == "") && slices.Contains(frames, dest):
					want = "page"
				case mode == "same-origin" && dest == "empty" && (accept == acceptsPage || accept == "Text/HTML"):
					want = "page view"
				}
				r := requestWith("GET", "Sec-Fetch-Mode", mode, "Sec-Fetch-Dest", dest, "Accept", accept)
				require.Equal(t, want, shape(r), "mode %q, dest %q, accept %q", mode, dest, accept)
				if want == "page view" {
					want = "page" // a form is answered with a page, and opens none
				}
				r.Method = http.MethodPost
				require.Equal(t, want, shape(r), "POST: mode %q, dest %q, accept %q", mode, dest, accept)
			}
		}
	}
}

func TestARequestIsJudgedByWhatItPrefersWithoutFetchMetadata(t *testing.T) {
	for name, row := range map[string]struct {
		header []string
		want   string
	}{
		"a browser":                               {[]string{"Accept", acceptsPage}, "page view"},
		"a browser behind a proxy that drops it":  {[]string{"Accept", acceptsPage, "Sec-Fetch-Site", "same-origin"}, "page view"},
		"an old browser that likes XML better":    {[]string{"Accept", "application/xml,application/xhtml+xml,text/html;q=0.9,text/plain;q=0.8,*/*;q=0.5"}, "page view"},
		"HTML in capitals":                        {[]string{"Accept", "TEXT/HTML"}, "page view"},
		"a script that takes anything":            {[]string{"Accept", acceptsAny}, "script"},
		"a client that names no type":             {nil, "script"},
		"a script that wants JSON":                {[]string{"Accept", "application/json, text/plain, */*"}, "script"},
		"a script that likes JSON better":         {[]string{"Accept", "text/html;q=0.5, application/json"}, "script"},
		"a script that names JSON first":          {[]string{"Accept", "application/json, text/html"}, "script"},
		"a script that refuses HTML":              {[]string{"Accept", "text/html;q=0, */*"}, "script"},
		"a quality that is none":                  {[]string{"Accept", "text/html;q=x"}, "script"},
		"a type that only begins like HTML":       {[]string{"Accept", "text/html-sandboxed"}, "script"},
		"HTML far down a list":                    {[]string{"Accept", strings.Repeat("a/b,", 1000) + "text/html"}, "script"},
		"jQuery that takes HTML":                  {[]string{"Accept", acceptsPage, "X-Requested-With", "XMLHttpRequest"}, "script"},
		"htmx":                                    {[]string{"Accept", acceptsPage, "HX-Request", "true"}, "script"},
		"htmx as fetch of the same origin":        {[]string{"Accept", "text/html", "HX-Request", "true", "Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty"}, "script"},
		"a script of the same origin with a mark": {[]string{"Accept", "text/html", "X-Requested-With", "x", "Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty"}, "script"},
		"a navigation that says htmx sent it":     {[]string{"HX-Request", "true", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, "page view"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.want, shape(requestWith("GET", row.header...)))
		})
	}
}

func TestNothingThatIsFetchedAheadIsAPageView(t *testing.T) {
	for name, header := range map[string][]string{
		"a prefetch":                     {"Sec-Purpose", "prefetch"},
		"a prerender":                    {"Sec-Purpose", "prefetch;prerender"},
		"a prefetch of an older browser": {"Purpose", "prefetch"},
		"a preview of Safari":            {"X-Purpose", "preview"},
		"a prefetch of an older Firefox": {"X-Moz", "prefetch"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range [][]string{{"Accept", acceptsPage}, {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}} {
				require.True(t, oidcauth.IsPageView(requestWith("GET", kind...)))
				require.False(t, oidcauth.IsPageView(requestWith("GET", append(kind, header...)...)))
			}
		})
	}
	require.False(t, oidcauth.IsPageView(requestWith("HEAD", "Accept", acceptsPage)))
}
