// Package examples_test builds the examples and runs them as their readers do: as processes, with a provider beside them.
package examples_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/signet-go/signet/oidcauth" // what the programs are made of: a change of it is a new run of these tests
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// patience is how long a machine that is busy with other tests may take to start a process.
const patience = 60 * time.Second

// build compiles every example, once for all tests.
var build = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "examples")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", folder+string(filepath.Separator), "./...").CombinedOutput()
	if err != nil {
		return folder, &buildError{string(out)}
	}
	return folder, nil
})

type buildError struct{ output string }

func (e *buildError) Error() string { return e.output }

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, err := build(); err == nil {
		os.RemoveAll(folder)
	}
	os.Exit(code)
}

// output is what a process has said so far.
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

// start runs an example until the test ends.
func start(t *testing.T, name string, env ...string) *output {
	t.Helper()
	folder, err := build()
	require.NoError(t, err)
	command, said := exec.CommandContext(t.Context(), filepath.Join(folder, name)), &output{}
	command.Env, command.Stdout, command.Stderr = append(os.Environ(), env...), said, said
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Wait() }) // the test's context has ended it by then
	return said
}

// serve runs an example that listens, and waits until it does.
func serve(t *testing.T, name, address string, env ...string) *output {
	t.Helper()
	said := start(t, name, append(env, "LISTEN="+address)...)
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		connection.Close()
		return true
	}, patience, 5*time.Millisecond, "%s does not listen: %s", name, said)
	return said
}

// freeAddress is an address at host that nobody listens at.
func freeAddress(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return net.JoinHostPort(host, port)
}

// A world is the provider of the examples, and where an application and its API are to be.
type world struct {
	app, api string   // addresses
	env      []string // what an application is told
}

func newWorld(t *testing.T) world {
	t.Helper()
	w := world{app: freeAddress(t, "localhost"), api: freeAddress(t, "localhost")}
	provider := freeAddress(t, "127.0.0.1")
	serve(t, "provider", provider, "APP_URL=http://"+w.app)
	w.env = []string{"API_URL=http://" + w.api, "SESSION_KEYS=" + session.NewKey()}
	for variables, client := range map[string]string{"OIDC": "shop", "STAFF": "staff", "CUSTOMERS": "customers"} {
		w.env = append(w.env, variables+"_ISSUER=http://"+provider, variables+"_CLIENT_ID="+client, variables+"_CLIENT_SECRET=for-development-only")
	}
	return w
}

// The sources are read here, too, so that the go command knows of each change that these results are about.
func TestTheExamplesStaySmall(t *testing.T) {
	sources, err := filepath.Glob("*/*")
	require.NoError(t, err)
	pages, err := filepath.Glob("*/*/*")
	require.NoError(t, err)
	for _, file := range append(sources, pages...) {
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.LessOrEqual(t, bytes.Count(text, []byte("\n")), 120, file)
	}
	require.Greater(t, len(sources), 5)
}

func TestPagesSignInAndOut(t *testing.T) {
	w := newWorld(t)
	serve(t, "pages", w.app, w.env...)
	b := oidcauthtest.NewBrowser(nil)
	app := "http://" + w.app

	require.Contains(t, b.Get(app+"/").Body, "Sign in")
	page := b.Click("/auth/login?return_to=/me")
	require.Equal(t, app+"/me", page.URL, page.Body)
	require.Contains(t, page.Body, "Signed in as Alice Adams")
	require.Equal(t, http.StatusForbidden, b.Get(app+"/admin").Status, "Alice is no administrator")

	b.Get(app + "/me")
	page = b.Submit("/auth/logout", nil)
	require.True(t, strings.HasPrefix(page.URL, app+"/auth/signed-out"), page.URL)
	require.Contains(t, b.Get(app+"/").Body, "Sign in")
}

func TestTheSinglePageCallsItsAPI(t *testing.T) {
	w := newWorld(t)
	serve(t, "own-api", w.api, w.env...)
	serve(t, "single-page", w.app, w.env...)
	b := oidcauthtest.NewBrowser(nil)
	app := "http://" + w.app

	require.Contains(t, b.Get(app+"/").Body, `<script src="app.js">`)
	require.Equal(t, http.StatusOK, b.Load("/app.js", "script").Status)
	answer := b.Fetch("/api/orders", oidcauthtest.FetchOptions{})
	require.Equal(t, http.StatusUnauthorized, answer.Status)
	require.Contains(t, answer.Body, `"login_url":"/auth/login`)

	require.Equal(t, app+"/", b.Get(app+"/auth/login").URL)
	require.Contains(t, b.Fetch("/auth/session", oidcauthtest.FetchOptions{}).Body, `"name":"Alice Adams"`)
	answer = b.Fetch("/api/orders", oidcauthtest.FetchOptions{})
	require.Equal(t, http.StatusOK, answer.Status, answer.Body)
	require.Contains(t, answer.Body, `"called_by":"shop"`)
	require.Contains(t, answer.Body, `"user":`)
	require.Equal(t, http.StatusForbidden, b.Fetch("/api/orders", oidcauthtest.FetchOptions{Method: http.MethodDelete}).Status)
}

func TestTheWorkerReports(t *testing.T) {
	w := newWorld(t)
	serve(t, "own-api", w.api, w.env...)
	said := start(t, "worker", w.env...)
	require.Eventually(t, func() bool { return strings.Contains(said.String(), "}") }, patience, 5*time.Millisecond, "the worker says nothing")
	require.JSONEq(t, `{"orders": ["tea", "biscuits"], "called_by": "shop"}`, said.String())
}

func TestTheAPIRefusesWhoHasNoToken(t *testing.T) {
	w := newWorld(t)
	serve(t, "own-api", w.api, w.env...)
	answer := oidcauthtest.NewBrowser(nil).Get("http://" + w.api + "/orders")
	require.Equal(t, http.StatusUnauthorized, answer.Status)
	require.Contains(t, answer.Header.Get("WWW-Authenticate"), "Bearer")
}

func TestTwoProvidersShareSessions(t *testing.T) {
	w := newWorld(t)
	serve(t, "two-providers", w.app, w.env...)
	app := "http://" + w.app

	customer := oidcauthtest.NewBrowser(nil)
	require.Contains(t, customer.Get(app+"/").Body, "As a customer")
	page := customer.Click("/auth/customers/login?return_to=/me")
	require.Equal(t, app+"/me", page.URL, page.Body)
	require.Contains(t, page.Body, "Hello, Alice Adams")
	require.Equal(t, http.StatusUnauthorized, customer.Fetch("/back-office", oidcauthtest.FetchOptions{}).Status, "it is for staff")

	staff := oidcauthtest.NewBrowser(nil)
	require.Equal(t, app+"/back-office", staff.Get(app+"/back-office").URL)
	require.Equal(t, app+"/me", staff.Get(app+"/me").URL, "one session is good for what both may see")
}
