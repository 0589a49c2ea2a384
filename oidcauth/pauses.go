package oidcauth

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
)

const (
	// maxPauses bounds how many failing requests are remembered. Beyond, the pause
	// that is over first gives way.
	maxPauses = 10_000

	// pauseMemory is how long after its pause a failure counts still, if nothing has
	// worked since.
	pauseMemory = time.Hour

	// longestPause bounds what one answer can impose. A provider that is back before
	// its Retry-After is over is found again within a minute.
	longestPause = time.Minute
)

// pauses space out requests that fail: each kind of request by its own back-off and
// the endpoint's Retry-After (RFC 9110 §10.2.3); and all of them, for a while, when
// the endpoint means everybody. It is safe for concurrent use; the zero value is ready, and
// takes every caller for everybody.
type pauses struct {
	mu sync.Mutex

	// byKey holds what failed and has not worked since, until its pause is long
	// over.
	byKey expiring.Map[string, *pause]

	// all is what the endpoint has imposed on everybody.
	all pause

	// enough is how many callers have to be told that there are too many requests,
	// with no success between, before it is taken to be said to everybody. told are
	// those so far.
	enough int
	told   map[string]bool
}

// manyUsers is how many users have to be told so: a provider may count by user, and
// one who asks too often must not keep the others from their tokens.
const manyUsers = 3

// A pause is why and for how long something is not tried.
type pause struct {
	pace.Backoff

	// err is the latest failure.
	err error
}

// check returns nil when the request called key may be made, else why it may not.
func (p *pauses) check(key string) error {
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

// check returns nil when the pause is over. A refusal is repeated as it was: it is
// not the provider that is unavailable.
func (p *pause) check() error {
	wait := p.Wait()
	if wait <= 0 {
		return nil
	}
	if _, refused := errors.AsType[*GrantError](p.err); refused {
		return p.err
	}
	return pace.NewOutage(wait, p.err)
}

// failed notes that the request called key, of caller, failed with err, and returns
// what to tell those who wait for it.
func (p *pauses) failed(key, caller string, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	one, known := p.byKey.Get(key, now)
	if !known {
		one = new(pause)
	}
	one.Failed()
	if unavailable, ok := errors.AsType[*pace.Outage](err); ok {
		// the wait is ours to tell
		err = unavailable.Err
	}
	one.err = err
	what, refused, ok := oauth.FailureOf(err)
	if ok && what == oauth.Silent {
		one.Until = later(one.Until, silentPause)
	}
	if ok && refused.RetryAfter > 0 {
		wait := min(refused.RetryAfter, longestPause)
		one.Until = later(one.Until, wait)
		if p.everybodys(refused, caller) {
			p.all.Until, p.all.err = later(p.all.Until, wait), err
		}
	}
	p.byKey.Limit = maxPauses
	p.byKey.Put(key, one, 1, now, one.Until.Sub(now)+pauseMemory)
	return one.check()
}

// everybodys reports whether what caller was told holds for the others as well,
// which would only find the same: maintenance does, too many requests when several
// have heard of it. The lock is held.
func (p *pauses) everybodys(refused *oauth.Error, caller string) bool {
	if refused.Status != http.StatusTooManyRequests {
		return true
	}
	if p.told == nil {
		p.told = map[string]bool{}
	}
	if len(p.told) < p.enough {
		p.told[caller] = true
	}
	return len(p.told) >= p.enough
}

// later returns t, or the end of wait if that is later.
func later(t time.Time, wait time.Duration) time.Time {
	if end := time.Now().Add(wait); end.After(t) {
		return end
	}
	return t
}

// succeeded forgets the failures of the request called key.
func (p *pauses) succeeded(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byKey.Delete(key)
	clear(p.told)
}
