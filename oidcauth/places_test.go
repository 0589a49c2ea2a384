package oidcauth_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestAtMostSoManyLoginsAreUnderWay(t *testing.T) {
	places := oidcauth.NewPlaces()
	var releases []func()
	for range oidcauth.MaxPlaces {
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
				places := oidcauth.NewPlaces()
				var release func()
				for range oidcauth.MaxPlaces {
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

// Strangers need no credentials to have a request pushed. While the provider is slow with theirs, who comes back with a code gets in.
func TestStrangersWhoStartLoginsKeepNobodyFromFinishingOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *oidcauth.Config) { c.PAR = oidcauth.PARRequire })
		user := w.callbackURL()
		w.provider.Intercept(oidcauthtest.PAR, oidcauthtest.Delay(2*time.Second))
		for range oidcauth.MaxPlaces {
			go w.send("", "/auth/login")
		}
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, w.send("", "/auth/login").Code, "one stranger more is told to come back")
		require.Contains(t, w.log.String(), "code=busy")
		require.Equal(t, http.StatusOK, w.browser.Get(user.URL).Status)
		require.NotNil(t, w.user())
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.provider.Intercept(oidcauthtest.PAR)
		require.Equal(t, http.StatusSeeOther, w.send("", "/auth/login").Code, "the places are free again")
	})
}

// Somebody who is back from the provider has a code that does not live long, and waits a moment rather than to be sent away.
func TestACallbackWaitsAMomentForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		user := w.callbackURL()
		release := oidcauth.FillCallbacks(w.auth)
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			release()
		}()
		require.Equal(t, http.StatusOK, w.browser.Get(user.URL).Status)
		require.Equal(t, time.Second, time.Since(began))
		require.NotNil(t, w.user())
	})
}
