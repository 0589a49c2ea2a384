package oidcauth

import (
	"sync"
	"time"
)

const (
	// idleLife is for how long nobody has to have needed a provider before what was built for it,
	// its metadata and keys above all, is forgotten: at least, and longer than a login takes.
	idleLife = 30 * time.Minute

	// Of the providers that are built, sweepCount are looked at each sweepEvery, as long as there
	// are requests.
	sweepCount = 8
	sweepEvery = 10 * time.Millisecond
)

// idleness forgets what was built for providers that nobody needs. It needs no goroutine: each
// request looks at a few. Its lock is taken before a member's, never after.
type idleness struct {
	mu    sync.Mutex
	built []*member
	hand  int // who is looked at next
	next  time.Time
}

// add notes that m was built.
func (i *idleness) add(m *member) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.built = append(i.built, m)
}

// sweep forgets what is idle among those whose turn it is.
func (i *idleness) sweep(now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now.Before(i.next) {
		return
	}
	i.next = now.Add(sweepEvery)
	for range min(sweepCount, len(i.built)) {
		if i.hand >= len(i.built) {
			i.hand = 0
		}
		if !i.built[i.hand].forget(now) {
			i.hand++
			continue
		}
		last := len(i.built) - 1
		i.built[i.hand], i.built[last] = i.built[last], nil
		i.built = i.built[:last]
	}
}

// forget drops what was built for m, if nobody has needed it for long. Its memory of finished logins
// is empty then, since all have expired, but for one that its successor has taken over.
func (m *member) forget(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.used) <= max(idleLife, m.config.LoginTimeout+2*time.Minute) {
		return false
	}
	m.auth = nil
	if !m.succeeded.Load() {
		m.config.place.finished.Clear()
	}
	return true
}

// authenticator returns m's, made when nobody has needed it for long.
func (m *member) authenticator() *Authenticator {
	now := time.Now()
	a, isNew := m.needed(now)
	if isNew {
		m.registry.idle.add(m)
	}
	m.registry.idle.sweep(now)
	return a
}

// needed is authenticator, and reports whether it was made just now.
func (m *member) needed(now time.Time) (_ *Authenticator, isNew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used = now
	if isNew = m.auth == nil; isNew {
		m.auth = build(&m.config, m.registry.sessions)
	}
	return m.auth, isNew
}
