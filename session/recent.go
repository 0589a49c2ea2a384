package session

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// recent is this process's memory of what it lately changed: newer generations,
// for requests that still carry an older cookie, and ended sessions. A late
// response can thus neither roll a session back nor revive it.
type recent struct {
	used        atomic.Bool // something was put: until then requests pass by without the lock
	mu          sync.RWMutex
	generations expiring[*generation]
	ended       expiring[struct{}]
	log         *slog.Logger
	full, lost  atomic.Bool // it was logged that generations, or ended sessions, were forgotten early
}

const (
	recentBytes = 32 << 20 // of generations
	endedBytes  = 32 << 20 // about 200,000 ended sessions
)

// newest returns what is remembered of the session, if anything, and whether it
// has ended.
func (r *recent) newest(id string, now time.Time) (g *generation, ended bool) {
	if !r.used.Load() {
		return nil, false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ended := r.ended.get(id, now); ended {
		return nil, true
	}
	g, _ = r.generations.get(id, now)
	return g, false
}

// swap remembers next unless something newer than prev is known: the
// compare-and-swap of a process without a Store.
func (r *recent) swap(prev, next *generation, life time.Duration) bool {
	ok, shed := r.put(prev, next, life)
	if shed > 0 && r.full.CompareAndSwap(false, true) {
		r.log.Warn("session memory full: late responses may roll back sessions", "limit_bytes", recentBytes)
	}
	return ok
}

// put is swap without its log line, which is not written under the lock: a
// handler may be slow, or call us.
func (r *recent) put(prev, next *generation, life time.Duration) (ok bool, shed int) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ended := r.ended.get(next.id, now); ended {
		return false, 0
	}
	if g, known := r.generations.get(next.id, now); known && g.number > prev.number {
		return false, 0
	}
	r.used.Store(true)
	r.generations.put(next.id, next, next.size(), now, now.Add(life))
	return true, r.generations.shed(recentBytes)
}

// forget drops a generation that the Store has now.
func (r *recent) forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generations.delete(id)
}

// end remembers that a session has ended, for as long as a cookie of it could
// live. Where a Store is set, what is forgotten here is still in it.
func (r *recent) end(id string, life time.Duration) {
	if r.putEnd(id, life) > 0 && r.lost.CompareAndSwap(false, true) {
		r.log.Warn("memory of ended sessions full: without a Store, copies of their cookies work again",
			"limit_bytes", endedBytes)
	}
}

// putEnd is end without its log line.
func (r *recent) putEnd(id string, life time.Duration) (shed int) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used.Store(true)
	r.generations.delete(id)
	r.ended.put(id, struct{}{}, 0, now, now.Add(life))
	return r.ended.shed(endedBytes)
}
