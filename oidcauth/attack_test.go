package oidcauth_test

import (
	"bufio"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// The attacks of this file's relatives are played from outside: a bent provider, a hostile browser, and what they see of the
// application. Each counts only beside a login that succeeds in the same configuration.

// pagePolicy is the policy of every answer of the own routes, but for the one that the provider may frame.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// requireSealedOff asserts what every refusal carries and what none does.
func requireSealedOff(t *testing.T, page *oidcauthtest.Page) {
	t.Helper()
	require.NoError(t, page.Err)
	h := page.Header
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Equal(t, pagePolicy, h.Get("Content-Security-Policy"))
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", h.Get("X-Frame-Options"))
	require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
	require.Empty(t, h.Get("Location"), "a refusal leads nowhere by itself")
	require.Empty(t, h.Get("Refresh"))
	require.Empty(t, h.Values("Access-Control-Allow-Origin"))
	for _, line := range h.Values("Set-Cookie") {
		require.Contains(t, line, "Max-Age=0", "a refusal sets no cookie, it only expires some")
	}
	require.NotContains(t, page.Body, "goroutine ", "no stack trace")
	require.NotContains(t, page.Body, "oidcauth", "no error text")
	require.Less(t, len(page.Body), 4<<10)
}

// requireR1 asserts a refusal before anything was sent to the provider: 400-class, no session, nothing asked.
func requireR1(t *testing.T, w *world, page *oidcauthtest.Page) {
	t.Helper()
	requireSealedOff(t, page)
	require.GreaterOrEqual(t, page.Status, 400, page.Body)
	require.Less(t, page.Status, 500, page.Body)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint), "no code was sent")
	require.Zero(t, w.provider.Count(oidcauthtest.UserInfo))
	require.False(t, w.hasSession())
}

// requireR2 asserts a refusal after the one token request: an error page, no session, no userinfo, no second try.
func requireR2(t *testing.T, w *world, page *oidcauthtest.Page) {
	t.Helper()
	requireSealedOff(t, page)
	require.Contains(t, []int{http.StatusBadRequest, http.StatusBadGateway}, page.Status, page.Body)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint), "one code, sent once")
	require.Zero(t, w.provider.Count(oidcauthtest.UserInfo, oidcauthtest.API))
	require.False(t, w.hasSession())
	require.NotContains(t, page.Body, "alice")
}

// anew gives the world a browser without history and forgets what the provider saw.
func (w *world) anew() *oidcauthtest.Browser {
	w.browser = oidcauthtest.NewBrowser(w.network)
	w.provider.Forget()
	return w.browser
}

// control signs in once, as the proof that the configuration works, and then begins anew.
func (w *world) control() {
	w.Helper()
	w.anew()
	w.signIn()
	require.NotNil(w, w.user())
	w.anew()
}

// evil is an attacker's host that notes who calls.
func (w *world) evil() (calls func() []string) {
	w.network.Handle("https://evil.example", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(http.StatusOK)
	}))
	return func() []string {
		return slices.DeleteFunc(w.network.Asked(), func(u string) bool {
			return strings.HasPrefix(u, app) || strings.HasPrefix(u, w.provider.Issuer()+"/")
		})
	}
}

// raw sends one request to the Authenticator's own routes without a browser's manners, and returns the answer.
func (w *world) raw(method, target string, change ...func(*http.Request)) *http.Response {
	w.Helper()
	r := httptest.NewRequest(method, target, http.NoBody)
	for _, f := range change {
		f(r)
	}
	rec := httptest.NewRecorder()
	w.auth.ServeHTTP(rec, r)
	return rec.Result()
}

// setHeader sets one request header as it stands, without canonical spelling.
func setHeader(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

// opened makes a raw request one of a browser that opens a page.
func opened(r *http.Request) {
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Accept", "text/html")
}

// cookiesOf sends the browser's cookies with a raw request.
func (w *world) cookiesOf(b *oidcauthtest.Browser) func(*http.Request) {
	return func(r *http.Request) {
		for _, c := range b.Cookies(app + "/") {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

func noPAR(c *oidcauth.Config)   { c.PAR = oidcauth.PAROff }
func pushing(c *oidcauth.Config) { c.PAR = oidcauth.PAROn }

// decoded undoes base64url without padding.
func decoded(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	return raw
}

// rawLine sends a request with this request-target to h, as it stands on the request line; nil when net/http refuses it.
func rawLine(h http.Handler, target string, change ...func(*http.Request)) *http.Response {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: app.example.test\r\n\r\n")))
	if err != nil {
		return nil
	}
	r.RemoteAddr = "192.0.2.1:1234"
	for _, f := range change {
		f(r)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}
