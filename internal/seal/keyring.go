package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

const (
	keySize = 32
	idSize  = 6 // characters of a key id on the wire
)

// A Keyring is a list of 32-byte keys: the first seals, all open. Set replaces the list while
// serving. The zero value holds no key; make one with NewKeyring. Safe for concurrent use.
type Keyring struct {
	keys atomic.Pointer[keyset]
}

// keyset is one immutable list of keys. Its address tells a Sealer whether the sub-keys that it
// holds are still current.
type keyset struct {
	generation uint64
	keys       []key
}

// key is one key and the id that stands in front of what it seals.
type key struct {
	id     string
	secret []byte
}

// NewKeyring parses base64 keys (standard or URL alphabet, padded or not), newest first. It refuses
// an empty list, keys that are not 32 bytes, repeated keys and keys of one repeated byte, and
// reports every mistake at once, in words that follow the name of the setting.
func NewKeyring(keys []string) (*Keyring, error) {
	k := new(Keyring)
	if err := k.Set(keys); err != nil {
		return nil, err
	}
	return k, nil
}

// NewKey returns a fresh random key in the form that NewKeyring takes.
func NewKey() string {
	b := make([]byte, keySize)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return base64.StdEncoding.EncodeToString(b)
}

// Set replaces the keys; sealers and vaults made before use the new ones at once. On error nothing
// changes.
func (k *Keyring) Set(keys []string) error {
	parsed, err := parseKeys(keys)
	if err != nil {
		return err
	}
	for {
		old := k.keys.Load()
		next := &keyset{keys: parsed, generation: 1}
		if old != nil {
			next.generation = old.generation + 1
		}
		if k.keys.CompareAndSwap(old, next) {
			return nil
		}
	}
}

// Generation changes with every Set, so that a memory of opened values can be dropped.
func (k *Keyring) Generation() uint64 { return k.keys.Load().generation }

// IDs returns the ids of the keys, newest first, as they stand in front of what the keys seal. An
// id says nothing of its key.
func (k *Keyring) IDs() []string {
	set := k.keys.Load()
	ids := make([]string, len(set.keys))
	for i, key := range set.keys {
		ids[i] = key.id
	}
	return ids
}

// parseKeys reads a list of keys. Two keys with one id would make Open try the wrong one, so they
// are refused as repeated; for keys that differ, the chance is one in 2^36.
func parseKeys(texts []string) ([]key, error) {
	if len(texts) == 0 {
		none := errors.New("no keys: at least one base64 key of 32 bytes is needed (session.NewKey makes one)")
		return nil, errors.Join(none) // one list of mistakes, as below
	}
	var (
		keys []key
		errs []error
		seen = map[string]int{}
	)
	for i, text := range texts {
		secret, err := parseKey(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("key %d of %d: %w", i+1, len(texts), err))
			continue
		}
		id := keyID(secret)
		if first, dup := seen[id]; dup {
			errs = append(errs, fmt.Errorf("key %d of %d repeats key %d", i+1, len(texts), first))
			continue
		}
		seen[id] = i + 1
		keys = append(keys, key{id: id, secret: secret})
	}
	return keys, errors.Join(errs...)
}

// parseKey never quotes the text in an error: it may be most of a secret.
func parseKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(text)), "=")
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("not base64: make a key with openssl rand -base64 32")
	}
	if len(b) != keySize {
		return nil, fmt.Errorf("%d bytes, want %d: make a key with openssl rand -base64 32", len(b), keySize)
	}
	if strings.Count(string(b), string(b[:1])) == keySize {
		return nil, errors.New("one repeated byte: make a random key with openssl rand -base64 32")
	}
	return b, nil
}

// keyID derives the id that a sealed value carries. It is a hint that saves trying every key; the
// MAC decides.
func keyID(secret []byte) string {
	return base64.RawURLEncoding.EncodeToString(subkey(secret, "key id", idSize))[:idSize]
}

// aead returns the cipher of one key and purpose.
func (k key) aead(purpose string) cipher.AEAD {
	block, err := aes.NewCipher(subkey(k.secret, "seal 1 "+purpose, keySize))
	if err != nil { // only for a key of another size
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil { // only for a cipher other than AES
		panic(err)
	}
	return aead
}

// subkey is HKDF-SHA256 (RFC 5869) with the use as info, so that no two purposes share a key.
func subkey(secret []byte, info string, size int) []byte {
	b, err := hkdf.Key(sha256.New, secret, nil, "signet "+info, size)
	if err != nil { // only for sizes beyond 255 hashes
		panic(err)
	}
	return b
}
