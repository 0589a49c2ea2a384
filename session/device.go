package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/bound"
	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/packed"
)

// A DeviceBinding says whether the sessions of logins are bound to a key of the browser's device.
type DeviceBinding string

const (
	// DeviceOff binds none. Sessions bound earlier are served without a proof.
	DeviceOff DeviceBinding = ""

	// DeviceOn binds sessions of browsers that support it. Nothing changes for other browsers, nor
	// for sessions with hundreds of tags.
	DeviceOn DeviceBinding = "on"

	// DeviceRequire is DeviceOn, and serves no unbound session whose login is older than
	// [DeviceWindow].
	DeviceRequire DeviceBinding = "require"
)

// DeviceWindow is how long after its login a session may be bound and, with DeviceRequire, is
// served unbound.
const DeviceWindow = 10 * time.Minute

const (
	minBoundLife  = 10 * time.Second
	maxBoundLife  = time.Hour
	wiseBoundLife = 2 * time.Minute // below, browsers run out of the renewals that they make
	boundSuffix   = "-bound"        // of the bound cookie's name
	startSuffix   = "-start"        // of the name of the cookie that names a session to its registration
	oldCookieLife = time.Minute     // how long the cookie from before a registration leads to the session that it has become

	usedChallenges = 8 << 20 // bytes: about 50,000 within a minute
)

var (
	// ErrDeviceProof means that the session is bound to a device and the request has no proof of
	// it: the cookie was copied, or the browser hasn't renewed its bound cookie yet. It wraps
	// [ErrNoSession]: for this request no user is signed in. The session hasn't ended, and no
	// cookie is cleared.
	ErrDeviceProof error = fmt.Errorf("%w: it is bound to a device, and the request has no proof", ErrNoSession)

	// ErrDeviceRequired means that [Config].DeviceBound is DeviceRequire, and the session was not
	// bound within [DeviceWindow] of its login. It wraps [ErrNoSession].
	ErrDeviceRequired error = fmt.Errorf("%w: it should have been bound to a device, and wasn't", ErrNoSession)
)

// thumbprintOf returns the thumbprint of the key that g is bound to, "" for none.
func thumbprintOf(g *packed.Generation) string {
	return g.Facts().Key.Thumbprint
}

// devices is what a Manager knows of device-bound sessions.
type devices struct {
	mode  DeviceBinding
	life  time.Duration
	seals *bound.Seals
	name  string                                  // of the bound cookie
	path  atomic.Pointer[func(s *Session) string] // where s may register, "" for nowhere; nil before an Authenticator joins

	mu   sync.Mutex
	used expiring.Map[string, struct{}] // challenges, where no Store tells
}

// newDevices returns what c asks for, and warns of what it can't mean.
func newDevices(m *Manager) *devices {
	c := m.config
	d := &devices{mode: c.DeviceBound, life: c.BoundLife, seals: bound.New(m.ring, m.format.name), name: m.format.name + boundSuffix}
	d.used.Limit = usedChallenges
	if d.mode != DeviceOff && d.life < wiseBoundLife {
		m.log.Warn("bound cookies end too soon", "life", d.life)
	}
	return d
}

// binding names g's session and key.
func bindingOf(g *packed.Generation) bound.Binding {
	return bound.Binding{Session: g.ID, Thumbprint: thumbprintOf(g)}
}

// inWindow reports whether a login's session may still be bound, and is served unbound.
func inWindow(g *packed.Generation, now time.Time) bool {
	return now.Sub(time.UnixMilli(g.Created)) < DeviceWindow
}

// isLogin reports whether somebody has signed in. Visitors' sessions are bound to nothing.
func isLogin(g *packed.Generation) bool {
	return g.Facts().Login != nil
}

// unprovenLocked says why g, which is alive, must not be used for this request: nil where it is to
// be served.
func (s *Session) unprovenLocked(g *packed.Generation) error {
	switch d := s.m.devices; {
	case d.mode == DeviceOff, s.waived:
	case thumbprintOf(g) != "":
		if !s.provenLocked(g) {
			return ErrDeviceProof
		}
	case d.mode == DeviceRequire && isLogin(g) && !inWindow(g, time.Now()):
		return ErrDeviceRequired
	}
	return nil
}

// provenLocked reports whether the request carries g's bound cookie. What was accepted once is
// compared, not opened again.
func (s *Session) provenLocked(g *packed.Generation) bool {
	if s.jar.bounds != 1 {
		return false
	}
	now, ring := time.Now(), s.m.ring.Generation()
	if p := g.Proof.Load(); p != nil && p.Ring == ring && p.Value == s.jar.bound {
		return !now.After(p.Until)
	}
	until, err := s.m.devices.seals.CheckCookie(bindingOf(g), s.jar.bound, now)
	if err != nil {
		return false
	}
	g.Proof.Store(&packed.Proof{Value: strings.Clone(s.jar.bound), Ring: ring, Until: until})
	return true
}

// waive lets the request go on without a proof, also where it was found to have none. demand takes
// that back, unless the session has changed.
func (s *Session) waive() (demand func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waived = true
	if v := s.unproven; v != nil {
		s.unproven, s.err = nil, nil
		s.takeLocked(*v)
	}
	return s.demand
}

// demand takes a waiver back.
func (s *Session) demand() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waived = false
	if s.base == nil || s.seen == nil || s.base.ID != s.seen.ID || !s.delta.Empty() {
		return
	}
	if err := s.unprovenLocked(s.base); err != nil {
		s.unproven = &version{g: s.base, idle: s.idle, at: s.fresh}
		s.base, s.err, s.due, s.memo = nil, err, cookieNone, nil
	}
}

// boundCookie is the bound cookie of g from now on.
func (d *devices) boundCookie(g *packed.Generation, f *format, now time.Time) (*http.Cookie, error) {
	ends := now.Add(d.life)
	value, err := d.seals.Cookie(bindingOf(g), ends)
	if err != nil {
		return nil, err
	}
	return d.cookie(f, value, d.life), nil
}

// cookie is the bound cookie; a life of zero expires it.
func (d *devices) cookie(f *format, value string, life time.Duration) *http.Cookie {
	return f.like(d.name, value, life)
}

// attributes are what every bound cookie is set with, apart from its value and its life.
func (d *devices) attributes(f *format) string {
	c := d.cookie(f, "", time.Second)
	c.MaxAge = 0
	_, attributes, _ := strings.Cut(c.String(), "; ")
	return attributes
}

// useChallenge takes a challenge that was answered rightly out of use, and reports whether it was
// not before. Without a Store this process remembers.
func (m *Manager) useChallenge(ctx context.Context, challenge string, now time.Time) (first bool, err error) {
	if m.vault != nil {
		return m.vault.Add(ctx, challengeRow(challenge), nil, bound.ChallengeLife)
	}
	sum := sha256.Sum256([]byte(challenge))
	d := m.devices
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, used := d.used.Get(string(sum[:]), now); used {
		return false, nil
	}
	d.used.Put(string(sum[:]), struct{}{}, len(sum)+entryOverhead, now, bound.ChallengeLife)
	return true, nil
}

// Why a registration or a renewal is refused.
var (
	errNotBindable = errors.New("session: no user has signed in, or too long ago")
	errReplayed    = errors.New("session: the challenge was answered before")
	errReplaced    = errors.New("session: the browser has another session now")
	errOtherKey    = errors.New("session: bound to another key")
	errNoProof     = errors.New("session: expected exactly one proof in the request")
)
