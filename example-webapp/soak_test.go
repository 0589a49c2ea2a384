//go:build soak

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// soakLife is how long access tokens live.
	soakLife = time.Minute

	// soakUsers are signed in at a time, all of them.
	soakUsers = 200

	// A fault begins every ten seconds and lasts for four. What fails in it, or in the three seconds afterwards, in which tries
	// are spaced out, is no surprise.
	faultEvery, faultLasts, faultLingers = 10, 4, 3
)

// TestSoak lets two replicas serve users with think times for as long as SOAK says, in each place for a part of it, while
// something breaks all the time. Nobody may be signed out whose refresh token did not die with a replica, no refresh token may be
// spent twice, and what the replicas need may not grow.
//
// The replicas' clocks are right: Go asks the kernel for the time, so that libfaketime has no say in it. It is the provider's
// that goes wrong, which comes to the same.
func TestSoak(t *testing.T) {
	all, err := time.ParseDuration(os.Getenv("SOAK"))
	require.NoError(t, err, "SOAK is how long it takes, such as 1h")
	turns := []struct {
		name    string
		kind    kind
		cookies bool
	}{
		{"sessions in redis", redisServers, false},
		{"sessions in postgres", postgresServers, false},
		{"cookies with redis", redisServers, true},
	}
	var results []*soak
	for _, turn := range turns {
		t.Run(turn.name, func(t *testing.T) {
			s := startSoak(t, turn.name, turn.kind.open(t), turn.cookies)
			if last := len(results) - 1; last >= 0 {
				s.faults.next = results[last].faults.next // a short soak tries all of them, too
			}
			results = append(results, s)
			s.run(all / time.Duration(len(turns)))
			s.judge()
		})
	}
	fmt.Println(soakHead)
	for _, s := range results {
		fmt.Println(s.row())
	}
	fmt.Println(memoryHead)
	for _, s := range results {
		fmt.Println(strings.Join(s.memory, "\n"))
	}
}

// A soak is one turn: a fleet, its users, and what breaks.
type soak struct {
	*fleet
	t       *testing.T
	name    string
	place   *place
	began   time.Time
	took    time.Duration
	users   *soakers
	faults  *soakFaults
	book    refreshBook
	samples []sample // of the first replica, which is never killed
	memory  []string // rows about the same replica's: early, halfway and at the end
	folder  string   // of its profiles
}

func startSoak(t *testing.T, name string, p *place, cookies bool) *soak {
	t.Helper()
	var f *fleet
	t.Cleanup(func() { keepLogs(t, name, f) }) // comes last, when they have ended
	p.start()
	clock := newFaketime(t) // the provider's, which the fleet starts
	folder := t.TempDir()
	f = startFleet(t, 2, soakLife, append(p.env(cookies), profiles, folder)...)
	f.control("DELETE", "requests", nil, nil)
	s := &soak{fleet: f, t: t, name: name, place: p, folder: folder}
	s.book.lost = map[string]bool{}
	s.faults = newSoakFaults(s, clock)
	return s
}

// keepLogs leaves what the replicas said in the folder for temporary files.
func keepLogs(t *testing.T, name string, f *fleet) {
	t.Helper()
	for i, p := range f.processes {
		file := filepath.Join(os.TempDir(), fmt.Sprintf("soak-%s-%d.log", strings.ReplaceAll(name, " ", "-"), i+1))
		require.NoError(t, os.WriteFile(file, p.stdout.Bytes(), 0o600))
	}
}

// run lets the users in, and breaks things until the time is over.
func (s *soak) run(length time.Duration) {
	s.t.Helper()
	s.began = time.Now()
	s.users = startSoakers(s.fleet, s.faults)
	fmt.Println(soakHead)
	seconds := int(length / time.Second)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 0; second < seconds; second++ {
		if second%faultEvery == 0 && second > 0 && second < seconds-faultEvery {
			s.faults.begin()
		}
		if second%faultEvery == faultLasts {
			s.faults.end()
		}
		s.book.take(s)
		if second%faultEvery == faultEvery-1 { // all is quiet
			s.samples = append(s.samples, takeSample(s.t, s.processes[0].admin))
			s.remember(second+1, seconds)
		}
		if second%60 == 59 {
			fmt.Println(s.row())
		}
		<-tick.C
		s.took = time.Since(s.began)
	}
	s.faults.end()
	s.users.leave()
	s.book.take(s)
}

// remember looks at the memory after a tenth of the time, after half of it, and in the last quiet moment.
func (s *soak) remember(second, seconds int) {
	s.t.Helper()
	for i, at := range []int{seconds / 10, seconds / 2, seconds} {
		if second/faultEvery == at/faultEvery {
			name := s.name + " " + []string{"early", "halfway", "at the end"}[i]
			m := takeMemory(s.t, s.processes[0], s.folder, name)
			s.memory = append(s.memory, m.row(fmt.Sprint(name, ", ", time.Duration(second)*time.Second)))
		}
	}
}

// judge says what was not as promised.
func (s *soak) judge() {
	s.t.Helper()
	tally := s.users.total()
	s.t.Logf("%s: faults %v", s.name, s.faults.counts)
	require.Zero(s.t, tally.wrong, "every answer was one, and about its own user")
	require.Zero(s.t, tally.risen, "who has signed out stays signed out")
	require.Zero(s.t, tally.out, "nobody was signed out whose refresh token did not die with a replica")
	require.Zero(s.t, s.book.twice, "no refresh token was spent twice")
	for _, g := range growths(s.samples) {
		require.LessOrEqual(s.t, g.after, g.before*g.factor+g.plus, "%s grows", g.name)
	}

	// In peace everybody is still there.
	for i, v := range s.users.all {
		require.Eventually(s.t, func() bool {
			r, err := v.ask(s.t.Context(), s.base(i)+"/api/call", v.cookie())
			return err == nil && r.status == 200 && r.Status == 200 && r.owner() == v.name
		}, patience, 50*time.Millisecond, v.name)
	}
}

const soakHead = "| place | time | faults | requests | 5xx or cut in a fault | later | refused by the API | refreshes | spent twice | signed out: by themselves | " +
	"token lost with a replica | wrongly | RSS MB | goroutines | descriptors |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"

// row is the turn so far, as one line of the table.
func (s *soak) row() string {
	y, n := s.users.total(), sample{}
	if len(s.samples) > 0 {
		n = s.samples[len(s.samples)-1]
	}
	return fmt.Sprintf("| %s | %v | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %.0f | %.0f | %.0f |", s.name,
		s.took.Round(time.Second), s.faults.total(), y.requests, y.during, y.later, y.refused, s.book.done, s.book.twice,
		y.left, y.lost, y.out, n.memory/1e6, n.goroutines, n.files)
}
