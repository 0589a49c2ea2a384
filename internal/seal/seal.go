// Package seal holds the keys and is the only place that knows how values are encrypted: those in
// cookies ([Sealer]), and the rows of a Store, with their names hashed ([Vault]), of which two are
// more than a value: a lease, and a row that is changed by compare-and-swap.
//
// Nothing that was changed, moved to another name or sealed for another purpose opens. It never
// looks into what it seals, and logs nothing. Start reading at [Keyring], which has all of it.
//
// A value is sealed with AES-256-GCM under a sub-key of its purpose, with a random nonce
// (crypto/cipher), and bound to its context. In front stand the format's version and the id of the
// key. Text, for cookies, has one layer of base64; rows have none:
//
//	1 kkkkkk base64(nonce, ciphertext, tag)
//	1 kkkkkk nonce ciphertext tag
//
// Random nonces of 96 bits are good for 2^32 values under one key (NIST SP 800-38D §8.3): two
// thousand a second for 24 days. Who seals more rotates keys before.
package seal

import (
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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
	overhead   = 12 + 16 // bytes of nonce and tag
)

// A Sealer seals values of one purpose. Safe for concurrent use.
type Sealer struct {
	ring    *Keyring
	purpose string
	aeads   atomic.Pointer[aeads]
}

// aeads are the sub-keys of one purpose for one list of keys.
type aeads struct {
	of   *keyset
	list []cipher.AEAD
}

// Sealer returns the sealer of one purpose ("session __Host-session", "transaction", …): a sub-key
// by HKDF.
func (k *Keyring) Sealer(purpose string) *Sealer { return &Sealer{ring: k, purpose: purpose} }

// Seal encrypts and authenticates plain, bound to the purpose and to context (a cookie name, say;
// may be empty). The result is cookie-safe text (RFC 6265 §4.1.1) of SealedLen(len(plain)) bytes.
// It fails only for an empty plain, which is a mistake.
func (s *Sealer) Seal(context string, plain []byte) (string, error) {
	text, err := s.AppendSeal(nil, context, plain)
	return string(text), err
}

// AppendSeal appends to b what Seal returns.
func (s *Sealer) AppendSeal(b []byte, context string, plain []byte) ([]byte, error) {
	if len(plain) == 0 {
		return b, errors.New("seal: nothing to seal, want at least one byte")
	}
	size := SealedLen(len(plain))
	b = slices.Grow(b, size)[:len(b)+size]
	sealed := b[len(b)-prefixSize-overhead-len(plain):]
	s.seal(sealed[:0], context, plain)
	text := b[len(b)-size:]
	text = text[copy(text, sealed[:prefixSize]):]
	// The sealed bytes stand at the end of their text, a third in front of where each is written.
	var block [48]byte
	for sealed = sealed[prefixSize:]; len(sealed) > 0; {
		n := copy(block[:], sealed)
		base64.RawURLEncoding.Encode(text, block[:n])
		sealed, text = sealed[n:], text[base64.RawURLEncoding.EncodedLen(n):]
	}
	return b, nil
}

// SealBytes is Seal for what need not be text, and may be empty.
func (s *Sealer) SealBytes(context string, plain []byte) []byte {
	return s.seal(make([]byte, 0, prefixSize+overhead+len(plain)), context, plain)
}

// seal appends to b, which has room for it, what SealBytes returns.
func (s *Sealer) seal(b []byte, context string, plain []byte) []byte {
	c := s.current()
	b = append(append(b, version), c.of.keys[0].id...)
	return c.list[0].Seal(b, nil, plain, []byte(context)) //nolint:gosec // G407: the AEAD makes a random nonce itself
}

// SealedLen is the length of what Seal makes of n bytes.
func SealedLen(n int) int {
	return prefixSize + base64.RawURLEncoding.EncodedLen(overhead+n)
}

// Open returns what Seal was given, and whether the newest key sealed it (if not: seal again).
// Errors: ErrOpen, ErrUnknownKey.
func (s *Sealer) Open(context, sealed string) (plain []byte, newest bool, err error) {
	i, aead, err := s.find(sealed)
	if err != nil && err != ErrUnknownKey { //nolint:errorlint // a newer format wraps it, and looks as it likes
		return nil, false, err
	}
	// Strict, and a line break would make it shorter, so that every sealed value has one spelling.
	b, malformed := base64.RawURLEncoding.Strict().DecodeString(sealed[prefixSize:])
	if malformed != nil || len(b) < overhead || SealedLen(len(b)-overhead) != len(sealed) {
		return nil, false, ErrOpen
	}
	if err != nil {
		return nil, false, err
	}
	plain, err = aead.Open(b[:0], nil, b, []byte(context))
	if err != nil {
		return nil, false, ErrOpen
	}
	return plain, i == 0, nil
}

// OpenBytes is Open for what SealBytes returned, which stays as it is.
func (s *Sealer) OpenBytes(context string, sealed []byte) (plain []byte, newest bool, err error) {
	i, aead, err := s.find(string(sealed[:min(prefixSize, len(sealed))]))
	if err != nil {
		return nil, false, err
	}
	plain = make([]byte, 0, len(sealed)-prefixSize) // of more than it takes: never nil
	plain, err = aead.Open(plain, nil, sealed[prefixSize:], []byte(context))
	if err != nil {
		return nil, false, ErrOpen
	}
	return plain, i == 0, nil
}

// find returns the key that sealed names, and tells garbage from a value that another replica may
// understand.
func (s *Sealer) find(sealed string) (i int, aead cipher.AEAD, err error) {
	switch {
	case len(sealed) < prefixSize:
		return 0, nil, ErrOpen
	case sealed[0] > version && sealed[0] <= '9':
		return 0, nil, ErrNewerFormat
	case sealed[0] != version:
		return 0, nil, ErrOpen
	}
	c := s.current()
	for i, key := range c.of.keys {
		if key.id == KeyID(sealed) {
			return i, c.list[i], nil
		}
	}
	return 0, nil, ErrUnknownKey
}

// KeyID is the id that sealed names as its key's: a hint that only Open makes certain. Empty when
// sealed is too short.
func KeyID(sealed string) string {
	if len(sealed) < prefixSize {
		return ""
	}
	return sealed[1:prefixSize]
}

// current returns the sub-keys for the ring's present keys, deriving them once per Keyring.Set.
func (s *Sealer) current() *aeads {
	set := s.ring.keys.Load()
	if c := s.aeads.Load(); c != nil && c.of == set {
		return c
	}
	c := &aeads{of: set, list: make([]cipher.AEAD, len(set.keys))}
	for i, key := range set.keys {
		c.list[i] = key.aead(s.purpose)
	}
	s.aeads.Store(c)
	return c
}
