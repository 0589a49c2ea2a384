package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/bound"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// register binds the session to the key that response, a browser's proof, brings. The session goes
// on under a new id, as after a login: whoever has copied its cookie before is not let in any more.
// Errors: ErrUnavailable; any other refuses the registration. Along with an error, the Binding says
// which session it was, as far as that is known, nothing has changed, and the request is no use of
// it.
func (s *Session) register(ctx context.Context, response string) (_ *inside.Binding, err error) {
	who := &inside.Binding{}
	proof, err := bound.ParseProof(response)
	if err != nil {
		return who, err
	}
	key, err := proof.Register()
	if err != nil {
		return who, err
	}
	demand := s.waive() // a session that is bound already is told so
	recalled, err := s.recallStarted(ctx)
	next, secret, err := s.bindNow(ctx, who, proof.Challenge, key, err)
	if err != nil {
		if demand(); recalled {
			s.unrecall()
		}
		return who, err
	}
	s.goOnAs(next, secret)
	return s.m.bindingFor(next, key, "")
}

// bindNow moves the request's session, unless it could not be found out, which unread says.
func (s *Session) bindNow(ctx context.Context, who *inside.Binding, challenge string, key bound.Key, unread error) (next *packed.Generation, secret string, err error) {
	if unread != nil {
		return nil, "", unread
	}
	g := s.current()
	if g == nil {
		return nil, "", s.Load()
	}
	who.Session = g.ID
	if err := s.m.bindable(g); err != nil {
		return nil, "", err
	}
	if err := s.m.devices.seals.CheckChallenge(bound.Registration, bound.Binding{Session: g.ID}, challenge, time.Now()); err != nil {
		return nil, "", err
	}
	return s.m.bindTo(context.WithoutCancel(ctx), g, challenge, key)
}

// goOnAs has s go on with a session that its own has moved to; the response hands it out.
func (s *Session) goOnAs(next *packed.Generation, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.base, s.secret, s.idle, s.fresh = next, secret, next.Idle, time.Now()
	s.due, s.jar.bounds = cookieOwed, 0 // whatever bound cookie there was is replaced
	s.changedLocked()
}

// bindable says why g's session can't be bound now.
func (m *Manager) bindable(g *packed.Generation) error {
	switch {
	case g.Number == 0 || !isLogin(g) || !inWindow(g, time.Now()):
		return errNotBindable
	case thumbprintOf(g) != "":
		return inside.ErrBound
	}
	return nil
}

// bindTo moves g's session to a new id that is bound to key, while nobody refreshes it.
func (m *Manager) bindTo(ctx context.Context, g *packed.Generation, challenge string, key bound.Key) (next *packed.Generation, secret string, err error) {
	unlock, err := m.locks.lock(ctx, g.ID)
	if err != nil {
		return nil, "", err
	}
	defer unlock()
	ctx, release, err := m.lease(ctx, g.ID)
	if err != nil {
		return nil, "", err
	}
	defer release()
	unlockMerge, err := m.locks.lock(ctx, "merge "+g.ID)
	if err != nil {
		return nil, "", err
	}
	defer unlockMerge()
	first, err := m.useChallenge(ctx, challenge, time.Now())
	if err == nil && !first {
		err = errReplayed
	}
	if err != nil {
		return nil, "", err
	}
	err = seal.UntilHeld(func() (moved bool, err error) {
		next, secret, moved, err = m.tryToMove(ctx, g, key)
		return moved, err
	})
	if errors.Is(err, seal.ErrContended) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return next, secret, err
}

// tryToMove moves the newest generation of g's session, unless that changes meanwhile.
func (m *Manager) tryToMove(ctx context.Context, g *packed.Generation, key bound.Key) (next *packed.Generation, secret string, moved bool, err error) {
	v, err := m.keeper.newest(ctx, g)
	if ended, ok := errors.AsType[*endedError](err); ok && ended.to != "" {
		err = inside.ErrBound
	}
	if err == nil {
		err = m.bindable(v.g)
	}
	if err != nil {
		return nil, "", false, err
	}
	if next, secret, err = m.rebound(ctx, v, key); err != nil {
		return nil, "", false, err
	}
	moved, err = m.keeper.move(ctx, v, next, time.Now().Add(oldCookieLife))
	if moved {
		m.watch.move(g.ID, version{g: next, idle: next.Idle})
		m.relist(ctx, g.ID, next)
	}
	return next, secret, moved, err
}

// rebound is v under a new id, bound to key, as it will be read back; secret is what its cookie
// holds in server mode.
func (m *Manager) rebound(ctx context.Context, v version, key bound.Key) (next *packed.Generation, secret string, err error) {
	id, secret := m.newID()
	var d packed.Delta
	if err := d.Amend(v.g, func(f *packed.Facts) { f.Key.Thumbprint = key.Thumbprint() }); err != nil {
		return nil, "", err
	}
	next = v.g.Moved(id, &d)
	if next.Tags, err = m.tagsAnew(ctx, v.g); err != nil {
		return nil, "", err
	}
	next.Idle = max(v.idle, m.idleFrom(time.Now()))
	if m.config.IdleTimeout < 0 {
		next.Idle = 0
	}
	plain, err := next.Pack()
	if err == nil {
		err = m.keeper.fits(plain)
	}
	if err == nil {
		_, err = m.identifierOf(next, key) // one that can't be renewed by must not be moved to
	}
	if err != nil {
		return nil, "", err
	}
	next, err = packed.Unpack(plain)
	return next, secret, err
}

// tagsAnew are g's tags for the same session under another id. A revocation that left g alone did
// so by its id, and must be known to the next one by its epoch.
func (m *Manager) tagsAnew(ctx context.Context, g *packed.Generation) ([]packed.Tag, error) {
	if m.vault == nil || len(g.Tags) == 0 {
		return g.Tags, nil
	}
	keys := make([]string, len(g.Tags))
	for i, t := range g.Tags {
		keys[i] = tagRow(t.Key)
	}
	rows, err := m.vault.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	tags := slices.Clone(g.Tags)
	for i := range tags {
		if now, unreadable := readMark(rows[i]); !unreadable && now.kept == g.ID {
			tags[i].Epoch = max(tags[i].Epoch, now.epoch)
		}
	}
	return tags, nil
}

// bindingFor is what the browser is told of g's binding; identifier is the one that it knows
// already, "" for none.
func (m *Manager) bindingFor(g *packed.Generation, key bound.Key, identifier string) (*inside.Binding, error) {
	if identifier == "" {
		var err error
		if identifier, err = m.identifierOf(g, key); err != nil {
			return nil, err
		}
	}
	cookie, err := m.devices.boundCookie(g, m.format, time.Now())
	return &inside.Binding{Identifier: identifier, Cookie: cookie, Attributes: m.devices.attributes(m.format), Thumbprint: key.Thumbprint(), Session: g.ID}, err
}

// identifierOf is what the browser is to call g's binding by. Error: bound.ErrIdentifier for a
// session of so many tags that nobody would read it.
func (m *Manager) identifierOf(g *packed.Generation, key bound.Key) (string, error) {
	known := &packed.Generation{ID: g.ID, Created: g.Created, Deadline: g.Deadline, Tags: g.Tags}
	var d packed.Delta
	if err := d.Amend(known, func(f *packed.Facts) { f.Key.Thumbprint = key.Thumbprint() }); err != nil {
		return "", err
	}
	plain, err := known.Apply(&d, nil).Pack()
	if err != nil {
		return "", err
	}
	return m.devices.seals.Identifier(bound.Identifier{Session: plain, Key: key})
}
