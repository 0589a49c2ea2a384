package main_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAStormOnAnExpiredTokenMakesOneRefresh(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1, shortLife)
	v := f.signedIn(t, 1)[0]
	old := v.cookie()
	outlast(t, v)
	f.forget()

	require.NoError(t, together(100, func(int) error { return v.call(t.Context(), 0, old) }))
	require.Len(t, f.refreshes(), 1)

	// Tabs that have not heard of the new cookie, past the next expiry.
	asked := 0
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); asked++ {
		require.NoError(t, v.call(t.Context(), 0, old))
		_, err := v.me(t.Context(), 0, old)
		require.NoError(t, err)
		<-time.After(10 * time.Millisecond)
	}
	require.NoError(t, v.call(t.Context(), 0, v.cookie()), "the new cookie is good")
	require.NotEqual(t, old, v.cookie(), "the old one was replaced")
	t.Logf("afterwards %d requests with the old cookie, and %d refreshes in all", 2*asked, len(f.refreshes()[v.name]))
}

func TestAStormGoesOnWithoutWhoBeganIt(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 1, shortLife)
	v := f.signedIn(t, 1)[0]
	old := v.cookie()
	outlast(t, v)
	f.forget()
	f.bend(fault{"hold": true})

	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- v.call(ctx, 0, old) }()
	f.awaitHit()
	rest := make(chan error, 1)
	go func() { rest <- together(99, func(int) error { return v.call(t.Context(), 0, old) }) }()
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	f.bend()

	require.NoError(t, <-rest)
	require.Len(t, f.refreshes(), 1)
	require.NoError(t, v.call(t.Context(), 0, v.cookie()))
	require.NoError(t, v.call(t.Context(), 0, old))
	f.refreshes()
}

func TestAStormOfMachineCallsMakesOneTokenRequest(t *testing.T) {
	t.Parallel()
	t.Run("in one process", func(t *testing.T) {
		f := startFleet(t, 1, time.Hour)
		require.Equal(t, 1, machineStorm(t, f))
	})
	for _, k := range []kind{redisServers, databases, files} {
		t.Run("in three processes that share a store: "+k.name, func(t *testing.T) {
			server := k.open(t)
			server.start()
			f := startFleet(t, 3, time.Hour, server.env(true)...)
			require.Equal(t, 1, machineStorm(t, f))
		})
	}
}

// machineStorm makes 200 machine calls at once, and returns how many tokens the provider was asked for.
func machineStorm(t *testing.T, f *fleet) int {
	t.Helper()
	nobody := f.newVisitor("nobody")
	require.NoError(t, together(200, func(i int) error { return nobody.machine(t.Context(), i) }))
	return len(f.tokenCalls("client_credentials"))
}
