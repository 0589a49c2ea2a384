package sqlstore_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pgtest"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sessiontest"
	"github.com/signet-go/signet/session/sqlstore"
)

// startPooler returns the URL of a PgBouncer in transaction mode before a database.
func startPooler(t *testing.T, database string) string {
	t.Helper()
	path, err := lookPooler()
	if err != nil {
		pgtest.Skip(t, "PgBouncer is not installed (Debian: pgbouncer)")
	}
	u, err := url.Parse(database)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, listener.Close())
	folder, err := os.MkdirTemp("", "pooler") //nolint:usetesting // another user reads in it
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o755))
	users, settings := filepath.Join(folder, "users"), filepath.Join(folder, "settings")
	require.NoError(t, os.WriteFile(users, []byte(`"app" ""`+"\n"), 0o644))
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 3
`, u.Hostname(), u.Port(), port, users), 0o644))
	process := exec.Command(path, settings)
	process.SysProcAttr = pgtest.NotRoot(t)
	require.NoError(t, process.Start())
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond)
	u.Host = "127.0.0.1:" + port
	return u.String()
}

// lookPooler finds the program where Debian has it, which is not in everybody's path.
func lookPooler() (string, error) {
	if path, err := exec.LookPath("pgbouncer"); err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/pgbouncer")
}

func TestAPoolerInTransactionMode(t *testing.T) {
	database := pgtest.Database(t)
	migrated(t, sqlstore.NewPostgres(open(t, "pgx", database(""))))
	pooler := startPooler(t, database(""))
	t.Run("pgx that prepares statements is told what to set", func(t *testing.T) {
		var mu sync.Mutex
		var failed error
		require.Eventually(t, func() bool {
			var wg sync.WaitGroup
			for range 10 {
				s := sqlstore.NewPostgres(open(t, "pgx", pooler))
				wg.Go(func() {
					if _, err := s.Get(t.Context(), "row"); err != nil {
						mu.Lock()
						defer mu.Unlock()
						failed = err
					}
				})
			}
			wg.Wait()
			return failed != nil
		}, patience, time.Millisecond)
		require.ErrorContains(t, failed, "default_query_exec_mode=exec")
	})
	t.Run("pgx that prepares nothing keeps the rules", func(t *testing.T) {
		s := sqlstore.NewPostgres(open(t, "pgx", pooler+"default_query_exec_mode=exec"))
		sessiontest.Run(t, func(*testing.T) session.Store { return s })
	})
}
