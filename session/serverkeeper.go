package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// serverKeeper keeps a session in a row of the Store, named by a hash of the 256 random bits in the
// cookie. The row is created once and from then on only updated, so what is gone stays gone.
type serverKeeper struct{ *Manager }

const secretSize = 32

// newSecret returns what a cookie holds in server mode.
func newSecret() string { return randomText(secretSize) }

// secretID is the session's ID: it names the row and may be logged, and leads to no cookie.
func secretID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// see takes the cookie for an id; only the Store knows whether it is one.
func (k *serverKeeper) see(j *jar) (sighting, error) {
	secret := j.chunks[0]
	b, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if j.broken || err != nil || len(b) != secretSize {
		return sighting{}, ErrNoSession
	}
	return sighting{g: &packed.Generation{ID: secretID(secret)}, secret: secret}, nil
}

// newest reads the row and, in the same round trip, the marks of the tags that this process
// remembers of it. What it remembers saves unsealing a row that has not changed.
func (k *serverKeeper) newest(ctx context.Context, g *packed.Generation) (version, error) {
	if g.Number == 0 && g.Created != 0 { // begun in this request
		return k.judge(version{g: g}, time.Now())
	}
	ring := k.ring.Generation()
	known := g
	if d := k.cache.get(g.ID, ring, func(*decoded) bool { return true }); d != nil {
		known = d.g
	}
	names := k.rowNames(known, sessionRow)
	raws, err := k.vault.Fetch(ctx, names...)
	if err != nil {
		return version{}, err
	}
	if raws[0] == nil {
		return version{}, k.missing(g.ID)
	}
	d, err := k.decode(ctx, g.ID, names[0], raws[0], ring)
	if err != nil {
		return version{}, err
	}
	if err := movedTo(d.g); err != nil {
		return version{}, err
	}
	v := version{g: d.g, raw: raws[0], sealed: d.sealed}
	if err := k.endedByMarks(known, names[1:], raws[1:]); err != nil {
		_, _ = k.vault.Delete(ctx, sessionRow(g.ID), raws[0]) // the marks outlive it
		return version{}, err
	}
	if !sameTags(v.g, known) {
		if err := k.checkTags(ctx, v.g); err != nil {
			return version{}, err
		}
	}
	return k.handOver(ctx, v)
}

// missing is what there is to say of a session without a row: when it has ended, if it was in this
// process.
func (k *serverKeeper) missing(id string) error {
	if _, err := k.recent.newest(id, time.Now()); err != nil {
		return err
	}
	return &endedError{}
}

// decode opens a row. One that can't be read is deleted, since nobody will ever read it, but for
// one that a key of another replica may open.
func (k *serverKeeper) decode(ctx context.Context, id, name string, raw []byte, ring uint64) (*decoded, error) {
	d := k.cache.get(id, ring, rowIs(raw))
	if d != nil {
		return d, nil
	}
	row := k.vault.Open(name, raw)
	if row.Err != nil && errors.Is(row.Err, seal.ErrUnknownKey) && !errors.Is(row.Err, seal.ErrNewerFormat) {
		return nil, errLeaveAlone
	}
	g, err := packed.Unpack(row.Value)
	if err = errors.Join(row.Err, err); err != nil || g.ID != id {
		k.log.Warn("unreadable session deleted from store", "session", id, "error", err)
		if _, err := k.vault.Delete(ctx, sessionRow(id), raw); err != nil {
			return nil, err
		}
		return nil, ErrNoSession
	}
	return k.cache.putRow(g, raw, ring, sealed{older: !row.Newest, keyID: rowKeyID(raw)}), nil
}

// handOver prefers a generation that this process could not store when it was made, because the
// Store was down, and stores it now.
func (k *serverKeeper) handOver(ctx context.Context, v version) (version, error) {
	now := time.Now()
	remembered, err := k.recent.newest(v.g.ID, now)
	if err != nil {
		return version{}, err
	}
	if remembered == nil || remembered.Number <= v.g.Number {
		return k.judge(v, now)
	}
	switch ok, err := k.publish(ctx, v, remembered); {
	case err != nil: // a Store that is read, and not written now
		return k.judge(version{g: remembered, raw: v.raw, sealed: v.sealed}, now)
	case !ok:
		return version{}, ErrUnavailable
	}
	k.recent.forget(v.g.ID)
	return k.newest(ctx, &packed.Generation{ID: v.g.ID})
}

// publish writes the row: adds it for a session that has just begun, else replaces it while it is
// the one that v was read from.
func (k *serverKeeper) publish(ctx context.Context, v version, next *packed.Generation) (ok bool, err error) {
	plain, err := next.Pack()
	if err != nil {
		return false, err
	}
	life := time.Until(time.UnixMilli(next.Ends()))
	if life <= 0 {
		return false, ErrNoSession
	}
	ring, name := k.ring.Generation(), k.rowNames(next, sessionRow)[0]
	row := k.vault.Seal(name, plain)
	if v.g.Number > 0 {
		ok, err = k.vault.SwapSealed(ctx, name, v.raw, row, life)
	} else if ok, err = k.vault.AddSealed(ctx, name, row, life); err == nil && !ok {
		err = fmt.Errorf("%w: a new session's row already exists", ErrUnavailable)
	}
	if ok {
		k.cache.putRow(next, row, ring, sealed{keyID: rowKeyID(row)})
	}
	return ok, err
}

// rowKeyID is the id of the key that has sealed a row.
func rowKeyID(row []byte) string { return seal.KeyID(string(row[:min(len(row), 16)])) }

// touch leaves a row alone that somebody else has just changed: that moved the limit too.
func (k *serverKeeper) touch(ctx context.Context, v version, idle int64) error {
	_, err := k.publish(ctx, v, v.g.IdleAt(idle))
	return err
}

// end deletes the row. No mark is needed: without its row a session is over.
func (k *serverKeeper) end(ctx context.Context, e ending) (first bool, err error) {
	if err := k.endMoved(ctx, e); err != nil {
		return false, err
	}
	return k.vault.Delete(ctx, sessionRow(e.id), nil)
}

// endings asks for the rows, whose time is the nearer limit.
func (k *serverKeeper) endings(ctx context.Context, all []version) ([]bool, error) {
	ended := make([]bool, len(all))
	names, raws, err := k.rowsOf(ctx, all, func(g *packed.Generation) []string { return k.rowNames(g, sessionRow) })
	for i, v := range all {
		born := v.g.Number > 0 // a session to come has no row yet
		ended[i] = time.Now().UnixMilli() >= v.g.Deadline ||
			i < len(raws) && (born && raws[i][0] == nil || k.endedByMarks(v.g, names[i][1:], raws[i][1:]) != nil)
	}
	return ended, err
}

// fits bounds a row.
func (k *serverKeeper) fits(plain []byte) error {
	if len(plain) > packed.MaxSize {
		return fmt.Errorf("%w: %d bytes packed, at most %d are kept", ErrTooLarge, len(plain), packed.MaxSize)
	}
	return nil
}

// cookie holds the secret until the absolute limit: the idle limit moves in the Store.
func (k *serverKeeper) cookie(g *packed.Generation, secret string) ([]byte, time.Duration, error) {
	return []byte(secret), time.Until(time.UnixMilli(g.Deadline)), nil
}
