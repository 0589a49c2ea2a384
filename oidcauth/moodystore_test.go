package oidcauth_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/session"
)

// A moodyStore counts calls, and fails when it is told to.
type moodyStore struct {
	session.Store
	reads, writes atomic.Int64
	left          atomic.Int64
	failing       atomic.Bool
}

var errMoody = errors.New("the store is out of sorts")

// failAfter lets n calls pass and all later ones fail; a negative n ends that.
func (m *moodyStore) failAfter(n int) {
	m.left.Store(int64(n))
	m.failing.Store(n >= 0)
}

func (m *moodyStore) call(count *atomic.Int64) error {
	if m.failing.Load() && m.left.Add(-1) < 0 {
		return errMoody
	}
	count.Add(1)
	return nil
}

func (m *moodyStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if err := m.call(&m.reads); err != nil {
		return nil, err
	}
	return m.Store.Get(ctx, keys...)
}

func (m *moodyStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := m.call(&m.writes); err != nil {
		return err
	}
	return m.Store.Set(ctx, key, value, ttl)
}

func (m *moodyStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := m.call(&m.writes); err != nil {
		return false, err
	}
	return m.Store.Add(ctx, key, value, ttl)
}

func (m *moodyStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if err := m.call(&m.writes); err != nil {
		return false, err
	}
	return m.Store.Swap(ctx, key, old, value, ttl)
}

func (m *moodyStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	if err := m.call(&m.writes); err != nil {
		return false, err
	}
	return m.Store.Delete(ctx, key, old)
}
