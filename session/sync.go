package session

import (
	"context"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// Sync adopts the newest published generation, with this request's own changes on top; the response
// then carries its cookie. Once the response has begun, the session is adopted but no cookie is
// set, which is logged. Errors: [ErrNoSession]; [ErrUnavailable] if the Store can't be reached: s
// is then the newest generation that this process knows, which a failed write may have kept from
// the Store.
func (s *Session) Sync(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadLocked(); err != nil {
		return err
	}
	g := s.underWayLocked(s.base)
	v, err := s.m.newest(ctx, g)
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

// unsaved returns what this process alone knows of g's session, and down, why the Store can't be
// asked: ErrNoSession when the session has ended here.
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
	if v.g == s.base || v.g.Number == s.base.Number && v.g.ID == s.base.ID {
		return
	}
	s.followed = s.followed || v.g.ID != s.base.ID
	s.base, s.idle, s.memo = v.g, max(s.idle, v.idle), nil
	if !s.m.config.ServerSide && !s.followed {
		s.due = max(s.due, cookieTouch)
		if s.stage >= stageBegun {
			s.warnLocked("newer session found after the response began: its cookie can't be set")
		}
	}
}
