package main_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A browser keeps cookies and behaves like a person at a page: it follows redirects, sends Fetch Metadata, submits the forms it
// sees.
type browser struct {
	t      *testing.T
	client *http.Client
	jar    http.CookieJar
	page   page
}

// A page is what the browser shows.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   string
	steps  []string // the addresses that redirects led through, without queries
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t: t, jar: jar, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// open is an address typed into the address bar.
func (b *browser) open(address string) page {
	b.t.Helper()
	return b.navigate(http.MethodGet, address, nil, "")
}

// submit fills in the form on the current page whose action holds the given text, and sends it.
func (b *browser) submit(action string, values url.Values) page {
	b.t.Helper()
	for _, m := range regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>`).FindAllStringSubmatch(b.page.body, -1) {
		if target := html.UnescapeString(m[1]); strings.Contains(target, action) {
			to, err := b.page.url.Parse(target)
			require.NoError(b.t, err)
			return b.navigate(http.MethodPost, to.String(), values, b.page.url.Scheme+"://"+b.page.url.Host)
		}
	}
	require.Failf(b.t, "no such form", "want a form to %q on\n%s", action, b.page.body)
	return page{}
}

// signIn sends the provider's sign-in form.
func (b *browser) signIn(username, password string) page {
	b.t.Helper()
	return b.submit("/authorize/", url.Values{"username": {username}, "password": {password}, "action": {"sign-in"}})
}

// navigate goes to address and follows redirects; after a 303 the method is GET, as everywhere in this app.
func (b *browser) navigate(method, address string, form url.Values, origin string) page {
	b.t.Helper()
	var steps []string
	site := "none"
	if origin != "" {
		site = "cross-site"
		if strings.HasPrefix(address, origin+"/") {
			site = "same-origin"
		}
	}
	for range 15 {
		req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
		require.NoError(b.t, err)
		req.Header.Set("Accept", "text/html,application/xhtml+xml")
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
		req.Header.Set("Sec-Fetch-Site", site)
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", origin)
		}
		b.show(req, steps)
		if b.page.status != http.StatusSeeOther && b.page.status != http.StatusFound {
			return b.page
		}
		steps = append(steps, req.URL.Scheme+"://"+req.URL.Host+req.URL.Path)
		next, err := req.URL.Parse(b.page.header.Get("Location"))
		require.NoError(b.t, err)
		if next.Host != req.URL.Host {
			site = "cross-site"
		}
		method, address, form, origin = http.MethodGet, next.String(), nil, ""
	}
	require.Fail(b.t, "redirect loop", "%v", steps)
	return page{}
}

// fetch is a script's request: no navigation, no redirects.
func (b *browser) fetch(method, address string) page {
	b.t.Helper()
	req, err := http.NewRequest(method, address, nil)
	require.NoError(b.t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Dest", "empty")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	b.show(req, nil)
	return b.page
}

func (b *browser) show(req *http.Request, steps []string) {
	b.t.Helper()
	resp, err := b.client.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	b.page = page{url: req.URL, status: resp.StatusCode, header: resp.Header, body: string(body), steps: steps}
}

// cookies returns the cookies that the browser would send to address.
func (b *browser) cookies(address string) []*http.Cookie {
	u, err := url.Parse(address)
	require.NoError(b.t, err)
	return b.jar.Cookies(u)
}
