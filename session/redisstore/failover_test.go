package redisstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/signet-go/signet/session/redisstore"
	"github.com/stretchr/testify/require"
)

// primary is a name that leads to one server, and after a failover to another: connections that are open stay where they are.
type primary struct {
	addr string
	to   atomic.Pointer[string]
}

func newPrimary(t *testing.T, server string) *primary {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	p := &primary{addr: listener.Addr().String()}
	p.to.Store(&server)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *primary) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", *p.to.Load())
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	_, _ = io.Copy(client, server)
}

// A pair is a primary and the server that takes its place.
type pair struct {
	*primary
	t        *testing.T
	old, new *redis.Client
}

func newPair(t *testing.T) *pair {
	a, b := startServer(t, "--repl-diskless-sync-delay", "0"), startServer(t)
	p := &pair{t: t, primary: newPrimary(t, a.addr), old: a.client(true), new: b.client(true)}
	host, port, _ := net.SplitHostPort(a.addr)
	require.NoError(t, p.new.ReplicaOf(t.Context(), host, port).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(p.new.Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, patience, 10*time.Millisecond, "the replica does not follow")
	t.Cleanup(func() { p.new.ReplicaOf(context.Background(), "no", "one") })
	return p
}

// client returns one with so many idle connections.
func (p *pair) client(idle int) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: p.addr, ContextTimeoutEnabled: true, PoolSize: 2 * idle})
	p.t.Cleanup(func() { client.Close() })
	var all []*redis.Conn
	for range idle {
		conn := client.Conn()
		require.NoError(p.t, conn.Ping(p.t.Context()).Err())
		all = append(all, conn)
	}
	for _, conn := range all {
		require.NoError(p.t, conn.Close())
	}
	require.EqualValues(p.t, idle, client.PoolStats().IdleConns)
	return client
}

// failOver makes the second server the primary. The first one is a replica from then on, of a server that it can't reach.
func (p *pair) failOver() {
	p.to.Store(&p.new.Options().Addr)
	require.NoError(p.t, p.new.ReplicaOf(p.t.Context(), "no", "one").Err())
	require.NoError(p.t, p.old.ReplicaOf(p.t.Context(), "127.0.0.1", "1").Err())
}

func TestAServerThatBecomesAReplicaFailsNoWrite(t *testing.T) {
	const idle = 20
	for name, write := range map[string]func(ctx context.Context, s *redisstore.Store) (bool, error){
		"Set": func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return true, s.Set(ctx, "k", []byte("new"), time.Minute)
		},
		"Add": func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Add(ctx, "other", []byte("new"), time.Minute)
		},
		"Swap": func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Swap(ctx, "k", []byte("old"), []byte("new"), time.Minute)
		},
		"Delete": func(ctx context.Context, s *redisstore.Store) (bool, error) { return s.Delete(ctx, "k", nil) },
		"Delete of what it holds": func(ctx context.Context, s *redisstore.Store) (bool, error) {
			return s.Delete(ctx, "k", []byte("old"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			client := p.client(idle)
			store := redisstore.New(client)
			require.NoError(t, store.Set(t.Context(), "k", []byte("old"), time.Minute))
			_, err := store.Get(t.Context(), "k") // whatever connections reads have exist
			require.NoError(t, err)
			require.EqualValues(t, 1, p.old.Wait(t.Context(), 1, patience).Val())
			p.failOver()
			done, err := write(t.Context(), store)
			require.NoError(t, err)
			require.True(t, done)
			require.EqualValues(t, 1, client.PoolStats().TotalConns, "no connection to the old primary is left")
			require.NoError(t, p.new.Set(t.Context(), "signet:seen", "1", time.Minute).Err())
			values, err := store.Get(t.Context(), "seen")
			require.NoError(t, err)
			require.Equal(t, "1", string(values[0]), "and reads go where writes go")
		})
	}
}

func TestAFailoverUnderLoadFailsNoWrite(t *testing.T) {
	p := newPair(t)
	store := redisstore.New(p.client(20))
	var failed, written atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if _, err := store.Add(context.Background(), fmt.Sprint(i, "/", n), []byte("1"), time.Minute); err != nil {
					failed.Add(1)
				}
				written.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return written.Load() > 100 }, patience, time.Millisecond)
	p.failOver()
	before := written.Load()
	require.Eventually(t, func() bool { return written.Load() > before+100 }, patience, time.Millisecond)
	stop()
	all.Wait()
	require.Zero(t, failed.Load(), "of %d", written.Load())
}

func TestAReplicaRefusesAndSaysWhatToLookAt(t *testing.T) {
	p := newPair(t)
	store := redisstore.New(p.new)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := store.Add(ctx, "k", []byte("1"), time.Minute)
	require.ErrorContains(t, err, "READONLY")
	require.ErrorContains(t, err, "ReplicaOnly")
}

func TestAClientThatReadsFromReplicasIsRefused(t *testing.T) {
	for name, o := range map[string]*redis.ClusterOptions{
		"ReadOnly":       {ReadOnly: true},
		"RouteByLatency": {RouteByLatency: true},
		"RouteRandomly":  {RouteRandomly: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Addrs = []string{"127.0.0.1:1"}
			client := redis.NewClusterClient(o)
			defer client.Close()
			require.PanicsWithValue(t, "redisstore: the Cluster client reads from replicas, which know too late of what was revoked: leave ReadOnly, RouteByLatency and RouteRandomly off",
				func() { redisstore.New(client) })
		})
	}
	t.Run("Sentinel with a Cluster client", func(t *testing.T) {
		client := redis.NewFailoverClusterClient(&redis.FailoverOptions{MasterName: "m", SentinelAddrs: []string{"127.0.0.1:1"}, ReplicaOnly: true})
		defer client.Close()
		require.Panics(t, func() { redisstore.New(client) })
	})
	t.Run("one that reads from primaries is not", func(t *testing.T) {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
		defer client.Close()
		require.NotPanics(t, func() { redisstore.New(client) })
	})
}

// A refuser is a server that refuses so many commands, and then takes them.
type refuser struct {
	addr    string
	refusal string
	left    atomic.Int64
	taken   atomic.Int64
}

func newRefuser(t *testing.T, refusal string, times int64) *refuser {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	s := &refuser{addr: listener.Addr().String(), refusal: refusal}
	s.left.Store(times)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *refuser) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		fmt.Fprint(conn, s.answer(strings.ToLower(command[0])))
	}
}

func (s *refuser) answer(command string) string {
	switch command {
	case "hello", "client":
		return "-ERR unknown command\r\n"
	}
	if s.left.Add(-1) >= 0 {
		return "-" + s.refusal + "\r\n"
	}
	s.taken.Add(1)
	switch command {
	case "mget":
		return "*1\r\n$1\r\n1\r\n"
	case "evalsha", "del":
		return ":1\r\n"
	}
	return "+OK\r\n"
}

// readCommand reads an array of bulk strings (RESP).
func readCommand(in *bufio.Reader) (words []string, err error) {
	number := func(kind string) (int, error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, kind)))
	}
	count, err := number("*")
	for ; err == nil && count > 0; count-- {
		var size int
		if size, err = number("$"); err != nil {
			break
		}
		word := make([]byte, size+2)
		_, err = io.ReadFull(in, word)
		words = append(words, string(word[:size]))
	}
	return words, err
}

func TestWhatIsRefusedForTheMomentIsMadeAgain(t *testing.T) {
	calls := map[string]func(s *redisstore.Store) (bool, error){
		"Get": func(s *redisstore.Store) (bool, error) {
			values, err := s.Get(context.Background(), "k")
			return err == nil && string(values[0]) == "1", err
		},
		"Set": func(s *redisstore.Store) (bool, error) {
			return true, s.Set(context.Background(), "k", nil, time.Minute)
		},
		"Add": func(s *redisstore.Store) (bool, error) { return s.Add(context.Background(), "k", nil, time.Minute) },
		"Swap": func(s *redisstore.Store) (bool, error) {
			return s.Swap(context.Background(), "k", nil, nil, time.Minute)
		},
		"Delete": func(s *redisstore.Store) (bool, error) { return s.Delete(context.Background(), "k", nil) },
	}
	for _, refusal := range []string{
		"LOADING Redis is loading the dataset in memory",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"CLUSTERDOWN The cluster is down",
		"TRYAGAIN Multiple keys request during rehashing of slot",
		"READONLY You can't write against a read only replica.",
		"ERR Error running script (call to f_1): @user_script:2: -READONLY You can't write against a read only replica.",
	} {
		for name, call := range calls {
			t.Run(strings.Fields(refusal)[0]+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newRefuser(t, refusal, 3)
				client := redis.NewClient(&redis.Options{Addr: s.addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
				defer client.Close()
				done, err := call(redisstore.New(client))
				require.NoError(t, err)
				require.True(t, done)
			})
			t.Run(strings.Fields(refusal)[0]+" for ever "+name, func(t *testing.T) {
				t.Parallel()
				s := newRefuser(t, refusal, 1<<40)
				client := redis.NewClient(&redis.Options{Addr: s.addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
				defer client.Close()
				_, err := call(redisstore.New(client))
				require.Error(t, err)
				require.Zero(t, s.taken.Load())
				require.Less(t, int64(1)<<40-s.left.Load(), int64(50), "tries")
			})
		}
	}
	t.Run("what is refused for good is not", func(t *testing.T) {
		s := newRefuser(t, "OOM command not allowed when used memory > 'maxmemory'.", 1)
		client := redis.NewClient(&redis.Options{Addr: s.addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
		defer client.Close()
		_, err := redisstore.New(client).Add(t.Context(), "k", nil, time.Minute)
		require.ErrorContains(t, err, "OOM")
		require.Zero(t, s.taken.Load())
	})
}

// go-redis asks a cluster who serves what after a redirection, which a dead node does not send, and else once a minute.
func TestADeadNodesPlaceIsFoundInACluster(t *testing.T) {
	old, new := startServer(t), startServer(t)
	var primary atomic.Pointer[string]
	primary.Store(&old.addr)
	client := redis.NewClusterClient(&redis.ClusterOptions{
		ContextTimeoutEnabled: true, ClusterStateReloadInterval: time.Hour,
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: *primary.Load()}}}}, nil
		},
	})
	t.Cleanup(func() { client.Close() })
	store := redisstore.New(client)
	require.NoError(t, store.Set(t.Context(), "k", []byte("1"), time.Minute))
	old.stop()
	primary.Store(&new.addr)
	for name, call := range map[string]func() error{
		"Add":  func() error { _, err := store.Add(t.Context(), "other", nil, time.Minute); return err },
		"Get":  func() error { _, err := store.Get(t.Context(), "k"); return err },
		"Swap": func() error { _, err := store.Swap(t.Context(), "k", nil, nil, time.Minute); return err },
	} {
		require.Eventually(t, func() bool { return call() == nil }, patience, 10*time.Millisecond, name)
	}
}
