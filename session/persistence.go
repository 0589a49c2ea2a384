package session

import (
	"fmt"

	"github.com/signet-go/signet/internal/packed"
)

// A Persistence says whether a session's cookie outlives its browser. The limits of the session are
// the same in both cases.
type Persistence byte

const (
	// DefaultPersistence leaves it to Config.Persistence; there it is Persistent.
	DefaultPersistence Persistence = iota

	// Persistent cookies have a Max-Age, up to the nearer limit.
	Persistent

	// Transient cookies have none: browsers drop them when they are closed. It is a wish: browsers
	// that open the tabs of last time again keep them, also for days, and those of phones are
	// hardly ever closed. An IdleTimeout is what ends a session that nobody uses.
	Transient
)

// What is packed is the same number: a constant index beyond an array does not compile.
var _ = [1]struct{}{}[Persistent-Persistence(packed.Yes)+Transient-Persistence(packed.No)]

// SetPersistence says whether the session's cookie outlives the browser, for this session and as
// long as it lasts: "remember me", or not. Without a session it does nothing. Errors: p is none of
// the three; [ErrUnavailable]; [ErrReturned].
func (s *Session) SetPersistence(p Persistence) error {
	if p > Transient {
		return fmt.Errorf("session: Persistence %d is neither Persistent nor Transient", p)
	}
	return s.change(func() {
		_ = s.delta.Amend(s.base, func(f *packed.Facts) { f.Persistent = packed.Choice(p) }) // which fails for keys alone
	})
}

// persists reports whether the cookie of g outlives the browser.
func (m *Manager) persists(g *packed.Generation) bool {
	p := Persistence(g.Facts().Persistent)
	if p == DefaultPersistence {
		p = m.config.Persistence
	}
	return p != Transient
}
