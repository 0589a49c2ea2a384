package browser_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/providertest"
)

// granted reports whether a wish to return to raw is granted.
func granted(raw string) bool {
	site := browser.NewSite("https://app.example.com/auth/callback", "", "")
	site.Log, site.Own, site.Others = slog.New(slog.DiscardHandler), func(func(string) bool) {}, func(string) bool { return false }
	return site.ReturnTo(context.Background(), raw) == raw
}

func TestReturnPathsThatCouldLeaveTheSiteAreRefused(t *testing.T) {
	for name, raw := range providertest.WaysOut {
		t.Run(name, func(t *testing.T) {
			require.False(t, granted(raw), "%q", raw)
		})
	}
}

func TestReturnPathsOnThisSiteAreKept(t *testing.T) {
	for name, raw := range map[string]string{
		"the root":                          "/",
		"a page":                            "/orders",
		"a page with a trailing slash":      "/orders/",
		"a query":                           "/orders?id=1&next=%2F%2Fx",
		"a URL inside the query":            "/orders?next=https://other.example/",
		"an escape in the path":             "/caf%C3%A9",
		"an encoded space":                  "/a%20b",
		"a colon in the path":               "/a:b",
		"an at sign in the path":            "/@alice",
		"exactly 2 kB":                      "/" + strings.Repeat("a", 2047),
		"two dots inside a name":            "/v1..v2",
		"a question mark in the query":      "/a?b?c",
		"an empty query":                    "/a?",
		"an encoded ampersand in the query": "/a?b=%26",
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, granted(raw), "%q", raw)
		})
	}
}

// FuzzReturnPath holds that whatever passes stays on this site, as a browser resolves it and as
// http.Redirect writes it.
func FuzzReturnPath(f *testing.F) {
	for _, raw := range providertest.WaysOut {
		f.Add(raw)
	}
	f.Add("/orders?id=1")
	f.Add("/?7z\xfd\\") // in a query a backslash is data
	base, err := url.Parse("https://app.example.com/auth/callback")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		if !granted(raw) {
			return
		}
		asBrowser := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimSpace(raw))
		u, err := base.Parse(asBrowser)
		require.NoError(t, err)
		require.Equal(t, "https://app.example.com", u.Scheme+"://"+u.Host)
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodGet, "https://app.example.com/x", nil), raw, http.StatusSeeOther)
		redirected, _, _ := strings.Cut(w.Header().Get("Location"), "?")
		require.False(t, strings.HasPrefix(redirected, "//") || strings.Contains(redirected, `\`), "%q became %q", raw, redirected)
	})
}
