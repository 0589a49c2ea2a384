package main_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
	"github.com/signet-go/signet/internal/pgtest"
)

// A place is where processes keep what they share: a server, or a file.
type place struct {
	name    string   // as SESSION_STORE has it
	address []string // the variable that names it, and its value

	// What an outage is made of. A file has none, and nil.
	start, stop, stall, goOn, flush func()
	keeps                           bool // rows outlive a crash
}

// env is the environment of an app whose sessions are in the place, or with cookies its revocations
// and locks alone.
func (p *place) env(cookies bool, more ...string) []string {
	store := p.name
	if cookies {
		store = "cookie"
	}
	return slices.Concat([]string{"SESSION_STORE", store}, p.address, more)
}

// redisPlace is a server that does not run yet.
func redisPlace(t *testing.T) *place {
	s := newRedis(t)
	return &place{
		name: "redis", address: []string{"REDIS_URL", s.url()}, start: s.start, stop: s.stop, flush: s.flush,
		stall: func() { require.NoError(t, s.process.Process.Signal(syscall.SIGSTOP)) },
		goOn:  func() { require.NoError(t, s.process.Process.Signal(syscall.SIGCONT)) },
	}
}

// postgresPlace is a server of its own that does not run yet, with the table made.
func postgresPlace(t *testing.T) *place {
	s := pgtest.Start(t)
	p := &place{
		name: "postgres", address: []string{"DATABASE_URL", s.URL("postgres", "")}, start: s.Run, stop: s.Stop, keeps: true,
		stall: func() { s.Stall() }, goOn: func() { s.GoOn() },
	}
	p.flush = func() { p.execute(t, "pgx", "DELETE FROM signet_store") }
	p.migrate(t)
	s.Stop()
	return p
}

// databasePlace is a database on a server that runs.
func databasePlace(t *testing.T) *place {
	p := &place{name: "postgres", address: []string{"DATABASE_URL", pgtest.Database(t)("")}, start: func() {}}
	p.migrate(t)
	return p
}

// filePlace is a file of SQLite.
func filePlace(t *testing.T) *place {
	p := &place{name: "sqlite", address: []string{"DATABASE_URL", newFile(t)}, start: func() {}}
	p.migrate(t)
	return p
}

// newFile names a file of SQLite in a folder that is gone after the test, and after what its store
// does in the background.
func newFile(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "example-webapp") //nolint:usetesting // whose end would not wait
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(folder) == nil }, patience, 10*time.Millisecond)
	})
	return "file:" + filepath.Join(folder, "sessions.db")
}

// migrate makes the table, as an operator does.
func (p *place) migrate(t *testing.T) {
	t.Helper()
	require.NoError(t, main.Migrate(t.Context(), environment{}.with(p.env(false)...).get, io.Discard))
}

// execute changes the database behind the app's back.
func (p *place) execute(t *testing.T, driver, statement string) {
	t.Helper()
	db, err := sql.Open(driver, p.address[1])
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement)
	require.NoError(t, err)
}

// A kind of place makes one for a test.
type kind struct {
	name string
	open func(*testing.T) *place
}

var (
	redisServers    = kind{"redis", redisPlace}
	postgresServers = kind{"postgres", postgresPlace}
	databases       = kind{"postgres", databasePlace}
	files           = kind{"sqlite", filePlace}
)

// inEach runs a test in places, with sessions in them and with sessions in cookies.
func inEach(t *testing.T, test func(t *testing.T, p *place, cookies bool), kinds ...kind) {
	t.Helper()
	for _, k := range kinds {
		t.Run("sessions in "+k.name, func(t *testing.T) { test(t, k.open(t), false) })
		t.Run("cookies with "+k.name, func(t *testing.T) { test(t, k.open(t), true) })
	}
}

// lost is what the loss of every row means to a session: a row is gone, a sealed cookie still says
// who it is.
func lost(cookies bool) int {
	if cookies {
		return http.StatusOK
	}
	return http.StatusUnauthorized
}
