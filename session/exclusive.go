package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// leaseLife is longer than one call to a provider: who died holding the lease may have one under
// way.
const leaseLife = 15 * time.Second

// Exclusive runs fn while no other Exclusive runs for the same session: within this process it
// holds a lock, across processes a lease in the Store, which is extended while fn runs (fn's ctx
// ends if it is lost). latest is the newest generation, read under the lock. What fn sets on it is
// published when fn returns nil: to the Store or, without one, to this process's memory of newer
// generations. Requests that still carry an older cookie get it, even if the response of this
// request has begun or ctx's request is gone. ctx should not be a request's. s itself is not
// changed: call [Session.Sync].
//
// Errors: fn's own; ctx's if it ends while waiting for the lock or the lease; [ErrNoSession] if
// there is no saved session, or it ended before or while fn ran: then nothing is published;
// [ErrTooLarge] if what fn set doesn't fit; [ErrUnavailable] if the Store fails, before fn runs or
// afterward: then only this process knows what fn set.
func (s *Session) Exclusive(ctx context.Context, fn func(ctx context.Context, latest *Session) error) error {
	g := s.current()
	if g == nil {
		return s.Load()
	}
	if g.Number == 0 {
		return fmt.Errorf("%w: save it first", ErrNoSession)
	}
	return s.exclusively(ctx, g, fn)
}

// exclusively is Exclusive for g, and for what it is found to have become: the lock of a session
// that has moved is taken behind the one of its old id, never the other way round.
func (s *Session) exclusively(ctx context.Context, g *packed.Generation, fn func(ctx context.Context, latest *Session) error) error {
	unlock, err := s.m.locks.lock(ctx, g.ID)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, release, err := s.m.lease(ctx, g.ID)
	if err != nil {
		return err
	}
	defer release()
	v, err := s.newestOf(ctx, g)
	if err != nil {
		return err
	}
	if v.g.ID != g.ID {
		return s.exclusively(ctx, v.g, fn)
	}
	latest := &Session{m: s.m, loaded: true, base: v.g, idle: v.idle, stage: stageBegun, delta: packed.Delta{Still: s.looks()}}
	if err := fn(ctx, latest); err != nil {
		return err
	}
	err = latest.publish(ctx)
	if errors.Is(err, errOverLimit) || wasMarked(err) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.carried = max(s.carried, worthOver) // what fn has set ended it, or somebody while fn ran
	}
	return err
}

// newestOf is the newest generation of g's session, for a request that may be a stream's.
func (s *Session) newestOf(ctx context.Context, g *packed.Generation) (version, error) {
	s.mu.Lock()
	g = s.underWayLocked(g)
	s.mu.Unlock()
	return s.m.newest(ctx, g)
}

// publish saves what fn has set. When the Store fails, the process keeps it: fn's effects elsewhere
// can't be taken back, and the session's own refresh token may be spent.
func (s *Session) publish(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.delta.Empty() {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	base := s.base
	if !s.delta.Still {
		base = s.m.inUse(base) // since fn began: what it has done is not lost to an idle limit
	}
	next, err := s.m.merge(ctx, base, &s.delta)
	if errors.Is(err, ErrUnavailable) && next == nil {
		next, _ = s.m.next(ctx, version{g: base, idle: s.idle}, &s.delta)
	}
	if errors.Is(err, ErrUnavailable) && next != nil {
		s.m.recent.swap(base, next, s.m.successorLife(next))
		s.m.log.Error("session changed and not stored", "session", next.ID, "error", err)
		go s.m.storeLater(base)
	}
	return err
}

const (
	storeLaterFor   = 10 * time.Minute
	storeLaterFirst = 50 * time.Millisecond
	storeLaterPause = time.Second // longest pause between two tries
)

// storeLater stores what this process alone knows to come after g as soon as the Store answers
// again: the next request may reach another process, whose refresh token is spent. As no lease is
// had while the Store is down, there are no more of these than there were calls under way when it
// failed.
func (m *Manager) storeLater(g *packed.Generation) {
	until := time.Now().Add(storeLaterFor)
	for pause := storeLaterFirst; time.Now().Before(until); pause = min(2*pause, storeLaterPause) {
		time.Sleep(pause)
		mine, _ := m.recent.newest(g.ID, time.Now())
		v, err := m.newest(context.Background(), m.inUse(g))
		if err == nil && v.g != mine || errors.Is(err, ErrNoSession) {
			return // it is stored, or the session has ended
		}
	}
}

// lease waits for the session's lease in the Store, which is held until release: ctx ends if it is
// lost. Without a Store there is one process, and the lock is enough.
func (m *Manager) lease(ctx context.Context, id string) (_ context.Context, release func(), err error) {
	if m.vault == nil {
		return ctx, func() {}, nil
	}
	held, lease, err := m.vault.Lease(ctx, leaseRow(id), leaseLife, nil)
	if err != nil && ctx.Err() != nil && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("session: another process holds its lease: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return held, func() {
		if err := lease.Release(ctx); err != nil {
			m.log.Warn("session lease not returned", "session", id, "error", err)
		}
	}, nil
}
