package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// A Session is a request's view of its browser's session. Changes are visible only to this request
// until they are saved: by [Manager.Handler] before the first byte of the response, or by
// [Session.Save]. It is safe for concurrent use by the goroutines of one request.
//
// Once the response has begun, no cookie can be set, which is logged once. Changes by Set,
// SetToken, Delete, Tag, TagAt and Limit are then published when the handler returns, or by Save,
// which returns ErrCommitted; later requests get them for as long as they are remembered (see
// Generations). Renew and Destroy still end the old session, and the browser keeps a dead cookie.
// With Config.ServerSide, only a session that begins this late is lost to the browser.
//
// After the handler has returned, each of these methods except Destroy is refused with
// [ErrReturned], since its changes would never be saved. Background work changes the session in
// [Session.Exclusive].
type Session struct {
	m      *Manager
	ctx    context.Context // of the request; nil for the one that Exclusive hands out
	header http.Header     // of the request

	arrived time.Time // the request

	mu     sync.Mutex // see locks for the order
	loaded bool
	err    error // of loading
	jar    jar   // our cookies in the request

	seen   *packed.Generation // what the cookie says; server mode: only the id
	base   *packed.Generation // nil: no session
	place  *Session           // of a session to come: whose place it is to take
	fields keptFields         // of a session to come: those that it has from there
	secret string             // server mode: what base's cookie holds
	idle   int64              // the latest idle limit that was seen
	delta  packed.Delta       // what the request changed on top of base
	ended  []ending           // sessions that end when the next one is saved
	fresh  time.Time          // when base was known to be the newest
	memo   *any               // Memo's result while delta is not empty
	kept   map[string]any     // Keep's

	waived   bool     // no proof of a device is asked for
	followed bool     // it was found by a cookie from before it was bound, whose sender gets none of it
	unproven *version // the session that is alive, but must not be used for this request

	carried worth      // what jar is worth
	due     cookieStep // what base asks for: none, renew, write or owed; cookieStepLocked lists who writes it

	stage   stage // how far the response is
	refusal error // why Save could not save delta: the caller knows, and nobody tries again
	counted bool  // a look that moves the limit all the same, where that takes no cookie
	looking bool  // by Peek: the request moves no limit, and writes no cookie but that of a change
	warned  bool  // see warnLocked
}

// stage is how far a response is. It never goes back.
type stage int

const (
	stageOpen     stage = iota // its cookie can be set
	stageBegun                 // none can be set any more
	stageReturned              // and nothing saves a change any more: the handler has returned
)

// contextKey is private, so that nobody else can put a session into a context.
type contextKey struct{}

// From returns the session handle that [Manager.Handler] put into ctx, or nil. The handle exists
// for signed-out browsers too. With several Managers it is the innermost one's; [Manager.From]
// returns that of a particular Manager.
func From(ctx context.Context) *Session {
	s, _ := ctx.Value(contextKey{}).(*Session)
	return s
}

// From returns m's handle in ctx, nil without m's [Manager.Handler].
func (m *Manager) From(ctx context.Context) *Session {
	s, _ := ctx.Value(m).(*Session)
	return s
}

// Manager returns the [Manager] that made s.
func (s *Session) Manager() *Manager { return s.m }

// Outer returns the handle of the next Manager whose Handler encloses that of s's Manager, or nil.
func (s *Session) Outer() *Session {
	if s.place != nil {
		return s.place.Outer()
	}
	if s.ctx == nil {
		return nil
	}
	return From(s.ctx)
}

// Get returns a copy of the value stored under name, with this request's changes, and whether there
// is one: also false while the Store can't be reached. Names that begin with "f." belong to a
// [Field], and those with "oidc." to package oidcauth.
func (s *Session) Get(name string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.getLocked(name)
	if !ok {
		return nil, false
	}
	return clone(data), true
}

// getLocked returns the value itself, which must not be changed.
func (s *Session) getLocked(name string) ([]byte, bool) {
	if s.loadLocked() != nil {
		return nil, false
	}
	if data, changed := s.delta.Values[name]; changed {
		return data, data != nil
	}
	return s.base.Value(name)
}

// Set stores a copy of value under name. It is never compressed, so its length reveals nothing
// about its content. It begins a session if there is none. Errors: [ErrUnavailable], since it is
// unknown whether there is one; [ErrReturned].
func (s *Session) Set(name string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startLocked(); err != nil {
		return err
	}
	s.delta.SetValue(name, clone(value))
	s.changedLocked()
	return nil
}

// Delete removes the value or token stored under name. Without a session it does nothing. Errors:
// [ErrUnavailable]; [ErrReturned].
func (s *Session) Delete(name string) error {
	return s.change(func() {
		s.delta.SetValue(name, nil)
		s.delta.SetToken(name, "")
	})
}

// change runs note, which notes a change of a session that there is.
func (s *Session) change(note func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stage == stageReturned {
		return ErrReturned
	}
	err := s.loadLocked()
	if errors.Is(err, ErrNoSession) {
		return nil
	}
	if err == nil {
		note()
		s.changedLocked()
	}
	return err
}

// Token returns the token stored under name, with this request's changes, and whether there is one:
// also false while the Store can't be reached. The first call unpacks the session's tokens.
func (s *Session) Token(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loadLocked() != nil {
		return "", false
	}
	if text, changed := s.delta.Tokens[name]; changed {
		return text, text != ""
	}
	return s.base.Token(name)
}

// SetToken stores a token under name compactly: a JWT's claims are compressed together with those
// of the session's other tokens, and Token returns it byte for byte. An empty token removes it. It
// begins a session if there is none. Errors: [ErrUnavailable]; [ErrReturned].
func (s *Session) SetToken(name, token string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startLocked(); err != nil {
		return err
	}
	s.delta.SetToken(name, token)
	s.changedLocked()
	return nil
}

// Tag lets [Manager.Revoke] of tag end this session. It takes effect when the session is saved;
// revocations of that tag up to then don't affect it. Tagging twice changes nothing. Without a
// session it does nothing. Errors: [ErrUnavailable]; [ErrReturned].
func (s *Session) Tag(tag string) error { return s.tag(tag, packed.NoStamp) }

// TagFresh is [Session.Tag] for a login whose user is known to have authenticated after since, by
// this machine's clock, which is what [DemandFreshLogin] requires. Saving returns a
// [*FreshLoginError] if such a revocation was made at since or later; after Tag, it does so for any
// such revocation. A session that already has the tag isn't checked. Of two times for one tag, the
// later counts. Without a session it does nothing. Errors: [ErrUnavailable]; [ErrReturned].
func (s *Session) TagFresh(tag string, since time.Time) error {
	return s.tagFresh(tag, since.UnixMilli())
}

func (s *Session) tagFresh(name string, since int64) error {
	return s.change(func() {
		if s.delta.Fresh == nil {
			s.delta.Fresh = map[string]int64{}
		}
		key := tagKey(name)
		s.delta.Fresh[key] = max(s.delta.Fresh[key], since)
		s.delta.Tags = append(s.delta.Tags, packed.Tag{Key: key, Foreign: packed.NoStamp})
	})
}

// TagAt is [Session.Tag], and also lets [Manager.RevokeAt] of tag and a time t end this session,
// unless t is before at, a time by a foreign clock (an ID token's iat, say). Of two stamps for one
// tag, the older counts. Saving returns [ErrNoSession] if such a revocation has happened already.
// Errors: [ErrUnavailable]; [ErrReturned].
func (s *Session) TagAt(tag string, at time.Time) error { return s.tag(tag, foreignStamp(at)) }

// tag notes a tag for the next save.
func (s *Session) tag(name string, stamp int64) error {
	return s.change(func() { s.delta.Tags = append(s.delta.Tags, packed.Tag{Key: tagKey(name), Foreign: stamp}) })
}

// Limit caps the absolute deadline (a provider's session_expiry); it never extends it. A time in
// the past ends the session when it is saved. Without a session it does nothing. Errors:
// [ErrUnavailable]; [ErrReturned].
func (s *Session) Limit(t time.Time) error {
	return s.change(func() {
		limit := max(t.UnixMilli(), 1)
		if t.Year() <= 9999 && limit < s.deadlineLocked() {
			s.delta.Limit = limit
		}
	})
}

// startLocked begins a session if there is none.
func (s *Session) startLocked() error {
	if s.stage == stageReturned {
		return ErrReturned
	}
	err := s.loadLocked()
	if errors.Is(err, ErrNoSession) && s.place == nil && s.unproven == nil {
		s.beginLocked()
		err = nil
	}
	return err
}

// beginLocked replaces whatever there is by a session that has not been saved.
func (s *Session) beginLocked() {
	s.base, s.secret = s.m.begin(time.Now())
	s.idle, s.delta, s.err = s.base.Idle, packed.Delta{}, nil
	s.due = cookieWrite
	s.changedLocked()
}

// changedLocked notes that delta has changed.
func (s *Session) changedLocked() { s.memo, s.refusal = nil, nil }

// underWayLocked is g for a response that has begun, as a stream's has: it goes on as long as
// [Done] is open. In cookie mode the idle limit moves in cookies that the request has not seen; and
// as no cookie can be set any more, nobody is let in again by it. What came after g must be known,
// though: its refresh token would be spent.
func (s *Session) underWayLocked(g *packed.Generation) *packed.Generation {
	switch {
	case s.stage == stageOpen, s.looking, s.m.config.ServerSide, g.Number == 0, g.Idle == 0:
		return g
	case s.m.vault == nil: // every request of the session has told watch
		return s.m.watch.known(g)
	case time.Since(s.fresh) < s.m.memoryOf(g):
		return s.m.inUse(g)
	}
	return g
}
