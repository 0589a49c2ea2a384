package pace_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/pace"
)

const many = 64

func TestAtMostSoManyLoginsAreUnderWay(t *testing.T) {
	places := pace.NewPlaces(many)
	var releases []func()
	for range many {
		release, err := places.Take(t.Context(), 0)
		require.NoError(t, err)
		releases = append(releases, release)
	}
	take := func() bool {
		_, err := places.Take(t.Context(), 0)
		return err == nil
	}
	require.False(t, take())
	releases[0]()
	releases[0]() // gives back one place, not two
	require.True(t, take())
	require.False(t, take())
}

func TestWhoWaitsForAPlaceGetsTheNextOneOrIsTold(t *testing.T) {
	const patience = time.Second
	for name, row := range map[string]struct {
		meanwhile func(release func(), goAway context.CancelFunc)
		takes     time.Duration
		err       string
	}{
		"a place becomes free":        {func(release func(), _ context.CancelFunc) { release() }, 0, ""},
		"none becomes free":           {func(func(), context.CancelFunc) {}, patience, "too many logins"},
		"the one who waits goes away": {func(_ func(), goAway context.CancelFunc) { goAway() }, 0, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				places := pace.NewPlaces(many)
				var release func()
				for range many {
					release, _ = places.Take(t.Context(), 0)
				}
				ctx, goAway := context.WithCancel(t.Context())
				defer goAway()
				var err error
				began := time.Now()
				go func() { _, err = places.Take(ctx, patience) }()
				synctest.Wait()
				row.meanwhile(release, goAway)
				time.Sleep(row.takes)
				synctest.Wait()
				require.Equal(t, row.takes, time.Since(began))
				if row.err == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, row.err)
			})
		})
	}
}
