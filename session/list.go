package session

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// Users can see where they are signed in, and end what they don't know. A session enters the list
// of a tag, in the Store, with [Session.Enlist]; [Manager.List], [Manager.End] and
// [Manager.EndOthers] are for the pages that show it. All of a user's sessions, listed or not, end
// by [Manager.Revoke] of the tag.

// A Place is where a user is signed in, as passed to [Session.Enlist]. It isn't checked, and no
// decision is based on it: a browser can claim to be anything.
type Place struct {
	Provider  string // who signed the user in: the issuer, say; at most 1,024 bytes are kept
	UserAgent string // the browser's User-Agent; at most 256 bytes are kept
	Address   string // where requests came from, at most 64 bytes; "": not recorded
}

// A Listed session is one of those that [Manager.List] returns.
type Listed struct {
	// ID names the session to [Manager.End]. It isn't secret: it leads to the session only through
	// its own user's list.
	ID string

	// Current is whether it is the session of the request that asked.
	Current bool

	// Created is when it began. LastSeen is when it was last used, possibly up to 5 minutes too
	// early, because it is written only when the idle limit is moved; for a session without an idle
	// limit it equals Created.
	Created, LastSeen time.Time

	// Place is what was passed to Enlist.
	Place Place

	// Bound is whether the session is bound to a key of the browser.
	Bound bool
}

// Enlist tags the session as [Session.Tag] does, and adds it to the tag's list when it is saved. A
// session is in one list, that of the last call. A list has at most 100 sessions; one more ends the
// oldest. The list's content is sealed in the Store. If the list can't be written, a session that
// joins it isn't saved, so that no session is alive that its user can't see. Without a session it
// does nothing. Errors: [ErrNoStore]; an empty tag, as it is without a user; [ErrUnavailable];
// [ErrReturned].
func (s *Session) Enlist(tag string, at Place) error {
	switch {
	case s.m.vault == nil:
		return ErrNoStore
	case tag == "":
		return errNoTag
	}
	return s.change(func() {
		s.delta.Place = packed.Place{
			Provider: cut(at.Provider, maxProvider), UserAgent: cut(at.UserAgent, maxUserAgent), Address: cut(at.Address, maxAddress),
		}
		s.delta.SetExtension(packed.ExtensionProvider, []byte(s.delta.Place.Provider))
		s.delta.Tags = append(s.delta.Tags, packed.Tag{Key: tagKey(tag), Foreign: packed.NoStamp, Listed: true})
	})
}

const (
	maxProvider  = 1024
	maxUserAgent = 256
	maxAddress   = 64
)

// cut returns s as valid UTF-8 of at most max bytes.
func cut(s string, max int) string {
	if s = strings.ToValidUTF8(s, "�"); len(s) > max {
		s = strings.ToValidUTF8(s[:max], "")
	}
	return s
}

// List returns the living sessions in the list of tag, newest first, at most 100. Any tag can be
// asked for: take it from the signed-in user, never from a request. Errors: tag is empty, as it is
// without a user; [ErrNoStore]; [ErrUnavailable].
func (m *Manager) List(ctx context.Context, tag string) ([]Listed, error) {
	entries, err := m.living(ctx, tag)
	if err != nil {
		return nil, err
	}
	current := ""
	if s := m.From(ctx); s != nil {
		current = s.ID()
	}
	all := make([]Listed, 0, len(entries))
	for _, e := range entries {
		all = append(all, Listed{
			ID: e.Public, Current: e.ID == current,
			Created: time.UnixMilli(e.Created), LastSeen: time.UnixMilli(e.Seen),
			Place: Place(e.Place), Bound: e.Bound,
		})
	}
	slices.SortStableFunc(all, func(a, b Listed) int { return b.Created.Compare(a.Created) })
	return all, nil
}

// living returns the entries in the list of tag whose sessions live.
func (m *Manager) living(ctx context.Context, tag string) ([]entry, error) {
	switch {
	case tag == "":
		return nil, errNoTag
	case m.vault == nil:
		return nil, ErrNoStore
	}
	rows, err := m.vault.Get(ctx, listRow(tagKey(tag)))
	if err != nil {
		return nil, err
	}
	return m.stillLiving(ctx, readList(rows[0]))
}

// End ends the session that id (see [Listed].ID) names in the list of tag, wherever its cookie is.
// If it is the session of the request in ctx, the response expires the cookie, as with
// [Session.Destroy]. The user stays signed in at the provider, and the session's tokens are not
// revoked. Errors: those of List; [ErrNoSession] if this list has no living session with this id,
// even if another list does.
func (m *Manager) End(ctx context.Context, tag, id string) error {
	entries, err := m.living(ctx, tag)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(entries, func(e entry) bool { return e.Public == id })
	if i < 0 {
		return ErrNoSession
	}
	if s := m.From(ctx); s != nil && s.ID() == entries[i].ID {
		return s.Destroy(ctx)
	}
	_, err = m.end(context.WithoutCancel(ctx), m.endingOf(entries[i].generation()))
	return err
}

// EndOthers ends all sessions with the tag in whose list the session of ctx is, listed or not,
// except that session itself. Its options and effects are those of [Manager.Revoke]. Errors:
// [ErrNoSession] if ctx has no saved session that is in a list; [ErrUnavailable] if it is unknown
// whether it was done: then call again.
func (m *Manager) EndOthers(ctx context.Context, options ...RevokeOption) error {
	s := m.From(ctx)
	if s == nil {
		return ErrNoSession
	}
	if err := s.Load(); err != nil {
		return err
	}
	g := s.current()
	if g == nil || g.Listed() == nil {
		return ErrNoSession
	}
	return m.revoke(ctx, g.Listed().Key, append(slices.Clone(options), Except(s)))
}
