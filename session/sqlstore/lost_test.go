package sqlstore_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session/sqlstore"
)

// A write is one call that writes the row "row", and what that held before.
type write struct {
	name   string
	before []byte
	call   func(ctx context.Context, s *sqlstore.Store) (bool, error)
}

var writes = []write{
	{"Set", []byte("old"), func(ctx context.Context, s *sqlstore.Store) (bool, error) {
		return true, s.Set(ctx, "row", []byte("ours"), time.Minute)
	}},
	{"Add", nil, func(ctx context.Context, s *sqlstore.Store) (bool, error) {
		return s.Add(ctx, "row", []byte("ours"), time.Minute)
	}},
	{"Swap", []byte("old"), func(ctx context.Context, s *sqlstore.Store) (bool, error) {
		return s.Swap(ctx, "row", []byte("old"), []byte("ours"), time.Minute)
	}},
	{"Delete", []byte("old"), func(ctx context.Context, s *sqlstore.Store) (bool, error) { return s.Delete(ctx, "row", nil) }},
	{"Delete of what it holds", []byte("old"), func(ctx context.Context, s *sqlstore.Store) (bool, error) {
		return s.Delete(ctx, "row", []byte("old"))
	}},
}

// reset puts the row as it was before a write.
func (w write) reset(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	_, err := s.Delete(t.Context(), "row", nil)
	require.NoError(t, err)
	if w.before != nil {
		require.NoError(t, s.Set(t.Context(), "row", w.before, time.Minute))
	}
}

// after is what the row holds after it.
func (w write) after() string {
	if w.name[0] == 'D' {
		return ""
	}
	return "ours"
}

// database/sql makes a statement again on another connection when lib/pq says that the first was
// bad: an Add would find its own row, and say that somebody else has it.
func TestAWriteWhoseAnswerIsLostIsAnErrorAndNotAnAnswer(t *testing.T) {
	for _, driver := range []string{"pgx", "postgres"} {
		for _, w := range writes {
			t.Run(driver+" "+w.name, func(t *testing.T) {
				url, proxy := pgtest.Database(t), newRelay(t)
				direct := migrated(t, sqlstore.NewPostgres(open(t, "pgx", url(""))))
				s := sqlstore.NewPostgres(open(t, driver, proxy.url(t, url(""))))
				w.reset(t, direct)
				done, err := w.call(t.Context(), s)
				require.NoError(t, err, "control")
				require.True(t, done, "control")
				_, err = direct.Clean(t.Context())
				require.NoError(t, err)

				w.reset(t, direct)
				proxy.loseAnswer("row")
				done, err = w.call(t.Context(), s)
				require.Error(t, err)
				require.False(t, done && w.name != "Set")
				require.Nil(t, proxy.lose.Load())
				require.Eventually(t, func() bool {
					values, err := direct.Get(t.Context(), "row")
					return err == nil && string(values[0]) == w.after()
				}, patience, 10*time.Millisecond, "it was done, and nobody knows")
				w.reset(t, direct)
				done, err = w.call(t.Context(), s)
				require.NoError(t, err, "the next write has another connection")
				require.True(t, done)
			})
		}
	}
}

func TestIdleConnectionsThatTheServerEndedFailNoCall(t *testing.T) {
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			url := pgtest.Database(t)
			direct := open(t, "pgx", url(""))
			migrated(t, sqlstore.NewPostgres(direct))
			db := open(t, driver, url(""))
			s := sqlstore.NewPostgres(db)
			occupy(t, db, 10)
			endOthers(t, direct)
			for range 3 {
				_, err := s.Get(t.Context(), "row")
				require.NoError(t, err)
			}
		})
	}
	t.Run("writes, once pgx looks whether a connection lives", func(t *testing.T) {
		url := pgtest.Database(t)
		direct := open(t, "pgx", url(""))
		migrated(t, sqlstore.NewPostgres(direct))
		db := open(t, "pgx", url(""))
		s := sqlstore.NewPostgres(db)
		occupy(t, db, 10)
		endOthers(t, direct)
		<-time.After(1100 * time.Millisecond) // pgx does after a second
		for range 3 {
			require.NoError(t, s.Set(t.Context(), "row", nil, time.Minute))
		}
	})
}

// occupy makes so many connections, and leaves them idle.
func occupy(t testing.TB, db *sql.DB, n int) {
	t.Helper()
	conns := make([]*sql.Conn, n)
	for i := range conns {
		var err error
		conns[i], err = db.Conn(t.Context())
		require.NoError(t, err)
	}
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
	require.GreaterOrEqual(t, db.Stats().Idle, n, "and one more where old rows were just deleted in the background")
}

// endOthers ends every other connection to the database, as its administrator does.
func endOthers(t *testing.T, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	require.NoError(t, err)
}

func TestARestartedServerIsReadAtOnce(t *testing.T) {
	server := pgtest.Start(t)
	db := open(t, "pgx", server.URL("postgres", ""))
	s := migrated(t, sqlstore.NewPostgres(db))
	require.NoError(t, s.Set(t.Context(), "row", []byte("1"), time.Minute))
	occupy(t, db, 5)
	server.Stop()
	_, err := s.Get(t.Context(), "row")
	require.Error(t, err)
	server.Run()
	requireHolds(t, s, "row", "1")
	swapped, err := s.Swap(t.Context(), "row", []byte("1"), []byte("2"), time.Minute)
	require.NoError(t, err)
	require.True(t, swapped)
}

func TestTheTimeOfACallThatWaitsForALockIsItsContexts(t *testing.T) {
	for _, driver := range []string{"pgx", "postgres"} {
		for _, w := range writes {
			t.Run(driver+" "+w.name, func(t *testing.T) {
				url := pgtest.Database(t)
				direct := open(t, "pgx", url(""))
				holder := migrated(t, sqlstore.NewPostgres(direct))
				require.NoError(t, holder.Set(t.Context(), "row", []byte("old"), time.Minute))
				release := lockRow(t, direct)
				s := sqlstore.NewPostgres(open(t, driver, url("")))
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				done, err := w.call(ctx, s)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.False(t, done && w.name != "Set")
				// The server is asked to cancel; only then nobody waits for the row any more.
				require.Eventually(t, func() bool {
					var waiting int
					err := direct.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
					return err == nil && waiting == 0
				}, patience, 10*time.Millisecond)
				release()
				requireHolds(t, holder, "row", "old")
			})
		}
	}
}

// lockRow locks the row in a transaction of its own.
func lockRow(t *testing.T, db *sql.DB) (release func()) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "SELECT FROM signet_store WHERE k = 'row' FOR UPDATE")
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback()) }
}

// Who waits in vain for a connection has not lost a race.
func TestASmallPoolMakesCallersWaitAndSaysSo(t *testing.T) {
	url := pgtest.Database(t)
	direct := open(t, "pgx", url(""))
	require.NoError(t, migrated(t, sqlstore.NewPostgres(direct)).Set(t.Context(), "row", []byte("old"), time.Minute))
	defer lockRow(t, direct)()
	db := open(t, "pgx", url(""))
	db.SetMaxOpenConns(4)
	s := sqlstore.NewPostgres(db)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			swapped, err := s.Swap(ctx, "row", []byte("old"), []byte("new"), time.Minute)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, swapped)
		})
	}
	wg.Wait()
}

func TestAStatementTimeoutIsAnErrorAndSparesTheConnection(t *testing.T) {
	url := pgtest.Database(t)
	direct := open(t, "pgx", url(""))
	require.NoError(t, migrated(t, sqlstore.NewPostgres(direct)).Set(t.Context(), "row", []byte("old"), time.Minute))
	release := lockRow(t, direct)
	db := open(t, "pgx", url("statement_timeout=100"))
	db.SetMaxOpenConns(1)
	s := sqlstore.NewPostgres(db)
	_, err := s.Swap(t.Context(), "row", []byte("old"), []byte("new"), time.Minute)
	require.ErrorContains(t, err, "57014")
	release()
	requireHolds(t, s, "row", "old")
	swapped, err := s.Swap(t.Context(), "row", []byte("old"), []byte("new"), time.Minute)
	require.NoError(t, err)
	require.True(t, swapped)
}

func TestALockedFileIsAnErrorAndNothingIsWrittenLater(t *testing.T) {
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			s, db := newSQLite(t)
			require.NoError(t, s.Set(t.Context(), "row", []byte("old"), time.Minute))
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
			require.NoError(t, err)

			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			done, err := w.call(ctx, s)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, done && w.name != "Set")
			impatient := open(t, "sqlite", fileOf(t, db)+"?_pragma=busy_timeout(50)")
			done, err = w.call(t.Context(), sqlstore.NewSQLite(impatient))
			require.ErrorContains(t, err, "locked")
			require.False(t, done && w.name != "Set")
			requireHolds(t, s, "row", "old")

			_, err = conn.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, err)
			requireHolds(t, s, "row", "old")
			w.reset(t, s)
			done, err = w.call(t.Context(), s)
			require.NoError(t, err)
			require.True(t, done)
		})
	}
}

// fileOf names the file of a handle.
func fileOf(t *testing.T, db *sql.DB) (name string) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&name))
	return "file:" + name
}
