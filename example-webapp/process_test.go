package main_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
	"github.com/signet-go/signet/internal/pgtest"
)

// asTheProgram, when set, makes the test binary be the program itself.
const asTheProgram = "EXAMPLE_WEBAPP_TEST_PROCESS"

func TestMain(m *testing.M) {
	if os.Getenv(asTheProgram) != "" {
		main.Main()
		return
	}
	undo := trustTestRoots()
	code := pgtest.Main(m)
	undo()
	os.Exit(code)
}

// A process is the example as an operator runs it: signals, exit codes and standard error included.
type process struct {
	*exec.Cmd
	base           string
	admin          string       // of a fleet's: where its figures are
	stdout, stderr bytes.Buffer // to be read after the end
}

func newProcess(t *testing.T, pairs ...string) *process {
	t.Helper()
	if runtime.GOOS == "windows" {
		skip(t, "there are no such signals")
	}
	port := freePort(t)
	p := &process{Cmd: exec.Command(os.Args[0]), base: "http://localhost:" + port}
	p.Env = append(p.Env, asTheProgram+"=1", "ADDR=127.0.0.1:"+port, "BASE_URL="+p.base)
	p.set(pairs...)
	p.Stdout, p.Stderr = &p.stdout, &p.stderr
	return p
}

func startProcess(t *testing.T, pairs ...string) *process {
	t.Helper()
	p := newProcess(t, pairs...)
	p.launch(t)
	return p
}

// launch starts p, until the test ends at the latest, and waits until it answers.
func (p *process) launch(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	p.awaitLife(t)
}

// set adds to what the process will find in its environment; a later value takes the place of an earlier one.
func (p *process) set(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		p.Env = append(p.Env, pairs[i]+"="+pairs[i+1])
	}
}

func (p *process) awaitLife(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, err := http.Get(p.base + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond)
}

// complain logs the first warnings of a process that has ended, if the test failed.
func (p *process) complain(t *testing.T) {
	if !t.Failed() {
		return
	}
	shown := 0
	for line := range strings.Lines(p.stdout.String() + p.stderr.String()) {
		if !strings.Contains(line, "level=INFO") && shown < 20 {
			t.Log(p.base, strings.TrimSpace(line))
			shown++
		}
	}
}

// end returns the exit code, once the process is over.
func (p *process) end(t *testing.T) int {
	t.Helper()
	err := p.Wait()
	if failed := new(exec.ExitError); err != nil && !errors.As(err, &failed) {
		require.NoError(t, err)
	}
	return p.ProcessState.ExitCode()
}

func TestWrongValuesEndTheStart(t *testing.T) {
	p := newProcess(t, "OIDC_PAR", "perhaps", "SESSION_STORE", "files", "SESSION_IDLE", "soon")
	require.NoError(t, p.Start())
	require.Equal(t, 1, p.end(t))
	require.Empty(t, p.stdout.String())
	for _, name := range []string{"OIDC_PAR", "SESSION_STORE", "SESSION_IDLE"} {
		require.Contains(t, p.stderr.String(), name+": ")
	}
}

func TestSIGTERMEndsWithoutAnError(t *testing.T) {
	p := startProcess(t)
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	require.Zero(t, p.end(t), p.stderr.String())
	require.Contains(t, p.stdout.String(), "stopped")
}

func TestSIGQUITDumpsGoroutines(t *testing.T) {
	p := startProcess(t)
	require.NoError(t, p.Process.Signal(syscall.SIGQUIT))
	require.Equal(t, 2, p.end(t))
	require.Contains(t, p.stderr.String(), "goroutine ")
}

func TestALostLogReaderDoesNotEndTheApp(t *testing.T) {
	p := newProcess(t)
	p.Stdout = nil
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	p.Stdout = writer
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	require.NoError(t, writer.Close())
	require.NoError(t, reader.Close())
	p.awaitLife(t)
	for range 3 {
		resp, err := http.Get(p.base + "/auth/callback?code=x&state=y") // is logged
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	}
}
