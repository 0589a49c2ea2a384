package session

import (
	"context"
	"fmt"
	"time"
)

// A Store keeps small rows for a limited time: revocation marks, recent generations, leases, lists
// of sessions, and with Config.ServerSide the sessions. It uses standard types only, so that a store
// need not import this package. Keys arrive hashed (43 characters of the URL alphabet of base64) and
// values sealed, so a store sees neither names nor content; it must not look into them.
//
// Rules of all methods, which package sessiontest checks with those of each:
//
//   - Add, Swap and Delete decide and act in one atomic step: of many callers at once, one wins. A
//     store that does not know whether it has acted returns an error.
//   - A row is never dropped before its ttl is over: a store that is full returns an error. A ttl is
//     at least a millisecond.
//   - What one call has written, every later call sees, through any client of the same store.
//   - The bytes passed in are the caller's again after the call, and the bytes returned are the
//     caller's to keep and change.
//   - All methods are safe for concurrent use, and return promptly with an error once ctx is done.
type Store interface {
	// Get returns one element per key, in the order of the keys: nil for a row that is absent or
	// whose time is over, and never nil for one that is there, also when it is empty. An absent row
	// is not an error, and neither are no keys.
	Get(ctx context.Context, keys ...string) ([][]byte, error)

	// Set writes a row, whatever it held, and starts its time anew.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Add writes a row only when it is absent or its time is over, and reports whether it did:
	// false also when the row holds the same value.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)

	// Swap replaces a row only while it holds old, byte for byte, starts its time anew, and reports
	// whether it did: false when the row is absent, also for an empty old. It never creates a row.
	Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error)

	// Delete removes a row that holds old, or with a nil old whatever it holds, and reports whether
	// it removed one.
	Delete(ctx context.Context, key string, old []byte) (bool, error)
}

// timedStore bounds every call of a Store, and makes every failure an ErrUnavailable.
type timedStore struct {
	store   Store
	timeout time.Duration
}

// Get checks what a Store of somebody else's returns before its elements are counted on.
func (t timedStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	values, err := t.store.Get(ctx, keys...)
	if err == nil && len(values) != len(keys) {
		err = fmt.Errorf("store returned %d values for %d keys", len(values), len(keys))
	}
	return values, unavailable(err)
}

// Set implements Store.
func (t timedStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return unavailable(t.store.Set(ctx, key, value, max(ttl, time.Millisecond)))
}

// Add implements Store.
func (t timedStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	ok, err := t.store.Add(ctx, key, value, max(ttl, time.Millisecond))
	return ok, unavailable(err)
}

// Swap implements Store.
func (t timedStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	ok, err := t.store.Swap(ctx, key, old, value, max(ttl, time.Millisecond))
	return ok, unavailable(err)
}

// Delete implements Store.
func (t timedStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	ok, err := t.store.Delete(ctx, key, old)
	return ok, unavailable(err)
}

// unavailable keeps the cause for the log: a timeout, a refused connection or a full store are one
// thing to a browser.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
