package session

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// A session moves when it is bound to a device: it goes on under a new id, so that whoever copied
// its cookie before is not let in any more. Requests that were under way then, and those that the
// browser sends before it has the new cookie, still carry the old one. For a minute that leads to
// the session as it is now: there are never two that could lose each other's changes, or spend one
// refresh token twice.

// newest is keeper.newest, and follows a session that has moved, for as long as its old cookie
// leads there.
func (m *Manager) newest(ctx context.Context, g *packed.Generation) (version, error) {
	v, err := m.keeper.newest(ctx, g)
	if moved, ok := errors.AsType[*endedError](err); ok && moved.to != "" && time.Now().Before(moved.at) {
		return m.keeper.find(ctx, moved.to)
	}
	return v, err
}

// newestSeenLocked is newest for the session that the request's cookie names. With a proof that it
// comes from the device, the old cookie leads to the session at any time: a response that was under
// way may have put it back.
func (s *Session) newestSeenLocked(ctx context.Context, seen *packed.Generation) (version, error) {
	v, err := s.m.newest(ctx, seen)
	moved, ok := errors.AsType[*endedError](err)
	if !ok || moved.to == "" || s.jar.bounds == 0 || time.Now().Before(moved.at) {
		return v, err
	}
	v, findErr := s.m.keeper.find(ctx, moved.to)
	if errors.Is(findErr, ErrUnavailable) {
		return version{}, findErr
	}
	if findErr != nil || !s.provenLocked(v.g) {
		return version{}, err
	}
	return v, nil
}

// move remembers where a session has gone, unless it has ended or moved before.
func (r *recent) move(id string, to ended, life time.Duration) bool {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, over := r.ended.Get(id, now); over {
		return false
	}
	r.used.Store(true)
	r.awaited.Delete(id)
	r.shown.Delete(id)
	r.ended.Put(id, to, len(id)+len(to.to)+entryOverhead, now, life)
	return true
}

// move keeps next where its browser's next request finds it, and then has the old id lead there. In
// this order there is no moment without either.
func (k *cookieKeeper) move(ctx context.Context, v version, next *packed.Generation, until time.Time) (bool, error) {
	life := k.endingOf(v.g).life
	if k.vault == nil {
		k.recent.swap(next, next, k.successorLife(next))
		if !k.recent.move(v.g.ID, ended{until, next.ID}, life) {
			k.recent.forget(next.ID)
			return false, nil
		}
		return true, nil
	}
	plain, err := next.Pack()
	if err != nil {
		return false, err
	}
	if _, err := k.vault.Add(ctx, generationRow(next.ID), plain, k.successorLife(next)); err != nil {
		return false, err
	}
	row := append(binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli())), next.ID...)
	ok, err := k.vault.Add(ctx, endedRow(v.g.ID), row, life)
	if err == nil && !ok {
		_, err = k.vault.Delete(ctx, generationRow(next.ID), nil)
	}
	return ok, err // with an error nobody knows: what was added stays, in case that the session has moved
}

// move adds the row of next, and replaces the old one by a short-lived one that leads there.
func (k *serverKeeper) move(ctx context.Context, v version, next *packed.Generation, until time.Time) (bool, error) {
	plain, err := next.Pack()
	if err != nil {
		return false, err
	}
	if _, err := k.vault.Add(ctx, sessionRow(next.ID), plain, time.Until(time.UnixMilli(next.Ends()))); err != nil {
		return false, err
	}
	var to packed.Delta
	to.SetExtension(packed.ExtensionMoved, []byte(next.ID))
	sign := &packed.Generation{ID: v.g.ID, Number: v.g.Number, Created: v.g.Created, Deadline: until.UnixMilli()}
	if plain, err = sign.Apply(&to, nil).Pack(); err != nil {
		return false, err
	}
	ok, err := k.vault.Swap(ctx, sessionRow(v.g.ID), v.raw, plain, oldCookieLife)
	if err == nil && !ok {
		_, err = k.vault.Delete(ctx, sessionRow(next.ID), nil)
	}
	return ok, err
}

// movedTo returns where the session of a row has gone, nil where it has not.
func movedTo(g *packed.Generation) error {
	to, moved := g.Extension(packed.ExtensionMoved)
	if !moved {
		return nil
	}
	return &endedError{at: time.UnixMilli(g.Deadline), to: string(to)}
}

// endMoved ends what an id has moved to, which is what whoever knows only the old id means.
func (k *serverKeeper) endMoved(ctx context.Context, e ending) error {
	if k.devices.mode == DeviceOff {
		return nil
	}
	rows, err := k.vault.Get(ctx, sessionRow(e.id))
	if err != nil || rows[0].Value == nil {
		return err
	}
	g, err := packed.Unpack(rows[0].Value)
	if err != nil {
		return nil //nolint:nilerr // it is no session, and leads nowhere
	}
	if to, moved := g.Extension(packed.ExtensionMoved); moved {
		_, err = k.end(ctx, ending{id: string(to), life: e.life})
	}
	return err
}

// endMoved is end for an id whose session may have moved: its mark becomes that of an end.
func (k *cookieKeeper) endMoved(ctx context.Context, e ending, mark []byte) (first bool, err error) {
	rows, err := k.vault.Get(ctx, endedRow(e.id))
	if err != nil {
		return false, err
	}
	to := endIn(rows[0]).to
	if to == "" {
		return false, nil
	}
	if first, err = k.end(ctx, ending{id: to, life: e.life}); err != nil {
		return first, err
	}
	_, err = k.vault.Swap(ctx, endedRow(e.id), rows[0].Raw, mark, e.life)
	return first, err
}
