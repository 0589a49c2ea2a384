package session

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

var errDetached = errors.New("session: Renew needs the session of a response")

// Renew ends the current session, if any, and begins an empty one under a new
// id, as every login must (OWASP session fixation). The old session ends when
// the new one is saved; if that fails, [Session.Save] says so and the new one is
// not handed out. It succeeds while the Store is down. Errors: s is not a
// response's, but one that [Session.Exclusive] or [Session.Prepare] hands out;
// [ErrReturned].
func (s *Session) Renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.renewableLocked(); err != nil {
		return err
	}
	_ = s.loadLocked() // whatever there is to end
	s.renewLocked(nil)
	return nil
}

// RenewKeepingFields is [Session.Renew], and carries what each [Field] keeps
// over, nothing else: a visitor's cart, say, when he signs in. That is what the
// newest generation keeps, also where another request has saved it meanwhile, with
// this request's changes; nothing when the session has ended meanwhile. Errors:
// those of Renew; [ErrUnavailable] when there may be something to keep and the
// Store can't be asked. Then nothing was renewed.
func (s *Session) RenewKeepingFields() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.renewableLocked(); err != nil {
		return err
	}
	fields, err := s.newestFieldsLocked(s.ctx)
	if err == nil {
		s.renewLocked(fields)
	}
	return err
}

// renewableLocked reports why s can't be renewed.
func (s *Session) renewableLocked() error {
	switch {
	case s.returned:
		return ErrReturned
	case s.ctx == nil, s.place != nil:
		return errDetached
	}
	return nil
}

// renewLocked begins a session with fields in place of the current one.
func (s *Session) renewLocked(fields keptFields) {
	s.retireLocked()
	s.beginLocked()
	for name, data := range fields {
		s.delta.SetValue(name, data)
	}
}

// newestFieldsLocked returns what the application keeps, as the newest generation has it, with
// this request's changes. A session that has ended keeps nothing for the next one.
func (s *Session) newestFieldsLocked(ctx context.Context) (keptFields, error) {
	err := s.loadLocked()
	v := version{g: s.base}
	if err == nil && v.g.Number > 0 {
		v, err = s.m.keeper.newest(context.WithoutCancel(ctx), v.g)
	}
	switch {
	case errors.Is(err, ErrNoSession):
		return keptFields{}, nil
	case err != nil:
		return nil, err
	}
	kept := keptFields{}
	for _, value := range v.g.Values {
		kept[value.Name] = value.Data
	}
	maps.Copy(kept, s.delta.Values)
	maps.DeleteFunc(kept, func(name string, data []byte) bool { return data == nil || !strings.HasPrefix(name, fieldPrefix) })
	return kept, nil
}

// Save publishes pending changes now, as [Manager.Handler] does before the first
// byte; the cookie still leaves with the first byte. Call it where a failure has
// to become another answer. ctx gives values, not an end: a browser that goes
// away loses no change. Errors: [ErrTooLarge]; [ErrUnavailable]; [ErrNoSession]
// when the session has ended meanwhile, so that nothing was saved;
// [ErrCommitted] when the response has begun: the changes are published but the
// browser can't learn of them in this response. After any other error than
// ErrCommitted the changes are not tried again unless you call Save again, or
// change more.
func (s *Session) Save(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.place != nil {
		return s.err
	}
	if !s.dirtyLocked() {
		return nil
	}
	if err := s.saveLocked(ctx); err != nil {
		s.gaveUp = true
		return err
	}
	if s.ctx != nil && s.begun && s.due >= cookieWrite {
		s.warnLocked("session saved after the response began: its cookie can't be set")
		return ErrCommitted
	}
	return nil
}

// dirtyLocked reports whether there is something to save.
func (s *Session) dirtyLocked() bool {
	return s.loaded && s.base != nil && !s.gaveUp && (s.base.Number == 0 || !s.delta.Empty())
}

// saveLocked publishes delta. The sessions that this one replaces end first: there is
// never a moment with both.
func (s *Session) saveLocked(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx) // a browser that goes away must not lose a change
	if err := s.endOldLocked(ctx); err != nil {
		return err
	}
	next, err := s.m.merge(ctx, s.underWayLocked(s.base), &s.delta)
	if errors.Is(err, ErrNoSession) {
		s.dropLocked()
	}
	if errors.Is(err, errOverLimit) {
		s.carried = worthEnded
	}
	if err != nil {
		return err
	}
	if next.Number != s.base.Number {
		switch {
		case !s.m.config.ServerSide:
			s.due = max(s.due, cookieWrite)
		case s.due == cookieRenew:
			s.due = cookieNone // the row was just written
		}
	}
	s.base, s.idle, s.delta, s.memo = next, max(s.idle, next.Idle), packed.Delta{}, nil
	s.fresh = time.Now()
	return nil
}

// finish deals with what was changed after the response began: it can still be
// published, for requests to come. After the handler returned it is the last time.
func (s *Session) finish(returned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned = returned
	if !s.dirtyLocked() {
		return
	}
	if err := s.saveLocked(s.ctx); err != nil {
		s.m.log.Error("session changed after the response began, and not saved", "error", err)
	} else if s.due >= cookieWrite {
		s.warnLocked("session changed after the response began: its cookie can't be set")
	}
}

// over notes that the handler has returned, and nothing is saved any more.
func (s *Session) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned = true
}

// warnLocked logs once a request.
func (s *Session) warnLocked(message string) {
	if !s.warned {
		s.warned = true
		s.m.log.Warn(message, "session", idOf(s.base)) //nolint:sloglint // the callers pass constants
	}
}

// idOf is what a log line calls the session.
func idOf(g *packed.Generation) string {
	if g == nil {
		return ""
	}
	return g.ID
}

// Sync adopts the newest published generation, on top of which this request's
// own changes stay; the response then carries its cookie. After it began, the
// session is adopted and no cookie set, which is logged. Errors:
// [ErrNoSession]; [ErrUnavailable] when the Store can't be asked: s is then the
// newest generation that this process knows, which a failed write may have kept
// from the Store.
func (s *Session) Sync(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadLocked(); err != nil {
		return err
	}
	g := s.underWayLocked(s.base)
	v, err := s.m.keeper.newest(ctx, g)
	if errors.Is(err, ErrUnavailable) {
		v, err = s.m.unsaved(g, err)
	}
	if errors.Is(err, ErrNoSession) {
		s.dropLocked()
	}
	if v.g != nil {
		s.advanceLocked(v)
	}
	if err == nil {
		s.fresh = v.at
	}
	return err
}

// unsaved returns what this process alone knows of g's session, and down, why the
// Store can't be asked: ErrNoSession when the session has ended here.
func (m *Manager) unsaved(g *packed.Generation, down error) (version, error) {
	now := time.Now()
	remembered, err := m.recent.newest(g.ID, now)
	if err != nil {
		return version{}, err
	}
	v, err := m.judge(version{g: newer(g, remembered)}, now)
	if err != nil {
		return version{}, err
	}
	return v, down
}

// advanceLocked goes on with v, when it is newer than what s has.
func (s *Session) advanceLocked(v version) {
	if v.g == s.base || v.g.Number == s.base.Number {
		return
	}
	s.base, s.idle, s.memo = v.g, max(s.idle, v.idle), nil
	if !s.m.config.ServerSide {
		s.due = max(s.due, cookieRenew)
		if s.begun {
			s.warnLocked("newer session found after the response began: its cookie can't be set")
		}
	}
}
