package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// A mark is the Store's row about a tag. It never moves backwards, and outlives every session that
// it can end.
//
// No two clocks are compared. Revoke raises the epoch; a session remembers the epoch that it found
// when it was tagged, so a later one ends it, whatever the clocks of the processes say. (An epoch
// is a time only so that it still rises after the row's time was over.) RevokeAt raises foreign,
// which is compared with the stamp of TagAt: both come from the same foreign clock.
type mark struct {
	epoch, foreign int64  // Unix milliseconds
	fresh          int64  // the epoch of the latest Revoke with DemandFreshLogin; 0: none
	number         int64  // the greatest that RevokeNumbered was given
	kept           string // id of the session that the latest Revoke leaves alone; "": none
}

const markSize = 32 // without kept

// foreignStamp is t in milliseconds, kept within 1970 to 9999: a foreign clock may say anything.
func foreignStamp(t time.Time) int64 {
	switch {
	case t.Year() < 1970:
		return 0
	case t.Year() > 9999:
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli()
	}
	return t.UnixMilli()
}

// Names of rows in the session vault. The vault hashes them.
func tagRow(key string) string        { return "tag " + key }
func endedRow(id string) string       { return "ended " + id }
func generationRow(id string) string  { return "generation " + id }
func sessionRow(id string) string     { return "session " + id }
func leaseRow(id string) string       { return "lease " + id }
func challengeRow(text string) string { return "challenge " + text }

// tagKey is what a session keeps of a tag: enough to find its mark, and less than an issuer and a
// subject take.
func tagKey(name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(sum[:packed.TagSize])
}

// numbered returns the greatest number that the marks of tags remember, 0 when they remember none.
// Error: ErrUnavailable.
func (m *Manager) numbered(ctx context.Context, tags []string) (greatest int64, err error) {
	if m.vault == nil {
		return 0, nil
	}
	keys := make([]string, len(tags))
	for i, tag := range tags {
		keys[i] = tagRow(tagKey(tag))
	}
	rows, err := m.vault.Get(ctx, keys...)
	for _, row := range rows {
		now, _ := readMark(row)
		greatest = max(greatest, now.number)
	}
	return greatest, err
}

// raise replaces the mark of the tag with this key by what up makes of it.
func (m *Manager) raise(ctx context.Context, key string, up func(mark) mark) error {
	if m.vault == nil {
		return ErrNoStore
	}
	ctx = context.WithoutCancel(ctx) // half a revocation helps nobody
	written := false
	err := m.vault.Update(ctx, tagRow(key), m.markLife(), func(row seal.Row) ([]byte, error) {
		old, unreadable := readMark(row)
		next := up(old)
		if written = unreadable || next != old; !written {
			return nil, nil
		}
		return next.bytes(), nil
	})
	if written {
		m.watch.wake()
	}
	if errors.Is(err, seal.ErrContended) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// bytes is the mark's row.
func (m mark) bytes() []byte {
	b := make([]byte, 0, markSize+len(m.kept))
	for _, n := range []int64{m.epoch, m.foreign, m.fresh, m.number} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return append(b, m.kept...)
}

// markLife is longer than any session lives that began before the mark.
func (m *Manager) markLife() time.Duration { return m.config.Lifetime + markSlack }

// readMark returns the mark in a row. One that can't be read, since its key was retired or somebody
// wrote to the Store, counts as a revocation of everything until now: it may have been one.
func readMark(row seal.Row) (m mark, unreadable bool) {
	switch {
	case len(row.Value) >= markSize:
		return mark{
			epoch:   int64(binary.BigEndian.Uint64(row.Value)),
			foreign: int64(binary.BigEndian.Uint64(row.Value[8:])),
			fresh:   int64(binary.BigEndian.Uint64(row.Value[16:])),
			number:  int64(binary.BigEndian.Uint64(row.Value[24:])),
			kept:    string(row.Value[markSize:]),
		}, false
	case row.Raw != nil:
		return mark{epoch: time.Now().UnixMilli() + 1, foreign: packed.NoStamp}, true
	}
	return mark{foreign: packed.NoStamp}, false
}

// endedByMark reports whether the mark in row ends the session with tag t and this id, and since
// when by our clock: an epoch is a time, a foreign stamp is none.
func endedByMark(row seal.Row, t packed.Tag, id string) (at time.Time, ended bool) {
	m, unreadable := readMark(row)
	switch {
	case unreadable:
		return time.Time{}, true
	case m.epoch > t.Epoch && m.kept != id:
		return time.UnixMilli(m.epoch), true
	}
	return time.Time{}, t.Foreign != packed.NoStamp && m.foreign >= t.Foreign
}

// epochs reads the marks of the tags that d is about to add to g: the epoch that each has to
// remember. A foreign mark at or after the stamp means that the session has ended before it began,
// and a demand for a fresh login that it may not begin: ErrNoSession.
func (m *Manager) epochs(ctx context.Context, g *packed.Generation, d *packed.Delta) (map[string]int64, error) {
	if m.vault == nil || len(d.Tags) == 0 {
		return nil, nil
	}
	keys := make([]string, len(d.Tags))
	for i, t := range d.Tags {
		keys[i] = tagRow(t.Key)
	}
	rows, err := m.vault.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	epochs := make(map[string]int64, len(d.Tags))
	for i, t := range d.Tags {
		now, err := m.markOf(ctx, t, rows[i])
		switch {
		case err != nil:
			return nil, err
		case t.Foreign != packed.NoStamp && now.foreign >= t.Foreign:
			return nil, fmt.Errorf("%w: revoked before it began", &endedError{marked: true})
		case m.demands(now) && d.Fresh[t.Key] <= now.fresh && g.Tag(t.Key) == nil:
			return nil, &FreshLoginError{Since: time.UnixMilli(now.fresh)}
		}
		epochs[t.Key] = now.epoch
	}
	return epochs, nil
}

// demands reports whether mark demands a fresh login. That is for as long as what it ended could
// have lived, while the mark itself stays for a clock that is set back.
func (m *Manager) demands(now mark) bool {
	return now.fresh != 0 && time.Since(time.UnixMilli(now.fresh)) < m.config.Lifetime+time.Minute
}

// markOf returns the mark of t in row. One that can't be read is rewritten: it has ended every
// session so far, and must not lock out those to come.
func (m *Manager) markOf(ctx context.Context, t packed.Tag, row seal.Row) (mark, error) {
	now, unreadable := readMark(row)
	if unreadable {
		m.log.Warn("unreadable revocation mark replaced", "error", row.Err)
		if ok, err := m.vault.Replace(ctx, tagRow(t.Key), row.Raw, now.bytes(), m.markLife()); err != nil || !ok {
			return mark{}, errors.Join(ErrUnavailable, err)
		}
	}
	return now, nil
}
