package oidcauth

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// siblings are the Authenticators that share a session manager, by providerKey. A session of none
// of them, left over from another configuration, is nobody's.
type siblings struct {
	mu   sync.Mutex
	list atomic.Pointer[map[string]*Authenticator] // replaced, never changed
}

// siblingsOf returns those that share m.
func siblingsOf(m *session.Manager) *siblings {
	return inside.OfManager(m).Companion(func() any { return new(siblings) }).(*siblings)
}

// find returns the Authenticator that made a login, nil when it is none of them.
func (s *siblings) find(key string) *Authenticator {
	if list := s.list.Load(); list != nil {
		return (*list)[key]
	}
	return nil
}

// none reports whether no Authenticator uses the manager.
func (s *siblings) none() bool { return s.list.Load() == nil }

// any reports whether one of them satisfies is.
func (s *siblings) any(is func(*Authenticator) bool) bool {
	if list := s.list.Load(); list != nil {
		for _, a := range *list {
			if is(a) {
				return true
			}
		}
	}
	return false
}

// join adds a. Two providers that answer at one callback can be mixed up (RFC 9700 §4.4), so that
// each needs its own.
func (s *siblings) join(a *Authenticator) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[string]*Authenticator{}
	if list := s.list.Load(); list != nil {
		maps.Copy(next, *list)
	}
	for key, other := range next {
		switch {
		case key == a.key:
		case other.config.RedirectURL == a.config.RedirectURL:
			return fmt.Errorf("oidcauth: RedirectURL: %s is the callback of issuer %s already: each provider needs its own", a.config.RedirectURL, other.config.Issuer)
		case other.site.origin == a.site.origin && other.LogoutURL() == a.LogoutURL():
			return fmt.Errorf("oidcauth: RoutePrefix: issuer %s has its routes at %s already: each provider needs its own", other.config.Issuer, a.site.at(""))
		}
	}
	next[a.key] = a
	s.list.Store(&next)
	return nil
}
