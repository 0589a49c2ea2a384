package session

import (
	"context"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

func init() {
	inside.Open(
		func(m any) inside.Manager { return insideManager{m.(*Manager)} },
		func(s any) inside.Session { return insideSession{s.(*Session)} },
		func(ctx context.Context) context.Context { return sessionless{ctx} },
	)
}

// sessionless is a context without sessions.
type sessionless struct{ context.Context }

// Value hides what From and Manager.From look for.
func (c sessionless) Value(key any) any {
	if _, ofManager := key.(*Manager); ofManager || key == (contextKey{}) {
		return nil
	}
	return c.Context.Value(key)
}

// insideManager is a Manager for the packages of this module. Like insideSession it is one pointer,
// so that making an interface of it allocates nothing.
type insideManager struct{ *Manager }

// Companion implements inside.Manager.
func (m insideManager) Companion(create func() any) any {
	m.companion.once.Do(func() { m.companion.value = create() })
	return m.companion.value
}

// Sealer implements inside.Manager.
func (m insideManager) Sealer(purpose string) *seal.Sealer { return m.ring.Sealer("lent " + purpose) }

// Vault implements inside.Manager.
func (m insideManager) Vault(purpose string) *seal.Vault { return m.rows(purpose) }

// RevokeNumbered implements inside.Manager.
func (m insideManager) RevokeNumbered(ctx context.Context, tag string, at time.Time, number int64) error {
	return m.revokeAt(ctx, tag, at, number)
}

// Numbered implements inside.Manager.
func (m insideManager) Numbered(ctx context.Context, tags ...string) (greatest int64, err error) {
	return m.numbered(ctx, tags)
}

// InviteAt implements inside.Manager.
func (m insideManager) InviteAt(path func(s any) string) {
	at := func(s *Session) string { return path(s) }
	m.devices.path.Store(&at)
}

// RenewBinding implements inside.Manager.
func (m insideManager) RenewBinding(ctx context.Context, h http.Header) (*inside.Binding, error) {
	return m.renewBinding(ctx, h)
}

// ExpiredProof implements inside.Manager.
func (m insideManager) ExpiredProof() *http.Cookie { return m.devices.cookie(m.format, "", 0) }

// KnowsBinding implements inside.Manager.
func (m insideManager) KnowsBinding(identifier string) bool {
	_, _, err := m.devices.seals.OpenIdentifier(identifier)
	return err == nil
}

// insideSession is a Session for the packages of this module.
type insideSession struct{ *Session }

// Arrived implements inside.Session.
func (s insideSession) Arrived() time.Time { return s.arrived }

// LoadWithin implements inside.Session.
func (s insideSession) LoadWithin(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loadWithinLocked(ctx)
}

// Deposit implements inside.Session.
func (s insideSession) Deposit(ctx context.Context) error { return s.deposit(ctx) }

// Recall implements inside.Session.
func (s insideSession) Recall(ctx context.Context, id string) error { return s.recall(ctx, id) }

// Looks implements inside.Session.
func (s insideSession) Looks() bool { return s.looks() }

// CountLook implements inside.Session.
func (s insideSession) CountLook() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counted = s.m.config.ServerSide
}

// Keep implements inside.Session.
func (s insideSession) Keep(name string, v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]any{}
	}
	s.kept[name] = v
}

// Kept implements inside.Session.
func (s insideSession) Kept(name string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[name]
}

// Memo implements inside.Session.
func (s insideSession) Memo(build func(inside.View) any) any {
	s.mu.Lock()
	if s.loadLocked() != nil {
		s.mu.Unlock()
		return nil
	}
	shared, own := s.base, !s.delta.Empty() || s.base.Number == 0
	memo := s.memo
	if !own {
		memo = shared.Memo.Load()
	}
	s.mu.Unlock()
	if memo != nil {
		return *memo
	}
	view := s
	if !own {
		view.Session = &Session{m: s.m, loaded: true, base: shared, stage: stageBegun}
	}
	result := build(view) // without the lock: it calls our methods
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.base != shared: // changed meanwhile
	case own:
		s.memo = &result
	case !shared.Memo.CompareAndSwap(nil, &result):
		return *shared.Memo.Load()
	}
	return result
}

// Facts implements inside.Session.
func (s insideSession) Facts() *packed.Facts { return s.facts() }

// Amend implements inside.Session.
func (s insideSession) Amend(change func(*packed.Facts)) error { return s.amend(change) }

// Claims implements inside.Session.
func (s insideSession) Claims(name string) ([]byte, bool) { return s.claims(name) }

// LeaveCookie implements inside.Session.
func (s insideSession) LeaveCookie() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() == nil && s.due == cookieTouch {
		s.due = cookieNone
	}
}

// WaiveProof implements inside.Session.
func (s insideSession) WaiveProof() (demand func()) { return s.waive() }

// Unproven implements inside.Session.
func (s insideSession) Unproven() (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.loadLocked()
	if s.unproven == nil {
		return ""
	}
	return s.unproven.g.ID
}

// HasStaleProof implements inside.Session.
func (s insideSession) HasStaleProof() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unproven != nil && s.jar.bounds > 0
}

// Invite implements inside.Session.
func (s insideSession) Invite(ctx context.Context, h http.Header, path string) {
	s.inviteAtLogin(ctx, h, path)
}

// Bind implements inside.Session.
func (s insideSession) Bind(ctx context.Context, response string) (*inside.Binding, error) {
	return s.register(ctx, response)
}

// JoinEnd implements inside.Session.
func (s insideSession) JoinEnd(of inside.Session) {
	if other, _ := of.(insideSession); other.Session != nil {
		s.joinEnd(other.Session)
	}
}
