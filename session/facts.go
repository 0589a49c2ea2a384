package session

import (
	"github.com/signet-go/signet/internal/packed"
)

// What this module's packages keep in a session in addition to its content: see packed.Facts.

// facts returns the facts with this request's changes; nil without a session.
func (s *Session) facts() *packed.Facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return nil
	}
	return s.delta.Facts(s.base)
}

// amend changes facts, beginning a session when there is none.
func (s *Session) amend(change func(*packed.Facts)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startLocked(); err != nil {
		return err
	}
	err := s.delta.Amend(s.base, change)
	s.changedLocked()
	return err
}

// claims returns the payload of the token kept under name, with this request's changes.
func (s *Session) claims(name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return nil, false
	}
	if text, changed := s.delta.Tokens[name]; changed {
		return packed.ClaimsIn(text)
	}
	return s.base.Claims(name)
}
