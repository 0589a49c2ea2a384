package oidcauth

import (
	"math/rand/v2"
	"time"
)

const (
	firstDelay = time.Second
	maxDelay   = time.Minute
)

// A backoff spaces out attempts at something that fails: 1 s, 2 s, 4 s … 1 min,
// each shortened by up to a quarter, so that processes that lost the provider
// together don't return to it together. Its owner serialises access.
type backoff struct {
	failures int
	until    time.Time
}

// wait returns how long the next attempt has to wait still, 0 for none.
func (b *backoff) wait() time.Duration { return max(0, time.Until(b.until)) }

// failed notes an attempt that failed. The jitter only shortens: whoever was
// told to come back after the full delay finds the way free.
func (b *backoff) failed() {
	delay := min(firstDelay<<min(b.failures, 6), maxDelay)
	b.failures++
	b.until = time.Now().Add(delay - rand.N(delay/4)) //nolint:gosec // spreading load needs no secrecy
}

// succeeded forgets all failures.
func (b *backoff) succeeded() { *b = backoff{} }

// A brake is a token bucket: burst goes at once, then one per interval. Its
// owner serialises access.
type brake struct {
	burst    int
	interval time.Duration
	used     float64 // goes that have not been earned back, at the time last
	last     time.Time
}

// allow takes a go if one is left.
func (b *brake) allow() bool {
	now := time.Now()
	b.used = max(0, b.used-float64(now.Sub(b.last))/float64(b.interval))
	b.last = now
	if b.used+1 > float64(b.burst) {
		return false
	}
	b.used++
	return true
}
