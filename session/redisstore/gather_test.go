package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/stretchr/testify/require"
)

// gate holds reads back until it is opened, and counts them.
type gate struct {
	counter
	arrived chan struct{}
	open    chan struct{}
	reads   atomic.Int64
}

func newGate() *gate { return &gate{arrived: make(chan struct{}, 1000), open: make(chan struct{})} }

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "mget" {
			g.reads.Add(1)
			g.arrived <- struct{}{}
			select {
			case <-g.open:
			case <-ctx.Done():
				cmd.SetErr(ctx.Err())
				return ctx.Err()
			}
		}
		return next(ctx, cmd)
	}
}

// gated returns a store whose reads wait for a gate, and as many rows as asked for.
func gated(t *testing.T, rows int) (*redisstore.Store, *gate) {
	client := redis.NewClient(&redis.Options{Addr: startServer(t).addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	g := newGate()
	client.AddHook(g)
	s := redisstore.New(client)
	for i := range rows {
		require.NoError(t, s.Set(t.Context(), fmt.Sprint(i), []byte{byte(i)}, time.Minute))
	}
	return s, g
}

func TestReadsThatComeWhileOneIsUnderWayGoTogether(t *testing.T) {
	const callers = 100
	s, g := gated(t, callers)
	var all sync.WaitGroup
	read := func(i int) {
		values, err := s.Get(t.Context(), fmt.Sprint(i), "absent", fmt.Sprint((i+1)%callers))
		require.NoError(t, err)
		require.Equal(t, [][]byte{{byte(i)}, nil, {byte((i + 1) % callers)}}, values, "its own rows, and nobody else's")
		values[0][0]++ // they are the caller's
	}
	all.Go(func() { read(0) })
	<-g.arrived
	for i := 1; i < callers; i++ {
		all.Go(func() { read(i) })
	}
	<-g.arrived // nobody waits for long for a read that hangs
	close(g.open)
	all.Wait()
	require.Less(t, g.reads.Load(), int64(callers/2))

	require.NoError(t, s.Set(t.Context(), "0", []byte("new"), time.Minute))
	values, err := s.Get(t.Context(), "0")
	require.NoError(t, err)
	require.Equal(t, "new", string(values[0]))
}

func TestACallerThatLeavesTakesNobodyAlong(t *testing.T) {
	s, g := gated(t, 2)
	var all sync.WaitGroup
	all.Go(func() { _, _ = s.Get(t.Context(), "0") })
	<-g.arrived
	impatient, leave := context.WithTimeout(t.Context(), time.Minute)
	left := make(chan error, 1)
	go func() {
		_, err := s.Get(impatient, "0")
		left <- err
	}()
	<-g.arrived // its own command
	leave()
	require.ErrorIs(t, <-left, context.Canceled)

	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := s.Get(soon, "0")
	require.ErrorIs(t, err, context.DeadlineExceeded, "its own time counts")
	all.Go(func() {
		values, err := s.Get(t.Context(), "1")
		require.NoError(t, err)
		require.Equal(t, []byte{1}, values[0])
	})
	<-g.arrived
	close(g.open)
	all.Wait()
}

func TestAnErrorIsToldToAllWhoWait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	client := redis.NewClient(&redis.Options{Addr: l.Addr().String(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	s := redisstore.New(client)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := s.Get(t.Context(), "a")
			require.Error(t, err)
		})
	}
	all.Wait()
}
