package oidcauth_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestShutdownWaitsForARefreshWhoseRequestIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		old := w.cookies()
		require.NoError(t, w.auth.Shutdown(t.Context()), "nothing is in flight")
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(5*time.Second))
		w.sendAndLeave(old, "/token")

		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		require.ErrorIs(t, w.auth.Shutdown(short), context.DeadlineExceeded)
		require.NoError(t, w.auth.Shutdown(t.Context()))
		began := time.Now()
		require.Equal(t, http.StatusOK, w.send(old, "/token").Code)
		require.Zero(t, time.Since(began), "the new tokens are there")
		require.Equal(t, 1, w.refreshes())
	})
}
