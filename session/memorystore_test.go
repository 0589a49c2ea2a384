package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sessiontest"
	"github.com/stretchr/testify/require"
)

func TestMemoryStoreKeepsTheRules(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) session.Store { return session.NewMemoryStore() })
}

func TestFullMemoryStoreRefusesUntilRowsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &session.MemoryStore{MaxBytes: 10_000}
		write := func(i int) error { return store.Set(t.Context(), fmt.Sprint(i), make([]byte, 100), time.Minute) }
		n := 0
		for write(n) == nil {
			n++
		}
		require.InDelta(t, 40, n, 10)
		require.ErrorContains(t, write(n), "full")
		for i := range n {
			values, err := store.Get(t.Context(), fmt.Sprint(i))
			require.NoError(t, err)
			require.NotNil(t, values[0], "no row goes before its time")
		}
		time.Sleep(time.Minute)
		require.NoError(t, write(n))
	})
}

func TestMemoryStoreForgetsWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &session.MemoryStore{MaxBytes: 50_000}
		for i := range 100_000 { // far more than fit at once
			require.NoError(t, store.Set(t.Context(), fmt.Sprint(i), make([]byte, 100), time.Second))
			if i%50 == 0 {
				time.Sleep(time.Second)
			}
		}
	})
}

func TestFullMemoryStoreStillReplacesRows(t *testing.T) {
	store := &session.MemoryStore{MaxBytes: 10_000}
	row := make([]byte, 100)
	n := 0
	for store.Set(t.Context(), fmt.Sprint(n), row, time.Minute) == nil {
		n++
	}
	rows := []struct {
		name  string
		write func(value []byte) (bool, error)
	}{
		{"Set", func(value []byte) (bool, error) { return true, store.Set(t.Context(), "0", value, time.Minute) }},
		{"Swap", func(value []byte) (bool, error) { return store.Swap(t.Context(), "1", row, value, time.Minute) }},
	}
	for _, write := range rows {
		t.Run(write.name, func(t *testing.T) {
			ok, err := write.write(make([]byte, 9_000))
			require.ErrorContains(t, err, "full", "a row that grows beyond the bound")
			require.False(t, err == nil && ok)
			ok, err = write.write(row)
			require.NoError(t, err, "a row of the same size takes no room")
			require.True(t, ok)
		})
	}
	require.Error(t, store.Set(t.Context(), "new", row, time.Minute), "and there is none for a new row")
}

// crowd lets n rows come and go.
func crowd(t testing.TB, store *session.MemoryStore, n int) {
	for i := range n {
		require.NoError(t, store.Set(t.Context(), fmt.Sprint("gone ", i), []byte{1}, time.Hour))
	}
	for i := range n {
		_, err := store.Delete(t.Context(), fmt.Sprint("gone ", i), nil)
		require.NoError(t, err)
	}
}

// writes is what one of many writes takes, in the best of a few rounds: others may use the machine.
func writes(t testing.TB, store *session.MemoryStore) time.Duration {
	best := time.Hour
	for range 5 {
		began := time.Now()
		for i := range 1_000 {
			require.NoError(t, store.Set(t.Context(), fmt.Sprint("new ", i%100), []byte{1}, time.Hour))
		}
		best = min(best, time.Since(began)/1_000)
	}
	return best
}

func TestAMemoryStoreThatWasLargeIsAsQuickAsANewOne(t *testing.T) {
	large, fresh := session.NewMemoryStore(), session.NewMemoryStore()
	crowd(t, large, 300_000)
	was, is := writes(t, fresh), writes(t, large)
	require.Less(t, is, 20*was, "a write takes %s after 300,000 rows have gone, %s in a new store", is, was)
}

// BenchmarkMemoryStore compares a write in a fresh store with one after 1,000,000 rows have come
// and gone.
func BenchmarkMemoryStore(b *testing.B) {
	for name, past := range map[string]int{"fresh": 0, "after a million": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			store := session.NewMemoryStore()
			crowd(b, store, past)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_ = store.Set(b.Context(), fmt.Sprint("new ", i%100), []byte{1}, time.Hour)
			}
		})
	}
}
