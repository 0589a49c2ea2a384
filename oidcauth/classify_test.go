package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

func TestOnlyAPageThatIsOpenedIsANavigation(t *testing.T) {
	const html = "text/html,application/xhtml+xml,*/*;q=0.8"
	for name, row := range map[string]struct {
		method string
		header map[string]string
		want   bool
	}{
		"a page opened at the top level":   {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, true},
		"a browser without Fetch Metadata": {"GET", map[string]string{"Accept": html}, true},
		"a script without Fetch Metadata":  {"GET", map[string]string{"Accept": "application/json"}, false},
		"a client that names no type":      {"GET", nil, false},
		"a client that takes anything":     {"GET", map[string]string{"Accept": "*/*"}, false},
		"fetch()":                          {"GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, false},
		"fetch() that asks for HTML":       {"GET", map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": html}, false},
		"an image":                         {"GET", map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, false},
		"a frame":                          {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Accept": html}, false},
		"an object":                        {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "object", "Accept": html}, false},
		"a mode without a destination":     {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Accept": html}, false},
		"a WebSocket":                      {"GET", map[string]string{"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "empty"}, false},
		"a form post":                      {"POST", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": html}, false},
		"HEAD":                             {"HEAD", map[string]string{"Accept": html}, false},
		"a prefetch":                       {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch"}, false},
		"a prerender":                      {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"}, false},
		"a prefetch of an older browser":   {"GET", map[string]string{"Accept": html, "Purpose": "prefetch"}, false},
		"a prefetch of an older Firefox":   {"GET", map[string]string{"Accept": html, "X-Moz": "prefetch"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(row.method, "/", http.NoBody)
			for k, v := range row.header {
				r.Header.Set(k, v)
			}
			require.Equal(t, row.want, oidcauth.IsNavigation(r))
		})
	}
}
