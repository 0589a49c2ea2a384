package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/signet-go/signet/session/sessiontest"
	"github.com/stretchr/testify/require"
)

// server is a redis-server of the test's own, on a free loopback port.
type server struct {
	t    testing.TB
	addr string
	args []string
	cmd  *exec.Cmd
}

// startServer skips the test when redis-server is not installed.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, port, _ := net.SplitHostPort(addr)
	s := &server{t: t, addr: addr, args: append([]string{
		path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
	}, args...)}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, "redis-server does not answer")
}

func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGCONT)
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// patience is how long a test waits for what is sure to come, on a machine that has other things to do.
const patience = time.Minute

// client returns a client that never gives up by itself.
func (s *server) client(obeysContext bool) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: s.addr, ContextTimeoutEnabled: obeysContext, ReadTimeout: time.Hour})
	s.t.Cleanup(func() { client.Close() })
	return client
}

func TestStoreKeepsTheRules(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		t.Run(fmt.Sprintf("ContextTimeoutEnabled %t", obeys), func(t *testing.T) {
			client := startServer(t).client(obeys)
			sessiontest.Run(t, func(*testing.T) session.Store { return redisstore.New(client) })
		})
	}
}

func TestStoreKeepsTheRulesInCluster(t *testing.T) {
	s := startServer(t, "--cluster-enabled", "yes")
	single := s.client(true)
	require.NoError(t, single.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.addr}, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	require.Eventually(t, func() bool {
		return client.Set(t.Context(), "ready", "1", time.Second).Err() == nil
	}, patience, 20*time.Millisecond, "the cluster has no slots")
	sessiontest.Run(t, func(*testing.T) session.Store { return redisstore.New(client) })
}

func TestPrefixesKeepApplicationsApart(t *testing.T) {
	client := startServer(t).client(true)
	a, b := redisstore.New(client), redisstore.New(client)
	b.Prefix = "other:"
	require.NoError(t, a.Set(t.Context(), "k", []byte("1"), time.Minute))
	values, err := b.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Nil(t, values[0])
	require.Equal(t, "1", client.Get(t.Context(), "signet:k").Val())
}

func TestStalledServerIsGivenUpInTime(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		t.Run(fmt.Sprintf("ContextTimeoutEnabled %t", obeys), func(t *testing.T) {
			s := startServer(t)
			store := redisstore.New(s.client(obeys))
			require.NoError(t, store.Set(t.Context(), "k", []byte("1"), time.Minute))
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP))
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := store.Get(ctx, "k")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Less(t, time.Since(start), patience, "go-redis by itself would take an hour")
			require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT))
			_, err = store.Get(t.Context(), "k")
			require.NoError(t, err, "and is used again once it goes on")
		})
	}
}

func TestRestartedServerIsUsedAgainWithoutAFailedRead(t *testing.T) {
	s := startServer(t)
	client := redis.NewClient(&redis.Options{Addr: s.addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	store := redisstore.New(client)
	require.NoError(t, store.Set(t.Context(), "k", []byte("1"), time.Minute))
	s.stop()
	s.start()
	values, err := store.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Nil(t, values[0], "it has forgotten, which is no error")
}

func TestFullServerRefusesAndForgetsNothing(t *testing.T) {
	client := startServer(t, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction").client(true)
	store := redisstore.New(client)
	written, row := 0, make([]byte, 8<<10)
	for ; written < 2000; written++ {
		if err := store.Set(t.Context(), fmt.Sprint(written), row, time.Hour); err != nil {
			break
		}
	}
	require.Less(t, written, 2000, "a full server is an error")
	for i := range written {
		values, err := store.Get(t.Context(), fmt.Sprint(i))
		require.NoError(t, err)
		require.NotNil(t, values[0])
	}
}
