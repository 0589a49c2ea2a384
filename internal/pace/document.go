package pace

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Patience is how long a caller waits for a newer document while an older one is at hand.
const Patience = 3 * time.Second

// A Document is what somebody publishes: metadata, a key set. It is fetched when it is first asked
// for, once for all who ask, on a context that none of them can cancel; used while it is fresh; and
// goes on serving, stale, while it can't be fetched. Failures are spaced out. Fields are set before
// its first use; it must not be copied, and is safe for concurrent use.
type Document[T any] struct {
	// Fetch gets it. It is called without any lock held, on a context that ends after Limit.
	Fetch func(context.Context) (T, error)
	Limit time.Duration

	// MaxAge is how long one that was fetched is used before it is fetched again. MaxStale is how
	// long after it was fetched it may serve when it can't be; zero means for ever.
	MaxAge, MaxStale time.Duration

	// Superseded reports that a document is not wanted any more, however young: its address has
	// changed, say. Nil means that age alone counts. No lock is held.
	Superseded func(T) bool

	// Failed hears why a fetch failed, and whether an older document serves on. No lock is held.
	// Nil means nobody does.
	Failed func(ctx context.Context, err error, stale bool)

	// Log hears of panics. Nil means slog.Default().
	Log *slog.Logger

	flight Flight[struct{}]

	// mu guards what follows. Who holds it calls nothing that waits, and takes no other lock than
	// that of Again's allow, under which nobody takes ours.
	mu sync.Mutex

	// current is the last good document, if any was ever had; fetched is when it came.
	current T
	have    bool
	fetched time.Time

	// attempts counts the fetches that have ended, well or not. forced says that one which Again
	// asked for is under way.
	attempts int
	forced   bool

	// retry spaces out what fails; lastErr is why the latest fetch failed, nil when it succeeded.
	retry   Backoff
	lastErr error
}

// Believe takes v for good: it is never fetched. It is called before the first use.
func (d *Document[T]) Believe(v T) {
	d.current, d.have, d.fetched = v, true, time.Now()
	d.MaxAge, d.MaxStale, d.Superseded = 1<<63-1, 0, nil
}

// Get returns the document. ctx bounds the wait, not the fetch. attempt is what [Document.Again]
// wants to be told. Error: an *[Outage] when there is none that may serve.
func (d *Document[T]) Get(ctx context.Context) (v T, attempt int, err error) {
	seen := d.look()
	if !seen.fetch {
		return seen.value, seen.attempt, d.mustHave(seen.serves)
	}
	if seen.serves { // don't let one caller that hangs hold up the others
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Patience)
		defer cancel()
	}
	if err := d.refetch(ctx, seen.attempt); err != nil && !seen.serves {
		return v, 0, err
	}
	seen = d.look()
	return seen.value, seen.attempt, d.mustHave(seen.serves)
}

// Peek returns what is known now, however old; ok is false when nothing is. It does no I/O.
func (d *Document[T]) Peek() (v T, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current, d.have
}

// Fetched returns when the document that is known came; ok is false when none did.
func (d *Document[T]) Fetched() (at time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fetched, d.have
}

// Since makes sure that the document came after t, or that it was tried to fetch it: what is older
// is fetched, unless failures forbid it just now. ctx bounds the wait.
func (d *Document[T]) Since(ctx context.Context, t time.Time) {
	d.mu.Lock()
	seen, idle := d.attempts, d.have && d.fetched.After(t) || d.retry.Wait() > 0
	d.mu.Unlock()
	if !idle {
		_ = d.refetch(ctx, seen) // what it brought is for the next who asks
	}
}

// ErrBraked says that a document was fetched too often to be fetched again just now.
var ErrBraked = errors.New("fetched too recently to try again")

// Again returns a document that was fetched after the attempt that the caller saw. allow, called
// under the lock, is asked once for each fetch, not for each caller: many who find the same
// document wanting at one moment are one reason to look. Errors: [ErrBraked] when it says no; an
// *[Outage] when the fetch failed, so that nobody can say what a newer one holds.
func (d *Document[T]) Again(ctx context.Context, seen int, allow func() bool) (v T, err error) {
	if d.mayFetch(seen, allow) {
		if err := d.refetch(ctx, seen); err != nil {
			return v, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lastErr != nil {
		return v, d.outageLocked()
	}
	if d.attempts == seen {
		return v, ErrBraked
	}
	return d.current, nil
}

func (d *Document[T]) mayFetch(seen int, allow func() bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.attempts != seen {
		return false
	}
	d.forced = d.forced || allow()
	return d.forced
}

// A sight is what a caller finds.
type sight[T any] struct {
	value   T
	serves  bool // value may serve now
	fetch   bool // it should be fetched first, and nothing forbids it
	attempt int
}

func (d *Document[T]) look() sight[T] {
	v, have := d.Peek()
	superseded := have && d.Superseded != nil && d.Superseded(v)
	d.mu.Lock()
	defer d.mu.Unlock()
	age := time.Since(d.fetched)
	s := sight[T]{value: d.current, serves: d.have, attempt: d.attempts}
	if d.MaxStale > 0 && age >= d.MaxStale {
		s.serves = false
	}
	s.fetch = (!d.have || age >= d.MaxAge || superseded) && d.retry.Wait() == 0
	return s
}

// mustHave turns a document that may not serve into the error that says when to ask again.
func (d *Document[T]) mustHave(serves bool) error {
	if serves {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.outageLocked()
}

func (d *Document[T]) outageLocked() error { return NewOutage(d.retry.Wait(), d.lastErr) }

// refetch fetches once for all who wait, unless a fetch has ended since the attempt that the caller
// saw. Its error is only ever that the caller's own wait ended: what the fetch brought is in the
// fields.
func (d *Document[T]) refetch(ctx context.Context, seen int) error {
	_, ended, err := d.flight.Do(ctx, "", d.Limit, func(ctx context.Context) (struct{}, error) {
		if d.look().attempt != seen {
			return struct{}{}, nil
		}
		v, err := d.guarded(ctx)
		if stale := d.store(v, err); err != nil && d.Failed != nil {
			d.Failed(ctx, err, stale)
		}
		return struct{}{}, nil
	})
	if ended {
		return nil
	}
	return NewOutage(0, err)
}

// guarded fetches, and turns a panic, of a transport of the application's say, into an error.
func (d *Document[T]) guarded(ctx context.Context) (v T, err error) {
	defer Recovered(ctx, d.Log, &err)
	return d.Fetch(ctx)
}

// store keeps what a fetch brought. A failed one leaves the document alone; stale reports whether
// there is one.
func (d *Document[T]) store(v T, err error) (stale bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempts++
	d.forced, d.lastErr = false, err
	if err != nil {
		d.retry.Failed()
		return d.have
	}
	d.retry.Succeeded()
	d.current, d.have, d.fetched = v, true, time.Now()
	return false
}
