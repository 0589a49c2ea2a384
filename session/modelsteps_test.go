package session_test

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/signet-go/signet/session"
)

// handle is a step of a handler, and what the model makes of it.
func (m *model) handle(c *call, s *session.Session, do step) {
	if c.gone || !m.look(c, s) {
		return
	}
	ctx := context.Background() // what a handler does, it does to the end
	switch do.do {
	case set:
		m.set(c, s, do.arg)
	case save:
		err := s.Save(ctx)
		m.saved(c)
		m.expect(c.of == nil || err == nil || errors.Is(err, session.ErrCommitted), "Save: %v", err)
	case adopt:
		m.adopt(c, s)
	case refresh:
		m.refresh(c, s, do.arg > 0)
	case login:
		m.login(c, s, do.arg/2, do.arg%2 > 0)
	case logout:
		m.expect(s.Destroy(ctx) == nil, "Destroy fails")
		m.over(c.of)
		c.of, c.fresh, c.changed, c.destroyed = nil, nil, nil, true
	}
}

// due reports whether c's response has to move the idle limit in the cookie. One that comes late
// must not: there may be a newer cookie.
func (m *model) due(c *call) bool {
	used := c.of != nil && c.of == c.held.of && m.fate(c.held) == lives && time.Since(c.looked) < grace
	return used && !m.mode.serverSide && m.mode.idle > 0 && c.looked.Sub(c.held.sealed) >= time.Minute
}

// set sets a field, in a visitor's session if there is none.
func (m *model) set(c *call, s *session.Session, field int) {
	n := m.next()
	m.expect(s.Set(names[field], []byte(strconv.Itoa(n))) == nil, "Set fails")
	if c.of == nil && c.fresh == nil {
		c.fresh = &modeled{id: s.ID(), user: -1, created: time.Now(), used: time.Now(), moved: time.Now()}
	}
	if c.fresh != nil {
		c.fresh.fields[field] = n
		return
	}
	if c.changed == nil {
		c.changed = map[int]int{}
	}
	c.changed[field] = n
}

// login begins a session in the place of what there is, as a callback does.
func (m *model) login(c *call, s *session.Session, user int, keep bool) {
	f := &modeled{user: user, created: time.Now(), used: time.Now(), moved: time.Now()}
	renew := s.Renew
	if keep {
		renew = s.RenewKeepingFields
		f.fields = m.kept(c)
	}
	f.token = m.next()
	err := errors.Join(renew(), s.Tag(userTag(user)), s.SetToken("refresh", strconv.Itoa(f.token)))
	m.expect(err == nil, "login: %v", err)
	f.id = s.ID()
	c.fresh, c.changed = f, nil
}

// kept are the fields that go over to the session that a login begins in c: the newest there are,
// and none of a session that has ended.
func (m *model) kept(c *call) (fields [2]int) {
	switch {
	case c.fresh != nil:
		return c.fresh.fields
	case c.of == nil:
		return fields
	}
	switch m.fate(m.basis(c)) {
	case ended:
		return fields
	case unsure:
		m.beyond = true
	}
	fields = c.of.fields
	for i, v := range c.changed {
		fields[i] = v
	}
	return fields
}

// adopt takes the newest generation over.
func (m *model) adopt(c *call, s *session.Session) {
	if c.of == nil || c.fresh != nil {
		return
	}
	live, err := m.goesOn(c), s.Sync(context.Background())
	if !live {
		m.expect(errors.Is(err, session.ErrNoSession), "the session has ended, and Sync says %v", err)
		return
	}
	m.expect(err == nil, "Sync: %v", err)
	c.current = time.Now()
}

// refresh spends the newest refresh token for a newer one. A request waits for a provider that is
// fast, and takes over what came of it.
func (m *model) refresh(c *call, s *session.Session, slowly bool) {
	if c.of == nil || c.fresh != nil {
		return
	}
	if slowly {
		go m.flight(m.basis(c), s, slow)
		return
	}
	m.flight(m.basis(c), s, 0)
	c.destroyed = c.destroyed || m.fate(m.basis(c)) == ended
	m.adopt(c, s)
}

// flight is one refresh.
func (m *model) flight(c cookie, s *session.Session, takes time.Duration) {
	m.locked(func() { m.flying++ })
	defer m.locked(func() { m.flying-- })
	err := s.Exclusive(context.Background(), func(_ context.Context, latest *session.Session) error {
		m.locked(func() { m.spends(latest, c) })
		time.Sleep(takes)
		var next int
		m.locked(func() {
			next = m.next()
			if m.fate(c) == lives {
				c.of.token = next
				m.publish(c.of)
			}
		})
		return latest.SetToken("refresh", strconv.Itoa(next))
	})
	m.locked(func() {
		switch m.fate(c) {
		case lives:
			m.expect(err == nil, "the session lives, and Exclusive says %v", err)
		case ended:
			m.expect(errors.Is(err, session.ErrNoSession), "the session has ended, and Exclusive says %v", err)
		case unsure:
			m.beyond = true
		}
	})
}

// spends looks at the refresh token that is about to be sent: the newest, and for the first time.
func (m *model) spends(latest *session.Session, c cookie) {
	if m.fate(c) == lives {
		m.holds(latest, c.of)
		m.expect(c.of.token == 0 || c.of.spent != c.of.token, "the refresh token %d is sent twice", c.of.token)
		c.of.spent = c.of.token
	}
}

// locked runs what a flight has to say beside the requests.
func (m *model) locked(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}
