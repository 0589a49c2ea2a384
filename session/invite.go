package session

import (
	"context"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/bound"
)

// invite has the browser register a key, if the session may be bound and a person opens a page: the
// first ones after the login do, until it is bound.
func (s *Session) invite(h http.Header, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if path == "" || bound.Invited(h, path) || !s.loaded || s.base == nil || s.m.devices.mode == DeviceOff || s.m.bindable(s.base) != nil {
		return
	}
	challenge, err := s.m.devices.seals.Challenge(bound.Registration, bound.Binding{Session: s.base.ID}, time.Now())
	if err != nil {
		s.m.log.Error("no challenge for a device", "error", err)
		return
	}
	bound.SetRegistration(h, path, challenge)
}

// inviteAtLogin is invite for the answer that hands the session out, to a navigation that another
// site began: the provider. Browsers register in that navigation's place, without the cookies that
// SameSite=Lax keeps from it. So for as long as the challenge a cookie of its own names the session,
// which waits where recall finds it. Without Secure there is no such cookie, and no registration.
func (s *Session) inviteAtLogin(ctx context.Context, h http.Header, path string) {
	if s.invite(h, path); !bound.Invited(h, path) || s.m.config.InsecureCookie {
		return
	}
	g := s.current()
	value, err := s.m.devices.seals.Start(g.ID, time.Now())
	if err == nil {
		err = s.m.keeper.deposit(ctx, g, 2*bound.ChallengeLife)
	}
	if err != nil {
		s.m.log.Warn("no device will be bound by this login", "error", err)
		return
	}
	c := s.m.format.like(s.m.format.name+startSuffix, value, bound.ChallengeLife)
	c.SameSite = http.SameSiteNoneMode
	h.Add("Set-Cookie", c.String())
}

// recallStarted has a registration that came without the session's cookie go on with the session
// that inviteAtLogin has named, and reports whether it does. Error: ErrUnavailable.
func (s *Session) recallStarted(ctx context.Context) (recalled bool, err error) {
	found := (&http.Request{Header: s.header}).CookiesNamed(s.m.format.name + startSuffix)
	if len(found) != 1 || s.current() != nil {
		return false, nil
	}
	err = s.recall(ctx, s.m.devices.seals.StartOf(found[0].Value, time.Now()))
	return s.current() != nil, err
}

// inviteOnPage is invite for the page that the request opens. Only browsers that can bind a session
// say what they open; a response that others may be given from a cache invites nobody.
func (s *Session) inviteOnPage(h http.Header, shared bool) {
	path := s.m.devices.path.Load()
	if s.m.devices.mode == DeviceOff || path == nil || shared || s.header.Get("Sec-Fetch-Dest") != "document" || !s.isBindable() {
		return
	}
	s.invite(h, (*path)(s))
}

// isBindable reports whether the session that was loaded may be bound now.
func (s *Session) isBindable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded && s.base != nil && s.m.bindable(s.base) == nil
}
