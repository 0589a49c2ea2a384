package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signet-go/signet/session"
)

// maxEnded bounds the providers that are remembered after they were removed.
const maxEnded = 100_000

// Replace gives the provider called name a new configuration. If the issuer and the client stay the
// same (and only the secret changes, say), its sessions continue, and so do pending logins.
// Otherwise it is a different provider: sessions of the old one end as with Remove, and a login
// that comes back from it starts over at the new one. To let those sessions continue, Retire the
// old provider, then Add the new one.
//
// Errors: those of Add; ErrUnknownProvider; session.ErrUnavailable if the Store couldn't record
// that sessions end; then nothing has changed.
func (p *Providers) Replace(ctx context.Context, name string, c Config, options ...ProviderOption) error {
	p.changes.Lock()
	defer p.changes.Unlock()
	next, err := p.newMember(name, c, options)
	if err != nil {
		return err
	}
	old, err := p.replaceable(next)
	if err != nil {
		return err
	}
	if old.key != next.key {
		if err := p.endSessions(ctx, name, old.key); err != nil {
			p.stay(old)
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if old.key != next.key {
		p.dropLocked(old)
	}
	p.putLocked(next)
	return nil
}

// replaceable returns what next replaces. Where that is another provider, none of its logins ends in
// a session from now on.
func (p *Providers) replaceable(next *member) (*member, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.byName[next.name]
	if old == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownProvider, next.name)
	}
	if err := p.vacantLocked(next); err != nil {
		return nil, err
	}
	old.leaving = old.key != next.key
	return old, nil
}

// stay takes back that m leaves.
func (p *Providers) stay(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.leaving = false
}

// Remove removes the provider called name, even one that was retired, and ends its sessions: in
// this process at once and, through a mark in the Store if there is one, in all processes that
// share it. The provider isn't called anymore. Pending callbacks are refused.
//
// Errors: ErrUnknownProvider; session.ErrUnavailable if the mark couldn't be stored: the provider
// is removed, and its sessions have ended for this process only. Call Remove again, or they may
// come back if the same provider is added again within their lifetime.
func (p *Providers) Remove(ctx context.Context, name string) error {
	p.changes.Lock()
	defer p.changes.Unlock()
	keys := p.takeAway(name)
	if len(keys) == 0 {
		return fmt.Errorf("%w: %s", ErrUnknownProvider, name)
	}
	if err := p.endSessions(ctx, name, keys...); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.owed, name)
	return nil
}

// takeAway drops all that has a name, and returns the keys whose sessions end.
func (p *Providers) takeAway(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys, going := p.owed[name], p.retired[name]
	if m := p.byName[name]; m != nil {
		going = append(going, m)
	}
	for _, m := range going {
		p.dropLocked(m)
		keys = append(keys, m.key)
	}
	delete(p.retired, name)
	if len(keys) > 0 {
		p.owed[name] = keys
	}
	return keys
}

// Retire removes the provider called name, but lets its sessions continue to their own limits,
// without tokens: guards admit their users, [Providers.TokenSource] and [Providers.Client] refuse
// with ErrLoginRequired, and signing out ends the session here. The provider isn't called anymore.
// A process that starts later has to Add and Retire it, too. Error: ErrUnknownProvider.
func (p *Providers) Retire(name string) error {
	p.changes.Lock()
	defer p.changes.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.byName[name]
	if m == nil {
		return fmt.Errorf("%w: %s", ErrUnknownProvider, name)
	}
	p.unlistLocked(m)
	m.retired = time.Now()
	p.retired[name] = append(p.retired[name], m)
	p.forgetLocked()
	return nil
}

// forgetLocked drops what was retired so long ago that no session of it lives.
func (p *Providers) forgetLocked() {
	over := func(m *member) bool {
		ended := time.Since(m.retired) > p.sessions.Config().Lifetime+time.Minute
		if ended && p.byKey[m.key] == m {
			delete(p.byKey, m.key)
		}
		return ended
	}
	for name, members := range p.retired {
		if p.retired[name] = slices.DeleteFunc(members, over); len(p.retired[name]) == 0 {
			delete(p.retired, name)
		}
	}
}

// dropLocked takes m away, and ends its sessions in this process.
func (p *Providers) dropLocked(m *member) {
	if p.byName[m.name] == m {
		p.unlistLocked(m)
	}
	delete(p.byKey, m.key)
	now := time.Now()
	p.ended.Put(m.key, now.UnixMilli(), 1, now, p.sessions.Config().Lifetime+time.Minute)
}

// unlistLocked takes m's name and client from it. That the client was one here is not forgotten: its
// ID tokens live on, and must not become access tokens.
func (p *Providers) unlistLocked(m *member) {
	p.withdrawLocked(m)
	delete(p.byName, m.name)
	delete(p.clients, providerKey(m.config.Issuer, m.config.ClientID))
}

// endSessions ends the sessions of the providers that had these keys, in the Store where there is
// one.
func (p *Providers) endSessions(ctx context.Context, name string, keys ...string) error {
	for _, key := range keys {
		err := p.sessions.Revoke(ctx, providerTag(name, key))
		if err != nil && !errors.Is(err, session.ErrNoStore) {
			return fmt.Errorf("oidcauth: provider %q: its sessions are not ended yet: call again: %w", name, err)
		}
	}
	return nil
}
