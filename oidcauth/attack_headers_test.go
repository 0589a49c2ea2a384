package oidcauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// Whatever a request says about the host it came to, the provider is told the configured one.
func TestTheRedirectURIComesFromTheConfigurationAlone(t *testing.T) {
	w := newWorld(t, noPAR)
	w.control()
	for name, change := range map[string]func(*http.Request){
		"Host":                      func(r *http.Request) { r.Host = "evil.example" },
		"an empty Host":             func(r *http.Request) { r.Host = "" },
		"a Host with a path":        func(r *http.Request) { r.Host = "evil.example/x?y" },
		"a Host with a line end":    func(r *http.Request) { r.Host = "a\r\nX: y" },
		"X-Forwarded-Host":          setHeader("X-Forwarded-Host", "evil.example"),
		"X-Forwarded-Host, a list":  setHeader("X-Forwarded-Host", "app.example.test, evil.example"),
		"X-Forwarded-Proto":         setHeader("X-Forwarded-Proto", "http"),
		"X-Forwarded-Port":          setHeader("X-Forwarded-Port", "8443"),
		"X-Forwarded-Prefix":        setHeader("X-Forwarded-Prefix", "//evil.example"),
		"X-Original-URL":            setHeader("X-Original-Url", "/auth/logout"),
		"X-Rewrite-URL":             setHeader("X-Rewrite-Url", "/auth/logout"),
		"X-HTTP-Method-Override":    setHeader("X-Http-Method-Override", "POST"),
		"Forwarded":                 setHeader("Forwarded", "host=evil.example;proto=http"),
		"X_Forwarded_Host":          setHeader("X_Forwarded_Host", "evil.example"),
		"x-forwarded-host":          setHeader("x-forwarded-host", "evil.example"),
		"Origin":                    setHeader("Origin", "https://evil.example"),
		"Referer":                   setHeader("Referer", "https://evil.example/"),
		"HTTP/1.0":                  func(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor, r.Host = "HTTP/1.0", 1, 0, "" },
		"plain http behind a proxy": func(r *http.Request) { r.TLS = nil },
		"an absolute form of the URL": func(r *http.Request) {
			r.URL.Scheme, r.URL.Host, r.RequestURI = "https", "evil.example", "https://evil.example"+r.RequestURI
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.raw(http.MethodGet, app+"/auth/login?return_to=/me", opened, change)
			require.Equal(t, http.StatusSeeOther, answer.StatusCode)
			location := answer.Header.Get("Location")
			require.True(t, strings.HasPrefix(location, w.provider.Issuer()+"/authorize?"), location)
			require.Equal(t, app+"/auth/callback", mustQuery(t, location).Get("redirect_uri"))
			require.NotContains(t, location, "evil")
			for _, line := range answer.Header.Values("Set-Cookie") {
				require.Contains(t, line, "Secure")
				require.NotContains(t, line, "Domain")
			}
			logout := w.raw(http.MethodPost, app+"/auth/logout", change, func(r *http.Request) { r.Header.Del("Origin") })
			require.Equal(t, app+"/auth/signed-out", mustQuery(t, logout.Header.Get("Location")).Get("post_logout_redirect_uri"))
		})
	}
}

// Headers that some proxy might have set name nobody.
func TestHeadersSignNobodyIn(t *testing.T) {
	w := newWorld(t)
	guarded := w.auth.RequireLogin(http.HandlerFunc(writeUser))
	for name, change := range map[string]func(*http.Request){
		"X-User":                      setHeader("X-User", "alice"),
		"X-Forwarded-User":            setHeader("X-Forwarded-User", "alice"),
		"X_Forwarded_User":            setHeader("X_Forwarded_User", "alice"),
		"X-Auth-Request-User":         setHeader("X-Auth-Request-User", "alice"),
		"Remote-User":                 setHeader("Remote-User", "alice"),
		"OIDC_CLAIM_sub":              setHeader("OIDC_CLAIM_sub", "alice"),
		"a bearer token":              setHeader("Authorization", "Bearer fake"),
		"basic credentials":           func(r *http.Request) { r.SetBasicAuth("alice", "x") },
		"a session in a header":       setHeader("__Host-session", "x"),
		"a session in the query":      func(r *http.Request) { r.URL.RawQuery = "__Host-session=x&session=x" },
		"a client certificate's name": setHeader("X-Ssl-Client-S-Dn", "CN=alice"),
		"a path of the own routes":    setHeader("X-Original-Url", "/auth/login"),
		"localhost as the peer":       func(r *http.Request) { r.RemoteAddr = "127.0.0.1:1" },
		"localhost as forwarded":      setHeader("X-Forwarded-For", "127.0.0.1"),
		"a healthy user agent":        setHeader("User-Agent", "kube-probe/1.30"),
		"a pre-flight in name":        setHeader("Access-Control-Request-Method", "GET"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
				r := httptest.NewRequest(method, app+"/me", http.NoBody)
				change(r)
				rec := httptest.NewRecorder()
				guarded.ServeHTTP(rec, r)
				require.Equal(t, http.StatusUnauthorized, rec.Code, method)
				require.Empty(t, rec.Header().Values("Set-Cookie"))
				require.NotContains(t, rec.Body.String(), "alice")
			}
		})
	}
	require.Zero(t, w.provider.Count())
}

// Paths near the own routes are guarded like any other.
func TestOnlyTheOwnRoutesThemselvesAreOpen(t *testing.T) {
	w := newWorld(t)
	whole := w.auth.RequireLogin(http.HandlerFunc(writeUser))
	for _, line := range []string{
		"/auth/login/", "/auth/login/../../me", "/auth/login/..%2f..%2fme", "/auth//login", "/auth/./login", "//auth/login", "/AUTH/login", "/auth/Login",
		"/auth/login%00", "/auth/login%20", "/auth/login;x", "/auth/login.css", "/auth/", "/auth", "/", "/auth/logout/me", "/auth/style.css/me",
		"/auth/backchannel-logout", "/auth/frontchannel-logout", "/me/auth/login", "/auth/login\\me", "*", "https://evil.example/me",
	} {
		answer := rawLine(whole, line)
		if answer != nil {
			require.Equal(t, http.StatusUnauthorized, answer.StatusCode, line)
		}
	}
	require.Equal(t, http.StatusSeeOther, rawLine(whole, "/auth/login").StatusCode)
}

// What is no page view starts nothing, whatever it says about itself.
func TestAScriptWithAnExpiredSessionGets401(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.browser.SetCookie(app, &http.Cookie{Name: "__Host-session", Value: "broken", Path: "/", Secure: true, HttpOnly: true})
	w.provider.Forget()
	tab := w.browser.NewTab()
	tab.Show(app+"/", "")
	for name, o := range map[string]oidcauthtest.FetchOptions{
		"JSON":                  {Header: http.Header{"Accept": {"application/json"}}},
		"HTML":                  {Header: http.Header{"Accept": {"text/html"}}},
		"POST":                  {Method: "POST", Body: "{}"},
		"no-cors":               {Mode: "no-cors"},
		"with X-Requested-With": {Header: http.Header{"X-Requested-With": {"XMLHttpRequest"}}},
	} {
		t.Run(name, func(t *testing.T) {
			page := tab.Fetch("/me", o)
			require.Equal(t, http.StatusUnauthorized, page.Status)
			require.Empty(t, page.Header.Get("Location"))
			for _, line := range page.Header.Values("Set-Cookie") {
				require.Contains(t, line, "Max-Age=0", "only the broken cookie is expired")
			}
		})
	}
	require.Zero(t, w.provider.Count(), "no traffic to the provider")
}

// Each row is a POST that another site makes a browser send.
func TestAnotherSitesPostIsRefused(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"cross-site":                          {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"a sibling domain":                    {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example.test"},
		"an old browser":                      {"Origin": "https://evil.example"},
		"an old browser, our name as a user":  {"Origin": "https://app.example.test@evil.example"},
		"an old browser, our name in front":   {"Origin": "https://app.example.test.evil.example"},
		"an old browser, another port":        {"Origin": "https://app.example.test:8443"},
		"an old browser, a null origin":       {"Origin": "null"},
		"an old browser, a broken origin":     {"Origin": "https://%zz"},
		"an unknown relation":                 {"Sec-Fetch-Site": "nearby", "Origin": "https://evil.example"},
		"a script that asks for its own site": {"Sec-Fetch-Site": "cross-site", "Origin": app},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn()
			answer := w.raw(http.MethodPost, app+"/auth/logout", w.cookiesOf(w.browser), func(r *http.Request) {
				for k, v := range headers {
					r.Header.Set(k, v)
				}
			})
			require.Equal(t, http.StatusForbidden, answer.StatusCode)
			requireProtected(t, answer.Header)
			require.Empty(t, answer.Header.Values("Set-Cookie"))
			require.NotNil(t, w.user())
			require.Zero(t, w.provider.Count(oidcauthtest.Revocation))
		})
	}
}

// A real server and raw bytes: what net/http lets through must not get past the routes.
func TestRawRequestsOverASocket(t *testing.T) {
	w := newWorld(t, noPAR, backChannel)
	server := httptest.NewUnstartedServer(w.mux)
	server.Config.MaxHeaderBytes = 64 << 10
	server.Start()
	defer server.Close()
	for name, row := range map[string]struct {
		request string
		status  []int
	}{
		"an absolute form with another host": {"GET https://evil.example/auth/login HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n", []int{303}},
		"HTTP/1.0 without a host":            {"GET /auth/login HTTP/1.0\r\nAccept: text/html\r\n\r\n", []int{303}},
		"two hosts":                          {"GET /auth/login HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", []int{400}},
		"a folded header":                    {"GET /me HTTP/1.1\r\nHost: x\r\nX-A: b\r\n Cookie: __Host-session=x\r\n\r\n", []int{400, 401}},
		"a header with a space before ':'":   {"GET /me HTTP/1.1\r\nHost: x\r\nCookie : a=b\r\n\r\n", []int{400}},
		"a zero byte in a header":            {"GET /me HTTP/1.1\r\nHost: x\r\nCookie: a=\x00\r\n\r\n", []int{400}},
		"a bare line feed":                   {"GET /me HTTP/1.1\nHost: x\n\n", []int{401}},
		"two lengths":                        {"POST /auth/callback HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", []int{400}},
		"a length and chunks":                {"POST /auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{303, 400}},
		"a negative length":                  {"POST /auth/backchannel-logout HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", []int{400}},
		"100 kB of headers":                  {"GET /auth/login HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", []int{431}},
		"5,000 cookies": {"GET /auth/callback?code=x&state=y HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a=b; ", 5000) + "c=d\r\n\r\n",
			[]int{400}},
		"1,000 transactions":    {"GET /auth/login HTTP/1.1\r\nHost: x\r\nCookie: " + manyCookies(1000) + "\r\n\r\n", []int{303}},
		"TRACE":                 {"TRACE /auth/login HTTP/1.1\r\nHost: x\r\nCookie: secret=1\r\n\r\n", []int{405}},
		"CONNECT":               {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", []int{400, 404, 405}},
		"OPTIONS *":             {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", []int{200, 400, 404}},
		"a method of 10 kB":     {strings.Repeat("X", 10<<10) + " /auth/login HTTP/1.1\r\nHost: x\r\n\r\n", []int{405}},
		"a post without a body": {"POST /auth/backchannel-logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n", []int{400}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			go func() { _, _ = io.WriteString(conn, row.request) }()
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
			require.Contains(t, row.status, answer.StatusCode, string(body))
			require.NotContains(t, string(body), "secret=1")
			if answer.StatusCode == http.StatusSeeOther {
				require.NotContains(t, answer.Header.Get("Location"), "evil")
			}
			var size int
			for _, line := range answer.Header.Values("Set-Cookie") {
				size += len(line)
			}
			require.Less(t, size, 256<<10)
		})
	}
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func manyCookies(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "__Host-session-login-%d=x; ", i)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

// The routes read only what they name: a third party's login takes no options along.
func TestALoginThatAThirdPartyInitiatesReadsThreeParametersOnly(t *testing.T) {
	w := newWorld(t, noPAR)
	answer := w.raw(http.MethodGet, app+"/auth/login?"+url.Values{
		"iss": {w.provider.Issuer()}, "login_hint": {"bob"}, "target_link_uri": {"/me"},
		"return_to": {"/other"}, "prompt": {"none"}, "max_age": {"0"}, "acr_values": {"gold"}, "scope": {"admin"}, "redirect_uri": {"https://evil.example"},
		"state": {"forged"}, "nonce": {"forged"}, "client_id": {"evil"}, "request_uri": {"https://evil.example"}, "response_mode": {"fragment"},
	}.Encode(), opened)
	q := mustQuery(t, answer.Header.Get("Location"))
	for _, name := range []string{"prompt", "max_age", "acr_values", "request_uri", "response_mode", "return_to", "iss", "target_link_uri"} {
		require.False(t, q.Has(name), name)
	}
	require.Equal(t, "bob", q.Get("login_hint"))
	require.Equal(t, "app", q.Get("client_id"))
	require.NotContains(t, answer.Header.Get("Location"), "evil")
	require.NotContains(t, q.Get("state")+q.Get("nonce"), "forged")
	for name, query := range map[string]string{
		"iss twice":          "iss=" + url.QueryEscape(w.provider.Issuer()) + "&iss=https://evil.example",
		"return_to twice":    "return_to=/a&return_to=//evil.example",
		"login_hint twice":   "login_hint=a&login_hint=b",
		"an empty iss":       "iss=",
		"another iss":        "iss=https://evil.example",
		"iss in capitals":    "iss=" + strings.ToUpper(url.QueryEscape(w.provider.Issuer())),
		"a hint of 10 kB":    "iss=" + url.QueryEscape(w.provider.Issuer()) + "&login_hint=" + strings.Repeat("x", 10<<10),
		"a malformed escape": "return_to=%zz",
		"semicolons":         "return_to=/a;iss=x",
		"20,000 parameters":  strings.Repeat("a=b&", 20000),
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.raw(http.MethodGet, app+"/auth/login?"+query, opened)
			require.Equal(t, http.StatusBadRequest, answer.StatusCode)
			requireProtected(t, answer.Header)
			require.Empty(t, answer.Header.Values("Set-Cookie"))
		})
	}
}

// What an API asks for is passed on to a script, and no more than that.
func TestAnAPIsChallengeCannotWriteTheHeader(t *testing.T) {
	w := newWorld(t)
	w.mux.HandleFunc("/step", func(rw http.ResponseWriter, r *http.Request) {
		w.auth.StepUp(rw, r, &oidcauth.StepUpError{
			ACRValues: []string{"gold", `x", error="invalid_token`, "a\r\nSet-Cookie: x=y", `back\slash`, "ünïcode"}, MaxAge: time.Minute,
		})
	})
	answer, _ := w.ask("/step", nil)
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Equal(t, `Bearer error="insufficient_user_authentication", error_description="A fresher or stronger login is required", acr_values="gold", max_age="60"`,
		answer.Header.Get("WWW-Authenticate"))
}
