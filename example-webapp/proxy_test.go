package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// script sends a request of a page's script, byte for byte.
func (b *browser) script(method, base, path string, header ...string) page {
	b.t.Helper()
	req, err := http.NewRequest(method, base, nil)
	require.NoError(b.t, err)
	for i, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"} {
		req.Header.Set(name, []string{"same-origin", "cors", "empty"}[i])
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for _, c := range b.cookies(base) {
		req.AddCookie(c)
	}
	req.URL.Opaque = "//" + req.URL.Host + path
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return page{url: req.URL, status: resp.StatusCode, header: resp.Header, body: string(body)}
}

func TestScriptsCallTheAPIThroughTheApp(t *testing.T) {
	var seen []*http.Request
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r)
		w.Header().Set("Set-Cookie", "__Host-session=evil; Path=/; Secure")
		w.Header().Set("Cache-Control", "public, max-age=60")
		if strings.HasSuffix(r.URL.Path, "/moved") {
			w.Header().Set("Location", "/v1/here?x=1")
			w.WriteHeader(http.StatusSeeOther)
		}
	}))
	defer api.Close()
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_STORE", store, "API_URL", api.URL+"/v1")
			alice := a.signedIn("alice")
			seen = nil
			p := alice.script(http.MethodPatch, a.base, "/proxy/a%2Fb?q=%zz;x", "Authorization", "Bearer mine", "DPoP", "mine")
			require.Equal(t, http.StatusOK, p.status, p.body)
			require.Equal(t, "/v1/a%2Fb?q=%zz;x", seen[0].RequestURI)
			require.Equal(t, http.MethodPatch, seen[0].Method)
			require.Regexp(t, "^Bearer ey", seen[0].Header.Get("Authorization"))
			require.Empty(t, seen[0].Header.Values("Cookie"))
			require.Empty(t, seen[0].Header.Values("DPoP"))
			require.Empty(t, p.header.Values("Set-Cookie"))
			require.Equal(t, []string{"private, no-store"}, p.header.Values("Cache-Control"))
			require.Equal(t, []string{"sandbox; default-src 'none'"}, p.header.Values("Content-Security-Policy"))
			require.Equal(t, []string{"nosniff"}, p.header.Values("X-Content-Type-Options"))
			require.Equal(t, "/proxy/here?x=1", alice.script(http.MethodGet, a.base, "/proxy/moved").header.Get("Location"))
			for _, path := range []string{"/proxy/..", "/proxy/%2e%2e/x", "/proxy/x//y", "/proxy//x"} {
				p := alice.script(http.MethodGet, a.base, path)
				require.Equal(t, http.StatusBadRequest, p.status, path)
				require.NotEmpty(t, p.object(t)["error"])
			}
			require.Equal(t, http.StatusForbidden, alice.script(http.MethodGet, a.base, "/proxy/x", "Sec-Fetch-Site", "cross-site").status)
			require.Equal(t, http.StatusForbidden, alice.script(http.MethodGet, a.base, "/proxy/x", "Sec-Fetch-Dest", "script").status)
			require.Equal(t, http.StatusMethodNotAllowed, alice.script(http.MethodTrace, a.base, "/proxy/x").status)
			p = newBrowser(t).script(http.MethodGet, a.base, "/proxy/x")
			require.Equal(t, http.StatusUnauthorized, p.status)
			require.Equal(t, map[string]any{"error": "login_required", "login_url": "/auth/login"}, p.object(t))
		})
	}
}

func TestScriptsCallTheDemoAPI(t *testing.T) {
	for _, dpop := range []string{"false", "true"} {
		a := startApp(t, "OIDC_DPOP", dpop)
		p := a.signedIn("alice").script(http.MethodGet, a.base, "/proxy/")
		require.Equal(t, http.StatusOK, p.status, p.body)
		require.NotEmpty(t, p.object(t)["sub"])
	}
}

// What the recipe shows is the script that is tried in a browser.
func TestTheRecipeShowsTheScriptThatRuns(t *testing.T) {
	page, err := os.ReadFile("../docs/recipes.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	script, err := os.ReadFile("static/single-page.js")
	require.NoError(t, err)
	require.Contains(t, string(page), "```js\n"+string(script)+"```")
}
