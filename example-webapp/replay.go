package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxReplayIDs bounds a replayGuard.
//
// A guard of a real API would keep them in a store that its replicas share.
const maxReplayIDs = 10_000

// A replayGuard remembers identifiers (jti) that may be used once. It forgets them after a while, as the tokens that carry them
// expire. When it is full it refuses everything: forgetting early would permit a replay. Safe for concurrent use.
//
// It serves DPoP proofs at the demo API (RFC 9449 §11.1) and client assertions at the embedded provider (RFC 7523 §3).
type replayGuard struct {
	// At least as long as what carries the identifiers is accepted, else a replay would outlive its memory.
	lifetime time.Duration
	mu       sync.Mutex
	seen     map[string]time.Time
}

// newReplayGuard returns an empty guard. It starts no goroutine: the sweep is done by whoever finds the guard full.
func newReplayGuard(lifetime time.Duration) *replayGuard {
	return &replayGuard{lifetime: lifetime, seen: make(map[string]time.Time)}
}

// consume returns an error unless it sees id for the first time.
//
// The context is part of the signature that the provider's library wants, and not used: nothing here waits.
func (g *replayGuard) consume(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.seen[id]; ok && time.Since(at) < g.lifetime {
		return errors.New("this jti was used before")
	}
	if len(g.seen) >= maxReplayIDs {
		g.sweep()
	}
	if len(g.seen) >= maxReplayIDs {
		return errors.New("too many identifiers to remember")
	}
	g.seen[id] = time.Now()
	return nil
}

// sweep forgets what is expired; the caller holds the lock.
func (g *replayGuard) sweep() {
	for id, at := range g.seen {
		if time.Since(at) >= g.lifetime {
			delete(g.seen, id)
		}
	}
}
