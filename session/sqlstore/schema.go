package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// ErrSchema is wrapped by the error of [Store.Check] if the table doesn't exist, or isn't as
// [Store.Schema] creates it. To fix it, run the statements, by hand or with [Store.Migrate]; a
// table with a different structure has to be dropped first, including its rows.
var ErrSchema = errors.New("sqlstore: the table " + table + " doesn't match the schema")

// Schema returns the statements that create the table, each ended by a semicolon and a newline.
// They do nothing if it already exists.
func (s *Store) Schema() string {
	return strings.Join(s.schema, ";\n") + ";\n"
}

// Migrate runs the statements of [Store.Schema], and then what [Store.Check] does. Several
// processes may do so at once. It needs the privilege to create tables, which the application needs
// at no other time.
func (s *Store) Migrate(ctx context.Context) error {
	var failed error
	for _, statement := range s.schema {
		// Two at once get in each other's way in PostgreSQL, IF NOT EXISTS or not; what counts is
		// whether the table is there in the end.
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if err := s.Check(ctx); err != nil {
		return explained(ctx, errors.Join(err, failed))
	}
	return nil
}

// Check reports what would keep the store from working with this database: a table that is missing
// or has a different structure (an error that wraps [ErrSchema]), missing privileges, and a
// configuration of SQLite that breaks the rules of session.Store. It writes nothing. Call it at
// startup; a database that is down is an error too, but no reason not to start.
func (s *Store) Check(ctx context.Context) error {
	return explained(ctx, s.check(s, ctx))
}

// A checker is Check in a dialect.
type checker func(s *Store, ctx context.Context) error

// A column is one of the table's.
type column struct {
	name, form string
	key        bool // rows are told apart by it alone
}

// compare returns an error that says how the columns differ from those that it has to have. Others
// may stand beside them.
func compare(found, want []column) error {
	if len(found) == 0 {
		return fmt.Errorf("%w: it doesn't exist: run the statements of Schema, or Migrate", ErrSchema)
	}
	byName := map[string]column{}
	for _, c := range found {
		byName[c.name] = c
	}
	for _, c := range want {
		got, ok := byName[c.name]
		switch {
		case !ok:
			return fmt.Errorf("%w: it has no column %s", ErrSchema, c.name)
		case got.form != c.form:
			return fmt.Errorf("%w: column %s is %s, want %s", ErrSchema, c.name, got.form, c.form)
		case c.key && !got.key:
			return fmt.Errorf("%w: column %s isn't a primary key", ErrSchema, c.name)
		}
	}
	return nil
}

// columns reads what describe finds.
func (s *Store) columns(ctx context.Context, describe string) (found []column, err error) {
	rows, err := s.db.QueryContext(ctx, describe, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.form, &c.key); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, rows.Err()
}

const describePostgres = `SELECT a.attname::text,
	format_type(a.atttypid, a.atttypmod) || CASE WHEN c.collname IS NULL THEN '' ELSE ' COLLATE "' || c.collname || '"' END ||
		CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
	EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)
FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`

// checkPostgres is Check in PostgreSQL.
func (s *Store) checkPostgres(ctx context.Context) error {
	found, err := s.columns(ctx, describePostgres)
	if err != nil {
		return err
	}
	err = compare(found, []column{
		{name: "k", form: `text COLLATE "C" NOT NULL`, key: true}, {name: "v", form: "bytea NOT NULL"}, {name: "e", form: "timestamp with time zone NOT NULL"},
	})
	if err != nil {
		return err
	}
	var permanent, rights bool
	err = s.db.QueryRowContext(ctx, `SELECT relpersistence = 'p',
	has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')
FROM pg_class WHERE oid = to_regclass($1)`, table).Scan(&permanent, &rights)
	switch {
	case err != nil:
		return err
	case !permanent:
		return fmt.Errorf("%w: it is unlogged or temporary, and would lose revocations in a crash", ErrSchema)
	case !rights:
		return fmt.Errorf("sqlstore: the role lacks privileges: GRANT SELECT, INSERT, UPDATE, DELETE ON %s", table)
	}
	return nil
}

const describeSQLite = `SELECT c.name, c.type || CASE WHEN t.strict THEN '' ELSE ', not STRICT' END, c.pk = 1 AND NOT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE pk > 1)
FROM pragma_table_info(?1) c, pragma_table_list(?1) t WHERE t.schema = 'main'`

// checkSQLite is Check in SQLite.
func (s *Store) checkSQLite(ctx context.Context) error {
	var patience int
	var file sql.NullString
	err := s.db.QueryRowContext(ctx, "SELECT (SELECT timeout FROM pragma_busy_timeout), (SELECT file FROM pragma_database_list WHERE name = 'main')").Scan(&patience, &file)
	switch {
	case err != nil:
		return err
	case file.String == "":
		return errors.New("sqlstore: an in-memory database is separate for each connection: use a file")
	case patience <= 0:
		return errors.New("sqlstore: without a busy_timeout, concurrent writes fail: add _pragma=busy_timeout(5000) to the file's name (modernc.org/sqlite)")
	}
	found, err := s.columns(ctx, describeSQLite)
	if err != nil {
		return err
	}
	return compare(found, []column{{name: "k", form: "TEXT", key: true}, {name: "v", form: "BLOB"}, {name: "e", form: "INTEGER"}})
}
