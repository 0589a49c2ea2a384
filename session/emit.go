package session

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// commit saves what is pending and sets or expires cookies.
func (s *Session) commit(h http.Header, shared bool) error {
	saved := s.dirty()
	if saved {
		if err := s.save(s.ctx); err != nil && !errors.Is(err, ErrNoSession) {
			return err
		}
	}
	return s.emit(h, shared, saved)
}

// emit writes Set-Cookie lines into h, if there is anything to tell the
// browser.
func (s *Session) emit(h http.Header, shared, saved bool) error {
	if s.base != nil && s.base.Number > 0 && (s.mustWrite || s.mayWrite && !shared && !s.peeked) {
		switch err := s.refresh(h, saved); {
		case errors.Is(err, ErrNoSession):
			s.drop()
		case err != nil && s.mustWrite:
			return err
		case err != nil: // the old cookie still serves
			s.m.log.Warn("session cookie not renewed", "error", err)
		}
	}
	if s.expires() && (s.destroyed || !shared) {
		keepPrivate(h)
		s.m.format.write(h, &s.jar, nil, 0)
	}
	return nil
}

// refresh looks once more at marks and newer generations, since the handler may
// have taken its time (unless saving has just done so), and then moves the idle
// limit, in the row or in the cookie that it sets.
func (s *Session) refresh(h http.Header, saved bool) error {
	ctx := context.WithoutCancel(s.ctx)
	v := version{g: s.base}
	if !saved {
		var err error
		v, err = s.m.keeper.newest(ctx, s.base)
		if errors.Is(err, ErrUnavailable) && s.replaced {
			v, err = version{g: s.base}, nil // the next request looks
		}
		if err != nil {
			return err
		}
	}
	if s.stale(v) {
		return nil
	}
	idle := s.m.idleFrom(time.Now())
	s.m.watch.touch(v.g, idle)
	if s.mayWrite && !saved {
		if err := s.m.keeper.touch(ctx, v, idle); err != nil {
			return err
		}
	}
	if s.m.config.ServerSide && !s.mustWrite {
		return nil
	}
	values, life, err := s.m.keeper.cookie(v.g.IdleAt(idle), s.secret)
	if err != nil {
		return err
	}
	keepPrivate(h)
	if size := s.m.format.write(h, &s.jar, values, life); size > warnSize {
		s.m.log.Warn("session cookies are large", "bytes", size)
	}
	return nil
}

// stale reports whether v may be older than what the browser has: nothing newer is
// remembered, but may have been, and was forgotten since the request looked. A cookie
// that moves no more than the idle limit would then take the newer one's place.
func (s *Session) stale(v version) bool {
	return !s.m.config.ServerSide && !s.mustWrite && !v.known && time.Since(s.fresh) >= s.m.memoryOf(v.g)
}
