package sqlstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sqlstore"
)

// request serves one request with a cookie and returns the cookie that the browser then has.
func request(m *session.Manager, cookie string, do func(s *session.Session)) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
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

// newManager returns a process's Manager.
func newManager(t testing.TB, store session.Store, key string, serverSide bool) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{
		Keys: []string{key}, Store: store, ServerSide: serverSide, StoreTimeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return m
}

// signIn returns the cookie of a session with a token of so many bytes.
func signIn(t testing.TB, m *session.Manager, token string) string {
	return request(m, "", func(s *session.Session) {
		require.NoError(t, s.Renew())
		require.NoError(t, s.SetToken("t", token))
		s.Tag("user")
	})
}

// load is what Load says.
func load(m *session.Manager, cookie string) (err error) {
	request(m, cookie, func(s *session.Session) { err = s.Load() })
	return err
}

// replicas runs a test with the stores of two processes, in cookie and server mode.
func replicas(t *testing.T, test func(t *testing.T, here, there *session.Manager)) {
	for _, serverSide := range []bool{false, true} {
		for name, open := range map[string]func(t *testing.T) [2]session.Store{
			"PostgreSQL": func(t *testing.T) [2]session.Store {
				url := pgtest.Database(t)
				first := migrated(t, sqlstore.NewPostgres(open(t, "pgx", url(""))))
				return [2]session.Store{first, sqlstore.NewPostgres(open(t, "pgx", url("")))}
			},
			"SQLite": func(t *testing.T) [2]session.Store {
				file := sqliteFile(t)
				first := migrated(t, sqlstore.NewSQLite(open(t, "sqlite", file)))
				return [2]session.Store{first, sqlstore.NewSQLite(open(t, "sqlite", file))}
			},
		} {
			t.Run(fmt.Sprintf("%s, server side %t", name, serverSide), func(t *testing.T) {
				stores, key := open(t), session.NewKey()
				test(t, newManager(t, stores[0], key, serverSide), newManager(t, stores[1], key, serverSide))
			})
		}
	}
}

func TestReplicasAgree(t *testing.T) {
	replicas(t, func(t *testing.T, here, there *session.Manager) {
		cookie := signIn(t, here, "0")
		require.NoError(t, load(there, cookie))
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
		require.ErrorIs(t, load(there, cookie), session.ErrNoSession)
		require.NoError(t, load(there, signIn(t, there, "0")))
	})
}

// A crash of the server signs nobody out.
func TestARestartSignsNobodyOut(t *testing.T) {
	server := pgtest.Start(t)
	s := migrated(t, sqlstore.NewPostgres(open(t, "pgx", server.URL("postgres", ""))))
	m := newManager(t, s, session.NewKey(), true)
	cookie := signIn(t, m, "0")
	server.Stop()
	require.ErrorIs(t, load(m, cookie), session.ErrUnavailable)
	server.Run()
	require.NoError(t, load(m, cookie))
}
