package sqlstore_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session/sqlstore"
)

func execute(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

func TestAnEmptyDatabaseIsReportedAndLeftAlone(t *testing.T) {
	for name, s := range map[string]*sqlstore.Store{
		"PostgreSQL": sqlstore.NewPostgres(open(t, "pgx", pgtest.Database(t)(""))),
		"SQLite":     sqlstore.NewSQLite(open(t, "sqlite", sqliteFile(t))),
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				require.ErrorIs(t, s.Check(t.Context()), sqlstore.ErrSchema)
				require.Error(t, s.Set(t.Context(), "row", nil, time.Minute))
				_, err := s.Get(t.Context(), "row")
				require.Error(t, err)
			}
			require.Contains(t, s.Schema(), "CREATE TABLE IF NOT EXISTS signet_store (")
			require.NoError(t, s.Migrate(t.Context()))
			require.NoError(t, s.Check(t.Context()))
			require.NoError(t, s.Set(t.Context(), "row", []byte("1"), time.Minute))
			require.NoError(t, s.Migrate(t.Context()), "again it does nothing")
			requireHolds(t, s, "row", "1")
		})
	}
}

// What is printed is what Migrate runs.
func TestTheSchemaCanBeRunByHand(t *testing.T) {
	url := pgtest.Database(t)
	byHand := open(t, "pgx", url("default_query_exec_mode=simple_protocol"))
	execute(t, byHand, sqlstore.NewPostgres(byHand).Schema())
	require.NoError(t, sqlstore.NewPostgres(byHand).Check(t.Context()))
	file := open(t, "sqlite", sqliteFile(t))
	execute(t, file, sqlstore.NewSQLite(file).Schema())
	require.NoError(t, sqlstore.NewSQLite(file).Check(t.Context()))
}

func TestManyProcessesMigrateAtOnce(t *testing.T) {
	url := pgtest.Database(t)
	var wg sync.WaitGroup
	for range 8 {
		s := sqlstore.NewPostgres(open(t, "pgx", url("")))
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestATableOfAnotherFormIsRefused(t *testing.T) {
	good := sqlstore.NewPostgres(nil).Schema()
	for name, c := range map[string]struct{ schema, says string }{
		"times without zone":           {strings.Replace(good, "timestamptz", "timestamp", 1), "column e is timestamp without time zone"},
		"keys of the default order":    {strings.Replace(good, ` COLLATE "C"`, "", 1), "column k is text"},
		"values as text":               {strings.Replace(good, "bytea", "text", 1), "column v is text"},
		"values that may be NULL":      {strings.Replace(good, "bytea NOT NULL", "bytea", 1), "column v is bytea, want bytea NOT NULL"},
		"no primary key":               {strings.Replace(good, "PRIMARY KEY", "NOT NULL", 1), "column k isn't a primary key"},
		"a primary key of two columns": {strings.Replace(strings.Replace(good, " PRIMARY KEY", "", 1), "e timestamptz NOT NULL", "e timestamptz, PRIMARY KEY (k, e)", 1), "column k isn't a primary key"},
		"another column's name":        {strings.NewReplacer("v bytea", "value bytea").Replace(good), "no column v"},
		"a table that a crash empties": {strings.Replace(good, "CREATE TABLE", "CREATE UNLOGGED TABLE", 1), "unlogged"},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, "pgx", pgtest.Database(t)("default_query_exec_mode=simple_protocol"))
			execute(t, db, c.schema)
			s := sqlstore.NewPostgres(db)
			for _, err := range []error{s.Check(t.Context()), s.Migrate(t.Context())} {
				require.ErrorIs(t, err, sqlstore.ErrSchema)
				require.ErrorContains(t, err, c.says)
			}
		})
	}
	t.Run("a column more is nobody's business", func(t *testing.T) {
		s, db := newPostgres(t, "")
		execute(t, db, "ALTER TABLE signet_store ADD COLUMN remark text")
		require.NoError(t, s.Check(t.Context()))
		require.NoError(t, s.Set(t.Context(), "row", nil, time.Minute))
	})
}

func TestATableOfAnotherFormIsRefusedInSQLite(t *testing.T) {
	good := sqlstore.NewSQLite(nil).Schema()
	for name, c := range map[string]struct{ schema, says string }{
		"types that bind nobody": {strings.Replace(good, "STRICT, ", "", 1), "not STRICT"},
		"values as text":         {strings.Replace(good, "BLOB", "TEXT", 1), "column v is TEXT"},
		"times as text":          {strings.Replace(good, "INTEGER", "TEXT", 1), "column e is TEXT"},
		"no primary key":         {strings.NewReplacer("PRIMARY KEY", "NOT NULL", ", WITHOUT ROWID", "").Replace(good), "column k isn't a primary key"},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, "sqlite", sqliteFile(t))
			execute(t, db, c.schema)
			err := sqlstore.NewSQLite(db).Check(t.Context())
			require.ErrorIs(t, err, sqlstore.ErrSchema)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestASQLiteThatCannotKeepTheRulesIsRefused(t *testing.T) {
	file := filepath.Join(folder(t), "sessions.db")
	for name, c := range map[string]struct{ url, says string }{
		"in memory":              {":memory:", "in-memory"},
		"in memory, by a name":   {"file::memory:?_pragma=busy_timeout(5000)", "in-memory"},
		"without a busy_timeout": {"file:" + file, "busy_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, sqlstore.NewSQLite(open(t, "sqlite", c.url)).Check(t.Context()), c.says)
		})
	}
}

func TestRightsThatAreMissingAreNamed(t *testing.T) {
	url := pgtest.Database(t)
	db := open(t, "pgx", url(""))
	migrated(t, sqlstore.NewPostgres(db))
	role := "r" + strings.ToLower(strings.NewReplacer("/", "", "_", "").Replace(t.Name()))
	execute(t, db, "CREATE ROLE "+role+" LOGIN", "GRANT SELECT, INSERT, UPDATE ON signet_store TO "+role)
	t.Cleanup(func() { _, _ = db.Exec("DROP OWNED BY " + role); _, _ = db.Exec("DROP ROLE " + role) })
	s := sqlstore.NewPostgres(open(t, "pgx", strings.Replace(url(""), "app@", role+"@", 1)))
	require.ErrorContains(t, s.Check(t.Context()), "GRANT SELECT, INSERT, UPDATE, DELETE ON signet_store")
	execute(t, db, "GRANT DELETE ON signet_store TO "+role)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Set(t.Context(), "row", nil, time.Minute))
}
