package oidcauthtest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func lastHeader(b *oidcauthtest.Browser) http.Header {
	history := b.History()
	return history[len(history)-1].Header
}

func TestRequestHeaders(t *testing.T) {
	type browser = *oidcauthtest.Browser
	none := map[string]string{}
	for name, test := range map[string]struct {
		from string // URL of the page; with ?header-… for its headers; "" for an empty tab
		act  func(b browser)
		want map[string]string // "" for absent
	}{
		"typed": {"", func(b browser) { b.Get("https://a.test/") },
			map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1", "Referer": "", "Origin": "", "Upgrade-Insecure-Requests": "1"}},
		"typed, then redirected to another site": {"", func(b browser) { b.Get("https://b.test/?to=https%3A%2F%2Fa.test") },
			map[string]string{"Sec-Fetch-Site": "none", "Referer": ""}},
		"a link within the origin": {"https://a.test/p?q=1", func(b browser) { b.Click("/other") },
			map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-User": "?1", "Referer": "https://a.test/p?q=1"}},
		"a fragment is nobody's business": {"https://a.test/p#frag", func(b browser) { b.Click("/other") }, map[string]string{"Referer": "https://a.test/p"}},
		"a redirect may tighten the policy": {"https://a.test/p", func(b browser) {
			b.Click("https://b.test/?header-Referrer-Policy=no-referrer&to=" + url.QueryEscape("https://a.test/"))
		}, map[string]string{"Referer": ""}},
		"a link within the site": {"https://b.a.test/p", func(b browser) { b.Click("https://a.test/") },
			map[string]string{"Sec-Fetch-Site": "same-site", "Referer": "https://b.a.test/"}},
		"a link from another port": {"http://localhost:1/p", func(b browser) { b.Click("http://localhost:2/") },
			map[string]string{"Sec-Fetch-Site": "same-site", "Referer": "http://localhost:1/"}},
		"a link from localhost to 127.0.0.1": {"http://localhost:1/p", func(b browser) { b.Click("http://127.0.0.1:1/") },
			map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"a link from http to https": {"http://a.test/p", func(b browser) { b.Click("https://a.test/") },
			map[string]string{"Sec-Fetch-Site": "cross-site", "Referer": "http://a.test/"}},
		"a link from https to http": {"https://a.test/p", func(b browser) { b.Click("http://a.test/") },
			map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Mode": "", "Referer": ""}},
		"a link that is redirected back through another site": {"https://a.test/p", func(b browser) { b.Click("https://b.test/?to=https%3A%2F%2Fa.test%2F") },
			map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"a form within the origin": {"https://a.test/p", func(b browser) { b.Post("/", url.Values{"a": {"b"}}) },
			map[string]string{"Origin": "https://a.test", "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}},
		"a form under no-referrer": {"https://a.test/p?header-Referrer-Policy=no-referrer", func(b browser) { b.Post("/", nil) },
			map[string]string{"Origin": "null", "Referer": "", "Sec-Fetch-Site": "same-origin"}},
		"a form under same-origin": {"https://a.test/p?header-Referrer-Policy=same-origin", func(b browser) { b.Post("/", nil) },
			map[string]string{"Origin": "https://a.test", "Referer": "https://a.test/p?header-Referrer-Policy=same-origin"}},
		"a form to another site under same-origin": {"https://b.test/p?header-Referrer-Policy=same-origin", func(b browser) { b.Post("https://a.test/", nil) },
			map[string]string{"Origin": "null", "Referer": ""}},
		"the last known policy counts": {"https://a.test/p?header-Referrer-Policy=no-referrer,+origin,+new-one", func(b browser) { b.Click("/") },
			map[string]string{"Referer": "https://a.test/"}},
		"unsafe-url": {"https://b.test/p?header-Referrer-Policy=unsafe-url", func(b browser) { b.Click("http://a.test/") },
			map[string]string{"Referer": "https://b.test/p?header-Referrer-Policy=unsafe-url"}},
		"a form from another site": {"https://b.test/p", func(b browser) { b.Post("https://a.test/", nil) },
			map[string]string{"Origin": "https://b.test", "Sec-Fetch-Site": "cross-site", "Referer": "https://b.test/"}},
		"a form redirected by 302 becomes a GET": {"https://a.test/p", func(b browser) { b.Post("/?to=/x", url.Values{"a": {"b"}}) },
			map[string]string{"Origin": "", "Content-Type": ""}},
		"a form redirected by 307 twice across loses its origin": {"https://a.test/p", func(b browser) {
			b.Post("https://b.test/?status=307&to="+url.QueryEscape("https://c.test/"), url.Values{"a": {"b"}})
		}, map[string]string{"Origin": "null", "Content-Type": "application/x-www-form-urlencoded"}},
		"a frame": {"https://b.test/p", func(b browser) { b.Frame("https://a.test/") },
			map[string]string{"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-User": ""}},
		"an image": {"https://a.test/p", func(b browser) { b.Load("/i.png", "image") },
			map[string]string{"Sec-Fetch-Dest": "image", "Sec-Fetch-Mode": "no-cors", "Accept": "image/avif,image/webp,*/*;q=0.8"}},
		"a style sheet": {"https://a.test/p", func(b browser) { b.Load("/s.css", "style") }, map[string]string{"Accept": "text/css,*/*;q=0.1"}},
		"a prefetch": {"https://a.test/p", func(b browser) { b.Prefetch("/") },
			map[string]string{"Sec-Purpose": "prefetch", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}},
		"a prerender": {"https://a.test/p", func(b browser) { b.Prerender("/") },
			map[string]string{"Sec-Purpose": "prefetch;prerender", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}},
		"a fetch": {"https://a.test/p", func(b browser) {
			b.Fetch("/api", oidcauthtest.FetchOptions{Header: http.Header{"Accept": {"application/json"}}})
		},
			map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": "", "Accept": "application/json"}},
		"a fetch in same-origin mode": {"https://a.test/p", func(b browser) { b.Fetch("/api", oidcauthtest.FetchOptions{Mode: "same-origin"}) },
			map[string]string{"Sec-Fetch-Mode": "same-origin", "Origin": ""}},
		"a fetch across origins": {"https://b.test/p", func(b browser) { b.Fetch("https://a.test/api", oidcauthtest.FetchOptions{}) },
			map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://b.test"}},
		"a fetch that posts JSON": {"https://a.test/p", func(b browser) {
			b.Fetch("/api", oidcauthtest.FetchOptions{Method: "POST", Body: "{}", Header: http.Header{"Content-Type": {"application/json"}}})
		}, map[string]string{"Origin": "https://a.test", "Content-Type": "application/json"}},
		"a form from an empty tab is the target's own": {"", func(b browser) { b.Post("https://a.test/x", nil) },
			map[string]string{"Origin": "https://a.test", "Sec-Fetch-Site": "same-origin"}},
		"the test's own header": {"", func(b browser) { b.Header = http.Header{"X-Forwarded-Host": {"evil"}}; b.Get("https://a.test") },
			map[string]string{"X-Forwarded-Host": "evil"}},
		"a navigation from scratch is typed": {"", func(b browser) { b.Go(&oidcauthtest.Navigation{Method: "HEAD", URL: "https://a.test"}) },
			map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}},
		"nothing in particular": {"", func(b browser) { b.Get("http://a.test/") }, none},
	} {
		t.Run(name, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(web{})
			if test.from != "" {
				b.Get(test.from)
			}
			test.act(b)
			for header, want := range test.want {
				require.Equal(t, want, lastHeader(b).Get(header), header)
			}
		})
	}
}

func TestFetchInSameOriginModeStaysHome(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	b.Show("https://b.test/", "")
	require.Error(t, b.Fetch("https://a.test/", oidcauthtest.FetchOptions{Mode: "same-origin"}).Err)
	require.Empty(t, b.History())
}

func TestTabsShareCookies(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	other := b.NewTab()
	set(b, "https://a.test/", "a=1")
	require.Equal(t, "a=1", other.Get("https://a.test/").Body)
	require.Equal(t, "https://a.test/", other.Page().URL)
	require.Equal(t, []int{1, 2}, []int{b.History()[0].Tab, b.History()[1].Tab})
	require.Equal(t, "a", b.History()[0].SetCookie[0].Name)
}

func TestRedirectsEnd(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	page := b.Get("https://a.test/?to=?to=/")
	require.Equal(t, "https://a.test/?to=/", page.Exchanges[0].Location)
	n := oidcauthtest.NewNetwork()
	n.Handle("https://a.test", http.RedirectHandler("/", http.StatusFound))
	b = oidcauthtest.NewBrowser(n)
	page = b.Get("https://a.test/")
	require.ErrorIs(t, page.Err, oidcauthtest.ErrTooManyRedirects)
	require.Len(t, page.Exchanges, 21)
	require.Zero(t, page.Status)
}

func TestLocationsAreReadAsBrowsersDo(t *testing.T) {
	for location, want := range map[string]string{
		`/\evil.test/x`:       "https://evil.test/x",
		`\\evil.test`:         "https://evil.test",
		"//evil.test":         "https://evil.test",
		"x?y=1":               "https://a.test/x?y=1",
		"/x#new":              "https://a.test/x#new",
		"/x":                  "https://a.test/x",
		"javascript:alert(1)": "javascript:alert(1)",
	} {
		t.Run(location, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(web{})
			page := b.Get("https://a.test/?to=" + url.QueryEscape(location))
			require.Equal(t, want, page.Exchanges[0].Location)
			require.Equal(t, want == "javascript:alert(1)", page.Err != nil)
		})
	}
	b := oidcauthtest.NewBrowser(web{})
	require.Equal(t, "https://a.test/x#frag", b.Get("https://a.test/?to=/x#frag").URL, "a fragment outlives a redirect")
	require.Error(t, b.Get("no address").Err)
}

func TestPauses(t *testing.T) {
	b := oidcauthtest.NewBrowser(web{})
	b.Get("https://a.test/home")
	b.PauseAt("https://a.test/callback")
	page := b.Click("https://b.test/?to=" + url.QueryEscape("https://a.test/callback?code=1"))
	require.Equal(t, "https://a.test/callback?code=1", page.Paused.URL)
	require.Equal(t, "https://a.test/home", b.Page().URL, "the tab stays where it was")
	require.Len(t, page.Exchanges, 1)
	page.Paused.URL += "&state=2"
	done := b.Go(page.Paused)
	require.Equal(t, "https://a.test/callback?code=1&state=2", done.URL)
	require.Equal(t, "cross-site", lastHeader(b).Get("Sec-Fetch-Site"), "it goes on as the redirect that it was")
	again := b.Get("https://a.test/callback?to=/callback").Paused
	require.Equal(t, "https://a.test/callback", b.Go(again).Paused.URL, "the pause holds for the next request too")
	b.PauseAt("")
	require.Nil(t, b.Get("https://a.test/callback").Paused)
}

func TestReloadAndBack(t *testing.T) {
	n, count := oidcauthtest.NewNetwork(), 0
	n.Handle("https://a.test", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count++
		if r.URL.Path == "/private" {
			w.Header().Set("Cache-Control", "private, no-store")
		}
		fmt.Fprint(w, r.Method, r.FormValue("a"), count)
	}))
	b := oidcauthtest.NewBrowser(n)
	b.Get("https://a.test/public")
	b.Get("https://a.test/private")
	require.Equal(t, "POSTx3", b.Post("/form", url.Values{"a": {"x"}}).Body)
	require.Equal(t, "POSTx4", b.Reload().Body)
	require.Equal(t, "GET5", b.Back().Body, "what may not be stored is requested again")
	require.Equal(t, "GET1", b.Back().Body, "what may be stored is not")
	require.Equal(t, "https://a.test/public", b.Back().URL, "there is nothing before the first page")
}

func TestForms(t *testing.T) {
	const page = `<!-- <form action="/commented"></form> --><form action="/search"><input name="q" value="a &amp; b"></form>
		<FORM METHOD='post' ACTION='/auth/logout?x=1&amp;y=2'>
		<input type=hidden name=token value=abc><input type="checkbox" name="c1" value="1"><input type="checkbox" name="c2" value="2" checked>
		<input name="angle" value="a>b"><input type="submit" name="go" value="Go"><input value="nameless"></form><input name="outside">`
	b := oidcauthtest.NewBrowser(web{})
	forms := b.Show("https://a.test/p", page).Forms()
	require.Equal(t, []oidcauthtest.Form{
		{Action: "https://a.test/search", Method: "GET", Fields: url.Values{"q": {"a & b"}}},
		{Action: "https://a.test/auth/logout?x=1&y=2", Method: "POST", Fields: url.Values{"token": {"abc"}, "c2": {"2"}, "angle": {"a>b"}}},
	}, forms)
	require.Equal(t, "https://a.test/search?q=x", b.Submit("q", url.Values{"q": {"x"}}).URL)
	b.Back()
	require.Equal(t, url.Values{"token": {"abc"}, "c2": {"2"}, "angle": {"a>b"}, "new": {"1"}},
		b.Submit("/auth/logout?x=1&y=2", url.Values{"new": {"1"}}).Exchanges[0].Form)
	var missing *oidcauthtest.FormError
	require.True(t, errors.As(b.Submit("nothing", nil).Err, &missing))
	require.ErrorContains(t, missing, "nothing")
	require.Empty(t, (&oidcauthtest.Page{Status: 200, Body: page, Header: http.Header{"Content-Type": {"text/plain"}}}).Forms())
}

func TestFramingPolicies(t *testing.T) {
	for name, test := range map[string]struct {
		header, value string
		shown         bool
	}{
		"no policy":                       {"X-Other", "x", true},
		"X-Frame-Options: DENY":           {"X-Frame-Options", "deny", false},
		"X-Frame-Options: SAMEORIGIN":     {"X-Frame-Options", "SAMEORIGIN", false},
		"frame-ancestors 'none'":          {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'", false},
		"frame-ancestors 'self'":          {"Content-Security-Policy", "frame-ancestors 'self'", false},
		"frame-ancestors with the origin": {"Content-Security-Policy", "frame-ancestors 'self' https://b.test", true},
		"frame-ancestors with a wildcard": {"Content-Security-Policy", "frame-ancestors https://*.test", true},
		"frame-ancestors with a scheme":   {"Content-Security-Policy", "frame-ancestors https:", true},
		"frame-ancestors with a host":     {"Content-Security-Policy", "frame-ancestors b.test", true},
		"frame-ancestors with a port":     {"Content-Security-Policy", "frame-ancestors https://b.test:8443", false},
		"frame-ancestors *":               {"Content-Security-Policy", "frame-ancestors *", true},
		"two policies both count":         {"Content-Security-Policy", "frame-ancestors *, frame-ancestors 'none'", false},
		"a second directive does not":     {"Content-Security-Policy", "frame-ancestors *; frame-ancestors 'none'", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(web{})
			b.Show("https://b.test/", "")
			page := b.Frame("https://a.test/?" + url.Values{"header-" + test.header: {test.value}}.Encode())
			require.Equal(t, test.shown, !errors.Is(page.Err, oidcauthtest.ErrFraming))
		})
	}
	b := oidcauthtest.NewBrowser(web{})
	b.Show("https://b.test/", "")
	page := b.Frame("https://a.test/?header-X-Frame-Options=DENY&header-Content-Security-Policy=frame-ancestors+https:")
	require.NoError(t, page.Err, "frame-ancestors takes the place of X-Frame-Options")
}

func TestFormActionCoversRedirects(t *testing.T) {
	for name, test := range map[string]struct {
		policy string
		err    error
	}{
		"no form-action":            {"default-src 'none'", nil},
		"form-action 'none'":        {"form-action 'none'", oidcauthtest.ErrFormAction},
		"form-action 'self'":        {"form-action 'self'", oidcauthtest.ErrFormAction},
		"form-action of both":       {"form-action 'self' https://b.test", nil},
		"form-action of the second": {"form-action https://b.test", oidcauthtest.ErrFormAction},
	} {
		t.Run(name, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(web{})
			b.Get("https://a.test/?" + url.Values{"header-Content-Security-Policy": {test.policy}}.Encode())
			require.Equal(t, test.err, b.Post("/logout?to=https%3A%2F%2Fb.test%2F", nil).Err)
		})
	}
}
