package replay_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/replay"
)

func TestGuard(t *testing.T) {
	t.Run("an identifier is good for once", func(t *testing.T) {
		g := replay.NewGuard(time.Minute)
		require.NoError(t, g.Consume(t.Context(), "a"))
		require.Error(t, g.Consume(t.Context(), "a"))
		require.NoError(t, g.Consume(t.Context(), "b"))
	})
	t.Run("until what carries it has expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := replay.NewGuard(time.Minute)
			require.NoError(t, g.Consume(t.Context(), "a"))
			time.Sleep(time.Minute - time.Nanosecond)
			require.Error(t, g.Consume(t.Context(), "a"))
			time.Sleep(time.Nanosecond)
			require.NoError(t, g.Consume(t.Context(), "a"))
		})
	})
	t.Run("a full one refuses rather than forgets, and recovers with time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := replay.NewGuard(time.Minute)
			for i := range replay.MaxIDs {
				require.NoError(t, g.Consume(t.Context(), strconv.Itoa(i)))
			}
			require.Error(t, g.Consume(t.Context(), "one more"))
			require.Error(t, g.Consume(t.Context(), "0"), "the first one is still known")
			time.Sleep(time.Minute)
			require.NoError(t, g.Consume(t.Context(), "one more"))
		})
	})
	t.Run("of many at once, one wins", func(t *testing.T) {
		g := replay.NewGuard(time.Minute)
		var won atomic.Int32
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if g.Consume(t.Context(), "a") == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, won.Load())
	})
}
