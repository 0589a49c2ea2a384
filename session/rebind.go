package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/bound"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/packed"
)

// renewBinding answers a renewal with header h: by a challenge, or by a bound cookie for a proof.
// It looks at the session as any request does, and is no use of it. Errors: ErrUnavailable; any
// other ends the binding. The Binding says, as far as it is known, whose it is, even along with an
// error.
func (m *Manager) renewBinding(ctx context.Context, h http.Header) (*inside.Binding, error) {
	identifier := bound.IdentifierIn(h)
	id, keyID, err := m.devices.seals.OpenIdentifier(identifier)
	if err != nil {
		return &inside.Binding{}, err
	}
	known, err := packed.Unpack(id.Session)
	if err != nil {
		return &inside.Binding{}, bound.ErrIdentifier
	}
	who := &inside.Binding{Identifier: identifier, Thumbprint: id.Key.Thumbprint(), Session: known.ID}
	if m.config.OnKeyUse != nil {
		m.config.OnKeyUse(keyID)
	}
	g, err := m.renewable(ctx, known, h)
	if err != nil {
		return who, err
	}
	if thumbprintOf(g) != who.Thumbprint {
		return who, errOtherKey
	}
	if len(h.Values("Secure-Session-Response")) == 0 {
		return m.challenged(who, g)
	}
	challenge, err := m.answered(h, id.Key, g)
	if errors.Is(err, bound.ErrStale) {
		return m.challenged(who, g) // the device slept, say: its key is the right one
	}
	if err != nil {
		return who, err
	}
	switch first, err := m.useChallenge(ctx, challenge, time.Now()); {
	case err != nil:
		return who, err
	case !first:
		return who, errReplayed
	}
	return m.bindingFor(g, id.Key, identifier)
}

// renewable returns the session that a renewal is for, as the newest that is known, if it lives.
// The request may have come without its cookie; with another session's, this one is over.
func (m *Manager) renewable(ctx context.Context, known *packed.Generation, h http.Header) (*packed.Generation, error) {
	var j jar
	m.format.scan(&j, h)
	if !j.empty() {
		seen, err := m.keeper.see(&j)
		switch {
		case err != nil: // no cookie that tells anything
		case seen.g.ID == known.ID:
			known = seen.g
			if !m.config.ServerSide && !m.within(known, time.Now()) {
				return nil, ErrNoSession
			}
		case !m.hasMoved(ctx, seen.g, known.ID):
			return nil, errReplaced
		}
	}
	v, err := m.keeper.newest(ctx, known)
	if errors.Is(err, errLeaveAlone) {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err) // another replica can read it
	}
	return v.g, err
}

// hasMoved reports whether g's session goes on under this id.
func (m *Manager) hasMoved(ctx context.Context, g *packed.Generation, id string) bool {
	_, err := m.keeper.newest(ctx, g)
	moved, ok := errors.AsType[*endedError](err)
	return ok && moved.to == id
}

// challenged asks for a proof.
func (m *Manager) challenged(who *inside.Binding, g *packed.Generation) (_ *inside.Binding, err error) {
	who.Challenge, err = m.devices.seals.Challenge(bound.Renewal, bindingOf(g), time.Now())
	return who, err
}

// answered checks the proof that a renewal brings, and returns the challenge that it answers.
func (m *Manager) answered(h http.Header, key bound.Key, g *packed.Generation) (challenge string, err error) {
	response := bound.ResponseIn(h)
	if response == "" {
		return "", errNoProof
	}
	proof, err := bound.ParseProof(response)
	if err != nil {
		return "", err
	}
	if err := proof.SignedBy(key); err != nil {
		return "", err
	}
	return proof.Challenge, m.devices.seals.CheckChallenge(bound.Renewal, bindingOf(g), proof.Challenge, time.Now())
}
