package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session/sqlstore"
)

// following waits until the standby has what was written.
func following(t *testing.T, standby *sqlstore.Store, key, want string) {
	t.Helper()
	require.Eventually(t, func() bool {
		values, err := standby.Get(t.Context(), key)
		return err == nil && string(values[0]) == want
	}, patience, 10*time.Millisecond, "the standby does not follow")
}

func TestAStandbyRefusesWritesAndSaysWhy(t *testing.T) {
	primary := pgtest.Start(t)
	writer := migrated(t, sqlstore.NewPostgres(open(t, "pgx", primary.URL("postgres", ""))))
	standby := primary.Standby()
	for _, driver := range []string{"pgx", "postgres"} {
		db := open(t, driver, standby.URL("postgres", ""))
		s := sqlstore.NewPostgres(db)
		occupy(t, db, 5)
		require.NoError(t, s.Check(t.Context()), "it looks alike")
		for _, w := range writes {
			t.Run(driver+" "+w.name, func(t *testing.T) {
				w.reset(t, writer)
				following(t, s, "row", string(w.before))
				done, err := w.call(t.Context(), s)
				require.ErrorContains(t, err, "read-only standby")
				require.False(t, done && w.name != "Set")
				done, err = w.call(t.Context(), writer)
				require.NoError(t, err)
				require.True(t, done, "nothing was done before")
			})
		}
	}
}

// A name that leads to the primary leads elsewhere after a failover, and connections stay where they
// are. Where the old server became read-only, each would refuse a write.
func TestAServerThatBecomesReadOnlyFailsNoWrite(t *testing.T) {
	const idle = 20
	primary := pgtest.Start(t)
	direct := open(t, "pgx", primary.URL("postgres", ""))
	old := migrated(t, sqlstore.NewPostgres(direct))
	require.NoError(t, old.Set(t.Context(), "row", []byte("old"), time.Hour))
	standby := primary.Standby()
	proxy := newRelay(t)
	url := proxy.url(t, primary.URL("postgres", ""))
	dbs := map[string]*sqlstore.Store{}
	for _, w := range writes {
		db := open(t, "pgx", url)
		occupy(t, db, idle)
		dbs[w.name] = sqlstore.NewPostgres(db)
	}
	new := sqlstore.NewPostgres(open(t, "pgx", standby.URL("postgres", "")))
	following(t, new, "row", "old")
	standby.Promote()
	for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"} {
		_, err := direct.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		var readOnly string
		err := direct.QueryRowContext(t.Context(), "SHOW default_transaction_read_only").Scan(&readOnly)
		return err == nil && readOnly == "on"
	}, patience, 10*time.Millisecond)
	proxy.lead(standby.Addr())
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			w.reset(t, new)
			done, err := w.call(t.Context(), dbs[w.name])
			require.NoError(t, err)
			require.True(t, done)
			requireHolds(t, new, "row", w.after())
		})
	}
	requireHolds(t, old, "row", "old")
}

// pgx finds the primary among several hosts.
func TestAFailoverToAStandbyIsFollowed(t *testing.T) {
	primary := pgtest.Start(t)
	first := migrated(t, sqlstore.NewPostgres(open(t, "pgx", primary.URL("postgres", ""))))
	standby := primary.Standby()
	url := "postgres://app@" + primary.Addr() + "," + standby.Addr() + "/postgres?sslmode=disable&target_session_attrs=read-write"
	s := sqlstore.NewPostgres(open(t, "pgx", url))
	require.NoError(t, s.Set(t.Context(), "row", []byte("1"), time.Hour))
	requireHolds(t, first, "row", "1")
	following(t, sqlstore.NewPostgres(open(t, "pgx", standby.URL("postgres", ""))), "row", "1")
	primary.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := s.Swap(ctx, "row", []byte("1"), []byte("2"), time.Hour)
	require.Error(t, err, "nobody can write")
	standby.Promote()
	requireHolds(t, s, "row", "1")
	swapped, err := s.Swap(ctx, "row", []byte("1"), []byte("2"), time.Hour)
	require.NoError(t, err)
	require.True(t, swapped)
}

func TestAServerThatStartsIsWaitedFor(t *testing.T) {
	server := pgtest.Start(t)
	s := migrated(t, sqlstore.NewPostgres(open(t, "pgx", server.URL("postgres", ""))))
	starting := newRefuser(t, "57P03", "the database system is starting up", 3)
	slow := sqlstore.NewPostgres(open(t, "pgx", starting.url(t, server.URL("postgres", ""))))
	require.NoError(t, slow.Set(t.Context(), "row", []byte("1"), time.Minute))
	requireHolds(t, s, "row", "1")
	require.EqualValues(t, 3, starting.refused.Load())
	endless := newRefuser(t, "57P03", "the database system is starting up", 1<<40)
	slow = sqlstore.NewPostgres(open(t, "pgx", endless.url(t, server.URL("postgres", ""))))
	require.ErrorContains(t, slow.Set(t.Context(), "row", nil, time.Minute), "57P03")
	require.Less(t, endless.refused.Load(), int64(20))
}
