package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

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
