package pace

import (
	"sync"
	"time"
)

// A Brake is a token bucket: Burst goes at once, then one per Interval. Both are set before its
// first use. It is safe for concurrent use, and must not be copied.
type Brake struct {
	Burst    int
	Interval time.Duration

	mu   sync.Mutex
	used float64 // goes that have not been earned back, at the time last
	last time.Time
}

// Allow takes a go if one is left.
func (b *Brake) Allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.used = max(0, b.used-float64(now.Sub(b.last))/float64(b.Interval))
	b.last = now
	if b.used+1 > float64(b.Burst) {
		return false
	}
	b.used++
	return true
}
