package browser_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/browser"
)

// In one process, without a Store that would know better. Two callbacks of one login may both have passed every look at the
// memory before the first of them is written there.
func TestAStateIsTakenOnce(t *testing.T) {
	logins := browser.New(browser.Settings{Life: time.Minute, Finished: 100})
	var all sync.WaitGroup
	var taken atomic.Int64
	for range 20 {
		all.Go(func() {
			if first, err := logins.Take(t.Context(), "state"); err == nil && first {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, taken.Load())

	logins.Failed(t.Context(), "state", true)
	first, err := logins.Take(t.Context(), "state")
	require.NoError(t, err)
	require.False(t, first, "not even once its code was refused")

	first, err = logins.Take(t.Context(), "another")
	require.NoError(t, err)
	require.True(t, first)
}
