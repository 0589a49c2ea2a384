package sessiontest_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sessiontest"
)

// shelf is a session.Store in a map. It decides and acts under one lock, which is what Add, Swap and Delete promise; a database
// does it in one statement.
type shelf struct {
	mu   sync.Mutex
	rows map[string]shelved
}

type shelved struct {
	value []byte
	until time.Time
}

func newShelf() *shelf { return &shelf{rows: map[string]shelved{}} }

// held returns what a row holds, nil for one whose time is over.
func (s *shelf) held(key string) []byte {
	if row, ok := s.rows[key]; ok && time.Now().Before(row.until) {
		return row.value
	}
	return nil
}

// put keeps a copy, which is never nil.
func (s *shelf) put(key string, value []byte, ttl time.Duration) {
	s.rows[key] = shelved{append([]byte{}, value...), time.Now().Add(ttl)}
}

func (s *shelf) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if held := s.held(key); held != nil {
			values[i] = append([]byte{}, held...)
		}
	}
	return values, ctx.Err()
}

func (s *shelf) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := s.when(ctx, key, func([]byte) bool { return true }, func() { s.put(key, value, ttl) })
	return err
}

func (s *shelf) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return s.when(ctx, key, func(held []byte) bool { return held == nil }, func() { s.put(key, value, ttl) })
}

func (s *shelf) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return s.when(ctx, key, func(held []byte) bool { return held != nil && bytes.Equal(held, old) }, func() { s.put(key, value, ttl) })
}

func (s *shelf) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	return s.when(ctx, key, func(held []byte) bool {
		return held != nil && (old == nil || bytes.Equal(held, old))
	}, func() { delete(s.rows, key) })
}

// when acts if may agrees with what the row holds.
func (s *shelf) when(ctx context.Context, key string, may func(held []byte) bool, act func()) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	ok := may(s.held(key))
	if ok {
		act()
	}
	return ok, nil
}

// A store of your own needs no more than five methods and this test.
func ExampleRun() {
	testStore := func(t *testing.T) { // func TestStore(t *testing.T)
		sessiontest.Run(t, func(*testing.T) session.Store { return newShelf() })
	}
	_ = testStore // go test calls it

	_, err := session.New(session.Config{Keys: []string{session.NewKey()}, Store: newShelf()})
	fmt.Println(err)
	// Output: <nil>
}
