package session

import (
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// ID is the session's identifier for logs, leases and handover: stable across generations, new with
// every Renew, and not the cookie's secret (in server mode a hash of it). Empty if there is no
// session, or while the Store can't be reached.
func (s *Session) ID() string {
	g := s.current()
	if g == nil {
		return ""
	}
	return g.ID
}

// Created is when the session began; zero if there is none.
func (s *Session) Created() time.Time {
	g := s.current()
	if g == nil {
		return time.Time{}
	}
	return time.UnixMilli(g.Created)
}

// Expires is when the session ends unless it is used again: the nearer of the absolute and the idle
// limit. This request moves the idle limit when its response begins. Zero if there is no session.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return time.Time{}
	}
	deadline := s.deadlineLocked()
	if s.idle != 0 && s.idle < deadline {
		deadline = s.idle
	}
	return time.UnixMilli(deadline)
}

// Deadline is the absolute limit, including a [Session.Limit] set by this request. Zero if there is
// none.
func (s *Session) Deadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return time.Time{}
	}
	return time.UnixMilli(s.deadlineLocked())
}

// deadlineLocked is the absolute limit as it counts today: a Lifetime that was made shorter, or a
// Limit not saved yet, applies at once.
func (s *Session) deadlineLocked() int64 {
	deadline := min(s.base.Deadline, s.base.Created+s.m.config.Lifetime.Milliseconds())
	if s.delta.Limit != 0 {
		deadline = min(deadline, s.delta.Limit)
	}
	return deadline
}

// current loads the session and returns what it is based on, nil without one.
func (s *Session) current() *packed.Generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return nil
	}
	return s.base
}
