package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

const (
	leasePause = 20 * time.Millisecond
	leaseWait  = 250 * time.Millisecond // longest pause between two tries
)

// A Lease is a row of a Vault that names its holder. Of all processes at most one holds it, as long
// as none stands still for longer than its life.
type Lease struct {
	vault  *Vault
	key    string
	holder []byte // random
	life   time.Duration

	cancel context.CancelFunc // of the context that Lease returned
	over   chan struct{}      // closed when nothing extends the lease any more
}

// Lease takes the lease in row key, and extends it until it is released; if its holder dies, the
// lease ends within life. The context that it returns comes from ctx, and ends early if the lease is
// lost. While another holder has the lease, Lease waits until ctx ends. Unless done is nil, it
// reports whether what the lease is needed for exists already: it is asked before each try, and
// again once the lease is taken, since the last holder may have finished in between. The lease is
// then nil. Errors: ctx's, unwrapped; the Store's; done's.
func (v *Vault) Lease(ctx context.Context, key string, life time.Duration, done func() (bool, error)) (context.Context, *Lease, error) {
	if done == nil {
		done = func() (bool, error) { return false, nil }
	}
	l := &Lease{vault: v, key: key, holder: make([]byte, 16), life: life, over: make(chan struct{})}
	_, _ = rand.Read(l.holder) // never fails
	for pause := leasePause; ; pause = min(2*pause, leaseWait) {
		if ok, err := done(); ok || err != nil {
			return ctx, nil, err
		}
		ok, err := v.Add(ctx, key, l.holder, life)
		if err != nil {
			return ctx, nil, err
		}
		if ok {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx, nil, ctx.Err()
		}
	}
	held, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	go l.keep(held)
	if ok, err := done(); ok || err != nil {
		return ctx, nil, errors.Join(err, l.Release(ctx))
	}
	return held, l, nil
}

// Release gives the lease back, if it is still ours; else its time ends it. The context that
// [Vault.Lease] returned ends. What ctx says of an end does not count: it may be that very context.
// Error: the Store's; the next holder then waits for the lease's life at most.
func (l *Lease) Release(ctx context.Context) error {
	l.cancel()
	<-l.over
	ctx = context.WithoutCancel(ctx)
	rows, err := l.vault.Get(ctx, l.key)
	if err == nil && l.ours(rows[0]) {
		_, err = l.vault.Delete(ctx, l.key, rows[0].Raw)
	}
	return err
}

// ours reports whether row, as read, still names us.
func (l *Lease) ours(row Row) bool { return string(row.Value) == string(l.holder) }

// keep extends the lease until ctx ends; when it can't, it cancels ctx before the lease's time is
// over.
func (l *Lease) keep(ctx context.Context) {
	defer close(l.over)
	tick := time.NewTicker(l.life / 3)
	defer tick.Stop()
	good := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		switch ok, err := l.extend(ctx); {
		case ok:
			good = time.Now()
		case err == nil, time.Since(good) >= l.life*2/3: // somebody else's, or soon
			l.cancel()
			return
		}
	}
}

// extend restarts the life of a lease that is still ours.
func (l *Lease) extend(ctx context.Context) (bool, error) {
	rows, err := l.vault.Get(ctx, l.key)
	if err != nil || !l.ours(rows[0]) {
		return false, err
	}
	return l.vault.Swap(ctx, l.key, rows[0].Raw, l.holder, l.life)
}
