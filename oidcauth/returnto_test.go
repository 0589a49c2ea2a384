package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// waysOut are return paths that leave the site for at least one reader, or that hide where they lead.
var waysOut = map[string]string{
	"an absolute URL":                        "https://evil.example/",
	"an absolute URL in capitals":            "HTTPS://EVIL.EXAMPLE/",
	"a scheme without slashes":               "https:evil.example",
	"a scheme with one slash":                "https:/evil.example",
	"a scheme with three slashes":            "http:///evil.example",
	"a host without a scheme":                "//evil.example",
	"three slashes":                          "///evil.example",
	"a backslash after the slash":            `/\evil.example`,
	"two backslashes":                        `\\evil.example`,
	"a backslash before a slash":             `\/evil.example`,
	"slash, backslash, slash":                `/\/evil.example`,
	"an encoded backslash":                   "/%5cevil.example",
	"an encoded backslash in capitals":       "/%5Cevil.example",
	"a doubly encoded backslash":             "/%255cevil.example",
	"an encoded slash":                       "/%2fevil.example",
	"a doubly encoded slash":                 "/%252fevil.example",
	"a slash after an empty segment":         "/a//evil.example",
	"dot segments that http.Redirect cleans": `/a/../../\evil.example`,
	"dot segments before a host":             "/a/..//evil.example",
	"encoded dot segments":                   "/a/%2e%2e//evil.example",
	"a single dot segment":                   "/./evil",
	"a tab that browsers drop":               "/\t/evil.example",
	"a line end that browsers drop":          "/\n/evil.example",
	"a carriage return":                      "/\r/evil.example",
	"an encoded tab":                         "/%09/evil.example",
	"an encoded line end":                    "/%0a/evil.example",
	"an encoded zero byte":                   "/%00",
	"a zero byte":                            "/\x00",
	"a leading space":                        " /evil",
	"a space inside":                         "/a b",
	"a script":                               "javascript:alert(1)",
	"a script after a slash and a line end":  "/\njavascript:alert(1)",
	"data":                                   "data:text/html,x",
	"vbscript":                               "vbscript:x",
	"a blob":                                 "blob:https://evil.example/1",
	"user information":                       "https://app.example.com@evil.example/",
	"an at sign after two slashes":           "//app.example.com@evil.example/",
	"a fragment":                             "/a#b",
	"full-width slashes":                     "/／evil.example",
	"a full-width dot":                       "/．．/evil",
	"an IPv6 host":                           "//[::1]/",
	"a hexadecimal host":                     "//0x7f.1/",
	"another port":                           "//app.example.com:8443/",
	"a malformed escape":                     "/%zz",
	"a cut escape":                           "/a%",
	"an invalid byte":                        "/\xff",
	"DEL":                                    "/\x7f",
	"nothing":                                "",
	"a relative path":                        "evil",
	"a query alone":                          "?x=1",
	"2 kB and more":                          "/" + strings.Repeat("a", 2048),
}

func TestReturnPathsThatCouldLeaveTheSiteAreRefused(t *testing.T) {
	for name, raw := range waysOut {
		t.Run(name, func(t *testing.T) {
			require.False(t, oidcauth.LocalPath(raw), "%q", raw)
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
			require.True(t, oidcauth.LocalPath(raw), "%q", raw)
		})
	}
}

// FuzzReturnPath holds that whatever passes stays on this site, as a browser resolves it and as http.Redirect writes it.
func FuzzReturnPath(f *testing.F) {
	for _, raw := range waysOut {
		f.Add(raw)
	}
	f.Add("/orders?id=1")
	base, err := url.Parse("https://app.example.com/auth/callback")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw string) {
		if !oidcauth.LocalPath(raw) {
			return
		}
		asBrowser := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimSpace(raw))
		u, err := base.Parse(asBrowser)
		require.NoError(t, err)
		require.Equal(t, "https://app.example.com", u.Scheme+"://"+u.Host)
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodGet, "https://app.example.com/x", nil), raw, http.StatusSeeOther)
		redirected := w.Header().Get("Location")
		require.False(t, strings.HasPrefix(redirected, "//") || strings.Contains(redirected, `\`), "%q became %q", raw, redirected)
	})
}
