package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/signet-go/signet/internal/seal"
)

// A mark is the Store's row about a tag. It never moves backwards, and outlives
// every session that it can end.
//
// No two clocks are compared. Revoke raises the epoch; a session remembers the
// epoch that it found when it was tagged, so a later one ends it, whatever the
// clocks of the processes say. (An epoch is a time only so that it still rises
// after the row's time was over.) RevokeAt raises foreign, which is compared
// with the stamp of TagAt: both come from the same foreign clock.
type mark struct {
	epoch, foreign int64 // Unix milliseconds
}

const markSize = 16

// foreignStamp is t in milliseconds, kept within 1970 to 9999: a foreign clock
// may say anything.
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
func tagRow(key string) string       { return "tag " + key }
func endedRow(id string) string      { return "ended " + id }
func generationRow(id string) string { return "generation " + id }
func sessionRow(id string) string    { return "session " + id }
func leaseRow(id string) string      { return "lease " + id }

// tagKey is what a session keeps of a tag: enough to find its mark, and less
// than an issuer and a subject take.
func tagKey(name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(sum[:tagSize])
}

const tagSize = 16

// Revoke ends all sessions with this [Session.Tag] that began before now, in
// O(1). It needs a Store. Sessions that begin later are not affected, also those
// that begin in the same millisecond. Requests that have looked at their session
// go on with it, but their responses carry no cookie of it; streams that wait
// for [Done] end. Errors: [ErrNoStore]; [ErrUnavailable], when nobody knows
// whether it was done: then call again.
func (m *Manager) Revoke(ctx context.Context, tag string) error {
	return m.raise(ctx, tag, func(old mark) mark {
		return mark{epoch: max(time.Now().UnixMilli(), old.epoch+1), foreign: old.foreign}
	})
}

// RevokeAt is [Manager.Revoke] for tags stamped by a foreign clock with
// [Session.TagAt]: it ends
// sessions whose stamp is at or before at (a tie ends), also such as are saved
// later. A mark never moves backwards. Errors: as of Revoke.
func (m *Manager) RevokeAt(ctx context.Context, tag string, at time.Time) error {
	return m.raise(ctx, tag, func(old mark) mark {
		return mark{epoch: old.epoch, foreign: max(old.foreign, foreignStamp(at))}
	})
}

// raise replaces the mark of tag by what up makes of it.
func (m *Manager) raise(ctx context.Context, tag string, up func(mark) mark) error {
	if m.vault == nil {
		return ErrNoStore
	}
	ctx = context.WithoutCancel(ctx) // half a revocation helps nobody
	key := tagKey(tag)
	for range maxTries {
		rows, err := m.vault.Get(ctx, tagRow(key))
		if err != nil {
			return err
		}
		old, unreadable := readMark(rows[0])
		next := up(old)
		if !unreadable && next == old {
			return nil
		}
		if ok, err := m.writeMark(ctx, key, rows[0].Raw, next); ok || err != nil {
			m.watch.wake()
			return err
		}
	}
	return fmt.Errorf("%w: mark kept changing", ErrUnavailable)
}

// writeMark replaces the mark that was read as raw, or adds one where there was
// none; false when somebody else was faster.
func (m *Manager) writeMark(ctx context.Context, key string, raw []byte, next mark) (bool, error) {
	b := binary.BigEndian.AppendUint64(nil, uint64(next.epoch))
	b = binary.BigEndian.AppendUint64(b, uint64(next.foreign))
	if raw == nil {
		return m.vault.Add(ctx, tagRow(key), b, m.markLife())
	}
	return m.vault.Swap(ctx, tagRow(key), raw, b, m.markLife())
}

// markLife is longer than any session lives that began before the mark.
func (m *Manager) markLife() time.Duration { return m.config.Lifetime + markSlack }

// readMark returns the mark in a row. One that can't be read, since its key was
// retired or somebody wrote to the Store, counts as a revocation of everything
// until now: it may have been one.
func readMark(row seal.Row) (m mark, unreadable bool) {
	switch {
	case len(row.Value) == markSize:
		return mark{
			epoch:   int64(binary.BigEndian.Uint64(row.Value)),
			foreign: int64(binary.BigEndian.Uint64(row.Value[8:])),
		}, false
	case row.Raw != nil:
		return mark{epoch: time.Now().UnixMilli() + 1, foreign: noStamp}, true
	}
	return mark{foreign: noStamp}, false
}

// endedBy reports whether the mark in row ends a session with tag t.
func (t tag) endedBy(row seal.Row) bool {
	m, unreadable := readMark(row)
	return unreadable || m.epoch > t.epoch || t.foreign != noStamp && m.foreign >= t.foreign
}

// epochs reads the marks of tags that are about to be added: the epoch that
// each has to remember. A foreign mark at or after the stamp means that the
// session has ended before it began: ErrNoSession.
func (m *Manager) epochs(ctx context.Context, tags []tag) (map[string]int64, error) {
	if m.vault == nil || len(tags) == 0 {
		return nil, nil
	}
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = tagRow(t.key)
	}
	rows, err := m.vault.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	epochs := make(map[string]int64, len(tags))
	for i, t := range tags {
		epochs[t.key], err = m.epoch(ctx, t, rows[i])
		if err != nil {
			return nil, err
		}
	}
	return epochs, nil
}

// epoch is the one that t has to remember given its mark. A mark that can't be
// read is written anew: it has ended every session so far, and must not lock
// out those to come.
func (m *Manager) epoch(ctx context.Context, t tag, row seal.Row) (int64, error) {
	now, unreadable := readMark(row)
	if unreadable {
		m.log.Warn("unreadable revocation mark replaced", "error", row.Err)
		if ok, err := m.writeMark(ctx, t.key, row.Raw, now); err != nil || !ok {
			return 0, errors.Join(ErrUnavailable, err)
		}
	}
	if t.foreign != noStamp && now.foreign >= t.foreign {
		return 0, fmt.Errorf("%w: revoked before it began", ErrNoSession)
	}
	return now.epoch, nil
}
