package session

import (
	"context"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// errNoTag is for whoever asks nobody for his tag.
var errNoTag = errors.New("session: Revoke needs a tag: no signed-in user has an empty one")

// Revoke ends all sessions with this [Session.Tag] that began before now, in O(1). It needs a
// Store. Sessions that begin later are not affected, even in the same millisecond, unless an option
// says so. Requests that have already loaded their session continue with it, but their responses
// carry no cookie for it; streams that wait for [Done] end. Errors: tag is empty, as it is without
// a user; [ErrNoStore]; [ErrUnavailable] if it is unknown whether it was done: then call again.
func (m *Manager) Revoke(ctx context.Context, tag string, options ...RevokeOption) error {
	if tag == "" {
		return errNoTag
	}
	return m.revoke(ctx, tagKey(tag), options)
}

// revoke is Revoke of the tag with this key.
func (m *Manager) revoke(ctx context.Context, key string, options []RevokeOption) error {
	r := revocation{key: key}
	for _, option := range options {
		if option != nil {
			option(&r)
		}
	}
	return m.raise(ctx, key, r.mark)
}

// A RevokeOption changes what [Manager.Revoke] does: [DemandFreshLogin] or [Except].
type RevokeOption func(*revocation)

// DemandFreshLogin also keeps sessions with the tag from beginning after the revocation, unless
// [Session.TagFresh] says that the user has authenticated since: otherwise single sign-on would
// sign the others back in without asking. The demand ends when the revocation is forgotten, which
// is after the last session that it ended would have expired.
func DemandFreshLogin(r *revocation) { r.fresh = true }

// Except leaves s alone: "sign out everywhere else". It needs [Session.Tag] to have been saved;
// without a living session, and with a nil s, there is nothing to leave alone. A later Revoke
// without it ends s, too.
func Except(s *Session) RevokeOption {
	return func(r *revocation) {
		if s != nil {
			r.except = s.current()
		}
	}
}

// A revocation is one call of Revoke.
type revocation struct {
	key    string // of the tag
	fresh  bool
	except *packed.Generation // of the session that it leaves alone; nil: none
}

// mark is what the revocation makes of old. A session that old has ended is not left alone, since
// the two may have come at the same time.
func (r *revocation) mark(old mark) mark {
	next := old
	next.epoch, next.kept = max(time.Now().UnixMilli(), old.epoch+1), ""
	if r.fresh {
		next.fresh = next.epoch
	}
	if g := r.except; g != nil && g.Number > 0 {
		if t := g.Tag(r.key); t != nil && (t.Epoch >= old.epoch || old.kept == g.ID) {
			next.kept = g.ID
		}
	}
	return next
}

// A FreshLoginError is returned when a session is saved but [Manager.Revoke] with
// [DemandFreshLogin] doesn't let it begin. It wraps [ErrNoSession].
type FreshLoginError struct {
	// Since is when the revocation was made. A login that satisfies it passes a later time to
	// [Session.TagFresh].
	Since time.Time
}

// Error names the demand.
func (e *FreshLoginError) Error() string {
	return "session: revoked, and only a login since " + e.Since.UTC().Format(time.RFC3339) + " may begin one"
}

// Unwrap returns ErrNoSession: none has begun.
func (e *FreshLoginError) Unwrap() error { return ErrNoSession }

// RevokeAt is [Manager.Revoke] for tags stamped by a foreign clock with [Session.TagAt]: it ends
// sessions whose stamp is at or before at (a tie ends), even if they are saved later. A mark never
// moves backward. Errors: those of Revoke.
func (m *Manager) RevokeAt(ctx context.Context, tag string, at time.Time) error {
	return m.revokeAt(ctx, tag, at, 0)
}

// revokeAt is RevokeAt, and has the mark remember number, if that is greater than what it has.
func (m *Manager) revokeAt(ctx context.Context, tag string, at time.Time, number int64) error {
	return m.raise(ctx, tagKey(tag), func(old mark) mark {
		old.foreign, old.number = max(old.foreign, foreignStamp(at)), max(old.number, number)
		return old
	})
}
