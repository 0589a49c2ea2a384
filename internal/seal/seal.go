// Package seal holds the keys and is the only place that knows how values are encrypted.
//
// A value is sealed by gorilla/securecookie (AES-256 in counter mode, then HMAC-SHA-256 over name,
// date and ciphertext) under a sub-key of its purpose. securecookie wraps its ciphertext in base64
// and then wraps the whole, "date|ciphertext|mac", in base64 again. The second layer adds a third
// and says nothing, so it is taken off on the way out and put back, byte for byte, on the way in.
// In front stand the format's version and the id of the key:
//
//	1 kkkkkk date|base64(iv, ciphertext)|base64(mac)
package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/securecookie"
)

// ErrOpen is returned for a value that no current key opens: altered, made for another purpose, or
// sealed by a retired key.
var ErrOpen = errors.New("seal: value can't be opened")

// ErrUnknownKey is returned for a well-formed value that names a key id which is not in the ring
// (another replica may know it) or a newer format. It wraps ErrOpen.
var ErrUnknownKey error = fmt.Errorf("%w: unknown key or newer format", ErrOpen)

// ErrNewerFormat is returned for a value in a format of a later release. It wraps ErrUnknownKey.
var ErrNewerFormat error = fmt.Errorf("%w (newer format)", ErrUnknownKey)

const (
	version    = '1'
	prefixSize = 1 + idSize
	macText    = 43 // characters of a MAC without padding
	dateText   = 10 // digits of a date in seconds, until the year 2286
	ivSize     = 16
)

// A Sealer seals values of one purpose. Safe for concurrent use.
type Sealer struct {
	ring    *Keyring
	purpose string
	codecs  atomic.Pointer[codecs]
}

// codecs are the sub-keys of one purpose for one list of keys.
type codecs struct {
	of   *keyset
	list []*securecookie.SecureCookie
}

// Sealer returns the sealer of one purpose ("session __Host-session", "transaction", …): a sub-key
// by HKDF.
func (k *Keyring) Sealer(purpose string) *Sealer { return &Sealer{ring: k, purpose: purpose} }

// Seal encrypts and authenticates plain, bound to the purpose and to context (a cookie name, a row
// key; may be empty). The result is cookie-safe text (RFC 6265 §4.1.1) of SealedLen(len(plain))
// bytes: one layer of base64, with a key id. It fails only for an empty plain, which securecookie
// would not open, and when the system has no randomness.
func (s *Sealer) Seal(context string, plain []byte) (string, error) {
	if len(plain) == 0 {
		return "", errors.New("seal: nothing to seal, want at least one byte")
	}
	c := s.current()
	// securecookie encrypts in place, and the caller's bytes are not ours.
	outer, err := c.list[0].Encode(context, append(make([]byte, 0, len(plain)), plain...))
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	buf := make([]byte, prefixSize+base64.URLEncoding.DecodedLen(len(outer))+macText)
	buf[0] = version
	copy(buf[1:], c.of.keys[0].id)
	n, err := base64.URLEncoding.Decode(buf[prefixSize:], []byte(outer))
	if err != nil || n < macSize {
		return "", errors.New("seal: securecookie's format has changed")
	}
	// The MAC is the last 32 bytes, as they are; everything before is text already.
	end := prefixSize + n - macSize
	mac := [macSize]byte(buf[end:])
	base64.RawURLEncoding.Encode(buf[end:end+macText], mac[:])
	return string(buf[:end+macText]), nil
}

// SealedLen is the length of what Seal makes of n bytes.
func SealedLen(n int) int {
	return prefixSize + dateText + 1 + base64.URLEncoding.EncodedLen(ivSize+n) + 1 + macText
}

// Open returns what Seal was given, and whether the newest key sealed it (if not: seal again).
// Errors: ErrOpen, ErrUnknownKey.
func (s *Sealer) Open(context, sealed string) (plain []byte, newest bool, err error) {
	if err := wellFormed(sealed); err != nil {
		return nil, false, err
	}
	c := s.current()
	for i, key := range c.of.keys {
		if key.id != KeyID(sealed) {
			continue
		}
		plain, err := open(c.list[i], context, sealed[prefixSize:])
		return plain, i == 0, err
	}
	return nil, false, ErrUnknownKey
}

// KeyID is the id that sealed names as its key's: a hint that only Open makes certain. Empty when
// sealed is too short.
func KeyID(sealed string) string {
	if len(sealed) < prefixSize {
		return ""
	}
	return sealed[1:prefixSize]
}

// wellFormed tells garbage from a value that another replica may understand.
func wellFormed(sealed string) error {
	switch {
	case len(sealed) < SealedLen(1)-1: // a date has nine digits before 2001, where testing/synctest begins
		return ErrOpen
	case sealed[0] > version && sealed[0] <= '9':
		return ErrNewerFormat
	case sealed[0] != version || sealed[len(sealed)-macText-1] != '|' || strings.Count(sealed, "|") != 2:
		return ErrOpen
	}
	return nil
}

// macSize is the size of an HMAC-SHA-256.
const macSize = 32

// scratch holds the two buffers in which open puts securecookie's layer back.
type scratch struct{ inner, outer []byte }

// scratches spare a first sight two allocations as large as the cookie.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// open puts securecookie's outer layer back and lets it verify and decrypt.
func open(codec *securecookie.SecureCookie, context, text string) ([]byte, error) {
	b := scratches.Get().(*scratch)
	defer scratches.Put(b)
	end := len(text) - macText
	b.inner = append(b.inner[:0], text[:end]...)
	b.outer = append(b.outer[:0], text[end:]...)
	var err error
	// Strict, so that every sealed value has one spelling.
	b.inner, err = base64.RawURLEncoding.Strict().AppendDecode(b.inner, b.outer)
	if err != nil || len(b.inner) != end+macSize {
		return nil, ErrOpen
	}
	b.outer = base64.URLEncoding.AppendEncode(b.outer[:0], b.inner)
	var plain []byte
	if err := codec.Decode(context, string(b.outer), &plain); err != nil {
		return nil, ErrOpen // securecookie's reasons would only help who guesses
	}
	return plain, nil
}

// current returns the sub-keys for the ring's present keys, deriving them once per Keyring.Set.
func (s *Sealer) current() *codecs {
	set := s.ring.keys.Load()
	if c := s.codecs.Load(); c != nil && c.of == set {
		return c
	}
	c := &codecs{of: set, list: make([]*securecookie.SecureCookie, len(set.keys))}
	for i, key := range set.keys {
		c.list[i] = key.codec(s.purpose)
	}
	s.codecs.Store(c)
	return c
}
