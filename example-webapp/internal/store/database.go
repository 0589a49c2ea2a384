package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite", which needs no C

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sqlstore"
)

// connections is how many one process has: three processes leave room in PostgreSQL's default of
// 100, and the requests that a browser sends at once don't wait for each other.
const connections = 25

// handle opens a database, without calling it.
func handle(c *settings.Database) (*sql.DB, *sqlstore.Store, error) {
	if c.Postgres != nil {
		db := stdlib.OpenDB(*c.Postgres)
		bound(db)
		return db, sqlstore.NewPostgres(db), nil
	}
	db, err := sql.Open("sqlite", c.SQLite)
	if err != nil {
		return nil, nil, err
	}
	bound(db)
	return db, sqlstore.NewSQLite(db), nil
}

// bound sets how many connections there are, and how old they become: after a failover, a name leads
// new ones to another server.
func bound(db *sql.DB) {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(5 * time.Minute)
}

// openDatabase returns the store in a database, which is looked at meanwhile.
func openDatabase(c *settings.Config, log *slog.Logger) (store session.Store, closeStore func()) {
	db, table, err := handle(c.Database)
	if err != nil { // the driver knows no such name: a mistake in this program
		panic(err)
	}
	s := &checkedStore{table: table, log: log}
	ctx, cancel := context.WithTimeout(context.Background(), c.Session.StoreTimeout)
	go func() { defer cancel(); _ = s.check(ctx) }()
	return s, func() { cancel(); _ = db.Close() } // at the end of the process
}

// Migrate makes the table in the database that c names, and says so.
func Migrate(ctx context.Context, c *settings.Config, out io.Writer) error {
	if c.Database == nil {
		return errors.New("DATABASE_URL: required by -migrate")
	}
	db, table, err := handle(c.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := table.Migrate(ctx); err != nil {
		return err
	}
	fmt.Fprint(out, table.Schema(), "-- done\n")
	return nil
}

// A checkedStore is a store in a database that refuses every call until its table was found to be
// right: with another one, what it said could not be relied on.
type checkedStore struct {
	table *sqlstore.Store
	log   *slog.Logger
	right atomic.Bool
	said  sync.Once
}

// check looks at the table, until it is right.
func (s *checkedStore) check(ctx context.Context) error {
	if s.right.Load() {
		return nil
	}
	err := s.table.Check(ctx)
	if errors.Is(err, sqlstore.ErrSchema) {
		s.said.Do(func() {
			s.log.WarnContext(ctx, "not ready: the database lacks the table; run the statement, or example-webapp -migrate",
				"reason", err, "statement", s.table.Schema())
		})
	}
	if err == nil {
		s.right.Store(true)
	}
	return err
}

// Get implements session.Store.
func (s *checkedStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return s.table.Get(ctx, keys...)
}

// Set implements session.Store.
func (s *checkedStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	return s.table.Set(ctx, key, value, ttl)
}

// Add implements session.Store.
func (s *checkedStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	return s.table.Add(ctx, key, value, ttl)
}

// Swap implements session.Store.
func (s *checkedStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	return s.table.Swap(ctx, key, old, value, ttl)
}

// Delete implements session.Store.
func (s *checkedStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	return s.table.Delete(ctx, key, old)
}
