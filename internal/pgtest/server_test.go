//go:build unix

package pgtest //nolint:testpackage // it ends a process of the server, which nobody else may

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADatabaseIsMadeThoughTheServerRestartsItsProcesses(t *testing.T) {
	s := Start(t)
	for i := range 3 {
		pid := s.process.Process.Pid
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			t.Skip("there is no /proc with the children of a process")
		}
		child, err := strconv.Atoi(strings.Fields(string(children))[0])
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(child, syscall.SIGKILL))
		require.Error(t, s.command("psql", "-h", "127.0.0.1", "-p", s.port, "-U", "app", "-d", "postgres", "-c", "SELECT pg_sleep(60)").Run())
		s.createDatabase(t, "test"+strconv.Itoa(i))
	}
}
