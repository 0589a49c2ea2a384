package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sqlstore"
)

// At the start, an application checks the table, and makes it where it is asked to.
func Example() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := "file:" + filepath.Join(folder, "sessions.db") + "?_pragma=busy_timeout(3000)&_pragma=journal_mode(WAL)"
	db, err := sql.Open("sqlite", file) // modernc.org/sqlite; with PostgreSQL: "pgx", NewPostgres
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store := sqlstore.NewSQLite(db)
	fmt.Println(store.Check(context.Background()))
	fmt.Print(store.Schema())
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	_, err = session.New(session.Config{Keys: []string{session.NewKey()}, Store: store, ServerSide: true})
	fmt.Println(err)
	// Output:
	// sqlstore: the table signet_store doesn't match the schema: it doesn't exist: run the statements of Schema, or Migrate
	// CREATE TABLE IF NOT EXISTS signet_store (
	//     k TEXT PRIMARY KEY,
	//     v BLOB NOT NULL,
	//     e INTEGER NOT NULL
	// ) STRICT, WITHOUT ROWID;
	// CREATE INDEX IF NOT EXISTS signet_store_e ON signet_store (e);
	// <nil>
}
