package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const maxTries = 32 // of a compare-and-swap that other processes keep winning

// merge publishes d on top of the newest generation of g's session, and returns
// the one that is then the newest. Requests that change different names at once
// all succeed; of two that change the same name, the later one wins.
func (m *Manager) merge(ctx context.Context, g *generation, d *delta) (*generation, error) {
	// Within the process they queue, so that only other processes are raced
	// with.
	unlock, err := m.locks.lock(ctx, "merge "+g.id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer unlock()
	for range maxTries {
		v, err := m.keeper.newest(ctx, g)
		if err != nil {
			return nil, err
		}
		if !d.changes(v.g) {
			return v.g, nil
		}
		next, err := m.next(ctx, v, d)
		if err != nil {
			return nil, err
		}
		if ok, err := m.keeper.publish(ctx, v, next); err != nil {
			return next, err
		} else if ok {
			return next, nil
		}
	}
	return nil, fmt.Errorf("%w: session kept changing", ErrUnavailable)
}

// next is the generation after v with d's changes, as it will be read back:
// packed and unpacked again.
func (m *Manager) next(ctx context.Context, v version, d *delta) (*generation, error) {
	epochs, err := m.epochs(ctx, v.g, d)
	if err != nil {
		return nil, err
	}
	next := v.g.apply(d, epochs)
	next.idle = v.idle
	if !d.still {
		next.idle = max(v.idle, m.idleFrom(time.Now()))
	}
	if m.config.IdleTimeout < 0 {
		next.idle = 0
	}
	if next.expired(time.Now()) { // a limit in the past
		if v.g.number > 0 {
			_, err = m.end(ctx, m.endingOf(v.g))
			return nil, errors.Join(errOverLimit, err)
		}
		return nil, ErrNoSession
	}
	plain, err := next.pack()
	if errors.Is(err, errTooMany) {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if err != nil {
		return nil, err
	}
	if err := m.keeper.fits(plain); err != nil {
		return nil, err
	}
	return unpack(plain)
}
