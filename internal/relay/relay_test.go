package relay_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/relay"
)

const origin = "https://app.example.test"

func TestOnlyScriptsOfOurPagesAreServed(t *testing.T) {
	for name, row := range map[string]struct {
		header map[string]string
		ours   bool
	}{
		"a script of ours":                        {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, true},
		"a browser that knows no destination":     {map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		"an old browser's POST":                   {map[string]string{"Origin": origin}, true},
		"an old browser's POST, the port written": {map[string]string{"Origin": origin + ":443"}, true},
		"no browser":                              {nil, true},
		"another site":                            {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "empty"}, false},
		"a sister host":                           {map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "empty"}, false},
		"an address that was typed":               {map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, false},
		"a link on our page":                      {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, false},
		"a navigation behind a service worker":    {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "empty"}, false},
		"a script element":                        {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "script"}, false},
		"a picture":                               {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"}, false},
		"a frame":                                 {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "iframe"}, false},
		"a service worker's script":               {map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "serviceworker"}, false},
		"the same in an old browser":              {map[string]string{"Service-Worker": "script"}, false},
		"a destination without a site":            {map[string]string{"Sec-Fetch-Dest": "document"}, false},
		"a destination that is right, elsewhere":  {map[string]string{"Sec-Fetch-Dest": "empty", "Origin": "https://evil.test"}, false},
		"an old browser on another site":          {map[string]string{"Origin": "https://evil.test"}, false},
		"an old browser on a sister host":         {map[string]string{"Origin": "https://x.app.example.test"}, false},
		"ours over plain http":                    {map[string]string{"Origin": "http://app.example.test"}, false},
		"ours as a beginning":                     {map[string]string{"Origin": origin + ".evil.test"}, false},
		"ours as a user":                          {map[string]string{"Origin": origin + "@evil.test"}, false},
		"a sandboxed page":                        {map[string]string{"Origin": "null"}, false},
		"an odd spelling":                         {map[string]string{"Sec-Fetch-Site": "Same-Origin"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions} {
				r := httptest.NewRequest(method, origin+"/api/x", nil)
				for name, value := range row.header {
					r.Header.Set(name, value)
				}
				require.Equal(t, row.ours, relay.CheckSender(r, origin) == nil, method)
			}
		})
	}
	t.Run("two values are none", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, origin+"/api/x", nil)
		r.Header["Sec-Fetch-Site"] = []string{"same-origin", "cross-site"}
		require.Error(t, relay.CheckSender(r, origin))
	})
}

func TestAPathLeadsToOnePlaceInEverybodysEyes(t *testing.T) {
	for escaped, want := range map[string]string{
		"/api/":                      "/",
		"/api/orders/7":              "/orders/7",
		"/api/orders/":               "/orders/",
		"/api/a%2Fb":                 "/a%2Fb",
		"/api/%40scope%2Fname":       "/%40scope%2Fname",
		"/api/100%25.pdf":            "/100%25.pdf",
		"/api/...":                   "/...",
		"/api/.well-known/x":         "/.well-known/x",
		"/api/a..b":                  "/a..b",
		"/api/x;y=1":                 "/x;y=1",
		"/api/C:%5Cfiles":            "/C:%5Cfiles",
		"/api/%E2%82%AC":             "/%E2%82%AC",
		"/api/https:%2F%2Fx.test":    "/https:%2F%2Fx.test",
		"/api":                       "",
		"/apix/orders":               "",
		"/%61pi/orders":              "",
		"/api%2Forders":              "",
		"/api//orders":               "",
		"/api/orders//7":             "",
		"/api/..":                    "",
		"/api/../admin":              "",
		"/api/x/../../admin":         "",
		"/api/./x":                   "",
		"/api/%2e%2e/admin":          "",
		"/api/%2E./admin":            "",
		"/api/x/%2e":                 "",
		"/api/x%2F..%2F..%2Fadmin":   "",
		"/api/%252e%252e/admin":      "",
		"/api/%252e%252e%252fadmin":  "",
		"/api/..;/admin":             "",
		"/api/..%3bx/admin":          "",
		"/api/x%5C..%5C..%5Cadmin":   "",
		"/api/%2Fevil.test/":         "",
		"/api/x%00":                  "",
		"/api/x%0d%0aHost:%20evil":   "",
		"/api/%c0%ae%c0%ae/admin":    "",
		"/api/x%7f":                  "",
		"/api/%zz":                   "",
		"/api/x/%2e%2e;a=b/%2e%2e/y": "",
	} {
		t.Run(escaped, func(t *testing.T) {
			rest, err := relay.Rest(escaped, "/api/")
			require.Equal(t, want, rest)
			require.Equal(t, want == "", err != nil)
		})
	}
}

// FuzzRest: what is let through stays below the API, however often somebody decodes and cleans it.
func FuzzRest(f *testing.F) {
	for _, seed := range []string{"/api/x", "/api/%2e%2e/x", "/api/..;/x", "/api/a%2Fb", "/api/%252e%252e", `/api/\..\x`, "/api/%5c%2e%2e", "//", "/api/%"} {
		f.Add(seed)
	}
	base, _ := url.Parse("https://api.example.test/v1")
	f.Fuzz(func(t *testing.T, asked string) {
		u, err := url.ParseRequestURI(asked) // as net/http does
		if err != nil {
			return
		}
		rest, err := relay.Rest(u.EscapedPath(), "/api/")
		if err != nil {
			return
		}
		target := relay.Target(base, rest, "")
		require.Equal(t, "https://api.example.test/v1"+rest, target.String())
		plain := target.Path
		for range 2 {
			require.True(t, strings.HasPrefix(path.Clean(strings.ReplaceAll(plain, `\`, "/"))+"/", "/v1/"), "%q", plain)
			again, err := url.PathUnescape(plain)
			if err != nil {
				return
			}
			plain = again
		}
	})
}

func TestWhatReachesAnAPI(t *testing.T) {
	h := http.Header{}
	for _, name := range []string{
		"Authorization", "Cookie", "Dpop", "Forwarded", "X-Forwarded-For", "X-Forwarded-User", "X_forwarded_user", "X-Real-Ip", "X-Auth-Subject",
		"X_auth_subject", "Client-Cert", "Proxy-Authorization", "Sec-Fetch-Site", "Origin", "Referer", "Expect", "Te", "X-Original-Url", "Remote_user",
	} {
		h[name] = []string{"x"}
	}
	passed := []string{"Accept", "Accept-Language", "Content-Type", "If-Match", "Idempotency-Key", "Last-Event-Id", "X-Requested-With", "X-Own"}
	for _, name := range passed {
		h[name] = []string{"x"}
	}
	relay.RequestHeader(h)
	var left []string
	for name := range h {
		left = append(left, name)
	}
	require.ElementsMatch(t, passed, left)
}

func TestWhereARedirectOfTheAPILeads(t *testing.T) {
	base, _ := url.Parse("https://api.example.test/v1")
	from, _ := url.Parse("https://api.example.test/v1/orders/7?x")
	for location, want := range map[string]string{
		"https://api.example.test/v1/orders/8":         "/shop/api/orders/8",
		"https://API.example.test:443/v1/orders/8?a#b": "/shop/api/orders/8?a#b",
		"/v1/a%2Fb":                         "/shop/api/a%2Fb",
		"8":                                 "/shop/api/orders/8",
		"?page=2":                           "/shop/api/orders/7?page=2",
		"/v1/":                              "/shop/api/",
		"//api.example.test/v1/x":           "/shop/api/x",
		"/v2/orders":                        "",
		"/v1":                               "",
		"/v1x/orders":                       "",
		"/v1/../admin":                      "",
		"/v1/%2e%2e/admin":                  "",
		"//evil.test/v1/x":                  "",
		"https://evil.test/v1/x":            "",
		"http://api.example.test/v1/x":      "",
		"https://api.example.test:8443/v1/": "",
		"https://u:p@api.example.test/v1/x": "",
		"javascript:alert(1)":               "",
		"https://api.example.test/v1/%zz":   "",
		"/v1//evil.test":                    "",
	} {
		t.Run(location, func(t *testing.T) {
			require.Equal(t, want, relay.Location(location, from, base, "/shop/api/"))
		})
	}
}

func TestAPersonIsNotAskedForAPasswordByAnAPI(t *testing.T) {
	h := http.Header{"Www-Authenticate": {`Basic realm="x"`, `Bearer error="invalid_token"`, `Bearer realm="a", Basic realm="b"`, "Negotiate", "NTLM, x", `Digest a="b"`}}
	relay.AnswerHeader(h)
	require.Equal(t, []string{`Bearer error="invalid_token"`}, h["Www-Authenticate"])
	h = http.Header{"Www-Authenticate": {"Basic"}}
	relay.AnswerHeader(h)
	require.NotContains(t, h, "Www-Authenticate")
}
