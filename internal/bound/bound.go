// Package bound is what device-bound sessions are made of (Device Bound Session Credentials, W3C):
// the proof that a browser signs with a key which never leaves its device, and the three texts of
// ours that it carries: the session identifier, the challenge and the bound cookie. Each is sealed
// for its purpose, so that none passes for another, and none authorizes anything else.
//
// It does no I/O, knows no session and decides nothing: whether a session lives, and whether a
// challenge was used before, package session knows. Start reading at [Seals] and [ParseProof].
package bound

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/seal"
)

// ErrStale is returned for a challenge that was ours, and is older than [ChallengeLife].
var ErrStale = errors.New("challenge: it has expired")

// ErrChallenge is returned for a challenge that is not ours, or was made for another purpose,
// session or key.
var ErrChallenge = errors.New("challenge: not one for this session and key")

// ErrCookie is returned for a bound cookie that is not of this session and key, or has ended.
var ErrCookie = errors.New("bound cookie: not one of this session and key, or past its end")

const (
	// ChallengeLife is how long a challenge may be answered.
	ChallengeLife = time.Minute

	// Grace is how long a bound cookie is taken beyond its end: browsers count from when they got
	// it, and a request may have been under way.
	Grace = time.Minute
)

// Seals make and read the three texts. Safe for concurrent use.
type Seals struct {
	identifiers, challenges, cookies, starts *seal.Sealer

	// name is of the session's cookie: what one manager seals is nothing to another.
	name string
}

// New returns the seals of the sessions whose cookie has this name.
func New(ring *seal.Keyring, name string) *Seals {
	return &Seals{
		identifiers: ring.Sealer("device identifier"), challenges: ring.Sealer("device challenge"),
		cookies: ring.Sealer("device cookie"), starts: ring.Sealer("device start"), name: name,
	}
}

// A Purpose is what a challenge is for: an answer to one is none to the other.
type Purpose string

// The two purposes.
const (
	Registration Purpose = "registration"
	Renewal      Purpose = "renewal"
)

// A Binding names what a challenge or a bound cookie is for: one session and one key, "" where the
// key is still to come.
type Binding struct {
	Session    string // its id
	Thumbprint string // of its key, as [Key.Thumbprint] has it
}

// context is what a seal binds in addition to its text. No part of it holds a NUL.
func (s *Seals) context(b Binding, purpose Purpose) string {
	return s.name + "\x00" + string(purpose) + "\x00" + b.Session + "\x00" + b.Thumbprint
}

// Challenge returns a text that only the holder of b's key can answer, until [ChallengeLife] after
// now.
func (s *Seals) Challenge(purpose Purpose, b Binding, now time.Time) (string, error) {
	return s.challenges.Seal(s.context(b, purpose), moment(now.Add(ChallengeLife)))
}

// CheckChallenge accepts a challenge that was made for purpose and b. Errors: [ErrChallenge];
// [ErrStale].
func (s *Seals) CheckChallenge(purpose Purpose, b Binding, text string, now time.Time) error {
	plain, _, err := s.challenges.Open(s.context(b, purpose), text)
	if err != nil || len(plain) != momentSize {
		return ErrChallenge
	}
	if ends := momentIn(plain); now.After(ends) || ends.Sub(now) > ChallengeLife {
		return ErrStale // or of a clock that was set back since
	}
	return nil
}

// Cookie returns the value of b's bound cookie, which ends at ends.
func (s *Seals) Cookie(b Binding, ends time.Time) (string, error) {
	return s.cookies.Seal(s.context(b, ""), moment(ends))
}

// CheckCookie accepts a bound cookie of b up to [Grace] after its end, and returns when it is no
// longer accepted. Error: [ErrCookie].
func (s *Seals) CheckCookie(b Binding, value string, now time.Time) (until time.Time, err error) {
	plain, _, err := s.cookies.Open(s.context(b, ""), value)
	if err != nil || len(plain) != momentSize {
		return time.Time{}, ErrCookie
	}
	until = momentIn(plain).Add(Grace)
	if now.After(until) {
		return time.Time{}, ErrCookie
	}
	return until, nil
}

// Start returns the value of the cookie that names a session to its registration, which may come
// without the session's own: until [ChallengeLife] after now.
func (s *Seals) Start(session string, now time.Time) (string, error) {
	return s.starts.Seal(s.name, append(moment(now.Add(ChallengeLife)), session...))
}

// StartOf returns the session that such a cookie names, "" for none.
func (s *Seals) StartOf(value string, now time.Time) (session string) {
	plain, _, err := s.starts.Open(s.name, value)
	if err != nil || len(plain) < momentSize || now.After(momentIn(plain)) {
		return ""
	}
	return string(plain[momentSize:])
}

const momentSize = 8

// moment is t as it is sealed: in milliseconds.
func moment(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())) }

// momentIn is the inverse of moment.
func momentIn(b []byte) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(b))) }
