package main_test

import (
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A redisServer is a redis-server of the test's own, in memory, on a loopback port that stays the same over restarts.
type redisServer struct {
	t       *testing.T
	path    string
	port    string
	process *exec.Cmd
}

// newRedis returns a server that does not run yet, and skips the test where there is no redis-server.
func newRedis(t *testing.T) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		skip(t, "redis-server is not installed")
	}
	return &redisServer{t: t, path: path, port: freePort(t)}
}

func (s *redisServer) url() string { return "redis://127.0.0.1:" + s.port }

func (s *redisServer) start() {
	s.t.Helper()
	s.process = exec.Command(s.path, "--port", s.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	require.NoError(s.t, s.process.Start())
	s.t.Cleanup(s.stop)
	require.Eventually(s.t, func() bool {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+s.port, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}

func (s *redisServer) stop() {
	s.process.Process.Kill()
	s.process.Wait()
}

func TestRedisDownAndUp(t *testing.T) {
	for _, store := range []string{"redis", "cookie"} {
		t.Run("SESSION_STORE="+store, func(t *testing.T) {
			server := newRedis(t)
			a := startApp(t, "SESSION_STORE", store, "REDIS_URL", server.url(), "REDIS_TIMEOUT", "1s")
			b := newBrowser(t)
			require.Equal(t, http.StatusServiceUnavailable, b.open(a.base+"/readyz").status, "not ready, but up")
			require.Equal(t, http.StatusOK, b.open(a.base+"/").status)

			server.start()
			require.Eventually(t, func() bool { return b.open(a.base+"/readyz").status == http.StatusOK }, 10*time.Second, 50*time.Millisecond)
			b = a.signedIn("alice")
			require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, a.base+"/api/me").status)

			server.stop()
			before := b.cookies(a.base)
			for _, path := range []string{"/profile", "/admin", "/api/me", "/api/call"} {
				p := b.open(a.base + path)
				require.Equal(t, http.StatusServiceUnavailable, p.status, "%s: %s", path, p.body)
				require.Empty(t, p.steps, "an outage is no reason to sign in again")
				require.NotEmpty(t, p.header.Get("Retry-After"))
				require.Empty(t, p.header.Values("Set-Cookie"))
				requireProtected(t, p)
			}
			require.Equal(t, before, b.cookies(a.base), "the cookie is kept")
			require.Equal(t, http.StatusOK, b.open(a.base+"/").status)

			server.start() // empty: server-side sessions are gone, sealed cookies still say who it is
			want := map[string]int{"redis": http.StatusUnauthorized, "cookie": http.StatusOK}[store]
			require.Eventually(t, func() bool {
				status := b.fetch(http.MethodGet, a.base+"/api/me").status
				return status == want
			}, 10*time.Second, 50*time.Millisecond)
		})
	}
}

func TestSessionsInRedis(t *testing.T) {
	server := newRedis(t)
	server.start()
	a := startApp(t, "SESSION_STORE", "redis", "REDIS_URL", server.url())
	b := a.signedIn("bob")
	total := 0
	for _, c := range b.cookies(a.base) {
		total += len(c.Name) + len(c.Value)
	}
	require.Less(t, total, 300, "the cookie holds an id, not the session")
	b.open(a.base + "/")
	b.submit("/auth/logout", nil)
	require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, a.base+"/api/me").status)
}
