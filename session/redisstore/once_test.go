package redisstore_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/stretchr/testify/require"
)

// lossy passes connections on to a server. Once it is armed, it delivers the next command that names the key, and loses the answer.
type lossy struct {
	addr  string
	key   []byte
	armed atomic.Bool
}

func newLossy(t *testing.T, server, key string) *lossy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	l := &lossy{addr: listener.Addr().String(), key: []byte(key)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.serve(client, server)
		}
	}()
	return l
}

func (l *lossy) serve(client net.Conn, addr string) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	var lose atomic.Bool
	go func() { // what the client sends
		defer server.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			if bytes.Contains(buf[:n], l.key) && l.armed.CompareAndSwap(true, false) {
				lose.Store(true)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || lose.Load() {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestWriteWhoseAnswerIsLostIsAnErrorAndNotAnAnswer(t *testing.T) {
	rows := []struct {
		name   string
		before []byte // what the row holds
		call   func(ctx context.Context, s *redisstore.Store) (bool, error)
	}{
		{"an Add is not made again, which would find its own row", nil, func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Add(ctx, "row", []byte("ours"), time.Minute)
		}},
		{"a Swap is not made again, which would find its own value", []byte("old"), func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Swap(ctx, "row", []byte("old"), []byte("ours"), time.Minute)
		}},
		{"a Delete is not made again, which would find nothing", []byte("old"), func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Delete(ctx, "row", nil)
		}},
		{"a Delete of a value likewise", []byte("old"), func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Delete(ctx, "row", []byte("old"))
		}},
	}
	server := startServer(t)
	direct := redisstore.New(server.client(true))
	proxy := newLossy(t, server.addr, "signet:row")
	client := redis.NewClient(&redis.Options{Addr: proxy.addr, ContextTimeoutEnabled: true}) // with go-redis's own retries
	t.Cleanup(func() { client.Close() })
	store := redisstore.New(client)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			reset := func() {
				_, err := direct.Delete(t.Context(), "row", nil)
				require.NoError(t, err)
				if row.before != nil {
					require.NoError(t, direct.Set(t.Context(), "row", row.before, time.Minute))
				}
			}
			reset()
			ok, err := row.call(t.Context(), store)
			require.NoError(t, err, "control")
			require.True(t, ok, "control")

			reset()
			proxy.armed.Store(true)
			_, err = row.call(t.Context(), store)
			require.ErrorIs(t, err, io.EOF)
			require.False(t, proxy.armed.Load())
			values, err := direct.Get(t.Context(), "row")
			require.NoError(t, err)
			require.NotEqual(t, row.before, values[0], "it was done, and nobody knows")
		})
	}
}

func TestSetWhoseAnswerIsLostIsMadeAgain(t *testing.T) {
	server := startServer(t)
	proxy := newLossy(t, server.addr, "signet:row")
	client := redis.NewClient(&redis.Options{Addr: proxy.addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { client.Close() })
	store := redisstore.New(client)
	proxy.armed.Store(true)
	require.NoError(t, store.Set(t.Context(), "row", []byte("1"), time.Minute), "it may be done twice")
	require.False(t, proxy.armed.Load())
}

func TestScriptsThatTheServerHasForgottenAreSentAgain(t *testing.T) {
	server := startServer(t)
	client := server.client(true)
	store := redisstore.New(client)
	for range 2 {
		require.NoError(t, store.Set(t.Context(), "row", []byte("1"), time.Minute))
		ok, err := store.Swap(t.Context(), "row", []byte("1"), []byte("2"), time.Minute)
		require.NoError(t, err)
		require.True(t, ok)
		ok, err = store.Delete(t.Context(), "row", []byte("2"))
		require.NoError(t, err)
		require.True(t, ok)
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
	}
}

func TestRestartedServerIsWrittenToAtOnce(t *testing.T) {
	s := startServer(t)
	store := redisstore.New(s.client(true))
	require.NoError(t, store.Set(t.Context(), "row", []byte("1"), time.Minute))
	s.stop()
	s.start()
	ok, err := store.Add(t.Context(), "row", []byte("1"), time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
}
