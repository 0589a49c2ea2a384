package session_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"pgregory.net/rapid"
)

// A history is what happens to the sessions of two browsers. Each step makes sense after any other,
// so that a long one can be made shorter.
type history []step

// A step is an action on a slot. A slot has one request at a time; those before elsewhere are of
// the first browser.
type step struct {
	do  action
	in  int
	arg int
}

type action int

const (
	open    action = iota // a request goes out, to replica arg; the one before it in the slot arrives first
	look                  // its handler reads the session
	set                   // … sets field arg
	save                  // … saves
	adopt                 // … takes the newest generation over
	refresh               // … refreshes the token: arg 0 at once, else by a slow provider, and does not wait
	login                 // … signs user arg/2 in, and keeps the fields where arg is odd
	logout                // … signs out
	flush                 // … writes its first byte
	finish                // … returns
	arrive                // the browser gets the response, as far as there is one
	lose                  // the browser never gets it
	replay                // a copy of a cookie that the browser had comes from elsewhere
	kill                  // the browser's session is ended by its ID
	revoke                // all sessions of user arg are
	rekey                 // replica arg seals by a new key, that all know
	restart               // replica arg restarts, when its requests are done
	wait                  // so many seconds pass
	actions
)

func (a action) String() string {
	return [...]string{
		"open", "look", "set", "save", "adopt", "refresh", "login", "logout", "flush", "finish", "arrive", "lose",
		"replay", "kill", "revoke", "rekey", "restart", "wait",
	}[a]
}

// String is the step as a test would write it.
func (s step) String() string { return fmt.Sprintf("{%v, %d, %d}", s.do, s.in, s.arg) }

func (h history) String() string {
	var b strings.Builder
	b.WriteString("history{")
	for i, s := range h {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.String())
	}
	return b.String() + "}"
}

const (
	slots     = 4
	elsewhere = 3 // the slot of the second browser
)

// deck has the interesting more often. There are 64, for bits to choose from.
var deck = func() (deck []action) {
	for a, n := range map[action]int{
		open: 9, look: 4, set: 5, save: 2, adopt: 2, refresh: 7, login: 3, logout: 2, flush: 4, finish: 3, arrive: 6,
		lose: 2, replay: 2, kill: 1, revoke: 1, rekey: 1, restart: 1, wait: 9,
	} {
		deck = append(deck, slices.Repeat([]action{a}, n)...)
	}
	slices.Sort(deck)
	return deck
}()

// pauses are below and above what limits and memories are counted in.
var pauses = [8]int{1, 20, 50, 61, 75, 300, 1900, 3700}

// bits draws a number of n bits, all alike: rapid's own numbers are mostly small.
func bits(t *rapid.T, n int) (number int) {
	for range n {
		number <<= 1
		if rapid.Bool().Draw(t, "bit") {
			number++
		}
	}
	return number
}

// steps draws one step.
func steps() *rapid.Generator[step] {
	return rapid.Custom(func(t *rapid.T) step {
		s := step{do: deck[bits(t, 6)]}
		switch s.do {
		case wait:
			s.arg = pauses[bits(t, 3)]
			return s
		case rekey, restart, revoke:
			s.arg = bits(t, 1)
			return s
		case open, set, refresh:
			s.arg = bits(t, 1)
		case login, replay:
			s.arg = bits(t, 2)
		}
		s.in = bits(t, 2)
		return s
	})
}

// histories draws some thirty steps, in parts that shrink apart.
func histories(t *rapid.T) (h history) {
	for range 6 {
		h = append(h, rapid.SliceOfN(steps(), 0, 20).Draw(t, "part")...)
	}
	return h
}

// A mode is where a history happens.
type mode struct {
	name       string
	store      bool
	serverSide bool
	replicas   int
	idle       time.Duration
}

// modes: two processes without a Store know nothing of each other, and promise nothing.
var modes = []mode{
	{"cookie", false, false, 1, -1},
	{"cookie, idle limit", false, false, 1, time.Hour},
	{"cookie and store", true, false, 1, -1},
	{"cookie and store, idle limit", true, false, 1, time.Hour},
	{"cookie and store, two replicas", true, false, 2, time.Hour},
	{"server side", true, true, 1, time.Hour},
	{"server side, two replicas", true, true, 2, time.Hour},
}

// config is m's configuration, with a Store of its own.
func (m mode) config() session.Config {
	c := session.Config{Lifetime: lifetime, IdleTimeout: m.idle, ServerSide: m.serverSide}
	if m.store {
		c.Store = session.NewMemoryStore()
	}
	return c
}

// happens lets h happen in a bubble of its own, and returns what the model did not expect.
func happens(t *testing.T, m mode, h history) (err error) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, m)
		defer w.end()
		for i, s := range h {
			w.step(s)
			if w.err != nil {
				err = fmt.Errorf("step %d, %v: %w", i, s, w.err)
			}
			if w.err != nil || w.beyond {
				return
			}
		}
	})
	return err
}

// Without flags every run makes the same few thousand histories. For as many new ones as you like:
//
//	go test ./session -run TestHistories -rapid.checks=100000 -rapid.seed=0
func init() {
	for name, value := range map[string]string{"rapid.checks": "700", "rapid.seed": "1", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

func TestHistories(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				h := histories(rt)
				if err := happens(t, m, h); err != nil {
					rt.Fatalf("%v\n%v", err, h)
				}
			})
		})
	}
}
