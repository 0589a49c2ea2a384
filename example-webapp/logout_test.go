package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
)

// appProcess names the variable that makes this test binary an app. See TestAppProcess.
const appProcess = "SIGNET_TEST_APP_PROCESS"

// TestAppProcess is the app as a process of its own, for tests of several at once: they start the test binary with the app's
// configuration in its environment. It ends when its standard input does.
func TestAppProcess(*testing.T) {
	if os.Getenv(appProcess) == "" {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := main.Run(ctx, os.Getenv, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A cluster is two processes of the app that share a Redis, behind a proxy that deals requests to them in turn.
type cluster struct {
	*npmClient
	replicas [2]string // addresses
	turn     atomic.Uint64
}

// replicaHeader sends a request to one replica.
const replicaHeader = "X-Test-Replica"

func startCluster(t *testing.T, server *place, cookies bool, client map[string]any) *cluster {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	c := &cluster{npmClient: &npmClient{url: "http://localhost:" + port, log: new(logBook)}}
	metadata := map[string]any{
		"client_id": "app", "client_secret": "secret",
		"redirect_uris":             []string{c.url + "/auth/callback"},
		"post_logout_redirect_uris": []string{c.url + "/auth/signed-out"},
		"backchannel_logout_uri":    c.url + "/auth/backchannel-logout",
	}
	for name, value := range client {
		metadata[name] = value
	}
	c.npmProvider = startNPMProvider(t, map[string]any{"host": "127.0.0.1", "clients": []any{metadata}})
	server.start()
	for i := range c.replicas {
		c.replicas[i] = c.startReplica(environment{
			"BASE_URL": c.url, "OIDC_ISSUER": c.Issuer, "OIDC_CLIENT_ID": "app", "OIDC_CLIENT_SECRET": "secret",
			"SESSION_KEYS": "YSBzZXNzaW9uIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU=",
		}.with(server.env(cookies)...))
	}
	proxy := &http.Server{Handler: &httputil.ReverseProxy{Rewrite: c.deal}}
	go func() { _ = proxy.Serve(listener) }()
	t.Cleanup(func() { _ = proxy.Close() })
	return c
}

// deal chooses the replica for a request.
func (c *cluster) deal(r *httputil.ProxyRequest) {
	n, err := strconv.Atoi(r.In.Header.Get(replicaHeader))
	if err != nil {
		n = int(c.turn.Add(1) % 2)
	}
	r.SetURL(&url.URL{Scheme: "http", Host: c.replicas[n]})
	r.Out.Host = r.In.Host
}

// startReplica starts the app as a process and returns its address.
func (c *cluster) startReplica(env environment) string {
	c.t.Helper()
	address := freeAddr(c.t)
	process := exec.Command(os.Args[0], "-test.run=^TestAppProcess$")
	process.Env = append(os.Environ(), appProcess+"=yes", "ADDR="+address)
	for name, value := range env {
		process.Env = append(process.Env, name+"="+value)
	}
	process.Stdout, process.Stderr = c.log, c.log
	stdin, err := process.StdinPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, process.Start())
	c.t.Cleanup(func() {
		stdin.Close()
		if err := process.Wait(); err != nil || c.t.Failed() {
			c.t.Logf("the app ended with %v; the apps wrote:\n%s", err, c.log)
		}
	})
	require.Eventually(c.t, func() bool {
		resp, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond, "the app is not ready")
	return address
}

// ask asks one replica who is signed in, with these cookies.
func (c *cluster) ask(replica int, cookies []*http.Cookie) int {
	req, err := http.NewRequest(http.MethodGet, c.url+"/api/me", nil)
	if err != nil {
		return 0
	}
	req.Header.Set(replicaHeader, strconv.Itoa(replica))
	for _, cookie := range cookies {
		req.AddCookie(cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// requireEverywhere asserts what every replica answers to these cookies.
func (c *cluster) requireEverywhere(status int, cookies []*http.Cookie) {
	c.t.Helper()
	for replica := range c.replicas {
		require.Equal(c.t, status, c.ask(replica, cookies), "replica %d", replica)
	}
}

// A hammer asks both replicas without pause who is signed in.
type hammer struct {
	cluster  *cluster
	stop     chan struct{}
	all      sync.WaitGroup
	accepted atomic.Int64 // when the last request was begun that was accepted, Unix nanoseconds
	refused  atomic.Int64
	other    atomic.Int64 // answers that are neither
}

func (c *cluster) hammer(cookies []*http.Cookie) *hammer {
	h := &hammer{cluster: c, stop: make(chan struct{})}
	for replica := range c.replicas {
		h.all.Go(func() {
			for {
				select {
				case <-h.stop:
					return
				default:
				}
				h.strike(replica, cookies)
			}
		})
	}
	return h
}

func (h *hammer) strike(replica int, cookies []*http.Cookie) {
	began := time.Now().UnixNano()
	switch h.cluster.ask(replica, cookies) {
	case http.StatusOK:
		for {
			last := h.accepted.Load()
			if began <= last || h.accepted.CompareAndSwap(last, began) {
				return
			}
		}
	case http.StatusUnauthorized:
		h.refused.Add(1)
	default:
		h.other.Add(1)
	}
}

// finish waits for some refusals and ends the hammer.
func (h *hammer) finish(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return h.refused.Load() > 50 }, patience, time.Millisecond, "the session lives on")
	close(h.stop)
	h.all.Wait()
	require.Zero(t, h.other.Load(), "answers that are neither 200 nor 401")
}

func TestBackChannelLogoutReachesEveryProcess(t *testing.T) {
	inEach(t, func(t *testing.T, server *place, inCookies bool) {
		c := startCluster(t, server, inCookies, map[string]any{"backchannel_logout_session_required": true})
		ended, other := newBrowser(t), newBrowser(t)
		c.signIn(ended, "/profile", "alice")
		c.signIn(other, "/profile", "alice")
		_, me := c.me(ended)
		cookies := ended.cookies(c.url)
		c.requireEverywhere(http.StatusOK, cookies)

		h := c.hammer(cookies)
		sent := time.Now()
		c.control(http.MethodPost, "backchannel-logout", map[string]any{"client_id": "app", "sub": "alice", "sid": me["sid"]}, nil)
		answered := time.Now()
		h.finish(t)

		last := time.Unix(0, h.accepted.Load())
		t.Logf("logout token sent and answered in %v; the last request that was accepted began %v after it was sent",
			answered.Sub(sent).Round(time.Microsecond), last.Sub(sent).Round(time.Microsecond))
		require.True(t, last.Before(answered), "a request was accepted %v after the logout was confirmed", last.Sub(answered))
		c.requireEverywhere(http.StatusUnauthorized, cookies)
		c.requireEverywhere(http.StatusOK, other.cookies(c.url))
	}, redisServers, databases, files)
}

func TestBackChannelLogoutOfAUserReachesEverySession(t *testing.T) {
	inEach(t, func(t *testing.T, server *place, inCookies bool) {
		c := startCluster(t, server, inCookies, map[string]any{"backchannel_logout_session_required": false})
		first, second, ada := newBrowser(t), newBrowser(t), newBrowser(t)
		c.signIn(first, "/profile", "alice")
		c.signIn(second, "/profile", "alice")
		c.signIn(ada, "/profile", "ada")

		c.control(http.MethodPost, "backchannel-logout", map[string]any{"client_id": "app", "sub": "alice", "sid": "none"}, nil)

		c.requireEverywhere(http.StatusUnauthorized, first.cookies(c.url))
		c.requireEverywhere(http.StatusUnauthorized, second.cookies(c.url))
		c.requireEverywhere(http.StatusOK, ada.cookies(c.url))
		// Single sign-on brings the user back, but not in the second of the logout, whose logins count as ended.
		require.Eventually(t, func() bool { return first.open(c.url+"/profile").status == http.StatusOK }, patience, 100*time.Millisecond)
		c.requireEverywhere(http.StatusOK, first.cookies(c.url))
		c.requireEverywhere(http.StatusUnauthorized, second.cookies(c.url))
	}, redisServers, databases, files)
}

func TestLogoutReachesEveryProcess(t *testing.T) {
	inEach(t, func(t *testing.T, server *place, inCookies bool) {
		c := startCluster(t, server, inCookies, map[string]any{"backchannel_logout_session_required": true})
		b, other := newBrowser(t), newBrowser(t)
		c.signIn(b, "/profile", "alice")
		c.signIn(other, "/profile", "alice")
		cookies := b.cookies(c.url)
		h := c.hammer(cookies)

		b.open(c.url + "/auth/logout?return_to=/%3Fbye")
		sent := time.Now()
		b.submit("/auth/logout", hidden(b.page.body))
		answered := time.Now()
		require.Contains(t, b.page.url.String(), c.Issuer, "the provider is told")
		h.finish(t)

		last := time.Unix(0, h.accepted.Load())
		t.Logf("logout sent and answered in %v; the last request that was accepted began %v after it was sent",
			answered.Sub(sent).Round(time.Microsecond), last.Sub(sent).Round(time.Microsecond))
		require.True(t, last.Before(answered))
		confirmation := hidden(b.page.body)
		confirmation.Set("logout", "yes")
		got := b.submit("/session/end/confirm", confirmation)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, c.url+"/?bye", got.url.String())
		require.Empty(t, b.cookies(c.url))
		c.requireEverywhere(http.StatusUnauthorized, cookies)
		c.requireEverywhere(http.StatusOK, other.cookies(c.url))
		b.open(c.url + "/profile")
		require.Contains(t, b.page.body, `name="password"`, "the provider has forgotten the person too")
	}, redisServers, databases, files)
}
