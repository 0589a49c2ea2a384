package session

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/packed"
)

// recent is this process's memory of what it changed: newer generations, for requests that still
// carry an older cookie, and ended sessions. A late response can thus neither roll a session back
// nor revive it, and what a lost response should have told the browser is not lost.
//
// A generation is awaited until a browser has shown that it has it. From then on only requests that
// were under way can need it, and it never takes the room of one that is awaited.
type recent struct {
	used           atomic.Bool // something was put: until then requests pass by without the lock
	mu             sync.RWMutex
	awaited, shown expiring.Map[string, *packed.Generation]
	ended          expiring.Map[string, ended]
	log            *slog.Logger
	full, lost     atomic.Bool // it was logged that generations, or ended sessions, were forgotten early
}

// ended is the end of a session.
type ended struct {
	at time.Time // for one that has moved: when its old cookies are honored no more
	to string    // the id under which it goes on; "" for a real end
}

// leads reports whether old cookies still lead to the session under its new id.
func (e ended) leads(now time.Time) bool { return e.to != "" && now.Before(e.at) }

const (
	awaitedBytes  = 24 << 20 // of generations
	shownBytes    = 8 << 20
	endedBytes    = 32 << 20 // about 200,000 ended sessions
	entryOverhead = 128      // bytes of a map entry in addition to its key and value, roughly
)

// newRecent returns an empty memory.
func newRecent(log *slog.Logger) *recent {
	r := &recent{log: log}
	r.awaited.Limit, r.shown.Limit, r.ended.Limit = awaitedBytes, shownBytes, endedBytes
	return r
}

// newest returns what is remembered of the session, if anything: an endedError when it has ended.
func (r *recent) newest(id string, now time.Time) (*packed.Generation, error) {
	if !r.used.Load() {
		return nil, nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.lookLocked(id, now)
}

// lookLocked is newest.
func (r *recent) lookLocked(id string, now time.Time) (*packed.Generation, error) {
	if e, over := r.ended.Get(id, now); over {
		return nil, &endedError{at: e.at, to: e.to}
	}
	if g, ok := r.awaited.Get(id, now); ok {
		return g, nil
	}
	g, _ := r.shown.Get(id, now)
	return g, nil
}

// swap remembers next for so long, unless something newer than prev is known: the compare-and-swap
// of a process without a Store.
func (r *recent) swap(prev, next *packed.Generation, life time.Duration) bool {
	ok, shed := r.put(prev, next, life)
	if shed > 0 && r.full.CompareAndSwap(false, true) {
		r.log.Warn("session memory full: late responses may roll back sessions", "limit_bytes", awaitedBytes)
	}
	return ok
}

// put is swap without its log line, which is not written under the lock: a handler may be slow, or
// call us.
func (r *recent) put(prev, next *packed.Generation, life time.Duration) (ok bool, shed int) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g, err := r.lookLocked(next.ID, now)
	if err != nil || g != nil && g.Number > prev.Number {
		return false, 0
	}
	r.used.Store(true)
	r.shown.Delete(next.ID)
	return true, r.awaited.Put(next.ID, next, sizeOf(next), now, life)
}

// sizeOf is what a remembered generation takes.
func sizeOf(g *packed.Generation) int { return g.Size() + len(g.ID) + entryOverhead }

// saw notes that a browser has presented a generation of the session. What was awaited until then
// is remembered for so long, if there is room.
func (r *recent) saw(id string, number uint64, life time.Duration) {
	now := time.Now()
	r.mu.RLock()
	g, ok := r.awaited.Get(id, now)
	r.mu.RUnlock()
	if !ok || g.Number > number {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if now, ok := r.awaited.Get(id, now); ok && now == g {
		r.awaited.Delete(id)
		r.shown.Put(id, g, sizeOf(g), time.Now(), life)
	}
}

// keep remembers g for so long, unless something of its session is known, if there is room.
func (r *recent) keep(g *packed.Generation, life time.Duration) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, err := r.lookLocked(g.ID, now); err != nil || known != nil {
		return
	}
	r.used.Store(true)
	r.shown.Put(g.ID, g, sizeOf(g), now, life)
}

// forget drops a generation: the Store has it, or the session has ended.
func (r *recent) forget(id string) {
	if !r.used.Load() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited.Delete(id)
	r.shown.Delete(id)
}

// end remembers that a session has ended, for as long as a cookie of it could live, and reports
// whether that is news; to is the id under which it went on, if it had moved. Where a Store is set, what is forgotten here is still in it.
func (r *recent) end(id string, life time.Duration) (first bool, to string) {
	first, to, shed := r.putEnd(id, life)
	if shed > 0 && r.lost.CompareAndSwap(false, true) {
		r.log.Warn("memory of ended sessions full: without a Store, copies of their cookies work again",
			"limit_bytes", endedBytes)
	}
	return first, to
}

// putEnd is end without its log line.
func (r *recent) putEnd(id string, life time.Duration) (first bool, to string, shed int) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used.Store(true)
	r.awaited.Delete(id)
	r.shown.Delete(id)
	before, known := r.ended.Get(id, now)
	if known && before.to == "" {
		return false, "", 0
	}
	return true, before.to, r.ended.Put(id, ended{at: now}, len(id)+entryOverhead, now, life)
}
