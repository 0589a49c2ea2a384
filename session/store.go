package session

import (
	"context"
	"fmt"
	"time"
)

// A Store keeps small rows for a limited time: revocation marks, recent generations, leases, lists
// of sessions, and with Config.ServerSide the sessions. It uses standard types only, so that a
// store need not import this package. Keys arrive hashed (43 characters of the URL alphabet of
// base64) and values sealed, so a store sees neither names nor content, and must not interpret
// them.
//
// Rules for all methods, which package sessiontest checks along with those of each:
//
//   - Add, Swap and Delete decide and act in one atomic step: of many concurrent callers, one wins.
//     A store that doesn't know whether it has acted returns an error.
//   - A row is never dropped before its ttl is over: a store that is full returns an error. A ttl is
//     at least a millisecond.
//   - Every later call, through any client of the same store, sees what a call has written.
//   - The bytes passed in belong to the caller again after the call, and the returned bytes are the
//     caller's to keep and change.
//   - All methods are safe for concurrent use, and return promptly with an error once ctx is done.
type Store interface {
	// Get returns one element per key, in the order of the keys: nil for a row that is absent or
	// whose time is over, and never nil for an existing row, even an empty one. An absent row is
	// not an error, and neither is an empty list of keys.
	Get(ctx context.Context, keys ...string) ([][]byte, error)

	// Set writes a row, whatever it held, and restarts its time.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error

	// Add writes a row only if it is absent or its time is over, and reports whether it did: false
	// even if the row holds the same value.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)

	// Swap replaces a row only if it holds old, byte for byte, restarts its time, and reports
	// whether it did: false if the row is absent, even for an empty old. It never creates a row.
	Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error)

	// Delete removes a row that holds old or, with a nil old, whatever it holds, and reports
	// whether it removed one.
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
