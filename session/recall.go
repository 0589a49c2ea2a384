package session

import (
	"context"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// Some requests come without the cookie of a session that their browser has: a cross-site POST
// does. Who knows the session's id may recall it, from the Store or else from this process's
// memory. In cookie mode it has to be deposited there before, since nobody else has it.

// deposit lets other requests recall the session, as it was last saved. A visitor without one, and
// one that has not been saved yet, have nothing to deposit. Error: ErrUnavailable.
func (s *Session) deposit(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadLocked(); err != nil || s.base.Number == 0 {
		return nil // whoever needs the session has been told
	}
	return s.m.keeper.deposit(ctx, s.base, s.m.successorLife(s.base))
}

// recall has s go on with the session of this id, if the request came without any and that one
// lives. No cookie of it is written for that. Error: ErrUnavailable.
func (s *Session) recall(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadLocked(); !errors.Is(err, ErrNoSession) || !s.jar.empty() || id == "" {
		return nil
	}
	v, err := s.m.keeper.find(ctx, id)
	if moved, ok := errors.AsType[*endedError](err); ok && moved.to != "" {
		v, err = s.m.keeper.find(ctx, moved.to)
	}
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err != nil {
		return err
	}
	s.base, s.idle, s.fresh, s.err = v.g, v.idle, v.at, nil
	s.changedLocked()
	return nil
}

// unrecall takes a recall back: what named the session authorizes nothing.
func (s *Session) unrecall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base, s.err = nil, ErrNoSession
	s.changedLocked()
}

// deposit does nothing: the Store has all there is.
func (k *serverKeeper) deposit(context.Context, *packed.Generation, time.Duration) error { return nil }

// find reads the row.
func (k *serverKeeper) find(ctx context.Context, id string) (version, error) {
	return k.newest(ctx, &packed.Generation{ID: id})
}

// deposit adds the row of the newest generation, as a change would have. One that already exists is
// no older.
func (k *cookieKeeper) deposit(ctx context.Context, g *packed.Generation, life time.Duration) error {
	if k.vault == nil {
		k.recent.keep(g, life)
		return nil
	}
	plain, err := g.Pack()
	if err != nil {
		return err
	}
	_, err = k.vault.Add(ctx, generationRow(g.ID), plain, life)
	return err
}

// find looks for a generation of the session, and then for its newest.
func (k *cookieKeeper) find(ctx context.Context, id string) (version, error) {
	g, err := k.recent.newest(id, time.Now())
	if err != nil {
		return version{}, err
	}
	if k.vault != nil {
		name := k.vault.Name(generationRow(id))
		raws, err := k.vault.Fetch(ctx, name)
		if err != nil {
			return version{}, err
		}
		g = newer(g, k.stored(name, raws[0], id))
	}
	if g == nil {
		return version{}, ErrNoSession
	}
	return k.newest(ctx, g)
}
