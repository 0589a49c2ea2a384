package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// merge publishes d on top of the newest generation of g's session, and returns the one that is
// then the newest. Requests that change different names at once all succeed; of two that change the
// same name, the later one wins.
func (m *Manager) merge(ctx context.Context, g *packed.Generation, d *packed.Delta) (*packed.Generation, error) {
	// Within the process they queue, so that only other processes are raced with.
	unlock, err := m.locks.lock(ctx, "merge "+g.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer unlock()
	var next *packed.Generation
	err = seal.UntilHeld(func() (bool, error) {
		next = nil
		v, err := m.newest(ctx, g)
		if err != nil {
			return false, err
		}
		if !d.Changes(v.g) {
			next = v.g
			return true, nil
		}
		if next, err = m.next(ctx, v, d); err != nil {
			return false, err
		}
		// Before it is published: no session lives that its list does not have.
		if err := m.enlist(ctx, v.g, next, d.Place); err != nil {
			return false, err
		}
		return m.keeper.publish(ctx, v, next)
	})
	if errors.Is(err, seal.ErrContended) {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return next, err
}

// next is the generation after v with d's changes, as it will be read back: packed and unpacked
// again.
func (m *Manager) next(ctx context.Context, v version, d *packed.Delta) (*packed.Generation, error) {
	epochs, err := m.epochs(ctx, v.g, d)
	if err != nil {
		return nil, err
	}
	next := v.g.Apply(d, epochs)
	next.Idle = v.idle
	if !d.Still {
		next.Idle = max(v.idle, m.idleFrom(time.Now()))
	}
	if m.config.IdleTimeout < 0 {
		next.Idle = 0
	}
	if next.Expired(time.Now()) { // a limit in the past
		if v.g.Number > 0 {
			_, err = m.end(ctx, m.endingOf(v.g))
			return nil, errors.Join(errOverLimit, err)
		}
		return nil, ErrNoSession
	}
	plain, err := next.Pack()
	if errors.Is(err, packed.ErrTooMany) {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if err != nil {
		return nil, err
	}
	if err := m.keeper.fits(plain); err != nil {
		return nil, err
	}
	return next.Reread(plain)
}
