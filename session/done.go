package session

import (
	"context"
	"errors"
	"time"
)

// Done returns a channel that is closed when the session in ctx ends: for WebSockets, server-sent
// events and other long-lived responses. It is closed at once if the session ends in this process,
// and within 5 s if it ends elsewhere. A [Store] that fails ends nothing: while it can't be asked,
// Done waits. Without a session the channel is already closed. Calling Done again with the same
// ctx, in a loop around select, costs one map lookup. However many streams are open, one poller
// asks the Store, with one read for every 200 sessions. The session is watched until ctx or the
// session ends, even after the response has begun and after a handler has returned. While Done is
// open, a response that has begun can change the session if it has done so, or looked for newer
// content, within the idle time; nothing it does lets a browser back in whose own idle limit has
// passed.
func Done(ctx context.Context) <-chan struct{} {
	s := From(ctx)
	if s == nil {
		return closed
	}
	v, ok := s.watchable()
	if !ok {
		return closed
	}
	done := s.m.watch.add(ctx, v)
	// end tells recent before watch, so an end that add came too late for shows here.
	if _, err := s.m.recent.newest(v.g.ID, time.Now()); err != nil {
		if now, err := s.m.newest(ctx, v.g); err == nil { // it has moved
			return s.m.watch.add(ctx, now)
		}
		s.m.watch.end(v.g.ID)
		return closed
	}
	return done
}

// watchable is what Done watches: the session, or what the cookie says of it while the Store can't
// be asked. false: there is none.
func (s *Session) watchable() (version, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.loadLocked(); {
	case err == nil:
		return version{g: s.base, idle: s.idle}, true
	case errors.Is(err, ErrUnavailable) && s.seen != nil:
		return version{g: s.seen, idle: s.seen.Idle}, true
	}
	return version{}, false
}

// closed is what Done returns when there is nothing to wait for.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
