package seal_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

const life = 15 * time.Second

// leased runs a test with a Store that it can break.
func leased(t *testing.T, test func(t *testing.T, v *seal.Vault, down *atomic.Bool)) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		test(t, newRing(t).Vault(breakable{session.NewMemoryStore(), &down}, "p"), &down)
	})
}

type breakable struct {
	*session.MemoryStore
	down *atomic.Bool
}

var errDown = errors.New("down")

func (s breakable) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.MemoryStore.Get(ctx, keys...)
}

// take is a lease that is had at once, or an error.
func take(t *testing.T, v *seal.Vault) (context.Context, *seal.Lease, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	held, lease, err := v.Lease(context.WithoutCancel(t.Context()), "row", life, func() (bool, error) { return false, ctx.Err() })
	return held, lease, err
}

func TestLeaseIsHeldByOneUntilItIsReleased(t *testing.T) {
	leased(t, func(t *testing.T, v *seal.Vault, _ *atomic.Bool) {
		held, lease, err := take(t, v)
		require.NoError(t, err)
		time.Sleep(10 * life)
		require.NoError(t, held.Err(), "it is extended as long as it is held")
		_, _, err = take(t, v)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, lease.Release(held))
		require.Error(t, held.Err())
		_, next, err := take(t, v)
		require.NoError(t, err)
		require.NoError(t, lease.Release(held), "twice")
		_, _, err = take(t, v)
		require.Error(t, err, "a lease that is over takes nobody else's away")
		require.NoError(t, next.Release(t.Context()))
	})
}

func TestLeaseIsNotWaitedForWhenWhatItIsForIsThere(t *testing.T) {
	leased(t, func(t *testing.T, v *seal.Vault, _ *atomic.Bool) {
		_, lease, err := take(t, v)
		require.NoError(t, err)
		asked := 0
		_, none, err := v.Lease(t.Context(), "row", life, func() (bool, error) { asked++; return asked == 3, nil })
		require.NoError(t, err)
		require.Nil(t, none)
		require.Equal(t, 3, asked)
		require.NoError(t, lease.Release(t.Context()))
	})
}

// TestLeaseIsNotHadForWhatHasBeenDoneMeanwhile is about a holder who is done, and gives the lease
// back, between a look at what there is and the next try for the lease.
func TestLeaseIsNotHadForWhatHasBeenDoneMeanwhile(t *testing.T) {
	leased(t, func(t *testing.T, v *seal.Vault, _ *atomic.Bool) {
		_, lease, err := take(t, v)
		require.NoError(t, err)
		there := false
		look := func() (bool, error) {
			was := there
			if !was {
				there = true
				require.NoError(t, lease.Release(t.Context()))
			}
			return was, nil
		}
		_, none, err := v.Lease(t.Context(), "row", life, look)
		require.NoError(t, err)
		require.Nil(t, none)
		_, next, err := take(t, v)
		require.NoError(t, err, "what was had in vain is given back")
		require.NoError(t, next.Release(t.Context()))
	})
}

func TestWhoWaitsForALeaseCanGiveUp(t *testing.T) {
	leased(t, func(t *testing.T, v *seal.Vault, _ *atomic.Bool) {
		_, lease, err := take(t, v)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, none, err := v.Lease(ctx, "row", life, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, none)
		require.NoError(t, lease.Release(t.Context()))
	})
}

func TestContextOfALeaseEndsBeforeSomebodyElseCanHaveIt(t *testing.T) {
	rows := map[string]struct {
		lose   func(t *testing.T, v *seal.Vault, down *atomic.Bool)
		within time.Duration
	}{
		"the Store is down": {func(_ *testing.T, _ *seal.Vault, down *atomic.Bool) { down.Store(true) }, life - time.Second},
		"the row is another's": {func(t *testing.T, v *seal.Vault, _ *atomic.Bool) {
			require.NoError(t, v.Set(t.Context(), "row", []byte("other"), life))
		}, life/3 + time.Second},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			leased(t, func(t *testing.T, v *seal.Vault, down *atomic.Bool) {
				held, lease, err := take(t, v)
				require.NoError(t, err)
				row.lose(t, v, down)
				time.Sleep(row.within)
				require.Error(t, held.Err())
				down.Store(false)
				require.NoError(t, lease.Release(t.Context()))
			})
		})
	}
}
