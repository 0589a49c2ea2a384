//go:build soak

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// soakFaults break one thing after the other.
type soakFaults struct {
	list   []soakFault
	next   int
	counts map[string]int

	mu       sync.Mutex
	current  string
	last     string // the current one, or the one before
	since    time.Time
	quiet    time.Time       // when the last one has no consequences any more
	survived map[string]bool // users whose refresh token may have died with a replica
}

type soakFault struct {
	name       string
	begin, end func()
}

func newSoakFaults(s *soak, clock faketime) *soakFaults {
	bent := func(name string, f fault) soakFault {
		f["path"] = "*"
		return soakFault{
			name,
			func() { s.control(http.MethodPut, "faults", []fault{f}, nil) },
			func() { s.control(http.MethodPut, "faults", []fault{}, nil) },
		}
	}
	newKeys := func() { s.control(http.MethodPost, "rotate-keys", map[string]int{"keep": 1}, nil) }
	second := s.processes[1]
	again := func() { second.again(s.t) }
	list := []soakFault{
		bent("provider down", fault{"drop": "before"}),
		{"replica stopped", func() { require.NoError(s.t, second.Process.Signal(syscall.SIGTERM)) }, again},
		bent("provider slow", fault{"delay": 2000}),
		{"store stalled", s.place.stall, s.place.goOn},
		bent("provider says 500", fault{"status": 500, "body": "<h1>oops</h1>"}),
		{"new keys", newKeys, func() {}},
		{"replica killed", func() { s.book.kill(s.t, second) }, again},
	}
	if clock != "" {
		turned := func(name, offset string) soakFault {
			return soakFault{name, func() { clock.set(s.t, offset) }, func() { clock.set(s.t, "+0") }}
		}
		list = append(list, turned("provider's clock ahead", "+45"), turned("provider's clock behind", "-45"))
	}
	return &soakFaults{list: list, counts: map[string]int{}, survived: map[string]bool{}, quiet: time.Now().Add(time.Minute)}
}

// begin breaks the next thing.
func (f *soakFaults) begin() {
	one := f.list[f.next%len(f.list)]
	f.mu.Lock()
	f.current, f.last, f.since = one.name, one.name, time.Now()
	f.counts[one.name]++
	f.mu.Unlock()
	one.begin()
}

// end mends it.
func (f *soakFaults) end() {
	if f.now() == "" {
		return
	}
	f.list[f.next%len(f.list)].end()
	f.next++
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current, f.quiet = "", time.Now().Add(faultLingers*time.Second)
}

// now names what is broken.
func (f *soakFaults) now() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

// latest says what broke last, and when.
func (f *soakFaults) latest() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprintf("%q, %v ago", f.last, time.Since(f.since).Round(time.Millisecond))
}

// excuse reports whether a request may fail now.
func (f *soakFaults) excuse() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current != "" || time.Now().Before(f.quiet)
}

// may writes down that this user's refresh token may have died with a replica.
func (f *soakFaults) may(user string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.survived[user] = true
}

// excuses reports whether this user may have lost a refresh token with a replica, once for each time.
func (f *soakFaults) excuses(user string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	may := f.survived[user]
	delete(f.survived, user)
	return may
}

func (f *soakFaults) total() (sum int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.counts {
		sum += n
	}
	return sum
}

// again starts a process that has been told to end, or was killed, once more.
func (p *process) again(t *testing.T) {
	t.Helper()
	_ = p.Wait()
	next := exec.Command(p.Path)
	next.Env, next.Stdout, next.Stderr = p.Env, p.Stdout, p.Stderr
	p.Cmd = next
	p.launch(t)
}

// A faketime is a file with what libfaketime adds to a process's clock; none where there is no libfaketime.
type faketime string

// newFaketime makes the provider that the test starts next read its clock from the file.
func newFaketime(t *testing.T) faketime {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		fmt.Println("libfaketime is not installed (Debian: libfaketime): no clock goes wrong")
		return ""
	}
	clock := faketime(filepath.Join(t.TempDir(), "clock"))
	clock.set(t, "+0")
	for name, value := range map[string]string{
		"LD_PRELOAD": found[0], "FAKETIME_TIMESTAMP_FILE": string(clock), "FAKETIME_CACHE_DURATION": "1",
		"FAKETIME_DONT_FAKE_MONOTONIC": "1",
	} {
		t.Setenv(name, value)
	}
	return clock
}

func (f faketime) set(t *testing.T, offset string) {
	t.Helper()
	require.NoError(t, os.WriteFile(string(f), []byte(offset+"\n"), 0o600))
}
