package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

const (
	maxListed = 100
	seenEvery = 4 * time.Minute // with the minute in which an idle limit is not moved, five
	seenLimit = 50_000          // sessions of which a process remembers that it has told their list
)

// listRow is the row of the list of a tag.
func listRow(key string) string { return "list " + key }

// An entry is what a list knows of a session: what its user is shown, and what tells whether it
// lives. Times are in Unix milliseconds.
type entry struct {
	ID       string       `json:"i"`
	Public   string       `json:"n"` // what its user calls it, also when it has moved to another ID
	Created  int64        `json:"c"`
	Deadline int64        `json:"d"`
	Seen     int64        `json:"s"`
	Place    packed.Place `json:"p"`
	Bound    bool         `json:"b,omitempty"`
	Tags     []entryTag   `json:"t"`
}

// entryTag is a packed.Tag: text would not hold its key.
type entryTag struct {
	Key     []byte `json:"k"`
	Epoch   int64  `json:"e"`
	Foreign int64  `json:"f"`
	Listed  bool   `json:"l,omitempty"`
}

// entryOf is the entry of g's session, seen now.
func entryOf(g *packed.Generation, at packed.Place, now time.Time) entry {
	e := entry{ID: g.ID, Public: publicIDOf(g.ID), Created: g.Created, Deadline: g.Deadline, Seen: now.UnixMilli(), Place: at, Bound: g.Facts().Key.Thumbprint != ""}
	for _, t := range g.Tags {
		e.Tags = append(e.Tags, entryTag{[]byte(t.Key), t.Epoch, t.Foreign, t.Listed})
	}
	return e
}

// publicIDOf names the session with this ID to its user. It is as random and lives as long, is no
// secret, and leads neither back to the ID nor to a cookie.
func publicIDOf(id string) string {
	sum := sha256.Sum256([]byte("public id of " + id))
	return base64.RawURLEncoding.EncodeToString(sum[:publicIDSize])
}

const publicIDSize = 12

// generation is as much of the session as it takes to find out whether it lives.
func (e *entry) generation() *packed.Generation {
	g := &packed.Generation{ID: e.ID, Number: 1, Created: e.Created, Deadline: e.Deadline}
	for _, t := range e.Tags {
		g.Tags = append(g.Tags, packed.Tag{Key: string(t.Key), Epoch: t.Epoch, Foreign: t.Foreign, Listed: t.Listed})
	}
	return g
}

// readList returns the entries in a row. One that can't be read, since its key was retired, has
// none: the sessions come back as they are used.
func readList(row seal.Row) (entries []entry) {
	if json.Unmarshal(row.Value, &entries) != nil {
		return nil
	}
	return slices.DeleteFunc(entries, func(e entry) bool {
		return slices.ContainsFunc(e.Tags, func(t entryTag) bool { return len(t.Key) != packed.TagSize })
	})
}

// changeList replaces the list of a tag by what change makes of it, unless that says that nothing
// has changed.
func (m *Manager) changeList(ctx context.Context, key string, change func([]entry) (next []entry, changed bool, err error)) error {
	// Within the process they queue, so that only other processes are raced with.
	unlock, err := m.locks.lock(ctx, listRow(key))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer unlock()
	life := m.config.Lifetime + memoryOfGeneration
	err = m.vault.Update(ctx, listRow(key), life, func(row seal.Row) ([]byte, error) {
		next, changed, err := change(m.unexpired(readList(row), time.Now()))
		if err != nil || !changed {
			return nil, err
		}
		return json.Marshal(next)
	})
	if errors.Is(err, seal.ErrContended) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// enlist writes the entry of next, which comes after before, if it is new or has changed.
func (m *Manager) enlist(ctx context.Context, before, next *packed.Generation, at packed.Place) error {
	tag := next.Listed()
	if tag == nil || m.vault == nil {
		return nil
	}
	old := before.Listed()
	if old != nil && old.Key != tag.Key {
		m.delist(ctx, m.endingOf(before))
		old = nil
	}
	if before.Number > 0 && old != nil && slices.Equal(before.Tags, next.Tags) && before.Facts().Key == next.Facts().Key && before.Deadline == next.Deadline {
		return nil
	}
	m.told.put(next.ID)
	return m.changeList(ctx, tag.Key, func(entries []entry) ([]entry, bool, error) {
		e := entryOf(next, at, time.Now())
		if i := indexOf(entries, next.ID); i >= 0 {
			if at == (packed.Place{}) {
				e.Place = entries[i].Place
			}
			e.Public = entries[i].Public
			entries[i] = e
			return entries, true, nil
		}
		entries, err := m.room(ctx, entries)
		return append(entries, e), true, err
	})
}

// relist has the entry of a session that has moved say so. Should that fail, the list has lost the
// session until its next use.
func (m *Manager) relist(ctx context.Context, from string, to *packed.Generation) {
	tag := to.Listed()
	if tag == nil || m.vault == nil {
		return
	}
	err := m.changeList(ctx, tag.Key, func(entries []entry) ([]entry, bool, error) {
		i := indexOf(entries, from)
		if i < 0 {
			return nil, false, nil
		}
		e := entryOf(to, entries[i].Place, time.Now())
		e.Public = entries[i].Public
		entries[i] = e
		return entries, true, nil
	})
	m.logUntold(to.ID, err)
}

// seen tells the list that g's session is in use, at most every seenEvery. A session that the list
// has lost comes back to it.
func (m *Manager) seen(ctx context.Context, g *packed.Generation, userAgent string) {
	tag := g.Listed()
	if tag == nil || m.vault == nil || !m.told.put(g.ID) {
		return
	}
	err := m.changeList(ctx, tag.Key, func(entries []entry) ([]entry, bool, error) {
		now := time.Now()
		if i := indexOf(entries, g.ID); i >= 0 {
			due := now.UnixMilli()-entries[i].Seen >= seenEvery.Milliseconds()
			if due {
				entries[i].Seen = now.UnixMilli()
			}
			return entries, due, nil
		}
		provider, _ := g.Extension(packed.ExtensionProvider)
		at := packed.Place{Provider: string(provider), UserAgent: cut(userAgent, maxUserAgent)}
		entries, err := m.room(ctx, entries)
		return append(entries, entryOf(g, at, now)), true, err
	})
	m.logUntold(g.ID, err)
}

// logUntold logs why a list was not told of a session.
func (m *Manager) logUntold(id string, err error) {
	if err != nil {
		m.log.Warn("list of sessions not updated", "session", id, "error", err)
	}
}

// delist takes a session that has ended out of its list. Should that fail, nobody sees it there all
// the same, since it has ended.
func (m *Manager) delist(ctx context.Context, e ending) {
	if e.list == "" || m.vault == nil {
		return
	}
	_ = m.changeList(ctx, e.list, func(entries []entry) ([]entry, bool, error) {
		i := indexOf(entries, e.id)
		if i < 0 {
			return nil, false, nil
		}
		return slices.Delete(entries, i, i+1), true, nil
	})
}

// indexOf finds the entry of a session, -1 without one.
func indexOf(entries []entry, id string) int {
	return slices.IndexFunc(entries, func(e entry) bool { return e.ID == id })
}

// unexpired leaves out what is over by its times alone. In cookie mode nobody but the browser knows
// the idle limit: the session was last used at most seenEvery and a step of that limit after Seen.
func (m *Manager) unexpired(entries []entry, now time.Time) []entry {
	return slices.DeleteFunc(entries, func(e entry) bool {
		deadline := min(e.Deadline, e.Created+m.config.Lifetime.Milliseconds())
		if idle := m.config.IdleTimeout; idle > 0 {
			deadline = min(deadline, e.Seen+(seenEvery+touchStep(idle)+idle).Milliseconds())
		}
		return now.UnixMilli() >= deadline
	})
}

// stillLiving leaves out the sessions that have ended, with one read of the Store.
func (m *Manager) stillLiving(ctx context.Context, entries []entry) ([]entry, error) {
	entries = m.unexpired(entries, time.Now())
	all := make([]version, len(entries))
	for i := range entries {
		all[i] = version{g: entries[i].generation()}
	}
	ended, err := m.keeper.endings(ctx, all)
	if err != nil {
		return nil, err
	}
	living := entries[:0]
	for i, e := range entries {
		if _, here := m.recent.newest(e.ID, time.Now()); !ended[i] && here == nil {
			living = append(living, e)
		}
	}
	return living, nil
}

// room makes room for one more entry: by those that have ended, and then by ending the oldest.
func (m *Manager) room(ctx context.Context, entries []entry) ([]entry, error) {
	if len(entries) < maxListed {
		return entries, nil
	}
	entries, err := m.stillLiving(ctx, entries)
	if err != nil {
		return nil, err
	}
	for len(entries) >= maxListed {
		oldest := 0
		for i := range entries {
			if entries[i].Created < entries[oldest].Created {
				oldest = i
			}
		}
		// The list has its lock: nobody is asked to take the entry out.
		e := m.endingOf(entries[oldest].generation())
		if _, err := m.keeper.end(ctx, e); err != nil {
			return nil, err
		}
		m.endHere(e)
		entries = slices.Delete(entries, oldest, oldest+1)
	}
	return entries, nil
}

// told are the sessions of which this process has told their lists within seenEvery.
type told struct {
	mu sync.Mutex
	m  expiring.Map[string, struct{}]
}

// put reports whether it is time to tell the list of a session, and has it count as told.
func (t *told) put(id string) bool {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, lately := t.m.Get(id, now); lately {
		return false
	}
	t.m.Limit = seenLimit
	t.m.Put(id, struct{}{}, 1, now, seenEvery)
	return true
}
