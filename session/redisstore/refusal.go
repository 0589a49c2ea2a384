package redisstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A server may refuse a command without having looked at it, for a while: it is loading, has lost
// its primary, or has become a replica. Such a command was not done, whatever it is, so that it can
// be made again.

const (
	maxRefusals  = 5                     // beyond, the refusal is the answer
	firstPause   = 20 * time.Millisecond // doubled each time: 620 ms in all
	readOnlyHint = "this server is a read-only replica: a failover is under way, or the client is configured to read from replicas, as with Sentinel's ReplicaOnly"
)

// insist makes a call until it is not refused any more, within bounds. A server that has become a
// replica keeps its connections, and each of them would refuse a command of its own: they are
// closed first, so that the next ones reach the new primary.
func (s *Store) insist(ctx context.Context, call func() error) error {
	for pause, refusals := firstPause, 0; ; pause, refusals = 2*pause, refusals+1 {
		err := call()
		if !refusedUndone(err) {
			return err
		}
		readOnly := isReadOnly(err)
		if readOnly && s.dropReadOnly(ctx) && refusals == 0 {
			continue
		}
		if refusals == maxRefusals || !wait(ctx, pause) {
			if readOnly {
				err = fmt.Errorf("%w (%s)", err, readOnlyHint)
			}
			return err
		}
	}
}

// wait reports whether ctx lasts longer than pause.
func wait(ctx context.Context, pause time.Duration) bool {
	enough := time.NewTimer(pause)
	defer enough.Stop()
	select {
	case <-enough.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refusedUndone reports whether err is a server's refusal to look at a command now.
func refusedUndone(err error) bool {
	if err == nil {
		return false
	}
	for _, refusal := range []string{"LOADING", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN"} {
		if redis.HasErrorPrefix(err, refusal) {
			return true
		}
	}
	return isReadOnly(err)
}

// isReadOnly reports whether err is a replica's refusal of a write, also from within a script,
// where servers before 7.0 wrap it. Our scripts write once, at their end, so that none of their
// work was done.
func isReadOnly(err error) bool {
	return err != nil && (redis.HasErrorPrefix(err, "READONLY") || strings.Contains(err.Error(), "-READONLY "))
}

// dropReadOnly closes the idle connections of a client with one pool whose server is read-only, and
// reports whether the next command finds one that is not. go-redis closes a connection that has
// refused a write, and takes idle ones before it makes a new one: so a write that changes nothing
// is made on each. A Cluster client is told by the cluster where its primaries are.
func (s *Store) dropReadOnly(ctx context.Context) bool {
	single, ok := s.client.(*redis.Client)
	if !ok {
		return false
	}
	for range single.PoolStats().TotalConns + 1 {
		err := s.do(ctx, "del", s.Prefix+"read-only?").Err()
		if !isReadOnly(err) {
			return err == nil
		}
	}
	return false
}
