package main_test

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAProcessThatDiesInARefreshStopsNobodyForLong(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{redisServers, databases, files} {
		t.Run(k.name, func(t *testing.T) { dieInARefresh(t, k.open(t)) })
	}
}

func dieInARefresh(t *testing.T, server *place) {
	server.start()
	f := startFleet(t, 2, time.Hour, server.env(true)...)
	v := f.signedIn(t, 1)[0]
	old := v.cookie()
	f.forget()
	// What the dying process has sent gets lost before the provider reads it: what was read can't be taken back.
	f.bend(fault{"hold": true, "drop": "before"})
	leader := make(chan error, 1)
	go func() {
		_, err := v.ask(t.Context(), f.base(0)+"/api/refresh", old)
		leader <- err
	}()
	f.awaitHit()

	require.NoError(t, f.processes[0].Process.Kill())
	require.Error(t, <-leader)
	f.bend()

	// Its lease holds for 15 s, since its request may still be under way.
	began := time.Now()
	require.NoError(t, v.call(t.Context(), 1, old), "the token at hand serves meanwhile")
	r, err := v.ask(t.Context(), f.base(1)+"/api/refresh", old)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.status, r.text)
	t.Logf("the other process had the new token after %v", time.Since(began).Round(100*time.Millisecond))
	require.Len(t, f.refreshes()[v.name], 1)
}

func TestARefreshInFlightSurvivesTheEndOfItsProcess(t *testing.T) {
	t.Parallel()
	for name, leaves := range map[string]bool{"with its request": false, "whose request is gone": true} {
		t.Run(name, func(t *testing.T) {
			server := newRedis(t)
			server.start()
			f := startFleet(t, 2, time.Hour, "REDIS_URL", server.url())
			v := f.signedIn(t, 1)[0]
			old := v.cookie()
			f.forget()
			f.bend(fault{"hold": true})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			asked := make(chan error, 1)
			go func() {
				r, err := v.ask(ctx, f.base(0)+"/api/refresh", old)
				if err == nil {
					require.Equal(t, http.StatusOK, r.status, r.text)
				}
				asked <- err
			}()
			f.awaitHit()
			if leaves {
				leave()
				require.ErrorIs(t, <-asked, context.Canceled)
			}

			require.NoError(t, f.processes[0].Process.Signal(syscall.SIGTERM))
			require.Eventually(t, func() bool {
				_, err := http.Get(f.base(0) + "/healthz")
				return err != nil
			}, patience, 5*time.Millisecond, "it takes no new requests")
			f.bend()

			require.Zero(t, f.processes[0].end(t), "it ends by itself")
			if !leaves {
				require.NoError(t, <-asked)
			}
			require.NoError(t, v.call(t.Context(), 1, old))
			require.NoError(t, v.call(t.Context(), 1, v.cookie()))
			r, err := v.ask(t.Context(), f.base(1)+"/api/refresh", old)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, r.status, "what it got was kept: %s", r.text)
			require.Len(t, f.tokenCalls("refresh_token"), 2)
			require.Empty(t, f.tokenCalls("refresh_token")[1].Error)
		})
	}
}
