package session

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
)

// A MemoryStore is a [Store] for exactly one process: right for one instance and for tests, wrong
// behind a load balancer, and empty after a restart. It drops rows when their time is over, and
// never earlier: once MaxBytes are in use, it refuses new rows with an error, which the browser
// sees as 503; existing rows can still be replaced if they don't grow. The zero value is ready to
// use. It is safe for concurrent use.
type MemoryStore struct {
	// MaxBytes bounds the memory of all rows: with the default, about a million revocation marks.
	// Set it before first use. Zero means 256 MiB; a negative value refuses every row.
	MaxBytes int

	mu   sync.Mutex
	rows expiring.Map[string, []byte]
}

const defaultStoreBytes = 256 << 20

// NewMemoryStore returns an empty MemoryStore with default bounds.
func NewMemoryStore() *MemoryStore { return &MemoryStore{} }

// Get implements Store.
func (m *MemoryStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	values, now := make([][]byte, len(keys)), time.Now()
	for i, key := range keys {
		if value, ok := m.rows.Get(key, now); ok {
			values[i] = clone(value)
		}
	}
	return values, nil
}

// Set implements Store.
func (m *MemoryStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := m.write(ctx, key, value, ttl, func([]byte, bool) bool { return true })
	return err
}

// Add implements Store.
func (m *MemoryStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return m.write(ctx, key, value, ttl, func(_ []byte, present bool) bool { return !present })
}

// Swap implements Store.
func (m *MemoryStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return m.write(ctx, key, value, ttl, func(held []byte, present bool) bool {
		return present && bytes.Equal(held, old)
	})
}

// Delete implements Store.
func (m *MemoryStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, present := m.rows.Get(key, time.Now())
	if !present || (old != nil && !bytes.Equal(held, old)) {
		return false, nil
	}
	m.rows.Delete(key)
	return true, nil
}

// write puts a row when may agrees with what the row holds.
func (m *MemoryStore) write(ctx context.Context, key string, value []byte, ttl time.Duration,
	may func(held []byte, present bool) bool,
) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	held, present := m.rows.Get(key, now)
	if !may(held, present) {
		return false, nil
	}
	m.rows.Limit = cmp.Or(m.MaxBytes, defaultStoreBytes)
	size := len(key) + len(value) + entryOverhead
	if !m.rows.Fits(key, size, now) {
		return false, fmt.Errorf("session: MemoryStore is full: %d of %d bytes in use", m.rows.Size(), m.rows.Limit)
	}
	m.rows.Put(key, clone(value), size, now, ttl)
	return true, nil
}

// clone copies b; unlike bytes.Clone it makes an empty slice of nil, because a stored row is never
// nil.
func clone(b []byte) []byte { return append([]byte{}, b...) }
