package session

import (
	"context"
	"errors"
	"time"
)

// Load decodes the session now: it returns nil if there is a living session, [ErrNoSession], or
// [ErrUnavailable]. The work is done once per request, and every other method does it first, so the
// answer stays the same throughout the request until one of its own methods changes it.
func (s *Session) Load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadLocked()
}

// loadLocked is Load, which waits for the Store as long as the request lasts.
func (s *Session) loadLocked() error { return s.loadWithinLocked(s.ctx) }

// loadWithinLocked is Load, and waits for the Store as long as ctx allows.
func (s *Session) loadWithinLocked(ctx context.Context) error {
	if s.loaded {
		return s.err
	}
	s.loaded = true
	s.m.format.scan(&s.jar, s.header)
	if s.jar.empty() { // and no store traffic
		s.err = ErrNoSession
		return s.err
	}
	seen, err := s.m.keeper.see(&s.jar)
	if err == nil {
		s.secret, s.seen = seen.secret, seen.g
		err = s.adoptLocked(ctx, seen)
	}
	switch {
	case s.unproven != nil:
		s.err = err
	case errors.Is(err, errLeaveAlone):
		s.err = ErrNoSession
	case errors.Is(err, ErrNoSession):
		s.err = ErrNoSession
		if s.useless(err) {
			s.carried = worthNothing
		}
	case err != nil:
		s.err = err
		s.ended = append(s.ended, s.m.endingOf(s.seen)) // in case it is replaced or destroyed
		s.logUnread(ctx, err)
	}
	return s.err
}

// logUnread tells the log that the session could not be read. Nothing is wrong with the Store when
// its request has ended meanwhile: strangers can send a cookie and hang up as often as they like,
// and nobody should be called for it. A request's own deadline that passed may be the Store's
// fault, or a slow handler's.
func (s *Session) logUnread(ctx context.Context, err error) {
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.Canceled):
		s.m.log.Debug("request ended early", "error", err)
	case ended != nil:
		s.m.log.Warn("request ended early", "error", err)
	default:
		s.m.log.Error("store unavailable", "error", err)
	}
}

// adoptLocked takes over the newest generation of the session that was seen.
func (s *Session) adoptLocked(ctx context.Context, seen sighting) error {
	// What is remembered of the session makes no cookie live longer than it says itself.
	if !s.m.config.ServerSide && !s.m.within(seen.g, time.Now()) {
		if s.m.within(seen.g, s.arrived) {
			return &endedError{} // the browser may have moved its limit since
		}
		return ErrNoSession
	}
	v, err := s.newestSeenLocked(ctx, seen.g)
	if err != nil {
		return err
	}
	v.sealed = or(seen.sealed, v.sealed)
	if v.g.ID == seen.g.ID { // else it was let in by its old cookie, for a minute, or with a proof
		err = s.unprovenLocked(v.g)
	}
	if err != nil {
		unproven := v // of its own, so that v takes no memory where nothing is missing
		s.unproven = &unproven
		return err
	}
	s.takeLocked(v)
	return nil
}

// takeLocked makes v the request's session.
func (s *Session) takeLocked(v version) {
	s.base, s.idle, s.fresh = v.g, v.idle, v.at
	s.followed = v.g.ID != s.seen.ID && !s.provenLocked(v.g)
	if !s.followed && (v.older || s.m.touchDue(v.idle, v.at) || !s.m.config.ServerSide && v.g != s.seen) {
		s.due = cookieTouch
	}
	s.m.watch.touch(v.g, v.idle)
	if !s.m.config.ServerSide && s.m.recent.used.Load() {
		s.m.recent.saw(s.seen.ID, s.seen.Number, s.m.successorLife(s.seen))
	}
	if s.m.config.OnKeyUse != nil {
		s.m.config.OnKeyUse(v.keyID)
	}
}
