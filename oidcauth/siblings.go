package oidcauth

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/session"
)

// siblings are the Authenticators that share a session manager, by their keys: each that stands
// alone, and those of a registry. A session of none of them, left over from another configuration,
// is nobody's.
type siblings struct {
	mu       sync.Mutex                                // of join and enter, and innermost: nothing waits under it
	list     atomic.Pointer[map[string]*Authenticator] // replaced, never changed
	registry atomic.Pointer[Providers]                 // nil without one
}

// siblingsOf returns those that share m.
func siblingsOf(m *session.Manager) *siblings {
	return inside.OfManager(m).Companion(func() any { return new(siblings) }).(*siblings)
}

// alone are the Authenticators that belong to no registry.
func (s *siblings) alone() map[string]*Authenticator {
	if list := s.list.Load(); list != nil {
		return *list
	}
	return nil
}

// find returns the Authenticator that made a login, nil when it is none of them.
func (s *siblings) find(key string) *Authenticator {
	if a := s.alone()[key]; a != nil {
		return a
	}
	if p := s.registry.Load(); p != nil {
		return p.byKeyOf(key)
	}
	return nil
}

// knows reports whether one of them made the login l, and takes it still.
func (s *siblings) knows(l *packed.Login) bool {
	if s.alone()[l.Provider] != nil {
		return true
	}
	p := s.registry.Load()
	return p != nil && p.knows(l)
}

// none reports whether no Authenticator uses the manager.
func (s *siblings) none() bool { return s.list.Load() == nil && s.registry.Load() == nil }

// serves reports whether a path, as the browser sees it, leads to a route of one of them.
func (s *siblings) serves(path string) bool {
	for _, a := range s.alone() {
		if a.site.Serves(path) {
			return true
		}
	}
	p := s.registry.Load()
	return p != nil && p.desk.site.Serves(path)
}

// near calls do with those, other than the one with this key, that have something to say: each that
// stands alone and, of a registry, the one itself and the desk. There may be thousands of others.
func (s *siblings) near(key string, do func(*Authenticator)) {
	for _, a := range s.alone() {
		do(a)
	}
	if p := s.registry.Load(); p != nil {
		do(p.desk)
		if a := p.byKeyOf(key); a != nil {
			do(a)
		}
	}
}

// join adds a. Two providers that answer at one callback can be mixed up (RFC 9700 §4.4), so that
// each needs its own.
func (s *siblings) join(a *Authenticator) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.registry.Load(); p != nil && (p.desk.site.Serves(a.site.Base+a.site.Callback) || p.desk.site.Serves(a.LogoutURL())) {
		return fmt.Errorf("oidcauth: RedirectURL: %s is where the routes of Providers are: each provider needs its own", a.config.RedirectURL)
	}
	next := map[string]*Authenticator{}
	maps.Copy(next, s.alone())
	for key, other := range next {
		switch {
		case key == a.key:
		case other.config.RedirectURL == a.config.RedirectURL:
			return fmt.Errorf("oidcauth: RedirectURL: %s is already the callback of issuer %s: each provider needs its own", a.config.RedirectURL, other.config.Issuer)
		case other.site.Origin == a.site.Origin && other.LogoutURL() == a.LogoutURL():
			return fmt.Errorf("oidcauth: RoutePrefix: issuer %s already has its routes at %s: each provider needs its own", other.config.Issuer, a.site.At(""))
		}
	}
	next[a.key] = a
	s.list.Store(&next)
	return nil
}

// enter adds a registry, of which there is one for each manager.
func (s *siblings) enter(p *Providers) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registry.Load() != nil {
		return fmt.Errorf("oidcauth: Sessions: the manager has Providers already: add to those")
	}
	for _, a := range s.alone() {
		for _, path := range []string{a.site.Base + a.site.Callback, a.LogoutURL()} {
			if strings.HasPrefix(path, p.desk.site.At("")) {
				return fmt.Errorf("oidcauth: URL: %s is where issuer %s has its routes: each provider needs its own", p.config.URL, a.config.Issuer)
			}
		}
	}
	s.registry.Store(p)
	return nil
}
