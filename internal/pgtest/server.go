//go:build unix

// Package pgtest starts PostgreSQL servers for tests: each in a temporary directory, on a loopback
// port, as a user who is not root. No production code may import it.
//
// It takes the programs that are installed, as by Debian's package postgresql, and skips a test
// where there are none, or fails it where SIGNET_TEST_ALL is set. Start reading at Start.
package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what is sure to come, on a machine that has other things to
// do.
const patience = 2 * time.Minute

// A Server is a PostgreSQL server. It keeps its port and its files over Stop and Run.
type Server struct {
	t        testing.TB
	folder   string // of the programs
	data     string
	port     string
	settings []string
	process  *exec.Cmd
	said     *journal
	ended    chan struct{}
}

// A journal keeps what a server writes, which may be read meanwhile.
type journal struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, p...)
	return len(p), nil
}

// String returns the end of what was written.
func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.text[max(0, len(j.text)-4000):])
}

// Start returns a server that runs until the test ends. Settings are lines of postgresql.conf, such
// as "max_connections=20".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := newServer(t, settings)
	s.run("initdb", "-D", s.data, "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
	s.Run()
	return s
}

// newServer returns one without files.
func newServer(t testing.TB, settings []string) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, listener.Close())
	folder := programs(t)
	data, err := os.MkdirTemp("", "pgtest") //nolint:usetesting // the server is another user, who cannot read in it
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if who := owner(t); who != nil {
		require.NoError(t, os.Chown(data, int(who.Uid), int(who.Gid)))
	}
	return &Server{t: t, folder: folder, data: data, port: port, settings: settings}
}

// programs returns the folder of the server's programs, of the newest version.
func programs(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path) // where all of them are
		}
	}
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	Skip(t, "PostgreSQL is not installed (Debian: postgresql)")
	return ""
}

// Skip skips the test, or fails it where everything has to be tested.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("SIGNET_TEST_ALL") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// owner is whom the server runs as; nil is who runs the test. PostgreSQL refuses to run as root.
func owner(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if who, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(who.Uid, 10, 32)
			gid, _ := strconv.ParseUint(who.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	Skip(t, "there is no user but root to run PostgreSQL as")
	return nil
}

// NotRoot makes a command run as somebody else than root.
func NotRoot(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	return &syscall.SysProcAttr{Credential: owner(t)}
}

// command is one of the server's programs, run as its owner.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.folder, name), args...) //nolint:gosec,noctx // a program of this machine, which the test ends
	c.Dir = s.data
	c.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	c.SysProcAttr = NotRoot(s.t)
	return c
}

// run runs one of the server's programs to its end.
func (s *Server) run(name string, args ...string) {
	s.t.Helper()
	out, err := s.command(name, args...).CombinedOutput()
	require.NoError(s.t, err, "%s: %s", name, out)
}

// Run starts a server that is stopped, and waits until it takes connections.
func (s *Server) Run() {
	s.t.Helper()
	args := []string{"-D", s.data}
	for _, line := range append([]string{
		"port=" + s.port, "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=32MB", "max_connections=200",
	}, s.settings...) {
		args = append(args, "-c", line)
	}
	s.process, s.said, s.ended = s.command("postgres", args...), new(journal), make(chan struct{})
	s.process.Stderr = s.said
	require.NoError(s.t, s.process.Start())
	process, ended := s.process, s.ended
	go func() { defer close(ended); _ = process.Wait() }()
	s.t.Cleanup(s.Stop)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if s.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", s.port).Run() == nil {
			return
		}
		select {
		case <-ended:
			require.Fail(s.t, "PostgreSQL has ended", s.said.String())
		default:
			require.True(s.t, time.Now().Before(deadline), "PostgreSQL does not answer")
		}
	}
}

// Stop ends the server at once, as a crash does.
func (s *Server) Stop() { s.end(syscall.SIGQUIT) }

// end sends a signal to the server and waits for its end.
func (s *Server) end(signal syscall.Signal) {
	s.GoOn()
	_ = s.process.Process.Signal(signal)
	<-s.ended
}

// Stall makes the server answer nobody, without closing a connection, until GoOn.
func (s *Server) Stall() { s.signalAll(syscall.SIGSTOP) }

// GoOn ends Stall.
func (s *Server) GoOn() { s.signalAll(syscall.SIGCONT) }

// signalAll sends a signal to the server's processes: the first, and those that it has made, each
// of which has left its group.
func (s *Server) signalAll(signal syscall.Signal) {
	first := s.process.Process.Pid
	_ = syscall.Kill(first, signal)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", first, first))
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, signal)
		}
	}
}

// Addr is where the server listens.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// URL is the address of a database; parameters are what follows "?".
func (s *Server) URL(database, parameters string) string {
	return fmt.Sprintf("postgres://app@%s/%s?sslmode=disable&%s", s.Addr(), database, parameters)
}

// Standby returns a server that follows s until it is promoted.
func (s *Server) Standby() *Server {
	s.t.Helper()
	standby := newServer(s.t, s.settings)
	standby.run("pg_basebackup", "-h", "127.0.0.1", "-p", s.port, "-U", "app", "-D", standby.data, "-R", "-X", "stream", "-c", "fast", "-N")
	standby.Run()
	return standby
}

// Promote makes a standby a primary.
func (s *Server) Promote() {
	s.t.Helper()
	s.run("pg_ctl", "promote", "-w", "-D", s.data)
}

// shared is the server of a test binary's tests that need none of their own.
var shared struct {
	sync.Mutex
	server *Server
	count  int
	keeper keeper
}

// Database makes a database on a server that the tests of a binary share, and returns its URL
// without parameters but one; see Run.
func Database(t testing.TB) (url func(parameters string) string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	shared.keeper.TB = t
	if shared.server == nil {
		programs(t)
		owner(t)
		shared.server = Start(&shared.keeper)
	}
	shared.count++
	name := "test" + strconv.Itoa(shared.count)
	server := shared.server
	server.createDatabase(t, name)
	return func(parameters string) string { return server.URL(name, parameters) }
}

// createDatabase makes a database. A server that lost one of its processes, as where the machine was
// short of memory, restarts them all, and takes no connections meanwhile: it is waited for.
func (s *Server) createDatabase(t testing.TB, name string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		out, err := s.command("createdb", "-h", "127.0.0.1", "-p", s.port, "-U", "app", name).CombinedOutput()
		if err == nil {
			return
		}
		starting := strings.Contains(string(out), "the database system is")
		require.True(t, starting && time.Now().Before(deadline), "createdb: %s\nThe server said:\n%s", out, s.said)
	}
}

// Main runs the tests of a binary and then ends the server that they share.
func Main(m *testing.M) int {
	defer func() {
		for i := len(shared.keeper.ends) - 1; i >= 0; i-- {
			shared.keeper.ends[i]()
		}
	}()
	return m.Run()
}

// A keeper is a test whose end is the binary's.
type keeper struct {
	testing.TB
	ends []func()
}

// Cleanup implements testing.TB.
func (k *keeper) Cleanup(f func()) { k.ends = append(k.ends, f) }
