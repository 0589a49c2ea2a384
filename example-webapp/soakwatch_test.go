//go:build soak

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A refreshBook is what the provider wrote down about refreshes.
type refreshBook struct {
	done, twice int
	killed      time.Time    // when a replica was last killed
	ports       map[int]bool // of its connections at that moment
	recent      []seen
	lost        map[string]bool // users whose successor token died with a replica, or may have
}

type seen struct {
	user string
	port int
	at   time.Time
}

// unsaved is how long before a kill an answer may have come that was not saved yet: what the provider did is taken in once a
// second. reused is when a port may be somebody else's.
const unsaved, reused = 3 * time.Second, time.Minute

// kill kills a replica, and notes its connections: what was asked over them is answered to nobody.
func (b *refreshBook) kill(t *testing.T, p *process) {
	t.Helper()
	require.NoError(t, p.Process.Signal(syscall.SIGSTOP))
	b.killed, b.ports = time.Now(), ports(t, p.Process.Pid)
	require.NoError(t, p.Process.Kill())
}

// take takes in what there is.
func (b *refreshBook) take(s *soak) {
	s.t.Helper()
	var answer struct {
		Requests []tokenCall `json:"requests"`
	}
	s.control(http.MethodDelete, "requests", nil, &answer)
	now := time.Now()
	for _, c := range answer.Requests {
		switch {
		case c.Route != "token" || c.Grant != "refresh_token":
		case c.Error == "":
			b.done++
			b.recent = append(b.recent, seen{c.User, c.Port, now})
			delete(b.lost, c.User)
		case c.Error == "invalid_grant" && c.User != "" && !b.lost[c.User]: // without a user it had been refused before
			b.twice++
			s.users.note("%s: a refresh token was refused", c.User)
		}
	}
	b.recent = slices.DeleteFunc(b.recent, func(r seen) bool { return now.Sub(r.at) > 2*unsaved })
	for _, r := range b.recent {
		if since := r.at.Sub(b.killed); b.ports[r.port] && -unsaved < since && since < reused && !b.lost[r.user] {
			b.lost[r.user] = true
			s.faults.may(r.user)
		}
	}
}

// ports are the local ones of a process's connections.
func ports(t *testing.T, pid int) map[int]bool {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/", pid)
	files, err := filepath.Glob(folder + "fd/*")
	require.NoError(t, err)
	sockets := map[string]bool{}
	for _, f := range files {
		if to, err := os.Readlink(f); err == nil && strings.HasPrefix(to, "socket:[") {
			sockets[strings.Trim(to, "socket:[]")] = true
		}
	}
	found := map[int]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		raw, _ := os.ReadFile(folder + "net/" + table)
		for line := range strings.Lines(string(raw)) {
			if f := strings.Fields(line); len(f) > 9 && sockets[f[9]] {
				port, _ := strconv.ParseInt(f[1][strings.LastIndex(f[1], ":")+1:], 16, 32)
				found[int(port)] = true
			}
		}
	}
	return found
}

// A sample is what a replica needs at one moment.
type sample struct{ memory, goroutines, files float64 }

func takeSample(t *testing.T, admin string) sample {
	t.Helper()
	of := figures(t, admin, "")
	s := sample{memory: of["process_resident_memory_bytes"], goroutines: of["go_goroutines"], files: of["process_open_fds"]}
	require.NotZero(t, s.memory)
	return s
}

// A growth compares the second quarter of a soak with its last: medians, which one odd moment does not move.
type growth struct {
	name                        string
	before, after, factor, plus float64
}

func growths(samples []sample) []growth {
	if len(samples) < 8 {
		return nil
	}
	quarter := len(samples) / 4
	early, late := samples[quarter:2*quarter], samples[len(samples)-quarter:]
	of := func(list []sample, value func(sample) float64) float64 {
		values := make([]float64, 0, len(list))
		for _, s := range list {
			values = append(values, value(s))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	memory := func(s sample) float64 { return s.memory }
	goroutines := func(s sample) float64 { return s.goroutines }
	files := func(s sample) float64 { return s.files }
	return []growth{
		{"memory", of(early, memory), of(late, memory), 1.2, 8e6},
		{"the number of goroutines", of(early, goroutines), of(late, goroutines), 1.2, 50},
		{"the number of descriptors", of(early, files), of(late, files), 1.2, 50},
	}
}
