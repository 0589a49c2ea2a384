//go:build unix

package main_test

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clients is how many ask at the same time; each does so 25 times a second.
const clients = 8

// A load is what a steady number of clients, all with one session, gets from the app.
type load struct {
	t    *testing.T
	base string
	http *http.Client

	mu     sync.Mutex
	cookie string
	status int         // of the latest answer of a protected route
	streak int         // how many in a row had it
	seen   map[int]int // how many of each there were
	wrong  []string    // answers that no state of the store excuses
}

// startLoad begins with the session of b, and ends with the test.
func startLoad(t *testing.T, base string, b *browser) *load {
	l := &load{t: t, base: base, seen: map[int]int{}}
	l.http = &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	l.use(b)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { l.run(stop) })
	}
	t.Cleanup(func() { close(stop); all.Wait(); l.http.CloseIdleConnections() })
	return l
}

// use makes the clients show the session of b.
func (l *load) use(b *browser) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cookie = ""
	for _, c := range b.cookies(l.base) {
		l.cookie += c.Name + "=" + c.Value + "; "
	}
}

// run is one client.
func (l *load) run(stop <-chan struct{}) {
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			l.ask([]string{"/api/me", "/profile", "/"}[i%3])
		case <-stop:
			return
		}
	}
}

// ask sends one request and notes the answer. The public page is a stranger's.
func (l *load) ask(path string) {
	l.mu.Lock()
	cookie := l.cookie
	l.mu.Unlock()
	req, _ := http.NewRequest(http.MethodGet, l.base+path, nil)
	if path != "/" {
		req.Header.Set("Cookie", cookie)
	}
	if path == "/profile" {
		req.Header.Set("Sec-Fetch-Mode", "navigate")
		req.Header.Set("Sec-Fetch-Dest", "document")
	}
	resp, err := l.http.Do(req)
	if err != nil {
		l.note(path, 0, err.Error())
		return
	}
	resp.Body.Close()
	l.note(path, resp.StatusCode, wrongWith(path, resp))
}

// wrongWith says what is wrong with an answer, whatever the store does.
func wrongWith(path string, resp *http.Response) string {
	h := resp.Header
	switch {
	case path == "/" && resp.StatusCode != http.StatusOK:
		return "a public page depends on the store"
	case resp.StatusCode >= 500 && resp.StatusCode != http.StatusServiceUnavailable:
		return "another error than 503"
	case resp.StatusCode == http.StatusServiceUnavailable && h.Get("Retry-After") == "":
		return "503 without Retry-After"
	case resp.StatusCode == http.StatusServiceUnavailable && (len(h.Values("Set-Cookie")) > 0 || h.Get("Location") != ""):
		return "an outage touches cookies or redirects"
	}
	return ""
}

// note counts an answer. A navigation to the provider is the 401 of a browser.
func (l *load) note(path string, status int, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wrong != "" {
		l.wrong = append(l.wrong, fmt.Sprintf("%s %d: %s", path, status, wrong))
	}
	if path == "/" {
		return
	}
	if status == http.StatusSeeOther {
		status = http.StatusUnauthorized
	}
	if status != l.status {
		l.status, l.streak = status, 0
	}
	l.streak++
	l.seen[status]++
}

// settles waits until all protected routes have answered with status for a while, and liveness and readiness as they should.
func (l *load) settles(status, ready int) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.status == status && l.streak >= 4*clients
	}, patience, 5*time.Millisecond, "not all answers become %d", status)
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(l.t, l.wrong)
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": ready} {
		resp, err := l.http.Get(l.base + path)
		require.NoError(l.t, err)
		resp.Body.Close()
		require.Equal(l.t, want, resp.StatusCode, path)
	}
}

// never fails if a protected route has ever answered with status.
func (l *load) never(status int) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Zero(l.t, l.seen[status], "%d among %v", status, l.seen)
}

// flush empties the server.
func (s *redisServer) flush() {
	s.t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
	require.NoError(s.t, err)
	defer conn.Close()
	_, err = fmt.Fprint(conn, "FLUSHALL\r\n")
	require.NoError(s.t, err)
	answer := make([]byte, len("+OK\r\n"))
	_, err = conn.Read(answer)
	require.NoError(s.t, err)
	require.Equal(s.t, "+OK\r\n", string(answer))
}

func TestAStoreStallsStopsAndForgetsUnderLoad(t *testing.T) {
	inEach(t, func(t *testing.T, server *place, cookies bool) {
		server.start()
		a := startApp(t, server.env(cookies, "REDIS_TIMEOUT", "2s")...)
		l := startLoad(t, a.base, a.signedIn("alice"))
		l.settles(http.StatusOK, http.StatusOK)

		server.stall()
		l.settles(http.StatusServiceUnavailable, http.StatusServiceUnavailable)
		server.goOn()
		l.settles(http.StatusOK, http.StatusOK)
		l.never(http.StatusUnauthorized)

		server.flush()
		l.settles(lost(cookies), http.StatusOK)
		l.use(a.signedIn("bob"))
		l.settles(http.StatusOK, http.StatusOK)

		server.stop()
		l.settles(http.StatusServiceUnavailable, http.StatusServiceUnavailable)
		server.start()
		if server.keeps {
			l.settles(http.StatusOK, http.StatusOK)
			return
		}
		l.settles(lost(cookies), http.StatusOK)
		l.use(a.signedIn("alice"))
		l.settles(http.StatusOK, http.StatusOK)
	}, redisServers, postgresServers)
}
