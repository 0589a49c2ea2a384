// Package store is where revocations, locks and, in server-side mode, sessions are kept: in this
// process's memory, in Redis, or in a database.
//
// It promises that a call is bounded by REDIS_TIMEOUT, and that a store which is down is never
// replaced by memory, which other processes would not see. Start at Open.
package store

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/redisstore"
)

// Open returns the store of marks, locks and, where SESSION_STORE says so, sessions, and what
// closes it. It waits for nobody: a store that is down makes requests fail with 503 until it is
// back; there is no falling back to memory, which other processes would not see.
func Open(c *settings.Config, log *slog.Logger) (store session.Store, closeStore func()) {
	switch {
	case c.Redis != nil:
		return openRedis(c, log)
	case c.Database != nil:
		return openDatabase(c, log)
	}
	return session.NewMemoryStore(), func() {}
}

// openRedis returns the store in Redis.
func openRedis(c *settings.Config, log *slog.Logger) (store session.Store, closeStore func()) {
	// The bounds are the configuration's, for each part of a call: a Redis that hangs costs a
	// request REDIS_TIMEOUT, not go- redis's own defaults with three retries.
	options := *c.Redis.Options
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = c.Session.StoreTimeout, c.Session.StoreTimeout, c.Session.StoreTimeout
	options.ContextTimeoutEnabled = true // so that calls end when their contexts do, as redisstore asks for
	// No silent second tries: a repeated "set if absent" would take its own first try for somebody
	// else's. redisstore repeats what may be repeated.
	options.MaxRetries, options.DialerRetries = -1, 1
	redis.SetLogger(redisLog{log})
	client := newClient(c.Redis, &options)
	return redisstore.New(client), func() { _ = client.Close() } // at the end of the process
}

// newClient returns a client of what r is, with options for each server. In a cluster it asks the
// primaries alone, which know what was revoked a moment ago.
func newClient(r *settings.Redis, o *redis.Options) redis.UniversalClient {
	if !r.Cluster && r.Master == "" {
		return redis.NewClient(o)
	}
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: r.Addrs, MasterName: r.Master, IsClusterMode: r.Cluster,
		Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLSConfig, Protocol: o.Protocol, ClientName: o.ClientName,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, ContextTimeoutEnabled: o.ContextTimeoutEnabled,
		MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries,
		PoolSize: o.PoolSize, PoolTimeout: o.PoolTimeout, MinIdleConns: o.MinIdleConns, MaxIdleConns: o.MaxIdleConns, MaxActiveConns: o.MaxActiveConns,
		ConnMaxIdleTime: o.ConnMaxIdleTime, ConnMaxLifetime: o.ConnMaxLifetime,
	})
}

// A redisLog is where go-redis writes about its connections: to our log, in place of standard
// error.
type redisLog struct{ log *slog.Logger }

// Printf implements go-redis's logger. Debug, since what matters comes back as an error of the call
// and is logged there.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
}
