package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// An endedError says that a session has ended before the limits that its cookie knows of: by a
// logout, a login, a mark, or a limit that was set later.
type endedError struct {
	at     time.Time // zero: nobody knows when
	to     string    // the id under which the session goes on; until at, old cookies lead there
	marked bool      // by a revocation
}

func (e *endedError) Error() string { return ErrNoSession.Error() + ", it has ended" }
func (e *endedError) Unwrap() error { return ErrNoSession }

// errOverLimit means that a limit which was just saved had passed, so that saving it has ended the
// session.
var errOverLimit = &endedError{}

// wasMarked reports whether err says that a revocation has ended the session.
func wasMarked(err error) bool {
	var ended *endedError
	return errors.As(err, &ended) && ended.marked
}

// lateness is how long after the end of a session requests are expected that still carry its
// cookie: they were sent before the browser had a newer one, and so their responses may arrive
// after it.
const lateness = time.Minute

// An ending is a session that has to end.
type ending struct {
	id   string
	life time.Duration // of the longest-lived cookie that there may be
	list string        // key of the tag in whose list it is; "": in none, or nobody knows
}

// endingOf is the end of g's session.
func (m *Manager) endingOf(g *packed.Generation) ending {
	if g.Created == 0 { // nothing but its id is known
		return ending{id: g.ID, life: m.markLife()}
	}
	// A clock that was ahead when the session began has made its cookies live longer.
	e := ending{id: g.ID, life: max(time.Until(time.UnixMilli(g.Deadline)), 0) + markSlack}
	if tag := g.Listed(); tag != nil {
		e.list = tag.Key
	}
	return e
}

// useless reports whether the cookie of a request that found no session, for the reason err, is to
// be expired. A response must not delete the cookie of the next login, which may have arrived in
// the meantime: so what was good once, and has ended, is left alone as long as the browser may have
// sent it without knowing.
func (s *Session) useless(err error) bool {
	var ended *endedError
	if !errors.As(err, &ended) {
		return true // it can't be read, or is past its own limits: no late request has that
	}
	return !ended.at.IsZero() && s.arrived.Sub(ended.at) > lateness
}

// retireLocked notes the current session as one that has to end.
func (s *Session) retireLocked() {
	if s.base != nil && s.base.Number > 0 {
		s.ended = append(s.ended, s.m.endingOf(s.base))
	}
	if s.unproven != nil {
		s.ended = append(s.ended, s.m.endingOf(s.unproven.g))
	}
	s.base, s.unproven = nil, nil
}

// Destroy ends the session: the cookie is expired, a server-side row deleted, and its id marked
// dead where a Store is set. If the Store fails, [ErrUnavailable] is returned after the local part
// is done: this process then no longer honors the session. Streams that wait for [Done] end. Once
// the response has begun, the browser keeps its cookie, which is dead. The cookie of a session that
// was already ended elsewhere also stays: by now the browser may have the next session's.
func (s *Session) Destroy(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.loadLocked() // whatever there is to end
	if s.place != nil {
		s.giveUpLocked()
		return nil
	}
	before, over := s.carried, s.isOverLocked(ctx)
	s.retireLocked()
	s.dropLocked()
	s.idle, s.secret = 0, ""
	s.changedLocked()
	err := s.endOldLocked(ctx)
	if over {
		s.carried = before
	}
	if s.stage >= stageBegun && s.cookieStepLocked(false) == cookieExpire {
		s.warnLocked("session ended after the response began: its cookie stays, and is dead")
	}
	return err
}

// isOverLocked reports whether the session has ended since the request looked. A mark says so too,
// and makes no difference to keeper.end.
func (s *Session) isOverLocked(ctx context.Context) bool {
	if s.base == nil || s.base.Number == 0 {
		return false
	}
	_, err := s.m.newest(context.WithoutCancel(ctx), s.base)
	return errors.Is(err, ErrNoSession)
}

// endOldLocked ends the sessions that were replaced or destroyed. What could not be ended stays on
// the list.
func (s *Session) endOldLocked(ctx context.Context) error {
	for len(s.ended) > 0 {
		first, err := s.m.end(context.WithoutCancel(ctx), s.ended[0])
		if first || err != nil {
			s.carried = worthEnded
		}
		if err != nil {
			return err
		}
		s.ended = slices.Delete(s.ended, 0, 1)
	}
	return nil
}

// dropLocked signs out: the session has ended.
func (s *Session) dropLocked() {
	s.base, s.err, s.delta = nil, ErrNoSession, packed.Delta{}
	s.due = cookieNone
}

// joinEnd has s count as one that ended its session where of, which has the same, has ended it or
// was overtaken by its end: the response of s then expires the cookie too.
func (s *Session) joinEnd(of *Session) {
	of.mu.Lock()
	seen, ended := of.seen, of.carried == worthEnded || of.carried == worthOver
	of.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.loadLocked()
	if !ended || seen == nil || s.seen == nil || s.seen.ID != seen.ID {
		return
	}
	s.carried = worthEnded
	if s.base != nil && s.base.ID == seen.ID { // and not one that s has begun since
		s.dropLocked()
	}
}

// end ends a session: in this process first, which can not fail, then for all. It reports whether
// it was honored until then.
func (m *Manager) end(ctx context.Context, e ending) (first bool, err error) {
	first = m.endHere(e)
	if m.vault == nil {
		return first, nil
	}
	if first, err = m.keeper.end(ctx, e); err == nil {
		m.delist(ctx, e)
	}
	return first, err
}

// endHere tells this process that a session has ended, also where it goes on under another id.
func (m *Manager) endHere(e ending) (first bool) {
	for next := e.id; next != ""; {
		now, to := m.recent.end(next, e.life)
		m.watch.end(next)
		first, next = first || now, to
	}
	return first
}

// endAll ends sessions for all processes first: with an error this one still honors all of them.
func (m *Manager) endAll(ctx context.Context, all []ending) error {
	for _, e := range all {
		if _, err := m.keeper.end(ctx, e); err != nil {
			return err
		}
	}
	for _, e := range all {
		m.endHere(e)
		m.delist(ctx, e)
	}
	return nil
}
