package seal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// A Store has the methods of session.Store, which says what they promise; repeated here so that
// seal imports nothing of ours.
type Store interface {
	Get(ctx context.Context, keys ...string) ([][]byte, error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
	Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error)
	Delete(ctx context.Context, key string, old []byte) (bool, error)
}

// A Vault is a Store's rows of one purpose: keys hashed (SHA-256 over purpose and key, so that they
// do not change when keys rotate), values sealed and bound to purpose and row key. Old values given
// to Swap and Delete are the raw bytes that Get returned along with the opened ones. Safe for
// concurrent use.
type Vault struct {
	store   Store
	sealer  *Sealer
	purpose string
}

// Row is one row of a Vault as read.
type Row struct {
	Value  []byte // nil when the row is absent or can't be opened
	Raw    []byte // what the store holds; nil when the row is absent
	Newest bool   // the newest key sealed it
	Err    error  // why Raw can't be opened: ErrOpen, ErrUnknownKey, ErrNewerFormat
}

// Vault returns the rows of purpose in store; nil when store is.
func (k *Keyring) Vault(store Store, purpose string) *Vault {
	if store == nil {
		return nil
	}
	return &Vault{store: store, sealer: k.Sealer("row " + purpose), purpose: purpose}
}

// Name is the key under which the store holds the row key: unguessable without key, and without
// characters that a store could take for anything else. A caller that reads the same rows often
// keeps the names for Fetch.
func (v *Vault) Name(key string) string {
	h := sha256.New()
	h.Write([]byte(v.purpose))
	h.Write([]byte{0}) // a purpose holds no NUL, so no two pairs meet
	h.Write([]byte(key))
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(h.Sum(sum[:0]))
}

// Get reads rows in one round trip. A row that can't be opened has a nil Value, its Raw bytes and
// an Err.
func (v *Vault) Get(ctx context.Context, keys ...string) ([]Row, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = v.Name(key)
	}
	raws, err := v.Fetch(ctx, names...)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(names))
	for i, raw := range raws {
		rows[i] = v.Open(names[i], raw)
	}
	return rows, nil
}

// Fetch returns the raw bytes of rows by their names, in one round trip; a caller that has seen the
// same bytes before need not Open them again. nil: absent.
func (v *Vault) Fetch(ctx context.Context, names ...string) ([][]byte, error) {
	return v.store.Get(ctx, names...)
}

// Open opens what Fetch returned for name.
func (v *Vault) Open(name string, raw []byte) Row {
	if raw == nil {
		return Row{}
	}
	value, newest, err := v.sealer.OpenBytes(name, raw)
	if err != nil {
		return Row{Raw: raw, Err: err}
	}
	return Row{Value: value, Raw: raw, Newest: newest}
}

// Set writes a row, whatever it held.
func (v *Vault) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	name := v.Name(key)
	return v.store.Set(ctx, name, v.Seal(name, value), ttl)
}

// Add writes a row that is absent, and reports whether it was.
func (v *Vault) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	name := v.Name(key)
	return v.AddSealed(ctx, name, v.Seal(name, value), ttl)
}

// Swap replaces a row that still holds oldRaw, and reports whether it did: false too when the row
// is gone.
func (v *Vault) Swap(ctx context.Context, key string, oldRaw, value []byte, ttl time.Duration) (bool, error) {
	name := v.Name(key)
	return v.SwapSealed(ctx, name, oldRaw, v.Seal(name, value), ttl)
}

// Delete removes a row that still holds oldRaw (nil: whatever it holds), and reports whether it
// did.
func (v *Vault) Delete(ctx context.Context, key string, oldRaw []byte) (bool, error) {
	return v.store.Delete(ctx, v.Name(key), oldRaw)
}

// Seal returns what Fetch will return for name when value is there: for AddSealed and SwapSealed.
func (v *Vault) Seal(name string, value []byte) []byte { return v.sealer.SealBytes(name, value) }

// AddSealed is Add for a caller that has the row's name, and what Seal made of the value.
func (v *Vault) AddSealed(ctx context.Context, name string, sealed []byte, ttl time.Duration) (bool, error) {
	return v.store.Add(ctx, name, sealed, ttl)
}

// SwapSealed is Swap for such a caller.
func (v *Vault) SwapSealed(ctx context.Context, name string, oldRaw, sealed []byte, ttl time.Duration) (bool, error) {
	return v.store.Swap(ctx, name, oldRaw, sealed, ttl)
}
