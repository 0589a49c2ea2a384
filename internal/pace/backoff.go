// Package pace says when to call again something that fails or is asked for by many: a back-off
// between attempts, a brake on what strangers can cause, one flight for callers who want the same,
// one document that is fetched now and then. A panic in what is called ends that call alone.
//
// It never looks into what is called, and calls nothing by itself: somebody has asked. Start reading
// at [Flight] and [Document].
package pace

import (
	"math/rand/v2"
	"time"
)

// FirstDelay is the pause after a first failure, and the least that anybody is told to wait.
const FirstDelay = time.Second

// maxDelay is the longest pause between two attempts.
const maxDelay = time.Minute

// A Backoff spaces out attempts at something that fails: 1 s, 2 s, 4 s … 1 min, each shortened by
// up to a quarter, so that processes that lost the provider together don't return to it together.
// The zero value waits for nothing. Its owner serializes access.
type Backoff struct {
	failures int

	// Until is when the next attempt may be made. Its owner may put it off.
	Until time.Time
}

// Wait returns how long the next attempt has to wait still, 0 for not at all.
func (b *Backoff) Wait() time.Duration { return max(0, time.Until(b.Until)) }

// Failed notes an attempt that failed. The jitter only shortens: whoever was told to come back
// after the full delay finds the way free.
func (b *Backoff) Failed() {
	delay := min(FirstDelay<<min(b.failures, 6), maxDelay)
	b.failures++
	b.Until = time.Now().Add(delay - rand.N(delay/4)) //nolint:gosec // spreading load needs no secrecy
}

// Succeeded forgets all failures.
func (b *Backoff) Succeeded() { *b = Backoff{} }
