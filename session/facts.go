package session

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/signet-go/signet/internal/packed"
)

// What the packages of this module keep in a session beside its content: see packed.Facts.

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

// publicID names the session to its user, in a list of sessions, say: "" without one. It follows
// from the random ID, which is as long-lived, and leads neither back to it nor to a cookie.
func (s *Session) publicID() string {
	g := s.current()
	if g == nil {
		return ""
	}
	return publicIDOf(g.ID)
}

// publicIDOf is the public id of the session with this ID.
func publicIDOf(id string) string {
	sum := sha256.Sum256([]byte("public id of " + id))
	return base64.RawURLEncoding.EncodeToString(sum[:publicIDSize])
}

const publicIDSize = 12

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

// extension returns a copy of what is kept under kind.
func (s *Session) extension(kind uint64) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return nil, false
	}
	data, ok := s.delta.Extension(s.base, kind)
	if !ok {
		return nil, false
	}
	return clone(data), true
}

// setExtension keeps a copy of data under kind, beginning a session when there is none; nil
// deletes.
func (s *Session) setExtension(kind uint64, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startLocked(); err != nil {
		return err
	}
	if data != nil {
		data = clone(data)
	}
	s.delta.SetExtension(kind, data)
	s.changedLocked()
	return nil
}
