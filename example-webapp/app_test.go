package main_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
	"github.com/signet-go/signet/example-webapp/internal/devprovider"
)

// An environment is what os.Getenv would answer.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// with returns a copy with more variables: name, value, name, value …
func (e environment) with(pairs ...string) environment {
	e = maps.Clone(e)
	for i := 0; i < len(pairs); i += 2 {
		e[pairs[i]] = pairs[i+1]
	}
	return e
}

// A webapp is the example, running as it would for anybody: over sockets, configured by variables.
type webapp struct {
	t      *testing.T
	base   string // http://localhost:PORT
	output *output
	stop   context.CancelFunc
	ended  chan error
}

// An output is what the app prints. Safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startApp runs the example until the test ends, on a free port of its own.
// patience is how long a test waits for what is sure to come, on a machine that has other things to do.
const patience = time.Minute

func startApp(t *testing.T, pairs ...string) *webapp {
	t.Helper()
	out := &output{}
	return startAppTo(t, out, out, pairs...)
}

func startAppTo(t *testing.T, out *output, to io.Writer, pairs ...string) *webapp {
	t.Helper()
	port := freePort(t)
	a := &webapp{t: t, base: "http://localhost:" + port, output: out, ended: make(chan error, 1)}
	env := environment{"ADDR": "127.0.0.1:" + port, "BASE_URL": a.base}.with(pairs...)
	ctx, cancel := context.WithCancel(context.Background())
	a.stop = cancel
	go func() { a.ended <- main.Run(ctx, env.get, to) }()
	t.Cleanup(func() {
		cancel()
		a.wait()
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get(a.base + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 5*time.Millisecond, "the app did not start:\n%s", out)
	return a
}

// wait waits for the end of run, and lets later calls see it too.
func (a *webapp) wait() {
	a.t.Helper()
	select {
	case err := <-a.ended:
		require.NoError(a.t, err)
		a.ended <- nil
	case <-time.After(patience):
		require.Fail(a.t, "the app did not stop")
	}
}

// waitFor waits until the output holds text, which the app writes without waiting for it itself, and returns the output.
func (a *webapp) waitFor(text string) string {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return strings.Contains(a.output.String(), text) }, patience, 5*time.Millisecond,
		"%q is not in the output", text)
	return a.output.String()
}

// issuer is the embedded provider's address, as the start-up text names it.
func (a *webapp) issuer() string {
	a.t.Helper()
	a.waitFor("to sign in")
	m := regexp.MustCompile(`provider +(\S+)`).FindStringSubmatch(a.output.String())
	require.NotNil(a.t, m, "the start-up text names no provider:\n%s", a.output)
	return m[1]
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// devUsers are the names and passwords of the embedded provider.
func devUsers() map[string]string {
	users := make(map[string]string)
	for _, u := range devprovider.Users {
		users[u.Username] = u.Password
	}
	return users
}

// signedIn returns a browser with username's session.
func (a *webapp) signedIn(username string) *browser {
	a.t.Helper()
	b := newBrowser(a.t)
	b.open(a.base + "/profile")
	require.Contains(a.t, b.page.body, `name="password"`)
	p := b.signIn(username, devUsers()[username])
	require.Equal(a.t, a.base+"/profile", p.url.String(), "%d\n%s\n%s", p.status, p.body, a.output)
	return b
}

// object decodes the page as a JSON object.
func (p page) object(t *testing.T) map[string]any {
	t.Helper()
	require.Contains(t, p.header.Get("Content-Type"), "application/json", p.body)
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(p.body), &o), p.body)
	return o
}

// hidden returns the hidden fields of the forms on a page.
func (p page) hidden() url.Values {
	fields := make(url.Values)
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(p.body, -1) {
		fields.Set(m[1], strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(m[2]))
	}
	return fields
}

func TestWalk(t *testing.T) {
	a := startApp(t)
	b := newBrowser(t)

	require.Equal(t, http.StatusOK, b.open(a.base+"/").status)
	require.Contains(t, b.page.body, "You aren't signed in")

	p := b.open(a.base + "/profile?tab=claims")
	require.Equal(t, a.issuer(), p.url.Scheme+"://"+p.url.Host, "the browser is at the provider")
	p = b.signIn("alice", "wonderland")
	require.Equal(t, a.base+"/profile?tab=claims", p.url.String(), "back at exactly the wanted page\n%s", a.output)
	require.Equal(t, http.StatusOK, p.status)
	require.Contains(t, p.body, "Alice Adams")
	require.Contains(t, p.body, "alice@example.com")
	require.NotContains(t, p.body, "eyJ", "no token value")
	require.Contains(t, b.open(a.base+"/").body, "signed in as")

	before := b.cookies(a.base)
	p = b.submit("/auth/logout", nil)
	require.Equal(t, a.base+"/auth/signed-out", p.url.Scheme+"://"+p.url.Host+p.url.Path)
	require.Contains(t, p.steps, a.issuer()+"/logout", "signed out at the provider too")
	require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, a.base+"/api/me").status)
	require.Contains(t, b.open(a.base+"/profile").body, `name="password"`, "the provider asks again")

	replay, err := http.NewRequest(http.MethodGet, a.base+"/api/me", nil)
	require.NoError(t, err)
	for _, c := range before {
		replay.AddCookie(c)
	}
	newBrowser(t).show(replay, nil)
	resp, err := http.DefaultClient.Do(replay)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "the old cookie is dead")
}

func TestWalkByFormPost(t *testing.T) {
	a := startApp(t, "OIDC_RESPONSE_MODE", "form_post")
	b := newBrowser(t)
	b.open(a.base + "/profile")
	p := b.signIn("bob", "builder")
	require.Equal(t, a.issuer(), p.url.Scheme+"://"+p.url.Host, "the provider answers with a form")
	p = b.submit("/auth/callback", p.hidden())
	require.Equal(t, a.base+"/profile", p.url.String(), "%s\n%s", p.body, a.output)
	require.Contains(t, p.body, "Bob Brown")
}

// writeKey makes a P-256 key of the client's, and returns its file.
func writeKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return file
}

// The embedded provider speaks each of these.
func TestWalkBySignedMessages(t *testing.T) {
	key := writeKey(t)
	for name, env := range map[string][]string{
		"a pushed request":         {"OIDC_PAR", "on"},
		"a signed response":        {"OIDC_RESPONSE_MODE", "query.jwt"},
		"a signed request":         {"OIDC_SIGNED_REQUESTS", "true", "OIDC_CLIENT_KEY_FILE", key},
		"a signed request, pushed": {"OIDC_SIGNED_REQUESTS", "true", "OIDC_CLIENT_KEY_FILE", key, "OIDC_PAR", "on"},
		"both":                     {"OIDC_SIGNED_REQUESTS", "true", "OIDC_CLIENT_KEY_FILE", key, "OIDC_RESPONSE_MODE", "query.jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			a := startApp(t, env...)
			b := a.signedIn("bob")
			require.Contains(t, b.page.body, "Bob Brown", a.output)
		})
	}
	t.Run("a signed response in a posted form", func(t *testing.T) {
		a := startApp(t, "OIDC_RESPONSE_MODE", "form_post.jwt")
		b := newBrowser(t)
		b.open(a.base + "/profile")
		p := b.signIn("bob", "builder")
		require.Len(t, p.hidden(), 1, "one JWT")
		p = b.submit("/auth/callback", p.hidden())
		require.Equal(t, a.base+"/profile", p.url.String(), "%s\n%s", p.body, a.output)
	})
}

func TestWalkWithoutSecureCookies(t *testing.T) {
	a := startApp(t, "COOKIE_INSECURE", "true")
	b := a.signedIn("alice")
	for _, c := range b.cookies(a.base) {
		require.False(t, strings.HasPrefix(c.Name, "__Host-"), c.Name)
	}
}

func TestWalkInEveryStore(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_STORE", store)
			b := a.signedIn("bob")
			require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, a.base+"/api/me").status)
			b.open(a.base + "/")
			b.submit("/auth/logout", nil)
			require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, a.base+"/api/me").status)
		})
	}
}

func TestSignOutEverywhere(t *testing.T) {
	a := startApp(t)
	here, there, bob := a.signedIn("alice"), a.signedIn("alice"), a.signedIn("bob")
	here.open(a.base + "/profile")
	require.Equal(t, "/auth/signed-out", here.submit("/profile/sign-out-everywhere", nil).url.Path)
	require.Equal(t, http.StatusUnauthorized, here.fetch(http.MethodGet, a.base+"/api/me").status)
	require.Equal(t, http.StatusUnauthorized, there.fetch(http.MethodGet, a.base+"/api/me").status, "the other device too")
	require.Equal(t, http.StatusOK, bob.fetch(http.MethodGet, a.base+"/api/me").status, "nobody else")
}

func TestSignOutOnOtherDevicesKeepsThisOne(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_STORE", store)
			here, there, bob := a.signedIn("alice"), a.signedIn("alice"), a.signedIn("bob")
			here.open(a.base + "/profile")
			require.Equal(t, "/profile", here.submit("/profile/sign-out-elsewhere", nil).url.Path)
			require.Equal(t, http.StatusOK, here.fetch(http.MethodGet, a.base+"/api/me").status)
			require.Equal(t, http.StatusUnauthorized, there.fetch(http.MethodGet, a.base+"/api/me").status)
			require.Equal(t, http.StatusOK, bob.fetch(http.MethodGet, a.base+"/api/me").status)
		})
	}
}

func TestWhoSignedOutEverywhereIsAskedAnew(t *testing.T) {
	for _, fresh := range []string{"false", "true"} {
		for _, store := range []string{"cookie", "memory"} {
			t.Run("SESSION_FRESH_AFTER_REVOKE="+fresh+", "+store, func(t *testing.T) {
				a := startApp(t, "SESSION_FRESH_AFTER_REVOKE", fresh, "SESSION_STORE", store)
				here, there := a.signedIn("alice"), a.signedIn("alice")
				here.open(a.base + "/profile")
				here.submit("/profile/sign-out-everywhere", nil)
				p := there.open(a.base + "/profile")
				if fresh == "false" {
					require.Equal(t, "/profile", p.url.Path, "single sign-on asks nobody")
					return
				}
				require.NotEqual(t, a.base, p.url.Scheme+"://"+p.url.Host, "the provider asks")
				require.Contains(t, p.body, "password")
				require.Equal(t, http.StatusUnauthorized, there.fetch(http.MethodGet, a.base+"/api/me").status)
			})
		}
	}
}

func TestDenialIsAPageAndNoSession(t *testing.T) {
	a := startApp(t)
	b := newBrowser(t)
	b.open(a.base + "/profile")
	p := b.submit("/authorize/", url.Values{"action": {"deny"}})
	require.Equal(t, http.StatusForbidden, p.status)
	require.Contains(t, p.body, "Sign in again")
	require.Contains(t, p.body, "Reference")
	require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, a.base+"/api/me").status)
}

func TestRoles(t *testing.T) {
	a := startApp(t)
	alice, bob := a.signedIn("alice"), a.signedIn("bob")
	require.Equal(t, http.StatusOK, alice.open(a.base+"/admin").status)
	p := bob.open(a.base + "/admin")
	require.Equal(t, http.StatusForbidden, p.status)
	require.Empty(t, p.steps, "a new login would not help")
	require.Equal(t, http.StatusForbidden, bob.fetch(http.MethodGet, a.base+"/admin").status)
}

func TestStepUpLetsAFreshLoginPass(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	p := b.open(a.base + "/stepup")
	require.Equal(t, http.StatusOK, p.status)
	require.Equal(t, a.base+"/stepup", p.url.String())
}

func TestMe(t *testing.T) {
	a := startApp(t)
	me := a.signedIn("alice").fetch(http.MethodGet, a.base+"/api/me")
	require.Equal(t, http.StatusOK, me.status)
	o := me.object(t)
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	require.ElementsMatch(t, []string{
		"sub", "iss", "name", "email", "roles", "sid", "acr", "auth_time", "access_token_expires_at", "session_expires_at",
	}, keys)
	require.Equal(t, "u-1001", o["sub"])
	require.Equal(t, a.issuer(), o["iss"])
	require.Equal(t, "Alice Adams", o["name"])
	require.Equal(t, "alice@example.com", o["email"])
	require.Equal(t, []any{"admin", "user"}, o["roles"])
	require.NotEmpty(t, o["sid"])
	require.Nil(t, o["acr"])
	for name, until := range map[string]time.Duration{"auth_time": 0, "access_token_expires_at": 2 * time.Minute, "session_expires_at": time.Hour} {
		at, err := time.Parse(time.RFC3339, o[name].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(until), at, patience, name)
		require.Equal(t, time.UTC, at.Location(), name)
	}

	t.Run("absent values are null, roles are a list", func(t *testing.T) {
		a := startApp(t, "OIDC_SCOPES", "openid", "OIDC_ROLES_CLAIM", "nothing", "OIDC_ACR_VALUES", "gold")
		o := a.signedIn("bob").fetch(http.MethodGet, a.base+"/api/me").object(t)
		require.Nil(t, o["name"])
		require.Nil(t, o["email"])
		require.Equal(t, []any{}, o["roles"])
		require.Equal(t, "gold", o["acr"])
	})
	t.Run("a browser that opens it signed out is not redirected either", func(t *testing.T) {
		p := newBrowser(t).open(a.base + "/api/me")
		require.Equal(t, http.StatusUnauthorized, p.status)
		require.Empty(t, p.steps)
		require.Empty(t, p.header.Values("Set-Cookie"))
		require.Equal(t, "login_required", p.object(t)["error"])
		require.Equal(t, "/auth/login", p.object(t)["login_url"])
		require.NotEmpty(t, p.header.Get("WWW-Authenticate"))
	})
}

func TestSessionEndpoint(t *testing.T) {
	a := startApp(t)
	answer := a.signedIn("alice").fetch(http.MethodGet, a.base+"/auth/session")
	require.Equal(t, http.StatusOK, answer.status)
	require.Empty(t, answer.header.Values("Set-Cookie"))
	require.Contains(t, answer.header.Get("Cache-Control"), "no-store")
	o := answer.object(t)
	for _, name := range []string{"session_expires_at", "idle_expires_at"} {
		at, err := time.Parse(time.RFC3339, o[name].(string))
		require.NoError(t, err)
		require.Equal(t, time.UTC, at.Location(), name)
		delete(o, name)
	}
	require.Equal(t, map[string]any{"sub": "u-1001", "name": "Alice Adams", "logout_url": "/auth/logout"}, o)
	answer = newBrowser(t).fetch(http.MethodGet, a.base+"/auth/session")
	require.Equal(t, http.StatusUnauthorized, answer.status)
	require.Equal(t, "login_required", answer.object(t)["error"])
	require.Equal(t, "/auth/login", answer.object(t)["login_url"])
}

func TestProtectedRoutesAnswerScriptsWith401(t *testing.T) {
	a := startApp(t)
	for _, path := range []string{"/profile", "/admin", "/stepup", "/api-calls", "/api/me", "/api/call"} {
		t.Run(path, func(t *testing.T) {
			b := newBrowser(t)
			p := b.fetch(http.MethodGet, a.base+path)
			require.Equal(t, http.StatusUnauthorized, p.status)
			require.Equal(t, "login_required", p.object(t)["error"])
			require.Empty(t, p.header.Values("Set-Cookie"))
		})
	}
}

func TestAPICalls(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	t.Run("as the user", func(t *testing.T) {
		p := b.fetch(http.MethodGet, a.base+"/api/call")
		require.Equal(t, http.StatusOK, p.status, p.body)
		o := p.object(t)
		require.EqualValues(t, http.StatusOK, o["status"])
		require.Equal(t, "u-1001", o["body"].(map[string]any)["sub"])
	})
	t.Run("as the machine, with nobody signed in", func(t *testing.T) {
		o := newBrowser(t).fetch(http.MethodGet, a.base+"/api/machine").object(t)
		require.EqualValues(t, http.StatusOK, o["status"])
		require.Equal(t, "example-webapp", o["body"].(map[string]any)["sub"])
	})
	t.Run("refreshing moves the expiry", func(t *testing.T) {
		first := b.fetch(http.MethodGet, a.base+"/api/me").object(t)["access_token_expires_at"]
		require.Eventually(t, func() bool { // the provider counts whole seconds
			p := b.fetch(http.MethodPost, a.base+"/api/refresh")
			return p.status != http.StatusOK || p.object(t)["access_token_expires_at"] != first
		}, patience, 200*time.Millisecond)
		p := b.fetch(http.MethodPost, a.base+"/api/refresh")
		require.Equal(t, http.StatusOK, p.status, p.body)
		require.Greater(t, p.object(t)["access_token_expires_at"], first)
	})
	t.Run("on the page, for people", func(t *testing.T) {
		require.Contains(t, b.open(a.base+"/api-calls?as=user").body, "u-1001")
		require.Contains(t, b.open(a.base+"/api-calls?as=machine").body, "client_id")
		b.open(a.base + "/profile")
		require.Equal(t, a.base+"/profile", b.submit("/profile/refresh", nil).url.String())
	})
}

// protective are the headers that every error answer carries.
func requireProtected(t *testing.T, p page) {
	t.Helper()
	require.Contains(t, p.header.Get("Cache-Control"), "no-store")
	require.Equal(t, "nosniff", p.header.Get("X-Content-Type-Options"))
	require.Equal(t, "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
		p.header.Get("Content-Security-Policy"))
}

func TestRefusals(t *testing.T) {
	a := startApp(t)
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		allow              string
	}{
		{"an unknown path", "GET", "/nothing", nil, 404, ""},
		{"an unknown path below a known one", "GET", "/profile/nothing", nil, 404, ""},
		{"an unknown file", "GET", "/static/nothing.css", nil, 404, ""},
		{"a directory", "GET", "/static/", nil, 404, ""},
		{"a file outside of the static ones", "GET", "/static/%2e%2e/templates/home.html", nil, 404, ""},
		{"an unknown path of the library", "GET", "/auth/nothing", nil, 404, ""},
		{"a wrong method", "POST", "/profile", nil, 405, "GET, HEAD"},
		{"another wrong method", "GET", "/api/refresh", nil, 405, "POST"},
		{"a wrong method of the library", "DELETE", "/auth/logout", nil, 405, "GET, POST"},
		{"the callback by the wrong method", "POST", "/auth/callback", nil, 405, "GET"},
		{"a method that nobody knows", "BREW", "/", nil, 405, "GET, HEAD"},
		{"another host", "GET", "/", []string{"Host", "evil.example"}, 421, ""},
		{"another host that resembles ours", "GET", "/", []string{"Host", "localhost.evil.example"}, 421, ""},
		{"a POST from another site", "POST", "/api/refresh", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{"a POST from another origin", "POST", "/api/refresh", []string{"Origin", "https://evil.example"}, 403, ""},
		{"a POST from a sibling site", "POST", "/auth/logout", []string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		{"a callback of nobody's login", "GET", "/auth/callback?code=x&state=y", nil, 400, ""},
		{"a huge state", "GET", "/auth/callback?code=x&state=" + strings.Repeat("y", 100_000), nil, 400, ""},
		{"control characters", "GET", "/auth/callback?code=x&state=%00%0a%ff", nil, 400, ""},
	}
	for _, tt := range tests {
		for _, accept := range []string{"text/html", "application/json"} {
			t.Run(tt.name+" as "+accept, func(t *testing.T) {
				req, err := http.NewRequest(tt.method, a.base+tt.path, nil)
				require.NoError(t, err)
				req.Header.Set("Accept", accept)
				for i := 0; i < len(tt.header); i += 2 {
					req.Header.Set(tt.header[i], tt.header[i+1])
					if tt.header[i] == "Host" {
						req.Host = tt.header[i+1]
					}
				}
				b := newBrowser(t)
				b.show(req, nil)
				require.Equal(t, tt.status, b.page.status, b.page.body)
				require.Equal(t, tt.allow, b.page.header.Get("Allow"))
				require.Contains(t, b.page.header.Get("Content-Type"), accept)
				requireProtected(t, b.page)
				require.Empty(t, b.page.header.Get("Location"))
			})
		}
	}
}

func TestClientsThatAreNoBrowsersMayPost(t *testing.T) {
	a := startApp(t)
	resp, err := http.Post(a.base+"/api/refresh", "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "neither Origin nor Sec-Fetch-Site: judged by its session alone")
}

func TestEveryPageIsProtected(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	for _, path := range []string{"/", "/profile", "/admin", "/stepup", "/api-calls", "/auth/logout", "/auth/signed-out"} {
		t.Run(path, func(t *testing.T) {
			p := b.open(a.base + path)
			require.Equal(t, http.StatusOK, p.status)
			require.Contains(t, p.header.Get("Cache-Control"), "no-store")
			require.Equal(t, "nosniff", p.header.Get("X-Content-Type-Options"))
			csp := p.header.Get("Content-Security-Policy")
			require.Contains(t, csp, "default-src 'none'")
			require.Contains(t, csp, "frame-ancestors 'none'")
			require.NotContains(t, csp, "unsafe")
			require.NotRegexp(t, `(?i)<style|style=|<script>|\son\w+=`, p.body, "nothing inline")
			require.NotRegexp(t, `(?i)(src|href)="(https?:)?//`, p.body, "nothing from elsewhere")
			require.Contains(t, p.body, `lang="en"`)
		})
	}
	t.Run("the stylesheet and the script are what they say", func(t *testing.T) {
		for path, kind := range map[string]string{"/static/app.css": "text/css", "/static/countdown.js": "text/javascript", "/static/mark.svg": "image/svg+xml"} {
			p := b.open(a.base + path)
			require.Equal(t, http.StatusOK, p.status)
			require.Contains(t, p.header.Get("Content-Type"), kind)
		}
	})
}

func TestHealth(t *testing.T) {
	t.Run("live and ready", func(t *testing.T) {
		a, b := startApp(t), newBrowser(t)
		require.Equal(t, http.StatusOK, b.open(a.base+"/healthz").status)
		require.Equal(t, http.StatusOK, b.open(a.base+"/readyz").status, b.page.body)
	})
	t.Run("live but not ready while the provider is down", func(t *testing.T) {
		a, b := startApp(t, "OIDC_ISSUER", "http://127.0.0.1:"+freePort(t), "OIDC_CLIENT_ID", "x", "OIDC_CLIENT_SECRET", "y"), newBrowser(t)
		require.Equal(t, http.StatusOK, b.open(a.base+"/healthz").status)
		require.Equal(t, http.StatusServiceUnavailable, b.open(a.base+"/readyz").status)
		require.NotEmpty(t, b.page.header.Get("Retry-After"))
		require.Equal(t, http.StatusOK, b.open(a.base+"/").status, "public pages go on")
		require.Equal(t, http.StatusServiceUnavailable, b.open(a.base+"/profile").status)
		require.NotEmpty(t, b.page.header.Get("Retry-After"))
		requireProtected(t, b.page)
	})
}

func TestProbesMayUseAnyHostName(t *testing.T) {
	a := startApp(t)
	for path, status := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/": http.StatusMisdirectedRequest} {
		req, err := http.NewRequest(http.MethodGet, a.base+path, nil)
		require.NoError(t, err)
		req.Host = "pod-7.internal:8080"
		b := newBrowser(t)
		b.show(req, nil)
		require.Equal(t, status, b.page.status, path)
	}
}

func TestStartUpText(t *testing.T) {
	a := startApp(t)
	text := a.waitFor("to sign in")
	require.Contains(t, text, a.base+"/profile")
	require.Contains(t, text, a.issuer())
	for name, password := range devUsers() {
		require.Contains(t, text, name)
		require.Contains(t, text, password)
	}
	require.Contains(t, text, "SESSION_KEYS is not set")
}

func TestOutputHoldsNoSecrets(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	b.fetch(http.MethodPost, a.base+"/api/refresh")
	b.fetch(http.MethodGet, a.base+"/api/call")
	cookies := b.cookies(a.base)
	b.open(a.base + "/auth/callback?code=THE-CODE&state=THE-STATE")
	a.stop()
	a.wait()
	text := a.output.String()
	for _, secret := range []string{"eyJ", "THE-CODE", "THE-STATE", "code_verifier", "client_secret"} {
		require.NotContains(t, text, secret)
	}
	for _, c := range cookies {
		require.NotContains(t, text, c.Value)
	}
}
