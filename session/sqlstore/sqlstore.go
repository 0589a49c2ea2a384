// Package sqlstore keeps sessions, and the state that processes share about them, in one table in
// PostgreSQL or SQLite.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // github.com/jackc/pgx/v5/stdlib
//	…
//	manager, err := session.New(session.Config{Keys: keys, Store: sqlstore.NewPostgres(db)})
//
// [Store.Schema] returns the statements that create the table: run them with your other migrations,
// or call [Store.Migrate]. Nothing else changes the schema. Call [Store.Check] at startup: it
// reports what is wrong with the table, its privileges, or the configuration of the database
// handle.
//
// Rows expire by the database's clock, so the processes' clocks need not agree. Expired rows are
// deleted a thousand at a time, in the background of later writes.
//
// It works with any driver for database/sql, because every statement that writes is executed once,
// on its own connection. database/sql alone retries a statement when a driver reports a bad
// connection, and some drivers do so after the server has already executed it: a write that
// succeeded would be reported as not done. So here, a write whose response is lost is an error, and
// the next read shows what it did. Tested with pgx 5, lib/pq 1.12 and modernc.org/sqlite 1.62.
//
// Temporary refusals are retried within half a second: a serialization failure (40001, if
// default_transaction_isolation isn't read committed), a server that is starting, and a server that
// has become read-only, whose connections are closed so that new ones reach the primary. With
// several hosts in a URL, pgx finds it by target_session_attrs=read-write. None of this keeps a
// standby from answering reads with old rows: never point the store at one, and call
// SetConnMaxLifetime if you find the primary through a name.
//
// Give the store its own handle ([sql.Open]): settings that other code makes with SET stay on a
// pooled connection. Allow at least as many connections as one user has parallel requests;
// otherwise requests wait for a connection until StoreTimeout ends them. Give each application its
// own schema (search_path in the URL), database or file.
//
// Behind PgBouncer in transaction mode, set default_query_exec_mode=exec in pgx's URL.
package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"sync/atomic"
	"time"
)

// A Store is a session.Store in a table: make it with [NewPostgres] or [NewSQLite], since the zero
// value has no database. Safe for concurrent use.
type Store struct {
	db *sql.DB
	dialect

	nextClean atomic.Int64 // Unix milliseconds
	cleaning  atomic.Bool
}

// NewPostgres returns a [Store] in PostgreSQL, from version 12 on. The caller closes db. It does no
// I/O: the database may be down.
func NewPostgres(db *sql.DB) *Store { return &Store{db: db, dialect: postgres} }

// NewSQLite returns a [Store] in SQLite, from version 3.42 on. The file needs a busy_timeout,
// without which most concurrent writes fail, and should be in WAL mode:
//
//	file:sessions.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)
//
// That is modernc.org/sqlite's syntax. An in-memory database doesn't work, because each connection
// would have its own. The caller closes db. It does no I/O.
func NewSQLite(db *sql.DB) *Store { return &Store{db: db, dialect: sqlite} }

// Get implements session.Store with one round trip.
func (s *Store) Get(ctx context.Context, keys ...string) (values [][]byte, err error) {
	if len(keys) == 0 {
		return nil, ctx.Err()
	}
	args := make([]any, len(keys))
	for i, key := range keys {
		args[i] = key
	}
	err = s.insist(ctx, true, func(conn *sql.Conn) error {
		rows, err := conn.QueryContext(ctx, s.get(len(keys)), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		values, err = inOrder(rows, keys)
		return err
	})
	return values, explained(ctx, err)
}

// inOrder returns one value for each key.
func inOrder(rows *sql.Rows, keys []string) ([][]byte, error) {
	found := make(map[string][]byte, len(keys))
	for rows.Next() {
		var key string
		var value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		found[key] = append([]byte{}, value...) // never nil, which an empty value is to some drivers
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, key := range keys {
		values[i] = bytes.Clone(found[key]) // a key may come twice
	}
	return values, nil
}

// Set implements session.Store.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.write(ctx, s.set, key, present(value), milliseconds(ttl))
	return err
}

// Add implements session.Store.
func (s *Store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return s.write(ctx, s.add, key, present(value), milliseconds(ttl))
}

// Swap implements session.Store.
func (s *Store) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.write(ctx, s.swap, key, present(old), present(value), milliseconds(ttl))
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	if old == nil {
		return s.write(ctx, s.deleteAny, key)
	}
	return s.write(ctx, s.deleteIf, key, old)
}

// present makes an empty value of none: a nil slice is NULL to a driver, which equals nothing.
func present(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

// milliseconds rounds up: no row ends early.
func milliseconds(ttl time.Duration) int64 {
	return int64((ttl + time.Millisecond - 1) / time.Millisecond)
}

// write makes a statement about one row, once, and reports whether it touched the row. An error
// means that it was done or was not.
func (s *Store) write(ctx context.Context, statement string, args ...any) (touched bool, err error) {
	err = s.insist(ctx, false, func(conn *sql.Conn) error {
		result, err := conn.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		touched = n > 0
		return err
	})
	if err != nil {
		return false, explained(ctx, err)
	}
	s.cleanInTime()
	return touched, nil
}
