package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sessiontest"
	"github.com/signet-go/signet/session/sqlstore"
)

// patience is how long a test waits for what is sure to come, on a machine that has other things to
// do.
const patience = time.Minute

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// open returns a handle with as many connections as a test wants.
func open(t testing.TB, driver, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, url)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	db.SetMaxIdleConns(20)
	return db
}

// migrated returns a store whose table is made.
func migrated(t testing.TB, s *sqlstore.Store) *sqlstore.Store {
	t.Helper()
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// newPostgres returns a store in a database of its own, and a handle on it.
func newPostgres(t testing.TB, parameters string) (*sqlstore.Store, *sql.DB) {
	t.Helper()
	db := open(t, "pgx", pgtest.Database(t)(parameters))
	return migrated(t, sqlstore.NewPostgres(db)), db
}

// folder returns a folder that is gone after the test, and after a cleaning in the background that
// the test has begun.
func folder(t testing.TB) string {
	t.Helper()
	name, err := os.MkdirTemp("", "sqlstore") //nolint:usetesting // whose end would not wait
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(name) == nil }, patience, 10*time.Millisecond)
	})
	return name
}

// sqliteFile names a file as the package's documentation does.
func sqliteFile(t testing.TB) string {
	return "file:" + filepath.Join(folder(t), "sessions.db") + "?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(off)"
}

// newSQLite returns a store in a file of its own, and a handle on it.
func newSQLite(t testing.TB) (*sqlstore.Store, *sql.DB) {
	t.Helper()
	db := open(t, "sqlite", sqliteFile(t))
	return migrated(t, sqlstore.NewSQLite(db)), db
}

// inEach runs a test in PostgreSQL and in SQLite.
func inEach(t *testing.T, test func(t *testing.T, s *sqlstore.Store, db *sql.DB)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		s, db := newPostgres(t, "")
		test(t, s, db)
	})
	t.Run("SQLite", func(t *testing.T) {
		s, db := newSQLite(t)
		test(t, s, db)
	})
}

func TestStoreKeepsTheRules(t *testing.T) {
	inEach(t, func(t *testing.T, s *sqlstore.Store, _ *sql.DB) {
		sessiontest.Run(t, func(*testing.T) session.Store { return s })
	})
}

func TestStoreKeepsTheRulesWhateverTheDriver(t *testing.T) {
	for name, c := range map[string]struct{ driver, parameters string }{
		"lib/pq":                         {"postgres", ""},
		"pgx that prepares nothing":      {"pgx", "default_query_exec_mode=exec"},
		"pgx with the simple protocol":   {"pgx", "default_query_exec_mode=simple_protocol"},
		"repeatable read by default":     {"pgx", "default_transaction_isolation=repeatable%20read"},
		"serializable by default":        {"pgx", "default_transaction_isolation=serializable"},
		"sessions in New York and Tokyo": {"pgx", "timezone=America/New_York"},
	} {
		t.Run(name, func(t *testing.T) {
			url := pgtest.Database(t)
			migrated(t, sqlstore.NewPostgres(open(t, "pgx", url("timezone=Asia/Tokyo"))))
			s := sqlstore.NewPostgres(open(t, c.driver, url(c.parameters)))
			sessiontest.Run(t, func(*testing.T) session.Store { return s })
		})
	}
	t.Run("SQLite without WAL", func(t *testing.T) {
		db := open(t, "sqlite", "file:"+filepath.Join(folder(t), "sessions.db")+"?_pragma=busy_timeout(60000)&_pragma=synchronous(off)")
		s := migrated(t, sqlstore.NewSQLite(db))
		sessiontest.Run(t, func(*testing.T) session.Store { return s })
	})
}

func TestSchemasKeepApplicationsApart(t *testing.T) {
	url := pgtest.Database(t)
	db := open(t, "pgx", url(""))
	stores := map[string]*sqlstore.Store{}
	for _, name := range []string{"one", "two"} {
		_, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+name)
		require.NoError(t, err)
		stores[name] = migrated(t, sqlstore.NewPostgres(open(t, "pgx", url("search_path="+name))))
	}
	require.NoError(t, stores["one"].Set(t.Context(), "k", []byte("1"), time.Minute))
	requireHolds(t, stores["one"], "k", "1")
	requireHolds(t, stores["two"], "k", "")
}

// requireHolds fails unless the row holds want; "" is no row.
func requireHolds(t *testing.T, s *sqlstore.Store, key, want string) {
	t.Helper()
	values, err := s.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, want, string(values[0]))
	require.Equal(t, want == "", values[0] == nil)
}

func TestManyKeysAreOneRoundTrip(t *testing.T) {
	proxy := newRelay(t)
	url := pgtest.Database(t)
	migrated(t, sqlstore.NewPostgres(open(t, "pgx", url(""))))
	s := sqlstore.NewPostgres(open(t, "pgx", proxy.url(t, url(""))))
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
		require.NoError(t, s.Set(t.Context(), keys[i], []byte(keys[i]), time.Minute))
	}
	_, err := s.Get(t.Context(), keys...) // prepares the statement
	require.NoError(t, err)
	before := proxy.trips.Load()
	values, err := s.Get(t.Context(), keys...)
	require.NoError(t, err)
	require.EqualValues(t, 1, proxy.trips.Load()-before)
	for i, value := range values {
		require.Equal(t, keys[i], string(value))
	}
	for name, call := range map[string]func(context.Context) error{
		"Set":  func(ctx context.Context) error { return s.Set(ctx, "k0", nil, time.Minute) },
		"Add":  func(ctx context.Context) error { _, err := s.Add(ctx, "k0", nil, time.Minute); return err },
		"Swap": func(ctx context.Context) error { _, err := s.Swap(ctx, "k0", nil, nil, time.Minute); return err },
	} {
		require.NoError(t, call(t.Context()))
		before := proxy.trips.Load()
		require.NoError(t, call(t.Context()))
		require.EqualValues(t, 1, proxy.trips.Load()-before, name)
	}
}

// A nil slice is NULL to a driver, which equals nothing and is refused; some give it for what is
// empty.
func TestNoBytesAreAnEmptyValue(t *testing.T) {
	inEach(t, func(t *testing.T, s *sqlstore.Store, _ *sql.DB) {
		require.NoError(t, s.Set(t.Context(), "row", nil, time.Minute))
		values, err := s.Get(t.Context(), "row", "other", "row")
		require.NoError(t, err)
		require.Equal(t, [][]byte{{}, nil, {}}, values)
		swapped, err := s.Swap(t.Context(), "row", nil, []byte("1"), time.Minute)
		require.NoError(t, err)
		require.True(t, swapped)
		swapped, err = s.Swap(t.Context(), "row", []byte("1"), nil, time.Minute)
		require.NoError(t, err)
		require.True(t, swapped)
		deleted, err := s.Delete(t.Context(), "row", []byte{})
		require.NoError(t, err)
		require.True(t, deleted)
	})
}
