package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/packed"
)

// A keeper is one of the two places where a session's content can be: its cookie, or a row of the
// Store.
type keeper interface {
	// see tells, from its cookies alone, which session a request is about. ErrNoSession: they can't
	// be read. errLeaveAlone: another replica may know.
	see(j *jar) (sighting, error)

	// newest returns the newest generation of g's session: an endedError when it has ended,
	// ErrUnavailable when nobody knows.
	newest(ctx context.Context, g *packed.Generation) (version, error)

	// publish makes next the generation after v.g: false when somebody else was faster.
	publish(ctx context.Context, v version, next *packed.Generation) (bool, error)

	// touch moves the idle limit of v.g.
	touch(ctx context.Context, v version, idle int64) error

	// end makes sure that no other process honors a generation of the session any more, and
	// reports whether one was honored until then. Manager.end tells this one.
	end(ctx context.Context, e ending) (first bool, err error)

	// move has v.g's session go on as next, under another id, and the old id lead there until then:
	// false when it has ended, changed or moved meanwhile.
	move(ctx context.Context, v version, next *packed.Generation, until time.Time) (bool, error)

	// endings tells which of the sessions have ended, with a read of the Store for each few
	// hundred. err: the Store has not answered, and the rest has been judged.
	endings(ctx context.Context, all []version) (ended []bool, err error)

	// deposit lets find find g's session for so long, also where only its browser has had it.
	deposit(ctx context.Context, g *packed.Generation, life time.Duration) error

	// find returns the newest generation of the session with this id; errors as of newest.
	find(ctx context.Context, id string) (version, error)

	// fits reports ErrTooLarge for a packed session that has no room.
	fits(plain []byte) error

	// cookie returns the text that the browser has to hold for g, which is used now, and for how
	// long.
	cookie(g *packed.Generation, secret string) (text []byte, life time.Duration, err error)
}

// sighting is what a request's cookies say.
type sighting struct {
	g      *packed.Generation // server mode: only the id
	secret string             // server mode: what the cookie holds
	sealed
}

// sealed says which key sealed what was read.
type sealed struct {
	older bool // not the newest one
	keyID string
}

// version is a generation that lives, as the newest that is known.
type version struct {
	g      *packed.Generation
	raw    []byte    // the Store's row, nil when there is none
	at     time.Time // when it was judged
	known  bool      // cookie mode: the memory, or the Store, says that it is the newest
	idle   int64     // the latest idle limit that was seen for the session
	sealed           // server mode: of the row
}

// errLeaveAlone is no session for this process, and a cookie that it must not expire.
var errLeaveAlone = errors.New("session: cookie of an unknown key or a newer format")

// judge returns v if it is within its limits.
func (m *Manager) judge(v version, now time.Time) (version, error) {
	v.idle, v.at = max(v.idle, v.g.Idle), now
	ms, created := now.UnixMilli(), v.g.Created
	// A shorter Lifetime applies at once. A clock that was ahead when the session began may
	// lengthen it by what it was ahead, never beyond maxLifetime.
	deadline := min(v.g.Deadline, created+m.config.Lifetime.Milliseconds())
	end := deadline
	if v.idle != 0 {
		end = min(end, v.idle)
	}
	if ms >= end || deadline > ms+maxLifetime.Milliseconds() {
		return version{}, &endedError{at: time.UnixMilli(end)}
	}
	return v, nil
}

// within reports whether g is within its own limits.
func (m *Manager) within(g *packed.Generation, now time.Time) bool {
	_, err := m.judge(version{g: g}, now)
	return err == nil
}

// successorLife is how long a generation is kept for a browser that may not have got it: until no
// cookie of the session is within its limits any more.
func (m *Manager) successorLife(g *packed.Generation) time.Duration {
	// Not g.Deadline: a limit that was set since is in no older cookie.
	ends, now := g.Created+m.config.Lifetime.Milliseconds(), time.Now()
	if g.Idle != 0 {
		ends = min(ends, max(g.Idle, m.idleFrom(now)))
	}
	return max(time.UnixMilli(ends).Sub(now), 0) + memoryOfGeneration
}

// memoryOf is how long it is certain that a newer generation than g would be remembered, also when
// a browser has it.
func (m *Manager) memoryOf(g *packed.Generation) time.Duration {
	if m.vault != nil {
		return m.successorLife(g)
	}
	return memoryOfGeneration
}

// touchDue reports whether a tenth of the idle time, at most a minute, has passed since the limit
// was written.
func (m *Manager) touchDue(idle int64, now time.Time) bool {
	timeout := m.config.IdleTimeout
	if timeout < 0 {
		return idle != 0
	}
	age := now.Add(timeout).UnixMilli() - idle
	return idle == 0 || age >= touchStep(timeout).Milliseconds()
}

// touchStep is how much of the idle time has to pass before the limit is moved.
func touchStep(timeout time.Duration) time.Duration { return min(timeout/10, time.Minute) }

// inUse is g with an idle limit as if it were used now. In server mode it is g: its row alone
// tells.
func (m *Manager) inUse(g *packed.Generation) *packed.Generation {
	if m.config.ServerSide || g.Idle == 0 || m.config.IdleTimeout < 0 {
		return g
	}
	return g.IdleAt(max(g.Idle, m.idleFrom(time.Now())))
}

// idleFrom is the idle limit of a session that is used now.
func (m *Manager) idleFrom(now time.Time) int64 {
	if m.config.IdleTimeout < 0 {
		return 0
	}
	return now.Add(m.config.IdleTimeout).UnixMilli()
}

// rowNames are the vault's names of the rows that decide about g: first, for each of rows, one of
// its id, then its tags' marks. They are computed once per generation.
func (m *Manager) rowNames(g *packed.Generation, rows ...func(id string) string) []string {
	return g.RowNames(func() (names []string) {
		for _, row := range rows {
			names = append(names, m.vault.Name(row(g.ID)))
		}
		for _, t := range g.Tags {
			names = append(names, m.vault.Name(tagRow(t.Key)))
		}
		return names
	})
}

// endedByMarks looks at the raw marks of g's tags: an endedError when one has ended it.
func (m *Manager) endedByMarks(g *packed.Generation, names []string, raws [][]byte) error {
	for i, t := range g.Tags {
		if raws[i] == nil {
			continue
		}
		if at, ended := endedByMark(m.vault.Open(names[i], raws[i]), t, g.ID); ended {
			return &endedError{at: at, marked: true}
		}
	}
	return nil
}

// sessionsInRead is how many sessions are asked for at once, with a few rows each: more would hold
// up a Store, and all who wait for it.
const sessionsInRead = 200

// rowsOf reads rows of all sessions, in pieces, and returns each one's names and raw bytes; with an
// error those of the pieces that came before it.
func (m *Manager) rowsOf(ctx context.Context, all []version, of func(g *packed.Generation) []string) (names [][]string, raws [][][]byte, err error) {
	for piece := range slices.Chunk(all, sessionsInRead) {
		var flat []string
		for _, v := range piece {
			names = append(names, of(v.g))
			flat = append(flat, names[len(names)-1]...)
		}
		values, err := m.vault.Fetch(ctx, flat...)
		if err != nil {
			return names, raws, err
		}
		for _, n := range names[len(raws):] {
			raws = append(raws, values[:len(n)])
			values = values[len(n):]
		}
	}
	return names, raws, nil
}

// sameTags reports whether a's marks were looked at when b's were.
func sameTags(a, b *packed.Generation) bool {
	for _, t := range a.Tags {
		if known := b.Tag(t.Key); known == nil || *known != t {
			return false
		}
	}
	return true
}

// checkTags reads the marks of g's tags.
func (m *Manager) checkTags(ctx context.Context, g *packed.Generation) error {
	if len(g.Tags) == 0 {
		return nil
	}
	names := make([]string, len(g.Tags))
	for i, t := range g.Tags {
		names[i] = m.vault.Name(tagRow(t.Key))
	}
	raws, err := m.vault.Fetch(ctx, names...)
	if err != nil {
		return err
	}
	return m.endedByMarks(g, names, raws)
}
