// Package replay remembers identifiers that may be used once: the jti of DPoP proofs (RFC 9449
// §11.1) and of client assertions (RFC 7523 §3).
//
// It promises that no identifier passes twice while what carries it is valid, and refuses rather
// than forget when it is full. It never shares what it knows with another process. Start at Guard.
package replay

import (
	"context"
	"errors"
	"sync"
	"time"
)

// MaxIDs bounds a Guard.
//
// A guard of a real provider would keep them in a store that its replicas share.
const MaxIDs = 10_000

// A Guard remembers identifiers (jti) that may be used once. It forgets them after a while, as the
// tokens that carry them expire. When it is full it refuses everything: forgetting early would
// permit a replay. Safe for concurrent use.
type Guard struct {
	// At least as long as what carries the identifiers is accepted, else a replay would outlive its
	// memory.
	lifetime time.Duration
	mu       sync.Mutex
	seen     map[string]time.Time
}

// NewGuard returns an empty guard. It starts no goroutine: the sweep is done by whoever finds the
// guard full.
func NewGuard(lifetime time.Duration) *Guard {
	return &Guard{lifetime: lifetime, seen: make(map[string]time.Time)}
}

// Consume returns an error unless it sees id for the first time.
//
// The context is part of the signature that the provider's library wants, and not used: nothing
// here waits.
func (g *Guard) Consume(_ context.Context, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.seen[id]; ok && time.Since(at) < g.lifetime {
		return errors.New("this jti was used before")
	}
	if len(g.seen) >= MaxIDs {
		g.sweepLocked()
	}
	if len(g.seen) >= MaxIDs {
		return errors.New("too many identifiers to remember")
	}
	g.seen[id] = time.Now()
	return nil
}

// sweepLocked forgets what is expired.
func (g *Guard) sweepLocked() {
	for id, at := range g.seen {
		if time.Since(at) >= g.lifetime {
			delete(g.seen, id)
		}
	}
}
