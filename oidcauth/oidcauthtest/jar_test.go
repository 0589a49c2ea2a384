package oidcauthtest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

// web is a network on which every origin sets the cookies that the query's
// "set" values hold and shows the Cookie header that it got.
type web struct{}

func (web) RoundTrip(r *http.Request) (*http.Response, error) {
	n := oidcauthtest.NewNetwork()
	n.Handle(r.URL.Scheme+"://"+r.URL.Host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = r.URL.Query()["set"]
		for name, values := range r.URL.Query() {
			if strings.HasPrefix(name, "header-") {
				w.Header()[http.CanonicalHeaderKey(strings.TrimPrefix(name, "header-"))] = values
			}
		}
		if to := r.URL.Query().Get("to"); to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(map[string]int{"": 302, "307": 307}[r.URL.Query().Get("status")])
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, r.Header.Get("Cookie"))
	}))
	return n.RoundTrip(r)
}

// set asks rawURL to set cookies, and returns why one was refused.
func set(b *oidcauthtest.Browser, rawURL string, lines ...string) string {
	page := b.Get(rawURL + "?" + url.Values{"set": lines}.Encode())
	if refused := page.Exchanges[0].Refused; len(refused) > 0 {
		return refused[0].Reason
	}
	return ""
}

func TestCookieAttributes(t *testing.T) {
	for name, test := range map[string]struct {
		from, line string
		to, want   string // what is sent to another URL
		refused    string // part of the reason
	}{
		"a plain cookie comes back":               {"https://a.test/", "a=1", "https://a.test/x", "a=1", ""},
		"ports don't count":                       {"http://localhost:1/", "a=1", "http://localhost:2/", "a=1", ""},
		"hosts are written in any case":           {"https://A.test/", "a=1", "https://a.TEST/", "a=1", ""},
		"a cookie without Domain is host-only":    {"https://a.test/", "a=1", "https://sub.a.test/", "", ""},
		"Domain includes sub-domains":             {"https://a.test/", "a=1; Domain=.a.test", "https://sub.a.test/", "a=1", ""},
		"Domain is not a suffix of letters":       {"https://a.test/", "a=1; Domain=a.test", "https://bada.test/", "", ""},
		"a foreign Domain is refused":             {"https://a.test/", "a=1; Domain=b.test", "https://b.test/", "", "Domain"},
		"a sub-domain's Domain is refused":        {"https://a.test/", "a=1; Domain=sub.a.test", "https://sub.a.test/", "", "Domain"},
		"a top-level Domain is refused":           {"https://a.test/", "a=1; Domain=test", "https://b.test/", "", "public suffix"},
		"Domain=localhost is localhost's":         {"http://localhost/", "a=1; Domain=localhost", "http://localhost/", "a=1", ""},
		"localhost and 127.0.0.1 are two":         {"http://localhost/", "a=1", "http://127.0.0.1/", "", ""},
		"Path is a prefix by segments":            {"https://a.test/", "a=1; Path=/auth", "https://a.test/auth/x", "a=1", ""},
		"Path is not a prefix of letters":         {"https://a.test/", "a=1; Path=/auth", "https://a.test/author", "", ""},
		"Path matches itself":                     {"https://a.test/", "a=1; Path=/auth", "https://a.test/auth", "a=1", ""},
		"Path may end in a slash":                 {"https://a.test/", "a=1; Path=/auth/", "https://a.test/auth/x", "a=1", ""},
		"the default path is the directory":       {"https://a.test/d/page", "a=1", "https://a.test/d/other", "a=1", ""},
		"the default path keeps others out":       {"https://a.test/d/page", "a=1", "https://a.test/", "", ""},
		"Secure comes back to https":              {"https://a.test/", "a=1; Secure", "https://a.test/", "a=1", ""},
		"Secure stays away from http":             {"https://a.test/", "a=1; Secure", "http://a.test/", "", ""},
		"Secure over http is refused":             {"http://a.test/", "a=1; Secure", "https://a.test/", "", "Secure"},
		"Secure works on http://localhost":        {"http://localhost:8080/", "a=1; Secure", "http://localhost:8080/", "a=1", ""},
		"Secure works on http://127.0.0.1":        {"http://127.0.0.1:8080/", "a=1; Secure", "http://127.0.0.1/", "a=1", ""},
		"Secure works on http://[::1]":            {"http://[::1]:8080/", "a=1; Secure", "http://[::1]/", "a=1", ""},
		"__Host- with all that it wants":          {"https://a.test/", "__Host-a=1; Path=/; Secure", "https://a.test/", "__Host-a=1", ""},
		"__Host- works on http://localhost":       {"http://localhost/", "__Host-a=1; Path=/; Secure", "http://localhost/", "__Host-a=1", ""},
		"__Host- without Secure is refused":       {"https://a.test/", "__Host-a=1; Path=/", "https://a.test/", "", "__Host-"},
		"__Host- without Path is refused":         {"https://a.test/", "__Host-a=1; Secure", "https://a.test/", "", "__Host-"},
		"__Host- with a longer Path is refused":   {"https://a.test/", "__Host-a=1; Secure; Path=/x", "https://a.test/x", "", "__Host-"},
		"__Host- with Domain is refused":          {"https://a.test/", "__Host-a=1; Secure; Path=/; Domain=a.test", "https://a.test/", "", "__Host-"},
		"__host- in small letters is the same":    {"https://a.test/", "__host-a=1; Path=/", "https://a.test/", "", "__Host-"},
		"__Secure- with Secure":                   {"https://a.test/", "__Secure-a=1; Secure", "https://a.test/", "__Secure-a=1", ""},
		"__Secure- without Secure is refused":     {"https://a.test/", "__Secure-a=1", "https://a.test/", "", "__Secure-"},
		"SameSite=None with Secure":               {"https://a.test/", "a=1; SameSite=None; Secure", "https://a.test/", "a=1", ""},
		"SameSite=None without Secure is refused": {"https://a.test/", "a=1; SameSite=None", "https://a.test/", "", "None"},
		"a line of 4096 bytes fits":               {"https://a.test/", "a=" + strings.Repeat("x", 4094), "https://a.test/", "a=" + strings.Repeat("x", 4094), ""},
		"a line of 4097 bytes is refused":         {"https://a.test/", "a=" + strings.Repeat("x", 4095), "https://a.test/", "", "4096"},
		"attributes count for the size":           {"https://a.test/", "a=" + strings.Repeat("x", 4087) + "; Path=/", "https://a.test/", "", "4096"},
		"Max-Age=0 removes":                       {"https://a.test/", "a=1; Max-Age=0", "https://a.test/", "", ""},
		"a past Expires removes":                  {"https://a.test/", "a=1; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "https://a.test/", "", ""},
		"Max-Age beats Expires":                   {"https://a.test/", "a=1; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "https://a.test/", "a=1", ""},
		"quotes belong to the value":              {"https://a.test/", `a="1"`, "https://a.test/", `a="1"`, ""},
		"a line without a name is refused":        {"https://a.test/", "=1", "https://a.test/", "", "http:"},
	} {
		t.Run(name, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(web{})
			require.Contains(t, set(b, test.from, test.line), test.refused)
			if test.refused == "" {
				require.Empty(t, set(b, test.from, test.line))
			}
			require.Equal(t, test.want, b.Get(test.to).Body)
		})
	}
}

func TestSameSite(t *testing.T) {
	cookies := []string{"none=1; SameSite=None; Secure", "lax=1; SameSite=Lax", "strict=1; SameSite=Strict", "unset=1"}
	for name, test := range map[string]struct {
		from string // page that makes the request; "" for the address bar
		act  func(b *oidcauthtest.Browser) *oidcauthtest.Page
		want string
	}{
		"typed into the address bar":     {"", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Get("https://a.test/") }, "none lax strict unset"},
		"a link on a page of the site":   {"https://other.a.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Click("https://a.test/") }, "none lax strict unset"},
		"a link on a page of another":    {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Click("https://a.test/") }, "none lax unset"},
		"a link on the site's http page": {"http://a.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Click("https://a.test/") }, "none lax unset"},
		"a form on a page of the site":   {"https://a.test/x", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Post("https://a.test/", nil) }, "none lax strict unset"},
		"a form on a page of another":    {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Post("https://a.test/", nil) }, "none unset"},
		"the same, two minutes later": {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page {
			later := b.Now().Add(2 * time.Minute)
			b.Now = func() time.Time { return later }
			return b.Post("https://a.test/", nil)
		}, "none"},
		"a frame on a page of the site": {"https://a.test/x", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Frame("https://a.test/") }, "none lax strict unset"},
		"a frame on a page of another":  {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Frame("https://a.test/") }, "none"},
		"an image on a page of another": {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Load("https://a.test/", "image") }, "none"},
		"a fetch of the page's own":     {"https://a.test/x", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Fetch("/", oidcauthtest.FetchOptions{}) }, "none lax strict unset"},
		"a fetch of the page's, omitting": {"https://a.test/x", func(b *oidcauthtest.Browser) *oidcauthtest.Page {
			return b.Fetch("/", oidcauthtest.FetchOptions{Credentials: "omit"})
		}, ""},
		"a fetch from another site": {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page {
			return b.Fetch("https://a.test/", oidcauthtest.FetchOptions{})
		}, ""},
		"a fetch from another, included": {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page {
			return b.Fetch("https://a.test/", oidcauthtest.FetchOptions{Credentials: "include"})
		}, "none"},
		"a fetch from a sibling, included": {"https://other.a.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page {
			return b.Fetch("https://a.test/", oidcauthtest.FetchOptions{Credentials: "include"})
		}, "none lax strict unset"},
		"a redirect through another site": {"", func(b *oidcauthtest.Browser) *oidcauthtest.Page {
			return b.Get("https://evil.test/?to=https%3A%2F%2Fa.test%2F")
		}, "none lax unset"},
		"a prefetch from another site":   {"https://evil.test/", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Prefetch("https://a.test/") }, "none"},
		"a prerender from the same site": {"https://a.test/x", func(b *oidcauthtest.Browser) *oidcauthtest.Page { return b.Prerender("/") }, "none lax strict unset"},
	} {
		t.Run(name, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(web{})
			require.Empty(t, set(b, "https://a.test/", cookies...))
			if test.from != "" {
				b.Show(test.from, "")
			}
			got := strings.ReplaceAll(strings.ReplaceAll(test.act(b).Body, "=1", ""), ";", "")
			require.Equal(t, test.want, got)
		})
	}
}

func TestThirdPartiesSetSameSiteNoneOnly(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	b.Show("https://evil.test/", "")
	lines := url.Values{"set": {"lax=1; SameSite=Lax", "none=1; SameSite=None; Secure"}}.Encode()
	page := b.Frame("https://a.test/?" + lines)
	require.Equal(t, "lax=1; SameSite=Lax", page.Exchanges[0].Refused[0].Line)
	require.Equal(t, "none=1", b.Get("https://a.test/").Body)
}

func TestSecureCookiesAreLeftAlone(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	require.Empty(t, set(b, "https://a.test/", "a=secure; Secure"))
	require.Contains(t, set(b, "http://a.test/", "a=plain"), "overwritten")
	require.Equal(t, "a=secure", b.Get("https://a.test/").Body)
}

func TestCookieOrderAndReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oidcauthtest.NewBrowser(web{})
		for _, line := range []string{"old=1; Path=/", "new=1; Path=/", "long=1; Path=/x", "old=2; Path=/"} {
			require.Empty(t, set(b, "https://a.test/", line))
			time.Sleep(time.Second)
		}
		require.Equal(t, "long=1; old=2; new=1", b.Get("https://a.test/x").Body, "longer paths first, then by first creation")
		require.Empty(t, set(b, "https://a.test/", "old=3; Path=/; Max-Age=10"))
		time.Sleep(9 * time.Second)
		require.Equal(t, "3", b.Cookie("https://a.test/", "old").Value)
		time.Sleep(time.Second)
		require.Nil(t, b.Cookie("https://a.test/", "old"))
	})
}

func TestCookiesLiveFor400DaysAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oidcauthtest.NewBrowser(web{})
		require.Empty(t, set(b, "https://a.test/", "a=1; Max-Age=99999999999"))
		require.Empty(t, set(b, "https://a.test/", "b=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"))
		time.Sleep(400*24*time.Hour - time.Second)
		require.Len(t, b.Cookies("https://a.test/"), 2)
		time.Sleep(time.Second)
		require.Empty(t, b.Cookies("https://a.test/"))
	})
}

func TestTooManyCookies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oidcauthtest.NewBrowser(web{})
		for i := range 180 {
			require.Empty(t, set(b, "https://a.test/", fmt.Sprintf("c%d=1; Path=/p%d", i, i)))
			time.Sleep(time.Second)
		}
		b.Get("https://a.test/p0") // uses the oldest
		require.Empty(t, set(b, "https://sub.a.test/", "more=1"))
		require.NotNil(t, b.Cookie("https://a.test/p0", "c0"))
		require.Nil(t, b.Cookie("https://a.test/p1", "c1"), "the one unused for longest goes")
		require.NotNil(t, b.Cookie("https://a.test/p2", "c2"))
	})
}

func TestCookiesFromTheTest(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	require.Empty(t, b.SetCookie("https://a.test/", &http.Cookie{Name: "__Host-a", Value: "1", Path: "/", Secure: true, SameSite: http.SameSiteStrictMode}))
	require.Contains(t, b.SetCookie("https://a.test/", &http.Cookie{Name: "__Host-b", Value: "1"}), "__Host-")
	require.Empty(t, b.SetCookie("https://a.test/", &http.Cookie{Name: "c", Value: "1", Path: "/", Domain: "a.test", HttpOnly: true}))
	c := b.Cookie("https://a.test/", "__Host-a")
	require.Equal(t, []any{"1", "/", true, http.SameSiteStrictMode, ""}, []any{c.Value, c.Path, c.Secure, c.SameSite, c.Domain})
	require.Equal(t, "a.test", b.Cookie("https://a.test/", "c").Domain)
	b.DeleteCookie("https://a.test/", "c")
	require.Len(t, b.Cookies("https://a.test/"), 1)
	b.ClearCookies()
	require.Empty(t, b.Cookies("https://a.test/"))
}

func TestClearSiteData(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	require.Empty(t, set(b, "https://a.test/", "a=1"))
	require.Empty(t, set(b, "https://b.test/", "b=1"))
	b.Get(`https://a.test/?header-Clear-Site-Data="cookies"`)
	require.Empty(t, b.Cookies("https://a.test/"))
	require.Len(t, b.Cookies("https://b.test/"), 1)
}
