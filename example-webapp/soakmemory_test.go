//go:build soak

package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof" // of a replica, at its socket
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// profiles names the folder in which a replica listens for questions about its memory, in a socket named by its process.
const profiles = "SOAK_PROFILES"

func init() {
	folder := os.Getenv(profiles)
	if folder == "" || os.Getenv(asTheProgram) == "" {
		return
	}
	l, err := net.Listen("unix", filepath.Join(folder, strconv.Itoa(os.Getpid())))
	if err != nil {
		panic(err)
	}
	go func() { panic(http.Serve(l, nil)) }()
}

// A memory is what a replica has at one moment, in bytes, and by whom it is held.
type memory struct {
	resident, files float64 // what the kernel counts; the part of it that are pages of files: the program's own, mostly
	live            float64 // objects that a garbage collection has left, and those since
	spans           float64 // what the objects lie in, gaps included
	idle            float64 // taken from the kernel for objects, and not given back
	stacks, other   float64 // of goroutines; of the runtime
}

// takeMemory collects the garbage of a replica, and writes its heap down in the folder for temporary files.
func takeMemory(t *testing.T, p *process, folder, name string) memory {
	t.Helper()
	before := mapped(t, p.Process.Pid)
	socket := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, strconv.Itoa(p.Process.Pid)))
	}}}
	resp, err := socket.Get("http://replica/debug/pprof/heap?gc=1")
	require.NoError(t, err)
	defer resp.Body.Close()
	profile, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(os.TempDir(), "soak-"+strings.ReplaceAll(name, " ", "-")+".pprof"), profile, 0o600))
	of := figures(t, p.admin, "go_memstats_")
	return memory{
		resident: before["Rss"], files: before["Rss"] - before["Anonymous"],
		live: of["heap_alloc_bytes"], spans: of["heap_inuse_bytes"], idle: of["heap_idle_bytes"] - of["heap_released_bytes"],
		stacks: of["stack_inuse_bytes"],
		other:  of["sys_bytes"] - of["heap_sys_bytes"] - of["stack_sys_bytes"] - of["stack_inuse_bytes"],
	}
}

const memoryHead = "| heap | resident MB | of them files | objects after a collection | what they lie in | idle | stacks | other |\n|---|---|---|---|---|---|---|---|"

func (m memory) row(name string) string {
	return fmt.Sprintf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |", name,
		m.resident/1e6, m.files/1e6, m.live/1e6, m.spans/1e6, m.idle/1e6, m.stacks/1e6, m.other/1e6)
}

// mapped is what the kernel says about the memory of a process, in bytes.
func mapped(t *testing.T, pid int) map[string]float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	require.NoError(t, err)
	found := map[string]float64{}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == "kB" {
			n, err := strconv.ParseFloat(f[1], 64)
			require.NoError(t, err)
			found[strings.TrimSuffix(f[0], ":")] = n * 1024
		}
	}
	return found
}

// figures are what the administrator's address of a replica says, of those that begin with prefix.
func figures(t *testing.T, admin, prefix string) map[string]float64 {
	t.Helper()
	resp, err := http.Get(admin + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	found := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && strings.HasPrefix(name, prefix) {
			found[name[len(prefix):]], _ = strconv.ParseFloat(value, 64)
		}
	}
	require.NoError(t, lines.Err())
	return found
}
