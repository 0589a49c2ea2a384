package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
)

// testAll names the variable that turns a skip for want of a program into a failure.
const testAll = "SIGNET_TEST_ALL"

// An npmProvider is npm's oidc-provider in a process of its own: an implementation that signet has nothing in common with.
type npmProvider struct {
	t       *testing.T
	Issuer  string `json:"issuer"`
	Control string `json:"control"`
}

// startNPMProvider starts e2e/provider.mjs, whose options it documents, and ends it with the test. It skips the test on a
// machine without Node or the npm packages.
func startNPMProvider(t *testing.T, options map[string]any) *npmProvider {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		skip(t, "node is not installed")
	}
	if _, err := os.Stat(filepath.Join("e2e", "node_modules", "oidc-provider")); err != nil {
		skip(t, "npm's packages are missing: run npm ci in example-webapp/e2e")
	}
	config, err := json.Marshal(options)
	require.NoError(t, err)

	// Node's own start-up hangs once in a great while on a busy machine, before any of our code runs to its end.
	for range 3 {
		if line := runNPMProvider(t, node, string(config)); line != nil {
			p := &npmProvider{t: t}
			require.NoError(t, json.Unmarshal(line, p))
			return p
		}
	}
	require.Fail(t, "the provider did not start")
	return nil
}

// runNPMProvider runs the provider until the test ends, and returns the line that says where it listens: nil when none came.
func runNPMProvider(t *testing.T, node, config string) []byte {
	t.Helper()
	command := exec.Command(node, "provider.mjs", config)
	command.Dir = "e2e"
	command.Stderr = t.Output()
	stdin, err := command.StdinPipe()
	require.NoError(t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	impatience := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if !impatience.Stop() || err != nil {
		_ = command.Process.Kill()
		_ = command.Wait()
		return nil
	}
	t.Cleanup(func() {
		// It ends when its standard input does.
		stdin.Close()
		command.Wait()
	})
	return line
}

func skip(t *testing.T, reason string) {
	t.Helper()
	require.Empty(t, os.Getenv(testAll), "%s is set, but %s", testAll, reason)
	t.Skip(reason)
}

// control sends a command to the provider's control channel and decodes the answer into into, unless that is nil.
func (p *npmProvider) control(method, path string, body, into any) {
	p.t.Helper()
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(p.t, err)
		sent = strings.NewReader(string(raw))
	}
	req, err := http.NewRequest(method, p.Control+"/"+path, sent)
	require.NoError(p.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, resp.StatusCode, "%s", answer)
	if into != nil {
		require.NoError(p.t, json.Unmarshal(answer, into))
	}
}

// counts says how often each endpoint was asked since the last call: "token:authorization_code", "userinfo" and so on.
func (p *npmProvider) counts() map[string]int {
	p.t.Helper()
	var answer struct {
		Counts map[string]int `json:"counts"`
	}
	p.control(http.MethodGet, "requests", nil, &answer)
	p.control(http.MethodDelete, "requests", nil, nil)
	return answer.Counts
}

// An npmClient is the example web app as a client of npm's oidc-provider.
type npmClient struct {
	*npmProvider
	url string
	log *logBook
}

// startNPMClient starts both: the app with env over what it needs, the provider with options and the client's metadata over
// the usual ones, without those that are nil; APP/ at the beginning of a value is the app's address. They are at two sites, 127.0.0.1 and localhost, so that a browser treats their requests to
// each other as cross-site.
func startNPMClient(t *testing.T, env map[string]string, options, metadata map[string]any) *npmClient {
	t.Helper()
	addr := freeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	c := &npmClient{url: "http://localhost:" + port, log: new(logBook)}

	client := map[string]any{
		"client_id":                           "app",
		"client_secret":                       "a secret: with %, + and /",
		"redirect_uris":                       []string{c.url + "/auth/callback"},
		"post_logout_redirect_uris":           []string{c.url + "/auth/signed-out"},
		"backchannel_logout_uri":              c.url + "/auth/backchannel-logout",
		"backchannel_logout_session_required": true,
	}
	maps.Copy(client, metadata)
	maps.DeleteFunc(client, func(_ string, value any) bool { return value == nil })
	for name, value := range client {
		if text, ok := value.(string); ok {
			client[name] = strings.Replace(text, "APP/", c.url+"/", 1)
		}
	}
	all := map[string]any{"host": "127.0.0.1", "clients": []any{client}}
	maps.Copy(all, options)
	c.npmProvider = startNPMProvider(t, all)

	environment := map[string]string{
		"ADDR": addr, "BASE_URL": c.url, "OIDC_ISSUER": c.Issuer, "OIDC_CLIENT_ID": "app",
		"OIDC_CLIENT_SECRET": "a secret: with %, + and /",
		"SESSION_KEYS":       "YSBzZXNzaW9uIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU=",
	}
	for name, value := range env {
		environment[name] = strings.Replace(value, "APP/", c.url+"/", 1)
	}
	c.serve(environment)
	return c
}

// serve runs the app until the test ends.
func (c *npmClient) serve(env map[string]string) {
	c.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- main.Run(ctx, func(name string) string { return env[name] }, c.log) }()
	c.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil || c.t.Failed() {
			c.t.Logf("the app ended with %v and wrote:\n%s", err, c.log)
		}
	})
	require.Eventually(c.t, func() bool {
		resp, err := http.Get(c.url + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond, "the app does not listen")
}

// signIn opens a page, fills in the provider's form and allows what it asks for; it returns where that ends.
func (c *npmClient) signIn(b *browser, path, login string) page {
	c.t.Helper()
	b.open(c.url + path)
	b.submit("/login", url.Values{"login": {login}, "password": {login}})
	if strings.Contains(b.page.body, "/consent") {
		b.submit("/consent", nil)
	}
	if strings.Contains(b.page.body, `action="`+c.url) {
		// form_post: the page that a browser's script would send.
		b.submit("/auth/callback", hidden(b.page.body))
	}
	return b.page
}

// me is what /api/me says, and its status.
func (c *npmClient) me(b *browser) (status int, me map[string]any) {
	c.t.Helper()
	answer := b.fetch(http.MethodGet, c.url+"/api/me")
	require.NoError(c.t, json.Unmarshal([]byte(answer.body), &me), answer.body)
	return answer.status, me
}

// hidden returns the hidden inputs of a page.
func hidden(body string) url.Values {
	values := make(url.Values)
	attribute := func(tag, name string) string {
		m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
		if m == nil {
			return ""
		}
		return html.UnescapeString(m[1])
	}
	for _, tag := range regexp.MustCompile(`<input [^>]*>`).FindAllString(body, -1) {
		if attribute(tag, "type") == "hidden" {
			values.Add(attribute(tag, "name"), attribute(tag, "value"))
		}
	}
	return values
}

// freeAddr returns a loopback address that nothing listens on, just now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// A logBook keeps what the app writes. It is safe for concurrent use.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
