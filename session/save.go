package session

import (
	"context"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// Save publishes pending changes now, as [Manager.Handler] does before the first byte; the cookie
// is still sent with the first byte. Call it if a failure has to change your response. ctx provides
// values, not cancellation: no change is lost if the browser disconnects. Errors: [ErrTooLarge];
// [ErrUnavailable]; [ErrNoSession] if the session has ended in the meantime, so nothing was saved;
// [ErrCommitted] if the response has begun: the changes are published, but this response can't tell
// the browser. After any error other than ErrCommitted, the changes are not retried unless you call
// Save again or change more.
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
		s.refusal = err
		return err
	}
	if s.ctx != nil && s.stage >= stageBegun && s.due >= cookieWrite {
		s.warnLocked("session saved after the response began: its cookie can't be set")
		return ErrCommitted
	}
	return nil
}

// dirtyLocked reports whether there is something to save.
func (s *Session) dirtyLocked() bool {
	return s.loaded && s.base != nil && (s.base.Number == 0 || !s.delta.Empty())
}

// pendingLocked reports whether there is something to save that Save has not failed to.
func (s *Session) pendingLocked() bool { return s.refusal == nil && s.dirtyLocked() }

// saveLocked publishes delta. The sessions that this one replaces end first: there is never a
// moment with both.
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
	s.followed = s.followed || s.base.Number > 0 && next.ID != s.base.ID
	if next.Number != s.base.Number && !s.followed {
		switch {
		case !s.m.config.ServerSide, s.m.persists(next) != s.m.persists(s.base):
			s.due = max(s.due, cookieWrite)
		case s.due == cookieTouch:
			s.due = cookieNone // the row was just written
		}
	}
	s.base, s.idle, s.delta = next, max(s.idle, next.Idle), packed.Delta{}
	s.changedLocked()
	s.fresh = time.Now()
	return nil
}

// reachLocked notes how far the response is.
func (s *Session) reachLocked(now stage) { s.stage = max(s.stage, now) }

// finish deals with what was changed after the response began, as it reaches now: it can still be
// published, for requests to come. After the handler returned it is the last time.
func (s *Session) finish(now stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reachLocked(now)
	if !s.pendingLocked() {
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
	s.reachLocked(stageReturned)
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
