package oidcauth_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// This is the table of what a request takes along to the API, and of what its answer brings back, with a real API behind it.
func TestTheHeadersThatPassTheProxy(t *testing.T) {
	w := newProxyWorld(t, func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Set-Cookie": "__Host-session=evil; Path=/; Secure", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true",
			"Clear-Site-Data": `"*"`, "Service-Worker-Allowed": "/", "Strict-Transport-Security": "max-age=31536000", "Secure-Session-Registration": "x",
			"Secure-Session-Challenge": "x", "Alt-Svc": `h3="evil.test:443"`, "Refresh": "0; url=https://evil.test", "Content-Security-Policy": "script-src *",
			"Cache-Control": "public, max-age=3600", "CDN-Cache-Control": "max-age=3600", "Surrogate-Control": "max-age=3600", "Expires": "Thu, 01 Jan 2099 00:00:00 GMT",
			"X-Accel-Redirect": "/etc/passwd", "X-Sendfile": "/etc/passwd", "NEL": "{}", "Report-To": "{}", "HX-Redirect": "https://evil.test", "Connection": "X-Hop",
			"X-Hop": "1", "Proxy-Authenticate": "Basic", "Content-Type": "image/svg+xml", "ETag": `"7"`, "X-Request-Id": "9", "Link": `</v1/2>; rel="next"`,
			"Www-Authenticate": "Basic realm=api", "Location": "/v1/orders/8?x#y", "Access_Control_Allow_Methods": "*",
		} {
			w.Header()[name] = []string{value}
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "<svg/>")
	}, nil)
	res := w.fetch(http.MethodPost, "/api/orders?q=1", "{}", map[string]string{
		"Authorization": "Bearer browser", "DPoP": "browser", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-User": "root", "X-Auth-Subject": "root", "Origin": app,
		"Forwarded": "for=1.2.3.4", "Content-Type": "application/json", "If-Match": `"6"`, "TE": "trailers", "Connection": "X-Mine", "X-Mine": "1", "X-Own": "1",
	})
	require.Equal(t, http.StatusCreated, res.StatusCode, res.body)

	got := w.seen[0].Header
	require.Regexp(t, `^Bearer ey`, got.Get("Authorization"), "the user's token")
	got.Del("Authorization")
	require.Equal(t, http.Header{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Content-Length": {"2"}, "Content-Type": {"application/json"}, "If-Match": {`"6"`},
		"User-Agent": {"Go-http-client/1.1"}, "X-Own": {"1"},
	}, got)
	require.Equal(t, strings.TrimPrefix(w.api.URL, "http://"), w.seen[0].Host)

	back := maps.Clone(res.Header)
	back.Del("Date")
	require.Equal(t, http.Header{
		"Cache-Control": {"private, no-store"}, "Content-Security-Policy": {"sandbox; default-src 'none'"}, "Content-Type": {"image/svg+xml"},
		"Content-Length": {"6"}, "Cross-Origin-Resource-Policy": {"same-origin"}, "Etag": {`"7"`}, "Link": {`</v1/2>; rel="next"`},
		"Location": {"/api/orders/8?x#y"}, "Referrer-Policy": {"no-referrer"}, "Vary": {"Cookie"}, "X-Content-Type-Options": {"nosniff"},
		"X-Frame-Options": {"DENY"}, "X-Request-Id": {"9"},
	}, back)
	for _, name := range slices.Sorted(maps.Keys(back)) {
		t.Logf("%-30s %s", name, back.Get(name))
	}
}

func TestWhereAProxyLeads(t *testing.T) {
	w := newProxyWorld(t, nil, nil)
	for path, want := range map[string]string{
		"/api/orders/7":               "/v1/orders/7",
		"/api/":                       "/v1/",
		"/api/a%2Fb?x=1&y;z=%zz&q=ä":  "/v1/a%2Fb?x=1&y;z=%zz&q=ä",
		"/api/x?":                     "/v1/x",
		"/api/..":                     "",
		"/api/x/../y":                 "",
		"/api/%2e%2e/admin":           "",
		"/api/x//y":                   "",
		"/api//evil.test":             "",
		"/api/%2e%2e%2fadmin":         "",
		"/api/..%5cadmin":             "",
		"/api/x%00y":                  "",
		"/api/http://evil.test/":      "",
		"/api/@evil.test/..%2f..%2fx": "",
	} {
		t.Run(path, func(t *testing.T) {
			asked := w.asked()
			r := w.request(http.MethodGet, "/", "", nil)
			r.URL.Opaque = "//" + r.URL.Host + path // byte for byte
			res := w.do(r)
			if want == "" {
				require.Equal(t, http.StatusBadRequest, res.StatusCode)
				require.Equal(t, "invalid_request", res.refusal(t)["error"])
				require.Equal(t, asked, w.asked())
				return
			}
			require.Equal(t, http.StatusOK, res.StatusCode, res.body)
			require.Equal(t, want, strings.TrimSuffix(w.seen[asked].RequestURI, "?"))
		})
	}
}

func TestWhoMayUseAProxy(t *testing.T) {
	for name, row := range map[string]struct {
		method string
		header map[string]string
		status int
		code   string
	}{
		"a script of ours":                       {"GET", nil, 200, ""},
		"its POST":                               {"POST", nil, 200, ""},
		"a method of its own":                    {"PROPFIND", nil, 200, ""},
		"OPTIONS":                                {"OPTIONS", nil, 200, ""},
		"another site's GET":                     {"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, "cross_origin"},
		"a sister host's GET":                    {"GET", map[string]string{"Sec-Fetch-Site": "same-site"}, 403, "cross_origin"},
		"another site's POST":                    {"POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, "cross_origin"},
		"another site's preflight":               {"OPTIONS", map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Dest": "", "Sec-Fetch-Mode": "", "Origin": "https://evil.test"}, 403, "cross_origin"},
		"a page view":                            {"GET", map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}, 403, "cross_origin"},
		"a script element":                       {"GET", map[string]string{"Sec-Fetch-Dest": "script"}, 403, "cross_origin"},
		"a service worker's script":              {"GET", map[string]string{"Sec-Fetch-Dest": "serviceworker", "Service-Worker": "script"}, 403, "cross_origin"},
		"a picture":                              {"GET", map[string]string{"Sec-Fetch-Dest": "image"}, 403, "cross_origin"},
		"TRACE":                                  {"TRACE", nil, 405, "method_not_allowed"},
		"another site's TRACE":                   {"TRACE", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, "cross_origin"},
		"an upgrade":                             {"GET", map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, 400, "invalid_request"},
		"an upgrade without its name":            {"GET", map[string]string{"Connection": "keep-alive, Upgrade"}, 400, "invalid_request"},
		"nobody who is signed in":                {"GET", map[string]string{"Cookie": ""}, 401, "login_required"},
		"nobody, of another site":                {"GET", map[string]string{"Cookie": "", "Sec-Fetch-Site": "cross-site"}, 403, "cross_origin"},
		"no browser":                             {"GET", map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Dest": "", "Sec-Fetch-Mode": ""}, 200, ""},
		"no browser that wants HTML, signed out": {"GET", map[string]string{"Cookie": "", "Sec-Fetch-Site": "", "Sec-Fetch-Dest": "", "Sec-Fetch-Mode": "", "Accept": "text/html"}, 401, "login_required"},
	} {
		t.Run(name, func(t *testing.T) {
			for name, mode := range modes {
				t.Run(name, func(t *testing.T) {
					w := newProxyWorld(t, nil, mode)
					res := w.fetch(row.method, "/api/x", "", row.header)
					require.Equal(t, row.status, res.StatusCode, res.body)
					require.Empty(t, res.Header.Values("Set-Cookie"))
					require.Empty(t, res.Header.Get("Access-Control-Allow-Origin"))
					if row.code == "" {
						require.Equal(t, 1, w.asked())
						return
					}
					require.Equal(t, row.code, res.refusal(t)["error"])
					require.Zero(t, w.asked(), "the API hears nothing of it")
					if row.status == http.StatusUnauthorized {
						require.Equal(t, "/auth/login?return_to=%2Forders%3Fpage%3D2", res.refusal(t)["login_url"])
					}
				})
			}
		})
	}
}

func TestCONNECTIsNoMethodOfAProxy(t *testing.T) {
	w := newProxyWorld(t, nil, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.front.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT /api/x HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Allow"))
}

// What is wrong with a proxy is said when it is made.
func TestMistakesInAProxyConfig(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.APIs = []string{"https://api.example.com"}
		c.Machines = map[string]oidcauth.MachineConfig{"jobs": {}}
	})
	good := oidcauth.ProxyConfig{API: "https://api.example.com/v1/", Prefix: "/api/", Machine: "jobs"}
	_, err := w.auth.Proxy(good)
	require.NoError(t, err)
	for want, change := range map[string]func(*oidcauth.ProxyConfig){
		"API: is empty":              func(c *oidcauth.ProxyConfig) { c.API = "" },
		"API: \"api.example.com\"":   func(c *oidcauth.ProxyConfig) { c.API = "api.example.com" },
		"query or fragment":          func(c *oidcauth.ProxyConfig) { c.API += "?x=1" },
		"without credentials":        func(c *oidcauth.ProxyConfig) { c.API = "https://u:p@api.example.com" },
		"origin is not listed in":    func(c *oidcauth.ProxyConfig) { c.API = "https://evil.test" },
		"Prefix: \"\"":               func(c *oidcauth.ProxyConfig) { c.Prefix = "" },
		"Prefix: \"/\"":              func(c *oidcauth.ProxyConfig) { c.Prefix = "/" },
		"Prefix: \"/api\"":           func(c *oidcauth.ProxyConfig) { c.Prefix = "/api" },
		"Prefix: \"/a/../b/\"":       func(c *oidcauth.ProxyConfig) { c.Prefix = "/a/../b/" },
		"own /auth/":                 func(c *oidcauth.ProxyConfig) { c.Prefix = "/auth/" },
		"Machine: oidcauth: Config.": func(c *oidcauth.ProxyConfig) { c.Machine = "typo" },
		"Token: oidcauth: Resource":  func(c *oidcauth.ProxyConfig) { c.Token = []oidcauth.TokenOption{oidcauth.Resource("x")} },
		"must not be negative":       func(c *oidcauth.ProxyConfig) { c.MaxRequestBody = -1 },
	} {
		c := good
		change(&c)
		_, err := w.auth.Proxy(c)
		require.ErrorContains(t, err, want)
	}
	_, err = w.auth.Proxy(oidcauth.ProxyConfig{})
	require.ErrorContains(t, err, "API")
	require.ErrorContains(t, err, "Prefix", "all at once")
}

// What a proxy strips from paths before the application is there again in redirects.
func TestARedirectBehindAPathThatIsStripped(t *testing.T) {
	w := newProxyWorld(t, nil, nil)
	api := httptest.NewServer(http.RedirectHandler("/v1/next", http.StatusTemporaryRedirect))
	defer api.Close()
	shop, err := oidcauth.New(oidcauth.Config{
		Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/shop/auth/callback", StrippedPrefix: "/shop",
		Sessions: w.auth.Sessions(), APIs: []string{api.URL}, HTTPClient: w.network.Client(),
	})
	require.NoError(t, err)
	proxy, err := shop.Proxy(oidcauth.ProxyConfig{API: api.URL + "/v1", Prefix: "/api/"})
	require.NoError(t, err)
	answer := w.sendTo(proxy, w.cookies(), "/api/x")
	require.Equal(t, http.StatusTemporaryRedirect, answer.Code, answer.Body)
	require.Equal(t, "/shop/api/next", answer.Header().Get("Location"))
}
