package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// documented is the configuration for a proxy that the documentation shows, with our own ports in place of its addresses.
func documented(t *testing.T, language, port, app, service string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/forward-auth.md")
	if os.IsNotExist(err) {
		t.Skip("the documentation is not here")
	}
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(string(page))
	require.NotNil(t, block)
	return strings.NewReplacer(
		"listen 80;", "listen 127.0.0.1:"+port+";", "server_name app.example.com;", "",
		"http://app.example.com {", "http://localhost:"+port+" {\n\tbind 127.0.0.1",
		"127.0.0.1:8080", strings.TrimPrefix(app, "http://"), "127.0.0.1:9000", strings.TrimPrefix(service, "http://"),
	).Replace(block[1])
}

// runProxy starts a proxy in dir, until the test ends.
func runProxy(t *testing.T, dir, port, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skip(t, name+" is not installed")
	}
	proxy := exec.Command(path, args...)
	said := &output{}
	proxy.Stdout, proxy.Stderr, proxy.Dir = said, said, dir
	proxy.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	require.NoError(t, proxy.Start())
	t.Cleanup(func() {
		_ = proxy.Process.Signal(os.Interrupt)
		_ = proxy.Wait()
		if t.Failed() {
			t.Log(said)
		}
	})
	awaitPort(t, port, said)
}

// awaitPort waits until something listens.
func awaitPort(t *testing.T, port string, said *output) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}, patience, 10*time.Millisecond, "nothing listens:\n%s", said)
}

// askingProxies are the servers of the documentation.
var askingProxies = map[string]func(t *testing.T, port, app, service string){
	"nginx": func(t *testing.T, port, app, service string) {
		dir := t.TempDir()
		conf := fmt.Sprintf(`
daemon off; pid %[1]s/pid; error_log stderr warn; worker_processes 1;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
%[2]s
}
`, dir, documented(t, "nginx", port, app, service))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
		runProxy(t, dir, port, "nginx", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir)
	},
	"caddy": func(t *testing.T, port, app, service string) {
		dir := t.TempDir()
		conf := "{\n\tadmin off\n\tauto_https off\n}\n" + documented(t, "caddyfile", port, app, service)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(conf), 0o600))
		runProxy(t, dir, port, "caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile")
	},
}

// A service that knows nothing of logins tells what reached it.
func service(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"uri": r.RequestURI, "header": r.Header})
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// reached is what the service says of a request.
func reached(t *testing.T, p page) (uri string, header http.Header) {
	t.Helper()
	var said struct {
		URI    string
		Header http.Header
	}
	require.NoError(t, json.Unmarshal([]byte(p.body), &said), p.body)
	return said.URI, said.Header
}

func TestServicesBehindAProxyThatAsks(t *testing.T) {
	for name, start := range askingProxies {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			base := "http://localhost:" + port
			a := startApp(t, "BASE_URL", base)
			start(t, port, strings.Replace(a.base, "localhost", "127.0.0.1", 1), service(t))

			t.Run("a page view comes back to exactly its page", func(t *testing.T) {
				b := newBrowser(t)
				b.open(base + "/docs/a%2Fb?x=1&y=2%26")
				require.Contains(t, b.page.body, `name="password"`, "%d %s", b.page.status, b.page.body)
				p := b.signIn("alice", devUsers()["alice"])
				require.Equal(t, base+"/docs/a%2Fb?x=1&y=2%26", p.url.String())
				uri, header := reached(t, p)
				require.Equal(t, "/docs/a%2Fb?x=1&y=2%26", uri)
				require.Equal(t, "Alice%20Adams", header.Get("X-Auth-Name"))
				require.NotEmpty(t, header.Get("X-Auth-Subject"))
				require.Contains(t, header.Get("X-Auth-Roles"), "admin")
				require.Contains(t, header.Get("X-Auth-Issuer"), "http%3A%2F%2F")
			})
			t.Run("a script is told, and not redirected", func(t *testing.T) {
				p := newBrowser(t).fetch(http.MethodGet, base+"/docs")
				require.Equal(t, http.StatusUnauthorized, p.status)
				require.Equal(t, "login_required", p.object(t)["error"])
				require.Equal(t, http.StatusUnauthorized, newBrowser(t).fetch(http.MethodPost, base+"/docs").status)
			})
			t.Run("what a visitor says of himself never arrives", func(t *testing.T) {
				b := signedInBehind(t, a, base)
				for _, spelling := range []string{"X-Auth-%s", "x-auth-%s", "X_Auth_%s"} {
					req, err := http.NewRequest(http.MethodGet, base+"/docs", nil)
					require.NoError(t, err)
					for _, name := range []string{"Issuer", "Subject", "Name", "Roles"} {
						req.Header[fmt.Sprintf(spelling, name)] = []string{"root"}
					}
					req.Header.Set("X-Original-URL", "https://evil.test/")
					newcomer := newBrowser(t)
					newcomer.show(req.Clone(t.Context()), nil)
					require.NotEqual(t, http.StatusOK, newcomer.page.status)
					b.show(req, nil)
					require.Equal(t, http.StatusOK, b.page.status, b.page.body)
					_, header := reached(t, b.page)
					for name, values := range header {
						require.NotContains(t, values, "root", name)
					}
				}
			})
			t.Run("nobody asks in the proxy's place", func(t *testing.T) {
				if name == "nginx" {
					require.Equal(t, http.StatusNotFound, newBrowser(t).fetch(http.MethodGet, base+"/forward-auth").status)
				}
			})
		})
	}
}

// signedInBehind returns the browser of somebody who has signed in behind a proxy.
func signedInBehind(t *testing.T, a *webapp, base string) *browser {
	t.Helper()
	b := newBrowser(t)
	b.open(base + "/")
	p := b.signIn("bob", devUsers()["bob"])
	require.Equal(t, base+"/", p.url.String(), "%s\n%s", p.body, a.output)
	return b
}

func TestForwardAuthOfTheExample(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_STORE", store)
			bob := a.signedIn("bob")
			require.Equal(t, http.StatusOK, bob.fetch(http.MethodGet, a.base+"/forward-auth").status)
			require.Empty(t, bob.page.body)
			require.Equal(t, "user", bob.page.header.Get("X-Auth-Roles"))
			require.Empty(t, bob.page.header.Values("Set-Cookie"))
			require.Equal(t, http.StatusForbidden, bob.fetch(http.MethodGet, a.base+"/forward-auth/role/admin").status)
			require.Equal(t, http.StatusOK, a.signedIn("alice").fetch(http.MethodGet, a.base+"/forward-auth/role/admin").status)
			require.Equal(t, http.StatusUnauthorized, newBrowser(t).fetch(http.MethodGet, a.base+"/forward-auth?role=x").status)
		})
	}
}
