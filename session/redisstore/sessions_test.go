package redisstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/stretchr/testify/require"
)

// replicas are two processes' Managers on one Redis, each with a client of its own.
func replicas(s *server, serverSide bool) (a, b *session.Manager) {
	keys := []string{session.NewKey()}
	open := func() *session.Manager {
		m, err := session.New(session.Config{
			Keys: keys, Store: redisstore.New(s.client(true)), ServerSide: serverSide,
			StoreTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(s.t, err)
		return m
	}
	return open(), open()
}

// modes runs a test in cookie and server mode.
func modes(t *testing.T, test func(t *testing.T, serverSide bool)) {
	for _, serverSide := range []bool{false, true} {
		t.Run(fmt.Sprintf("server side %t", serverSide), func(t *testing.T) { test(t, serverSide) })
	}
}

// request serves one request with a cookie and returns the cookie that the browser then has.
func request(m *session.Manager, cookie string, do func(s *session.Session)) string {
	r := httptest.NewRequest("GET", "/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", "__Host-session="+cookie)
	}
	w := httptest.NewRecorder()
	m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		do(session.From(r.Context()))
	})).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookie = c.Value
	}
	return cookie
}

// load is what Load says, and the cookie after it.
func load(m *session.Manager, cookie string) (after string, err error) {
	after = request(m, cookie, func(s *session.Session) { err = s.Load() })
	return after, err
}

func signIn(t *testing.T, m *session.Manager) (cookie string) {
	return request(m, "", func(s *session.Session) {
		require.NoError(t, s.Renew())
		require.NoError(t, s.SetToken("t", "0"))
		s.Tag("user")
	})
}

func TestReplicasAgreeThroughRedis(t *testing.T) {
	modes(t, func(t *testing.T, serverSide bool) {
		here, there := replicas(startServer(t), serverSide)
		cookie := signIn(t, here)
		_, err := load(there, cookie)
		require.NoError(t, err)

		var refreshes atomic.Int32
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				request([]*session.Manager{here, there}[i%2], cookie, func(s *session.Session) {
					require.NoError(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
						if token, _ := latest.Token("t"); token != "0" {
							return nil
						}
						refreshes.Add(1)
						return latest.SetToken("t", "1")
					}))
					require.NoError(t, s.Sync(t.Context()))
					token, _ := s.Token("t")
					require.Equal(t, "1", token)
				})
			})
		}
		all.Wait()
		require.EqualValues(t, 1, refreshes.Load())

		require.NoError(t, here.Revoke(t.Context(), "user"))
		_, err = load(there, cookie)
		require.ErrorIs(t, err, session.ErrNoSession)
		_, err = load(there, signIn(t, there))
		require.NoError(t, err)
	})
}

func TestRedisThatStopsStallsAndForgets(t *testing.T) {
	modes(t, func(t *testing.T, serverSide bool) {
		s := startServer(t)
		m, _ := replicas(s, serverSide)
		cookie := signIn(t, m)

		unavailable := func() {
			t.Helper()
			start := time.Now()
			after, err := load(m, cookie)
			require.ErrorIs(t, err, session.ErrUnavailable)
			require.Less(t, time.Since(start), patience)
			require.Equal(t, cookie, after, "the cookie stays")
			require.ErrorIs(t, m.Ready(t.Context()), session.ErrUnavailable)
			_, err = load(m, "")
			require.ErrorIs(t, err, session.ErrNoSession, "without a cookie nothing is asked")
		}
		healed := func() {
			t.Helper()
			require.Eventually(t, func() bool { return m.Ready(t.Context()) == nil }, patience, 20*time.Millisecond)
		}
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP))
		unavailable()
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT))
		healed()
		_, err := load(m, cookie)
		require.NoError(t, err)

		s.stop()
		unavailable()
		s.start()
		healed()
		_, err = load(m, cookie)
		require.Equal(t, serverSide, err != nil, "an empty server: rows are gone, cookies are not")

		cookie = signIn(t, m)
		require.NoError(t, s.client(true).FlushAll(t.Context()).Err())
		_, err = load(m, cookie)
		require.Equal(t, serverSide, err != nil)
	})
}

func TestRowsInRedisEndWithTheirSession(t *testing.T) {
	s := startServer(t)
	m, _ := replicas(s, true)
	cookie := signIn(t, m)
	client := s.client(true)
	keys := client.Keys(t.Context(), "*").Val()
	require.Len(t, keys, 1)
	require.Regexp(t, `^signet:[A-Za-z0-9_-]{43}$`, keys[0])
	require.InDelta(t, time.Hour, client.PTTL(t.Context(), keys[0]).Val(), float64(time.Minute), "the nearer limit")
	request(m, cookie, func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
	require.Empty(t, client.Keys(t.Context(), "*").Val())
	require.NoError(t, m.Revoke(t.Context(), "user"))
	keys = client.Keys(t.Context(), "*").Val()
	require.Len(t, keys, 1)
	require.Greater(t, client.PTTL(t.Context(), keys[0]).Val(), 12*time.Hour, "marks outlive every session")
}

func ExampleNew() {
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                 []string{"127.0.0.1:6379"},
		ContextTimeoutEnabled: true, // so that a call ends when its time is over
	})
	defer client.Close()
	manager, err := session.New(session.Config{
		Keys:       []string{session.NewKey()},
		Store:      redisstore.New(client), // no I/O: Redis may be down now
		ServerSide: true,
	})
	fmt.Println(manager != nil, err)
	// Output: true <nil>
}

func TestListOfSessionsUnderParallelLoginsAndLogouts(t *testing.T) {
	modes(t, func(t *testing.T, serverSide bool) {
		here, there := replicas(startServer(t), serverSide)
		const browsers = 12
		cookies := make([]string, browsers)
		var wg sync.WaitGroup
		for i := range cookies {
			wg.Go(func() {
				m := []*session.Manager{here, there}[i%2]
				cookies[i] = request(m, "", func(s *session.Session) {
					require.NoError(t, s.Set("v", []byte("1")))
					require.NoError(t, s.Enlist("alice", session.Place{UserAgent: "Phone/1.0"}))
				})
				if i%3 == 0 {
					request(m, cookies[i], func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
				}
			})
		}
		wg.Wait()
		all, err := there.List(t.Context(), "alice")
		require.NoError(t, err)
		require.Len(t, all, browsers*2/3)
		require.NoError(t, here.End(t.Context(), "alice", all[0].ID))
		all, err = there.List(t.Context(), "alice")
		require.NoError(t, err)
		require.Len(t, all, browsers*2/3-1)
		living := 0
		for _, cookie := range cookies {
			if _, err := load(there, cookie); err == nil {
				living++
			}
		}
		require.Equal(t, len(all), living)
	})
}
