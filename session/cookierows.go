package session

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// What the Store holds of a session in cookie mode: that it has ended, and its newest generation.

// endedIn looks for the end of g's session, of which newest is the newest generation, in what was
// read.
func (k *cookieKeeper) endedIn(ctx context.Context, g, newest *packed.Generation, names []string, raws [][]byte) error {
	if raws[0] != nil {
		k.recent.forget(g.ID)
		if raws[1] != nil {
			_, _ = k.vault.Delete(ctx, generationRow(g.ID), raws[1]) // what has ended it outlives it
		}
		end := endIn(k.vault.Open(names[0], raws[0]))
		return &endedError{at: end.at, to: end.to}
	}
	err := k.endedByMarks(g, names[2:], raws[2:])
	if err == nil && !sameTags(newest, g) {
		err = k.checkTags(ctx, newest)
	}
	if errors.Is(err, ErrNoSession) && newest != g {
		// An older cookie may not have the tag that the mark is of, and must not outlive what is
		// kept of the newest. Should this fail, that stays.
		_, _ = k.end(ctx, k.endingOf(newest))
	}
	return err
}

// endIn is the end in a session's ended row.
func endIn(row seal.Row) (end ended) {
	if len(row.Value) >= endedSize {
		end.at = time.UnixMilli(int64(binary.BigEndian.Uint64(row.Value)))
		end.to = string(row.Value[endedSize:])
	}
	return end
}

const endedSize = 8

// handOver stores what this process alone knows, because the Store was down when it was made, or
// has lost it since.
func (k *cookieKeeper) handOver(ctx context.Context, v version) (version, error) {
	plain, err := v.g.Pack()
	if err != nil {
		return version{}, err
	}
	ok, err := k.store(ctx, v, v.g, plain)
	if err != nil || !ok { // a Store that is read, and not written now; or somebody was faster, which the next one will see
		return k.judge(v, time.Now())
	}
	k.recent.forget(v.g.ID)
	return k.newest(ctx, v.g)
}

// stored returns the generation in a row, nil if there is none that makes sense. It is decoded
// once: the row is read by every request as long as it is there.
func (k *cookieKeeper) stored(name string, raw []byte, id string) *packed.Generation {
	if raw == nil {
		return nil
	}
	ring := k.ring.Generation()
	if d := k.cache.get(id, ring, rowIs(raw)); d != nil {
		return d.g
	}
	row := k.vault.Open(name, raw)
	if row.Value == nil {
		return nil
	}
	g, err := packed.Unpack(row.Value)
	if err != nil || g.ID != id {
		return nil
	}
	k.cache.putRow(g, raw, ring, sealed{})
	return g
}

// store replaces the row of the newest generation, if it is still the one that v was read from.
func (k *cookieKeeper) store(ctx context.Context, v version, next *packed.Generation, plain []byte) (ok bool, err error) {
	ring, name := k.ring.Generation(), k.rowNames(v.g, endedRow, generationRow)[1]
	row, life := k.vault.Seal(name, plain), k.successorLife(next)
	if v.raw == nil {
		ok, err = k.vault.AddSealed(ctx, name, row, life)
	} else {
		ok, err = k.vault.SwapSealed(ctx, name, v.raw, row, life)
	}
	if ok {
		k.cache.putRow(next, row, ring, sealed{})
	}
	return ok, err
}
