package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/signet-go/signet/internal/packed"
)

var errOver = fmt.Errorf("%w: the prepared session was discarded, or has already begun", ErrNoSession)

// Prepare returns a pending session that is going to replace s's, and a context in which [From] and
// [Manager.From] find it: for a login that may still be refused. The browser, the Store and other
// requests don't see it until [Session.Replace], and changes to it don't affect s's session. With
// keepFields it begins with the values of s's Fields, as [Session.RenewKeepingFields] does; values
// that other requests save until Replace carry over too, except for those that the pending session
// itself has changed.
//
// On a pending session, Save does nothing, Renew is refused, Exclusive returns [ErrNoSession], and
// Destroy abandons it. Once it is abandoned or has begun, nothing can be read from it anymore, and
// changes are refused with [ErrReturned]. Error: [ErrUnavailable] with keepFields, if there may be
// something to keep and the Store can't be reached.
func (s *Session) Prepare(ctx context.Context, keepFields bool) (context.Context, *Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.loadLocked() // whatever there is to take the place of
	next := &Session{m: s.m, ctx: ctx, loaded: true, place: s}
	next.beginLocked()
	if keepFields {
		next.fields = keptFields{}
	}
	if err := next.catchUpLocked(ctx, s); err != nil {
		return ctx, nil, err
	}
	return preparedContext{ctx, next}, next, nil
}

// Pending reports whether s is a pending session, made by [Session.Prepare].
func (s *Session) Pending() bool { return s.place != nil }

// preparedContext leads to a session to come.
type preparedContext struct {
	context.Context
	session *Session
}

// Value finds the session for From and Manager.From.
func (c preparedContext) Value(key any) any {
	if key == (contextKey{}) || key == any(c.session.m) {
		return c.session
	}
	return c.Context.Value(key)
}

// Replace makes next, which s's [Session.Prepare] returned, the session of s's browser, and ends
// s's previous session and those with the IDs in also ("" is ignored). If it returns an error,
// nothing has changed: the browser doesn't get next, and the others continue. Errors: those of
// [Session.Save]; [ErrUnavailable] if the Store couldn't confirm an end, which it may have recorded
// anyway.
func (s *Session) Replace(ctx context.Context, next *Session, also ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next.mu.Lock()
	defer next.mu.Unlock()
	if next.place != s || next.base == nil {
		return errOver
	}
	if s.stage >= stageBegun {
		return ErrCommitted
	}
	_ = s.loadLocked() // whatever there is to end
	if err := next.catchUpLocked(ctx, s); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // a browser that goes away must not lose a change
	// Nobody has its cookie yet, so that for this moment there may be both.
	g, err := s.m.merge(ctx, next.base, &next.delta)
	if err != nil {
		return err
	}
	if err := s.m.endAll(ctx, s.outgoingLocked(also)); err != nil {
		_, err2 := s.m.end(ctx, s.m.endingOf(g))
		return errors.Join(err, err2)
	}
	s.base, s.secret, s.idle, s.ended = g, next.secret, g.Idle, nil
	s.delta, s.err, s.unproven = packed.Delta{}, nil, nil
	s.due = cookieOwed
	s.changedLocked()
	s.m.watch.touch(g, g.Idle)
	next.leaveLocked()
	return nil
}

// keptFields are the fields that a session to come has from the one before, as it got them; nil for
// none.
type keptFields map[string][]byte

// catchUpLocked makes the fields that s has from the session before what they are now, unless s
// itself has changed them.
func (s *Session) catchUpLocked(ctx context.Context, before *Session) error {
	if s.fields == nil {
		return nil
	}
	now, err := before.newestFieldsLocked(ctx)
	if err != nil {
		return err
	}
	for name, data := range s.fields {
		if _, still := now[name]; !still && bytes.Equal(s.delta.Values[name], data) {
			delete(s.delta.Values, name)
		}
	}
	for name, data := range now {
		if bytes.Equal(s.delta.Values[name], s.fields[name]) {
			s.delta.SetValue(name, data)
		}
	}
	s.fields = now
	s.changedLocked()
	return nil
}

// outgoingLocked lists the sessions that end when another takes the place of s's.
func (s *Session) outgoingLocked(also []string) (all []ending) {
	add := func(e ending) {
		// Each once: what has ended can't be brought back when the second try fails.
		if e.id != "" && !slices.ContainsFunc(all, func(known ending) bool { return known.id == e.id }) {
			all = append(all, e)
		}
	}
	if s.base != nil && s.base.Number > 0 {
		add(s.m.endingOf(s.base))
	}
	if s.unproven != nil {
		add(s.m.endingOf(s.unproven.g))
	}
	for _, e := range s.ended {
		add(e)
	}
	for _, id := range also {
		add(s.m.endingOf(&packed.Generation{ID: id}))
	}
	return all
}

// giveUpLocked ends a session to come before it has begun.
func (s *Session) giveUpLocked() {
	if s.base != nil {
		s.m.watch.end(s.base.ID)
	}
	s.leaveLocked()
}

// leaveLocked leaves nothing in the handle of a session to come.
func (s *Session) leaveLocked() {
	s.base, s.delta, s.err, s.stage = nil, packed.Delta{}, errOver, stageReturned
	s.changedLocked()
}
