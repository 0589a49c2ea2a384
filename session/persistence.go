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

	// Transient cookies have none: browsers drop them when they are closed. This isn't guaranteed:
	// browsers that restore the last tabs keep such cookies, even for days, and phone browsers are
	// hardly ever closed. An IdleTimeout reliably ends unused sessions.
	Transient
)

// What is packed is the same number: a constant index beyond an array does not compile.
var _ = [1]struct{}{}[Persistent-Persistence(packed.Yes)+Transient-Persistence(packed.No)]

// SetPersistence says whether the cookie of this session outlives the browser: "remember me", or
// not. It applies for as long as the session lasts. Without a session it does nothing. Errors: p
// isn't one of the three values; [ErrUnavailable]; [ErrReturned].
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
