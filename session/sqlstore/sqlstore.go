// Package sqlstore keeps sessions, and what processes have to agree on about them, in one table of
// PostgreSQL or SQLite.
//
//	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL")) // github.com/jackc/pgx/v5/stdlib
//	…
//	manager, err := session.New(session.Config{Keys: keys, Store: sqlstore.NewPostgres(db)})
//
// The table is made by the statements of [Store.Schema]: run them as you run your other migrations,
// or by [Store.Migrate]. Nothing else changes the schema. [Store.Check] says at the start what is
// wrong with the table, the rights in it, or the configuration of the database handle.
//
// Rows end by the clock of the database, so that the clocks of the processes need not agree. Rows
// that have ended are deleted a thousand at a time, in the background of later writes.
//
// It works with any driver for database/sql, since every statement that writes is made once, on a
// connection of its own. database/sql by itself makes a statement again when a driver says that a
// connection was bad, and some drivers say so after the server has carried it out: what was done
// would be reported as not done. So a write whose answer is lost is an error here, and what it did
// is seen by the next read. Tested are pgx 5, lib/pq 1.12 and modernc.org/sqlite 1.62.
//
// What the database refuses for the moment is made again, within half a second: a serialization
// failure (40001, where default_transaction_isolation is not read committed), a server that starts,
// and a server that has become read-only, whose connections are closed so that the next ones find
// the primary. With several hosts in a URL, target_session_attrs=read-write finds it in pgx. None of
// this keeps a standby from answering reads with old rows: never point the store at one, and set
// SetConnMaxLifetime where a name leads to the primary.
//
// Give the store a handle of its own ([sql.Open]): settings that other code makes with SET stay on
// a pooled connection. Let it have as many connections as one user's requests may come at once, or
// they wait for one, and StoreTimeout ends them. Give each application a schema of its own
// (search_path in the URL), a database or a file.
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

// NewPostgres returns a [Store] in PostgreSQL, from version 12 on. db stays the caller's to close.
// It does no I/O: the database may be down.
func NewPostgres(db *sql.DB) *Store { return &Store{db: db, dialect: postgres} }

// NewSQLite returns a [Store] in SQLite, from version 3.42 on. The file needs a busy_timeout,
// without which most writes at the same time fail, and should be in WAL mode:
//
//	file:sessions.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)
//
// That is how modernc.org/sqlite writes it. A database in memory does not do: it is another one for
// each connection. db stays the caller's to close. It does no I/O.
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
