//go:build soak

package main_test

import (
	"bufio"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A refreshBook is what the provider wrote down about refreshes.
type refreshBook struct {
	done, twice int
	killed      time.Time // when a replica was last killed
	recent      []seen
	lost        map[string]bool // users whose successor token may have died with a replica
}

type seen struct {
	user string
	at   time.Time
}

// around a kill is when a refresh may have been answered to a replica that could not keep the answer any more: they are taken in
// once a second.
const around = 3 * time.Second

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
			b.recent = append(b.recent, seen{c.User, now})
			delete(b.lost, c.User)
		case c.Error == "invalid_grant" && !b.lost[c.User]:
			b.twice++
			s.users.note("%s: a refresh token was refused", c.User)
		}
	}
	b.recent = slices.DeleteFunc(b.recent, func(r seen) bool { return now.Sub(r.at) > 2*around })
	for _, r := range b.recent {
		if d := r.at.Sub(b.killed); -around < d && d < around && !b.lost[r.user] {
			b.lost[r.user] = true
			s.faults.may(r.user)
		}
	}
}

// A sample is what a replica needs at one moment.
type sample struct{ memory, goroutines, files float64 }

func takeSample(t *testing.T, admin string) (s sample) {
	t.Helper()
	resp, err := http.Get(admin + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		number, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "process_resident_memory_bytes":
			s.memory = number
		case "go_goroutines":
			s.goroutines = number
		case "process_open_fds":
			s.files = number
		}
	}
	require.NoError(t, lines.Err())
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
