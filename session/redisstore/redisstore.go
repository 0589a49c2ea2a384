// Package redisstore keeps sessions, and the state that processes share about them, in Redis or
// anything that speaks its protocol: a single server, Sentinel or Cluster.
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, ContextTimeoutEnabled: true})
//	manager, err := session.New(session.Config{Keys: keys, Store: redisstore.New(client)})
//
// Set ContextTimeoutEnabled: go-redis then ends a call when its context ends. Without it, a call
// keeps running after its time is up, until go-redis's own ReadTimeout.
//
// Configure Redis with maxmemory-policy noeviction. A server that evicts rows loses revocations,
// and the cookie of an ended session works again; with a full one that refuses writes, requests get
// 503 until there is room. FLUSHALL has the same effect: server-side sessions are gone, and cookie
// sessions that ended within their lifetime work again. With replication, a failover can lose the
// last writes; WAIT or min-replicas-to-write reduce that risk.
//
// go-redis retries a command, up to Options.MaxRetries times, if its connection breaks. That
// applies to reads and Set. Add, Swap and Delete are not retried, whatever MaxRetries says, because
// the second attempt would misreport what the first has done: they return an error, and the next
// read shows what they did.
//
// A command that the server temporarily refuses (LOADING, MASTERDOWN, CLUSTERDOWN, TRYAGAIN,
// READONLY) was not executed, and is retried for up to 620 ms. READONLY means that the server has
// become a replica: its connections are closed first, so that new ones reach the new primary, if a
// name or Sentinel leads there. A server that has become a replica still answers reads: set
// ConnMaxLifetime if you find the primary through a name.
//
// Give each application its own Prefix, database or server.
package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// DefaultPrefix is prepended to every key of a [Store] with no other Prefix.
const DefaultPrefix = "signet:"

// A Store is a session.Store in Redis: make it with [New], since the zero value has no client. Safe
// for concurrent use once its fields are set.
type Store struct {
	// Prefix is prepended to every key. Set it before first use. New sets [DefaultPrefix]; empty
	// means no prefix, for a dedicated database.
	Prefix string

	client redis.UniversalClient
	obeys  bool // the client ends a call when its context ends
	reads  gather
}

// New returns a [Store] that uses client, which the caller closes. It does no I/O: Redis may be
// down.
//
// It panics for a Cluster client that reads from replicas (ReadOnly, RouteByLatency,
// RouteRandomly): a replica may not yet know about a session that was revoked a moment ago.
// Sentinel's ReplicaOnly can't be detected here: with it, every write fails, with an error that
// names it.
func New(client redis.UniversalClient) *Store {
	if c, ok := client.(*redis.ClusterClient); ok {
		if o := c.Options(); o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			panic("redisstore: the Cluster client reads from replicas, which know too late of what was revoked: leave ReadOnly, RouteByLatency and RouteRandomly off")
		}
	}
	return &Store{Prefix: DefaultPrefix, client: client, obeys: obeysContext(client)}
}

// obeysContext asks the client for its configuration. A kind of client that is not known here is
// taken not to look at contexts.
func obeysContext(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	}
	return false
}

// script is Lua that touches one key, so that it runs in Cluster.
type script struct{ source, hash string }

func newScript(source string) script { return script{source, redis.NewScript(source).Hash()} }

// GET of an absent key is false in Lua, which equals no string.
var (
	swap = newScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)
	deleteIf = newScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`)
)

// once is a command that go-redis must not make again by itself, as it does when a connection
// breaks: what was done already would be found undone, or done by somebody else.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// do makes a command once. An error means that it was done or was not.
func (s *Store) do(ctx context.Context, args ...any) *redis.Cmd {
	cmd := once{redis.NewCmd(ctx, args...)}
	if args[0] == "eval" || args[0] == "evalsha" {
		cmd.SetFirstKeyPos(3) // Cluster goes to the key's node
	}
	_ = s.client.Process(ctx, cmd) // cmd has the error
	return cmd.Cmd
}

// run runs a script, by its hash if the server knows it.
func (s *Store) run(ctx context.Context, script script, key string, args ...any) (bool, error) {
	rest := append([]any{1, s.Prefix + key}, args...)
	cmd := s.do(ctx, append([]any{"evalsha", script.hash}, rest...)...)
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.do(ctx, append([]any{"eval", script.source}, rest...)...)
	}
	n, err := cmd.Int()
	return n == 1, err
}

// Get implements session.Store with one round trip (in Cluster, one to each node concerned). Reads
// that arrive while another is in flight are combined once it is answered. It retries once if the
// connection turns out to be dead: after a server restart, the whole pool is.
func (s *Store) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if len(keys) == 0 || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if _, single := s.client.(*redis.Client); single {
		return s.reads.get(ctx, keys, s.get)
	}
	return s.get(ctx, keys)
}

// get is Get by itself.
func (s *Store) get(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.getOnce(ctx, keys)
	if brokenConnection(err) && ctx.Err() == nil {
		values, err = s.getOnce(ctx, keys)
	}
	return values, err
}

// getOnce is Get without another try.
func (s *Store) getOnce(ctx context.Context, keys []string) ([][]byte, error) {
	return attempt(ctx, s, func(ctx context.Context) ([][]byte, error) {
		if single, ok := s.client.(*redis.Client); ok {
			return s.getTogether(ctx, single, keys)
		}
		return s.getEach(ctx, keys)
	})
}

// getTogether reads from one server with MGET, and so on the connections that writes go by: a
// pipeline has a pool of its own in go-redis, whose connections would never learn that their server
// has become a replica.
func (s *Store) getTogether(ctx context.Context, client *redis.Client, keys []string) ([][]byte, error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.Prefix + key
	}
	replies, err := client.MGet(ctx, names...).Result()
	if err != nil {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, reply := range replies {
		if text, ok := reply.(string); ok {
			values[i] = append([]byte{}, text...) // never nil
		}
	}
	return values, nil
}

// getEach reads with a pipeline of GETs and not MGET, whose keys Cluster wants in one slot.
func (s *Store) getEach(ctx context.Context, keys []string) ([][]byte, error) {
	pipe := s.client.Pipeline()
	replies := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		replies[i] = pipe.Get(ctx, s.Prefix+key)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	values := make([][]byte, len(keys))
	for i, reply := range replies {
		value, err := reply.Bytes()
		switch {
		case errors.Is(err, redis.Nil):
		case err != nil:
			return nil, err
		default:
			values[i] = append([]byte{}, value...) // never nil
		}
	}
	return values, nil
}

// Set implements session.Store.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := attempt(ctx, s, func(ctx context.Context) (string, error) {
		return s.client.SetArgs(ctx, s.Prefix+key, value, redis.SetArgs{TTL: ttl}).Result()
	})
	return err
}

// Add implements session.Store.
func (s *Store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	return attempt(ctx, s, func(ctx context.Context) (bool, error) {
		err := s.do(ctx, "set", s.Prefix+key, value, "px", ttl.Milliseconds(), "nx").Err()
		if errors.Is(err, redis.Nil) {
			return false, nil
		}
		return err == nil, err
	})
}

// Swap implements session.Store.
func (s *Store) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	return attempt(ctx, s, func(ctx context.Context) (bool, error) {
		return s.run(ctx, swap, key, old, value, ttl.Milliseconds())
	})
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	return attempt(ctx, s, func(ctx context.Context) (bool, error) {
		if old != nil {
			return s.run(ctx, deleteIf, key, old)
		}
		n, err := s.do(ctx, "del", s.Prefix+key).Int()
		return n == 1, err
	})
}

// attempt makes a call within ctx, and again while it is refused.
func attempt[T any](ctx context.Context, s *Store, call func(context.Context) (T, error)) (T, error) {
	return bounded(ctx, s.obeys, func(ctx context.Context) (value T, err error) {
		err = s.insist(ctx, func() error {
			value, err = call(ctx)
			return err
		})
		s.lookAround(ctx, err)
		return value, err
	})
}

// lookAround has a Cluster client ask who serves which slots when nobody answered: go-redis by
// itself asks after a redirection, which a dead node does not send, and else once a minute.
func (s *Store) lookAround(ctx context.Context, err error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	if answer := redis.Error(nil); ok && err != nil && !errors.As(err, &answer) {
		cluster.ReloadState(ctx)
	}
}

// brokenConnection reports an error of a connection that may have died while it was idle. A
// timeout is none: trying again would double it.
func brokenConnection(err error) bool {
	for _, dead := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, dead) {
			return true
		}
	}
	return false
}

// bounded returns when ctx is done, also with a client that does not look at ctx while it waits for
// an answer.
func bounded[T any](ctx context.Context, obeys bool, call func(context.Context) (T, error)) (T, error) {
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	if obeys {
		return call(ctx)
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := call(ctx)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
