package seal_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// interloper changes a row each time before somebody else does.
type interloper struct {
	*session.MemoryStore
	vault *seal.Vault
	left  int
}

func (s *interloper) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if s.left > 0 {
		s.left--
		if err := s.vault.Set(ctx, "row", []byte("other"), time.Hour); err != nil {
			return false, err
		}
	}
	return s.MemoryStore.Swap(ctx, key, old, value, ttl)
}

func TestUpdateBeginsAnewWhileOthersAreFaster(t *testing.T) {
	errNo := errors.New("no")
	rows := map[string]struct {
		others int
		change func(seal.Row) ([]byte, error)
		err    error
		holds  string
	}{
		"nobody else is there":        {0, nil, nil, "before,mine"},
		"somebody else is faster":     {2, nil, nil, "other,mine"},
		"others are faster each time": {1000, nil, seal.ErrContended, "other"},
		"it leaves the row alone":     {0, func(seal.Row) ([]byte, error) { return nil, nil }, nil, "before"},
		"it refuses":                  {0, func(seal.Row) ([]byte, error) { return []byte("x"), errNo }, errNo, "before"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			ctx, ring := t.Context(), newRing(t)
			store := &interloper{MemoryStore: session.NewMemoryStore(), left: row.others}
			store.vault = ring.Vault(store.MemoryStore, "p")
			v := ring.Vault(store, "p")
			require.NoError(t, v.Set(ctx, "row", []byte("before"), time.Hour))
			if row.change == nil {
				row.change = func(r seal.Row) ([]byte, error) { return append(bytes.Clone(r.Value), ",mine"...), nil }
			}
			require.ErrorIs(t, v.Update(ctx, "row", time.Hour, row.change), row.err)
			rows, err := v.Get(ctx, "row")
			require.NoError(t, err)
			require.Equal(t, row.holds, string(rows[0].Value))
		})
	}
}

func TestUpdatesAtOnceAllCount(t *testing.T) {
	v := newRing(t).Vault(session.NewMemoryStore(), "p")
	count := func(r seal.Row) ([]byte, error) {
		n, _ := strconv.Atoi(string(r.Value))
		return []byte(strconv.Itoa(n + 1)), nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				for v.Update(t.Context(), "row", time.Hour, count) != nil { // contended: nothing was changed
				}
			}
		})
	}
	wg.Wait()
	rows, err := v.Get(t.Context(), "row")
	require.NoError(t, err)
	require.Equal(t, "80", string(rows[0].Value))
}
