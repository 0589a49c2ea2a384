package session

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// cookieStep is what a response does with the session's cookie.
type cookieStep int

const (
	cookieNone   cookieStep = iota // nothing
	cookieTouch                    // moves the idle limit, or hands over what is newer, if nothing is against it
	cookieWrite                    // hands over what the browser does not have
	cookieOwed                     // the same, where what it had is over: also while the Store can't be asked
	cookieExpire                   // takes the browser's away
)

// worth is what is known of the cookies that a request carried.
type worth int

const (
	worthKeeping worth = iota // they may be good, or somebody else's to judge
	worthOver                 // the same, for whoever has not waited for the Exclusive that found their session's end
	worthNothing              // they can't be read, or are past their own limits
	worthEnded                // this request has ended their session
)

// cookieStepLocked is the one place that decides what the response is to do with the session's
// cookie. shared says that the handler lets shared caches keep the response. This is the decision
// alone: handOutLocked may send nothing, where the browser may have something newer, or where only
// the row in the Store is renewed, and may find that the session has ended, which is asked about
// once more.
//
// s.due is what the session asks for. Its writers are
//   - beginLocked: cookieWrite, for a new session;
//   - saveLocked: cookieWrite, where the cookie has to say what was saved; else cookieNone in place
//     of cookieTouch, since the row was written just now;
//   - takeLocked and advanceLocked: cookieTouch, for a limit to move or a newer generation;
//   - Replace and goOnAs: cookieOwed, since what the browser has is over;
//   - demand and dropLocked: cookieNone, since there is no session any more;
//   - LeaveCookie: cookieNone in place of cookieTouch, as package oidcauth wishes;
//   - emitLocked: cookieNone, since it is done.
func (s *Session) cookieStepLocked(shared bool) cookieStep {
	free := !shared && !s.looking
	switch {
	case s.base == nil && s.jar.empty():
		return cookieNone
	case s.base == nil && (s.carried == worthEnded || s.carried == worthNothing && free):
		return cookieExpire
	case s.base == nil || s.base.Number == 0 || s.due == cookieTouch && !free && !s.counted:
		return cookieNone
	}
	return s.due
}

// commitLocked saves what is pending and sets or expires cookies.
func (s *Session) commitLocked(h http.Header, shared bool) error {
	saved := s.pendingLocked()
	if saved {
		if err := s.saveLocked(s.ctx); err != nil && !errors.Is(err, ErrNoSession) {
			return err
		}
	}
	return s.emitLocked(h, shared, saved)
}

// emitLocked writes Set-Cookie lines into h, if there is anything to tell the browser.
func (s *Session) emitLocked(h http.Header, shared, saved bool) error {
	step := s.cookieStepLocked(shared)
	if step != cookieNone && step != cookieExpire {
		switch err := s.handOutLocked(h, saved); {
		case errors.Is(err, ErrNoSession):
			s.dropLocked()
			step = s.cookieStepLocked(shared)
		case err != nil && step == cookieTouch: // the old cookie still serves
			s.m.log.Warn("session cookie not renewed", "error", err)
		case err != nil:
			return err
		default:
			s.due = cookieNone
		}
	}
	if step == cookieExpire {
		keepPrivate(h)
		s.m.format.write(h, &s.jar, nil, 0, true)
	}
	if s.jar.bounds > 0 && (step == cookieExpire || step == cookieOwed) { // it was another session's
		h.Add("Set-Cookie", s.m.devices.cookie(s.m.format, "", 0).String())
	}
	return nil
}

// handOutLocked looks once more at marks and newer generations, since the handler may have taken
// its time (unless a change was saved just now), and then moves the idle limit, in the row or in
// the cookie that it sets.
func (s *Session) handOutLocked(h http.Header, saved bool) error {
	ctx := context.WithoutCancel(s.ctx)
	v := version{g: s.base}
	if !saved || s.due == cookieTouch {
		var err error
		v, err = s.m.newest(ctx, s.base)
		if errors.Is(err, ErrUnavailable) && s.due == cookieOwed {
			v, err = version{g: s.base}, nil // the next request looks
		}
		if err != nil {
			return err
		}
	}
	if s.staleLocked(v) || s.base.Number > 0 && v.g.ID != s.base.ID { // it has moved, and that response has its cookie
		return nil
	}
	idle := s.m.idleFrom(time.Now())
	s.m.watch.touch(v.g, idle)
	s.m.seen(ctx, v.g, s.header.Get("User-Agent"))
	if s.due == cookieTouch {
		if err := s.m.keeper.touch(ctx, v, idle); err != nil {
			return err
		}
	}
	if s.m.config.ServerSide && s.due == cookieTouch {
		return nil
	}
	text, life, err := s.m.keeper.cookie(v.g, s.secret)
	if err != nil {
		return err
	}
	keepPrivate(h)
	s.m.format.write(h, &s.jar, text, life, s.m.persists(v.g))
	if len(text) > warnSize {
		s.m.log.Warn("session cookies are large", "bytes", len(text))
	}
	return nil
}

// staleLocked reports whether v may be older than what the browser has: nothing newer is
// remembered, but may have been, and was forgotten since the request looked. A cookie that moves no
// more than the idle limit would then take the newer one's place.
func (s *Session) staleLocked(v version) bool {
	return !s.m.config.ServerSide && s.due == cookieTouch && !v.known && time.Since(s.fresh) >= s.m.memoryOf(v.g)
}
