package pace

import (
	"errors"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
)

const (
	// maxPauses bounds how many failing requests are remembered. Beyond, the pause that is over
	// first gives way.
	maxPauses = 10_000

	// pauseMemory is how long after its pause a failure counts still, if nothing has worked since.
	pauseMemory = time.Hour

	// longestPause bounds what one answer can impose. An endpoint that is back before its
	// Retry-After is over is found again within a minute.
	longestPause = time.Minute
)

// A Failure is an error that says for itself how it is to be followed.
type Failure interface {
	error

	// Pause says how long the endpoint asks to be left alone, 0 when it doesn't, and who is meant
	// by it.
	Pause() (time.Duration, Audience)

	// Final reports whether the same request would be refused again: it is then not the endpoint
	// that is unavailable.
	Final() bool
}

// An Audience is who is meant by an answer that asks for patience.
type Audience int

const (
	// Caller is the caller alone.
	Caller Audience = iota

	// ManyCallers is the caller, and all callers once several have been told, since an endpoint may
	// count by user.
	ManyCallers

	// Everybody is all requests to the endpoint, which would only find the same.
	Everybody
)

// Pauses space out requests that fail: each kind of request by its own back-off and by what the
// endpoint asks for (Retry-After, RFC 9110 §10.2.3); and all of them, for a while, when the
// endpoint means all callers. It is safe for concurrent use; the zero value is ready, and takes
// every caller for all callers.
type Pauses struct {
	// Enough is how many callers have to be told of what is meant for [ManyCallers], with no
	// success in between, before it is taken to apply to all callers. It is set before the first
	// use.
	Enough int

	mu sync.Mutex

	// byKey holds what failed and has not worked since, until its pause is long over.
	byKey expiring.Map[string, *pause]

	// all is what the endpoint has imposed on all callers; told are the callers who were told so
	// far.
	all  pause
	told map[string]bool
}

// A pause is why and for how long something is not tried.
type pause struct {
	Backoff

	// err is the latest failure.
	err error
}

// Check returns nil when the request called key may be made, else why it may not.
func (p *Pauses) Check(key string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.all.check(); err != nil {
		return err
	}
	if one, known := p.byKey.Get(key, time.Now()); known {
		return one.check()
	}
	return nil
}

// check returns nil when the pause is over. A refusal is repeated as it was.
func (p *pause) check() error {
	wait := p.Wait()
	if wait <= 0 {
		return nil
	}
	if failure, ok := errors.AsType[Failure](p.err); ok && failure.Final() {
		return p.err
	}
	return NewOutage(wait, p.err)
}

// Failed notes that the request called key, of caller, failed with err, and returns what to tell
// those who wait for it.
func (p *Pauses) Failed(key, caller string, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	one, known := p.byKey.Get(key, now)
	if !known {
		one = new(pause)
	}
	one.Failed()
	if outage, ok := errors.AsType[*Outage](err); ok {
		err = outage.Err // the wait is ours to tell
	}
	one.err = err
	if failure, ok := errors.AsType[Failure](err); ok {
		wait, whom := failure.Pause()
		wait = min(wait, longestPause)
		one.Until = later(one.Until, wait)
		if wait > 0 && p.meansEverybodyLocked(whom, caller) {
			p.all.Until, p.all.err = later(p.all.Until, wait), err
		}
	}
	p.byKey.Limit = maxPauses
	p.byKey.Put(key, one, 1, now, one.Until.Sub(now)+pauseMemory)
	return one.check()
}

// meansEverybodyLocked reports whether what caller was told holds for the others as well.
func (p *Pauses) meansEverybodyLocked(whom Audience, caller string) bool {
	if whom != ManyCallers {
		return whom == Everybody
	}
	if p.told == nil {
		p.told = map[string]bool{}
	}
	if len(p.told) < p.Enough {
		p.told[caller] = true
	}
	return len(p.told) >= p.Enough
}

// later returns t, or the end of wait if that is later.
func later(t time.Time, wait time.Duration) time.Time {
	if end := time.Now().Add(wait); end.After(t) {
		return end
	}
	return t
}

// Succeeded forgets the failures of the request called key.
func (p *Pauses) Succeeded(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byKey.Delete(key)
	clear(p.told)
}
