// Package seal holds the keys and is the only place that knows how values are encrypted.
package seal

import (
	"context"
	"errors"
	"time"
)

// ErrOpen is returned for a value that no current key opens: altered, made for another purpose, or sealed by a retired key.
var ErrOpen = errors.New("seal: value can't be opened")

// ErrUnknownKey is returned for a well-formed value that names a key id which is not in the ring (another replica may know it)
// or a newer format. It wraps ErrOpen.
var ErrUnknownKey error = errors.New("seal: unknown key or newer format")

// A Keyring is a list of 32-byte keys: the first seals, all open. Safe for concurrent use; Set replaces the list while serving.
type Keyring struct{}

// NewKeyring parses base64 keys (standard or URL alphabet, padded or not), newest first. It refuses an empty list, keys that are
// not 32 bytes, repeated keys and all-zero or single-byte-repeated keys, and reports every mistake at once.
func NewKeyring(keys []string) (*Keyring, error) { panic("skeleton") }

// NewKey returns a fresh random key in the form that NewKeyring takes.
func NewKey() string { panic("skeleton") }

// Set replaces the keys; sealers and vaults made before use the new ones at once. On error nothing changes.
func (k *Keyring) Set(keys []string) error { panic("skeleton") }

// Generation changes with every Set, so that a memory of opened values can be dropped.
func (k *Keyring) Generation() uint64 { panic("skeleton") }

// Sealer returns the sealer of one purpose ("session __Host-session", "transaction", …): a sub-key by HKDF.
func (k *Keyring) Sealer(purpose string) *Sealer { panic("skeleton") }

// A Sealer seals values of one purpose. Safe for concurrent use.
type Sealer struct{}

// Seal encrypts and authenticates plain, bound to the purpose and to context (a cookie name, a row key; may be empty). The
// result is cookie-safe text: one layer of base64, with a key id.
func (s *Sealer) Seal(context string, plain []byte) (string, error) { panic("skeleton") }

// Open returns what Seal was given, and whether the newest key sealed it (if not: seal again). Errors: ErrOpen, ErrUnknownKey.
func (s *Sealer) Open(context, sealed string) (plain []byte, newest bool, err error) {
	panic("skeleton")
}

// A Store is session.Store; repeated here so that seal imports nothing of ours.
type Store interface {
	Get(ctx context.Context, keys ...string) ([][]byte, error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
	Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error)
	Delete(ctx context.Context, key string, old []byte) (bool, error)
}

// A Vault is a Store's rows of one purpose: keys hashed (SHA-256 over purpose and key, so that they do not change when keys
// rotate), values sealed and bound to purpose and row key. Old values given to Swap and Delete are the raw bytes that Get
// returned beside the opened ones. Safe for concurrent use.
type Vault struct{}

// Row is one row of a Vault as read: Value is nil when the row is absent; Raw is what the store holds.
type Row struct{ Value, Raw []byte }

// Vault returns the rows of purpose in store.
func (k *Keyring) Vault(store Store, purpose string) *Vault { panic("skeleton") }

// Get reads rows in one round trip. A row that can't be opened has a nil Value and its Raw bytes.
func (v *Vault) Get(ctx context.Context, keys ...string) ([]Row, error) { panic("skeleton") }

func (v *Vault) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	panic("skeleton")
}

func (v *Vault) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	panic("skeleton")
}

func (v *Vault) Swap(ctx context.Context, key string, oldRaw, value []byte, ttl time.Duration) (bool, error) {
	panic("skeleton")
}

func (v *Vault) Delete(ctx context.Context, key string, oldRaw []byte) (bool, error) {
	panic("skeleton")
}
