package session_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/signet-go/signet/session"
)

// The model: what a person may rely on. Who signed out stays signed out, who is signed in stays
// signed in, and nothing that was ever saved is replaced by something older. It is about as much as
// can be said without knowing how sessions are kept, and says nothing (beyond) where nothing is
// promised.
type model struct {
	mode     mode
	sessions []*modeled
	serial   int // of values and tokens: newer is greater

	mu     sync.Mutex // a flight runs beside the requests
	flying int        // how many flights
	err    error      // the first thing that is not as it should be
	beyond bool       // what comes now, nobody has promised
}

// modeled is a session as the model knows it.
type modeled struct {
	id   string
	user int

	created, ended time.Time // ended is zero while it lives
	used           time.Time // somebody knew it to live
	moved          time.Time // the idle limit of its row counts from here, or later
	unknown        bool      // who knew of its end is gone

	content
	spent int // the refresh token that was sent last
}

// content is what a session holds.
type content struct {
	fields [2]int
	token  int
}

// cookie is what a browser holds: a session as it was when the cookie was sealed.
type cookie struct {
	of *modeled
	content
	sealed time.Time
	stream bool // it is under way, and no idle limit ends what it does
}

// call is a request as the model knows it.
type call struct {
	held    cookie
	arrived time.Time

	looked    time.Time // zero: not yet
	current   time.Time // its content was the newest
	of        *modeled  // the session that it works on; nil: none
	fresh     *modeled  // that it has begun, and not saved
	changed   map[int]int
	destroyed bool // it has ended the session, or waited for what found it ended

	begun, over, lost bool
	gone              bool    // the session, when the response began: what its handler sees then, is nowhere said
	given             *cookie // what the response sets
	expires           bool    // or takes away
}

const (
	lifetime = 2 * time.Hour
	grace    = time.Minute     // what comes so late after an end was sent without knowing
	slow     = 3 * time.Second // a slow answer of the provider
)

var names = [2]string{"f.a", "f.b"}

func userTag(user int) string { return "user " + strconv.Itoa(user) }

// expect notes what is not as it should be.
func (m *model) expect(ok bool, format string, args ...any) {
	if !ok && m.err == nil && !m.beyond {
		m.err = fmt.Errorf(format, args...)
	}
}

type fate int

const (
	ended fate = iota
	lives
	unsure // its idle limit is between the one that was certainly written and the latest use
)

// fate is what has become of the session in c.
func (m *model) fate(c cookie) fate {
	s, now := c.of, time.Now()
	if s != nil && s.unknown {
		m.beyond = true
	}
	moved := c.sealed
	if m.mode.serverSide && s != nil {
		moved = s.moved.Add(-time.Minute) // it is written when a minute has passed
	}
	switch {
	case s == nil, !s.ended.IsZero(), now.Sub(s.created) >= lifetime:
		return ended
	case m.mode.idle < 0, c.stream:
		return lives
	case now.Sub(s.used) >= m.mode.idle:
		return ended
	case now.Sub(moved) >= m.mode.idle:
		return unsure
	}
	return lives
}

// over ends a session.
func (m *model) over(s *modeled) {
	if s != nil && s.ended.IsZero() {
		s.ended = time.Now()
	}
}

// forget is a restart without a Store: only the browsers know what is, and nobody what was.
func (m *model) forget(held ...cookie) {
	for _, s := range m.sessions {
		s.unknown = true
	}
	for _, c := range held {
		if c.of != nil && c.of.ended.IsZero() {
			c.of.unknown = false
			c.of.content, c.of.spent = c.content, 0
		}
	}
}

// replayed judges what became of a copied cookie.
func (m *model) replayed(c cookie, err error) {
	if m.fate(c) == ended {
		m.expect(errors.Is(err, session.ErrNoSession), "a copied cookie of an ended session: %v", err)
		return
	}
	c.of.used = time.Now()
}

// look has a request load its session, once, and reports whether there is anything more to say.
func (m *model) look(c *call, s *session.Session) bool {
	if !c.looked.IsZero() {
		return !m.beyond
	}
	c.looked = time.Now()
	f, err := m.fate(c.held), s.Load()
	if f == unsure && !m.mode.serverSide {
		f = ended // by the limit in the cookie itself, whatever else is known
	}
	switch {
	case f == ended:
		m.expect(errors.Is(err, session.ErrNoSession), "the session has ended, and Load says %v", err)
		return !m.beyond
	case f == unsure && errors.Is(err, session.ErrNoSession):
		return true
	}
	m.expect(err == nil, "the session lives, and Load says %v", err)
	c.of = c.held.of
	c.of.used, c.current = c.looked, c.looked
	m.expect(s.ID() == c.of.id, "it is another session")
	m.holds(s, c.of)
	return m.err == nil
}

// holds expects that s is the newest there is of the session.
func (m *model) holds(s *session.Session, of *modeled) {
	for i, name := range names {
		m.expect(numberOf(s.Get(name)) == of.fields[i], "field %d is %d, want %d", i, numberOf(s.Get(name)), of.fields[i])
	}
	text, ok := s.Token("refresh")
	token := numberOf([]byte(text), ok)
	m.expect(token == of.token, "the refresh token is %d, want %d", token, of.token)
}

func numberOf(text []byte, _ bool) int {
	n, _ := strconv.Atoi(string(text))
	return n
}

// next is a value that is newer than all before.
func (m *model) next() int {
	m.serial++
	return m.serial
}

// basis is c's session as c has seen it. Where cookies that it does not know may have moved the
// idle limit, a stream goes on.
func (m *model) basis(c *call) cookie {
	b := c.held
	if b.of != c.of {
		b = cookie{of: c.of}
		if c.of != nil {
			b.sealed = c.of.created
		}
	}
	if c.of != nil && c.begun && m.mode.store && !m.mode.serverSide {
		remembered := min(m.mode.idle, time.Until(c.of.created.Add(lifetime))) + time.Minute
		b.stream = time.Since(c.current) < remembered
	}
	return b
}

// saved is what a save makes of what c has changed.
func (m *model) saved(c *call) {
	if f := c.fresh; f != nil {
		if m.fate(cookie{of: f, sealed: f.created}) != lives {
			m.beyond = true
			return
		}
		c.destroyed = c.destroyed || c.of != nil
		m.over(c.of)
		m.sessions = append(m.sessions, f)
		c.of, c.fresh, c.current = f, nil, time.Now()
		m.publish(f)
	} else if len(c.changed) > 0 && c.of != nil && m.goesOn(c) {
		for i, v := range c.changed {
			c.of.fields[i] = v
		}
		c.current = time.Now()
		m.publish(c.of)
	}
	c.changed = nil
}

// goesOn reports whether c's session lives; when it does not, c has none from now on.
func (m *model) goesOn(c *call) bool {
	switch m.fate(m.basis(c)) {
	case lives:
		return true
	case unsure:
		m.beyond = true
	default:
		c.of, c.changed = nil, nil
	}
	return false
}

// publish makes what s holds the newest there is.
func (m *model) publish(s *modeled) {
	s.used, s.moved = time.Now(), time.Now()
}

// committed judges the cookies of a response.
func (m *model) committed(c *call, cookies []*http.Cookie) {
	sets, expires := false, false
	for _, cookie := range cookies {
		sets, expires = sets || cookie.MaxAge >= 0, expires || cookie.MaxAge < 0
	}
	m.expect(!c.looked.IsZero() || !sets && !expires, "nobody has looked, and there is a cookie")
	m.expect(sets || !m.due(c), "the idle limit was due, and the cookie is as it was")
	m.saved(c)
	if c.of != nil {
		m.moves(c)
	}
	switch {
	case sets:
		m.expect(c.of != nil && m.fate(m.basis(c)) != ended, "the response sets a cookie of a session that has ended")
		if c.of != nil {
			c.given = &cookie{of: c.of, content: c.of.content, sealed: time.Now()}
		}
	case expires:
		c.expires = true
		m.expect(m.mayExpire(c), "the response takes a cookie away that may be another one by now")
	}
	c.gone = c.of != nil && m.fate(m.basis(c)) != lives
}

// moves is the idle limit that a response moves.
func (m *model) moves(c *call) {
	f := m.fate(m.basis(c))
	if f != ended {
		c.of.used = time.Now()
	}
	if f == lives && c.of.moved.Before(c.looked) {
		c.of.moved = c.looked
	}
}

// mayExpire reports whether c's response may take the browser's cookie away.
func (m *model) mayExpire(c *call) bool {
	s, now := c.held.of, time.Now()
	if c.destroyed || s == nil || s.unknown {
		return true
	}
	if !m.mode.serverSide && (now.Sub(s.created) >= lifetime || m.mode.idle > 0 && now.Sub(c.held.sealed) >= m.mode.idle) {
		return true
	}
	return !s.ended.IsZero() && c.arrived.Sub(s.ended) > grace
}
