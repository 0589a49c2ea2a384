package main_test

import (
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
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
	}, patience, 5*time.Millisecond)
}

func (s *redisServer) stop() {
	s.process.Process.Kill()
	s.process.Wait()
}

func TestAStoreDownAndUp(t *testing.T) {
	inEach(t, func(t *testing.T, server *place, cookies bool) {
		a := startApp(t, server.env(cookies, "REDIS_TIMEOUT", "5s")...)
		b := newBrowser(t)
		require.Equal(t, http.StatusServiceUnavailable, b.open(a.base+"/readyz").status, "not ready, but up")
		require.Equal(t, http.StatusOK, b.open(a.base+"/").status)

		server.start()
		require.Eventually(t, func() bool { return b.open(a.base+"/readyz").status == http.StatusOK }, patience, 50*time.Millisecond)
		b = a.signedIn("alice")
		require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, a.base+"/api/me").status)

		server.stop()
		before := b.cookies(a.base)
		for _, path := range []string{"/profile", "/admin", "/api/me", "/api/call", "/api/sessions"} {
			p := b.open(a.base + path)
			require.Equal(t, http.StatusServiceUnavailable, p.status, "%s: %s", path, p.body)
			require.Empty(t, p.steps, "an outage is no reason to sign in again")
			require.NotEmpty(t, p.header.Get("Retry-After"))
			require.Empty(t, p.header.Values("Set-Cookie"))
			requireProtected(t, p)
		}
		require.Equal(t, before, b.cookies(a.base), "the cookie is kept")
		require.Equal(t, http.StatusOK, b.open(a.base+"/").status)

		server.start() // Redis is empty then: server-side sessions are gone, sealed cookies still say who it is
		want := http.StatusOK
		if !server.keeps {
			want = lost(cookies)
		}
		require.Eventually(t, func() bool {
			status := b.fetch(http.MethodGet, a.base+"/api/me").status
			return status == want
		}, patience, 50*time.Millisecond)
	}, redisServers, postgresServers)
}

func TestSessionsInAStore(t *testing.T) {
	for _, k := range []kind{redisServers, databases, files} {
		t.Run(k.name, func(t *testing.T) {
			server := k.open(t)
			server.start()
			a := startApp(t, server.env(false)...)
			b := a.signedIn("bob")
			total := 0
			for _, c := range b.cookies(a.base) {
				total += len(c.Name) + len(c.Value)
			}
			require.Less(t, total, 300, "the cookie holds an id, not the session")
			b.open(a.base + "/")
			b.submit("/auth/logout", nil)
			require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, a.base+"/api/me").status)
		})
	}
}

func TestAStoreThatIsDownIsNoReasonToChooseAProvider(t *testing.T) {
	for _, k := range []kind{redisServers, postgresServers} {
		t.Run(k.name, func(t *testing.T) {
			server := k.open(t)
			server.start()
			a := startWithTwoProviders(t, server.env(true, "REDIS_TIMEOUT", "5s")...)
			b := a.at("/auth2")
			server.stop()
			page := b.Get(a.base + "/profile")
			require.Equal(t, http.StatusServiceUnavailable, page.Status, page.Body)
			require.Equal(t, a.base+"/profile", page.URL)
		})
	}
}

func TestTwoProcessesShareAStore(t *testing.T) {
	inEach(t, func(t *testing.T, server *place, cookies bool) {
		server.start()
		p := oidcauthtest.Start(t, oidcauthtest.Settings{})
		pairs := server.env(cookies, "SESSION_KEYS", session.NewKey(), "COOKIE_INSECURE", "true",
			"OIDC_ISSUER", p.Issuer(), "OIDC_CLIENT_ID", "one", "OIDC_CLIENT_SECRET", "first-secret")
		one, two := startApp(t, pairs...), startApp(t, pairs...)
		p.Register(clientAt(one.base+"/auth", "one", "first-secret"))
		b := signedInAt(t, one) // cookies ignore ports
		require.Equal(t, http.StatusOK, b.Fetch(two.base+"/api/me", oidcauthtest.FetchOptions{Credentials: "include"}).Status)

		resp, err := http.PostForm(one.base+"/auth/backchannel-logout", map[string][]string{
			"logout_token": {p.LogoutToken("one", "", p.Sessions()[0].ID)},
		})
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, http.StatusUnauthorized, b.Fetch(two.base+"/api/me", oidcauthtest.FetchOptions{Credentials: "include"}).Status, "signed out in the other process too")
	}, redisServers, databases, files)
}

func TestAnEmptyDatabaseIsNotReadyUntilItsTableIsMade(t *testing.T) {
	for name, address := range map[string]string{
		"postgres": pgtest.Database(t)(""), "sqlite": newFile(t),
	} {
		t.Run(name, func(t *testing.T) {
			pairs := []string{"SESSION_STORE", name, "DATABASE_URL", address}
			a := startApp(t, pairs...)
			b := newBrowser(t)
			require.Equal(t, http.StatusServiceUnavailable, b.open(a.base+"/readyz").status)
			require.Equal(t, http.StatusOK, b.open(a.base+"/healthz").status)
			require.Contains(t, a.waitFor("statement="), "CREATE TABLE IF NOT EXISTS signet_store")
			require.Contains(t, a.output.String(), "-migrate")

			migration := newProcess(t, pairs...)
			migration.Args = append(migration.Args, "-migrate")
			require.NoError(t, migration.Start())
			require.Zero(t, migration.end(t), migration.stderr.String())
			require.Contains(t, migration.stdout.String(), "CREATE TABLE IF NOT EXISTS signet_store")
			require.Equal(t, http.StatusOK, b.open(a.base+"/readyz").status, "without a restart")
			require.Equal(t, http.StatusOK, a.signedIn("alice").fetch(http.MethodGet, a.base+"/api/me").status)
		})
	}
}

func TestMigrateNeedsADatabaseAndTakesNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no database":         {[]string{"-migrate"}, "DATABASE_URL"},
		"an unknown argument": {[]string{"-help"}, "-migrate"},
		"too many":            {[]string{"-migrate", "now"}, "-migrate"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t)
			p.Args = append(p.Args, c.args...)
			require.NoError(t, p.Start())
			require.Equal(t, 1, p.end(t))
			require.Contains(t, p.stderr.String(), c.says)
		})
	}
	t.Run("a database that is down", func(t *testing.T) {
		p := newProcess(t, "DATABASE_URL", "postgres://app:the-password@127.0.0.1:"+freePort(t)+"/app")
		p.Args = append(p.Args, "-migrate")
		require.NoError(t, p.Start())
		require.Equal(t, 1, p.end(t))
		require.NotContains(t, p.stderr.String(), "the-password")
	})
}
