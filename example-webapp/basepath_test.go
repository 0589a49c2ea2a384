package main_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A front is a proxy at an address of its own that serves an app below /shop, and strips that.
type front func(t *testing.T, port, app string)

// goFront strips as net/http does.
func goFront(t *testing.T, port, app string) {
	target, err := url.Parse(app)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/shop/", http.StripPrefix("/shop", httputil.NewSingleHostReverseProxy(target)))
	serveAt(t, port, mux)
}

func serveAt(t *testing.T, port string, h http.Handler) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	var err error
	server.Listener, err = net.Listen("tcp", "127.0.0.1:"+port)
	require.NoError(t, err)
	server.Start()
	t.Cleanup(server.Close)
}

// nginxFront is the configuration that its manual shows, of the nginx that is installed.
func nginxFront(t *testing.T, port, app string) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		skip(t, "nginx is not installed")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `
daemon off; pid %[1]s/pid; error_log stderr warn; worker_processes 1;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server {
		listen 127.0.0.1:%[2]s;
		location /shop/ { proxy_pass %[3]s/; }
	}
}
`, dir, port, app), 0o600))
	nginx := exec.Command(path, "-c", conf, "-p", dir)
	said := &output{}
	nginx.Stdout, nginx.Stderr = said, said
	require.NoError(t, nginx.Start())
	t.Cleanup(func() {
		_ = nginx.Process.Signal(os.Interrupt)
		_ = nginx.Wait()
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://127.0.0.1:" + port + "/shop/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond, "nginx did not start:\n%s", said)
}

// foreign finds links of a page that lead out of /shop.
var foreign = regexp.MustCompile(`(?:href|src|action)="/(?:[^s"]|s[^h]|sh[^o])[^"]*"|(?:href|src|action)="/"`)

func TestAPrefixThatAProxyStrips(t *testing.T) {
	for name, start := range map[string]front{"by net/http": goFront, "by nginx": nginxFront} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			shop := "http://localhost:" + port + "/shop"
			a := startApp(t, "BASE_URL", shop)
			start(t, port, a.base)
			b := newBrowser(t)

			// Signed out.
			me := b.fetch(http.MethodGet, shop+"/api/me").object(t)
			require.Equal(t, "/shop/auth/login", me["login_url"])
			p := b.open(shop + "/nothing")
			require.Equal(t, http.StatusNotFound, p.status)
			require.Contains(t, p.body, `href="/shop/"`)

			// In, and back to the page with its query.
			b.open(shop + `/profile?p=C:\Users\a&q=a%2Fb`)
			require.Contains(t, b.page.body, `name="password"`, b.page.body)
			p = b.signIn("bob", devUsers()["bob"])
			require.Equal(t, shop+`/profile?p=C:\Users\a&q=a%2Fb`, p.url.String(), p.body)
			require.Equal(t, http.StatusOK, p.status)
			require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, shop+"/api/call").status, "its own API is below the prefix too")

			// Nothing that a page links to is outside.
			for _, path := range []string{"/", "/profile", "/admin", "/api-calls", "/stepup", "/errors", "/errors/forbidden", "/errors/not_found", "/nothing", "/auth/logout", "/auth/nothing"} {
				p = b.open(shop + path)
				require.Empty(t, foreign.FindAllString(p.body, -1), path)
				require.Contains(t, p.body, `href="/shop/static/app.css"`, path)
			}
			require.Equal(t, http.StatusOK, b.open(shop+"/static/app.css").status)
			b.open(shop + "/profile")
			require.Equal(t, shop+"/profile", b.submit("/profile/refresh", nil).url.String())

			// The library's own routes are no way back, below the prefix.
			p = b.open(shop + "/auth/login?return_to=/shop/auth/logout")
			require.Equal(t, shop+"/", p.url.String())
			p = b.open(shop + "/auth/login?return_to=/shop/admin?x=1")
			require.Equal(t, shop+"/admin?x=1", p.url.String())
			require.Contains(t, p.body, `href="/shop/auth/login?return_to=%2Fshop%2Fadmin%3Fx%3D1&amp;prompt=select_account"`)

			// Out, by the form of the refusal's page.
			p = b.submit("/shop/auth/logout", nil)
			if strings.Contains(p.body, "<form") {
				p = b.submit("", nil)
			}
			require.True(t, strings.HasPrefix(p.url.String(), shop+"/auth/signed-out"), p.url.String())
			require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, shop+"/api/me").status)
		})
	}
}

// The mux redirects by itself, and knows nothing of the prefix.
func TestAutomaticRedirectsStayBelowThePrefix(t *testing.T) {
	a := startApp(t, "BASE_URL", "http://localhost:1/shop")
	for path, want := range map[string]string{"/auth": "/shop/auth/", "/a/../profile?x=1": "/shop/profile?x=1", "/a//b": "/shop/a/b"} {
		require.Equal(t, want, newBrowser(t).fetch(http.MethodGet, a.base+path).header.Get("Location"), path)
	}
}

func TestTheCallbackCanBeAnywhere(t *testing.T) {
	for _, mode := range []string{"query", "form_post"} {
		for _, path := range []string{"/signin-oidc", "/auth/cb", "/login/oidc/return"} {
			t.Run(mode+" "+path, func(t *testing.T) {
				a := startApp(t, "OIDC_CALLBACK_PATH", path, "OIDC_RESPONSE_MODE", mode)
				b := newBrowser(t)
				b.open(a.base + "/profile?x=1")
				p := b.signIn("alice", devUsers()["alice"])
				if mode == "form_post" {
					require.Contains(t, p.body, a.base+path, "the provider's page sends the form there")
					fields := url.Values{}
					for _, m := range regexp.MustCompile(`name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(p.body, -1) {
						fields.Set(m[1], strings.ReplaceAll(m[2], "&amp;", "&"))
					}
					p = b.submit(path, fields)
				} else {
					require.Contains(t, p.steps, a.base+path)
				}
				require.Equal(t, a.base+"/profile?x=1", p.url.String(), p.body)
				require.Equal(t, http.StatusNotFound, b.open(a.base+"/auth/callback").status)
				p = b.open(a.base + "/auth/login?return_to=" + path)
				if mode == "query" {
					require.Equal(t, a.base+"/", p.url.String(), "the callback is no way back")
				}
			})
		}
	}
}

// Whoever answers, the app or the library, says the same about the same.
func TestOneCodeHasOneText(t *testing.T) {
	a := startApp(t)
	b := newBrowser(t)
	said := func(p page) string {
		m := regexp.MustCompile(`(?s)<h1>(.*?)</h1>.*?class="lead">(.*?)<`).FindStringSubmatch(p.body)
		require.NotNil(t, m, p.body)
		return m[1] + ": " + m[2]
	}
	require.Equal(t, said(b.open(a.base+"/nothing")), said(b.open(a.base+"/auth/nothing")))
	own, librarys := b.open(a.base+"/errors/method_not_allowed"), b.navigate(http.MethodPost, a.base+"/auth/signed-out", nil, a.base)
	require.Equal(t, http.StatusMethodNotAllowed, librarys.status)
	require.Equal(t, said(own), said(librarys))
	own, librarys = b.open(a.base+"/errors/login_required"), b.navigate(http.MethodPost, a.base+"/profile/refresh", nil, a.base)
	require.Equal(t, http.StatusUnauthorized, librarys.status)
	require.Equal(t, said(own), said(librarys))
}
