package session

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/seal"
)

// cookieKeeper keeps a session in its cookie. What the cookie can't say, that it is no longer the
// newest or that the session has ended, this process remembers until the browser knows, and the
// Store, if there is one, for all processes.
type cookieKeeper struct {
	*Manager
	sealer   *seal.Sealer
	contexts [chunkLimit + 1]string // what the seal binds: the cookie's name and the number of chunks
}

// newCookieKeeper prepares the contexts that bind a value to its cookie.
func newCookieKeeper(m *Manager) *cookieKeeper {
	k := &cookieKeeper{Manager: m, sealer: m.ring.Sealer("session")}
	for n := range k.contexts {
		k.contexts[n] = m.format.name + "/" + strconv.Itoa(n)
	}
	return k
}

// see finds the session in its cookies: decoded already, or now. No Store is asked.
func (k *cookieKeeper) see(j *jar) (sighting, error) {
	n, ok := j.count(k.format.chunks)
	if !ok {
		return sighting{}, ErrNoSession
	}
	ring := k.ring.Generation()
	d := k.cache.get(cacheKey(j.chunks[n-1]), ring, func(d *decoded) bool { return joins(d.from, j.chunks[:n]) })
	if d == nil {
		var err error
		if d, err = k.decode(j, n); err != nil {
			return sighting{}, err
		}
		d.ring = ring
		k.cache.put(d)
	}
	return sighting{g: d.g, sealed: d.sealed}, nil
}

// cacheKey is the end of the last chunk: a part of the MAC, as good as random, and faster to look
// up than the whole.
func cacheKey(chunk string) string { return chunk[max(0, len(chunk)-32):] }

// joins compares piece by piece, so that chunks need not be joined for it. Where they were cut does
// not matter: the seal knows only the whole, and its count in front. Timing tells nothing: whoever
// asks sent one side, and the other is what he would have to hold already.
func joins(whole string, chunks []string) bool {
	for _, chunk := range chunks {
		rest, ok := strings.CutPrefix(whole, chunk)
		if !ok {
			return false
		}
		whole = rest
	}
	return whole == ""
}

// decode opens the chunks as one value. The MAC comes first: nothing is parsed before it was
// verified.
func (k *cookieKeeper) decode(j *jar, n int) (*decoded, error) {
	text := j.text(n)
	plain, newest, err := k.sealer.Open(k.contexts[n], text[1:])
	if errors.Is(err, seal.ErrUnknownKey) {
		return nil, errLeaveAlone
	}
	if err != nil {
		return nil, ErrNoSession
	}
	g, err := packed.Unpack(plain)
	if errors.Is(err, packed.ErrNewer) {
		return nil, errLeaveAlone
	}
	if err != nil {
		return nil, ErrNoSession
	}
	if k.cache.remembers() && n == 1 {
		text = strings.Clone(text) // a part of a header line, which must not stay in memory for its sake
	}
	d := newDecoded(g, cacheKey(text), text)
	d.sealed = sealed{older: !newest, keyID: seal.KeyID(text[1:])}
	return d, nil
}

// newest reads, with a Store, the mark of the session's id, its newest generation and the marks of
// its tags in one round trip.
func (k *cookieKeeper) newest(ctx context.Context, g *packed.Generation) (version, error) {
	now := time.Now()
	remembered, err := k.recent.newest(g.ID, now)
	if err != nil {
		return version{}, err
	}
	if k.vault == nil || g.Number == 0 {
		return k.judge(versionOf(g, remembered), now)
	}
	names := k.rowNames(g, endedRow, generationRow)
	raws, err := k.vault.Fetch(ctx, names...)
	if err != nil {
		return version{}, err
	}
	stored := k.stored(names[1], raws[1], g.ID)
	v := versionOf(g, newer(stored, remembered))
	v.raw = raws[1]
	if err := k.endedIn(ctx, g, v.g, names, raws); err != nil {
		return version{}, err
	}
	if v.g == remembered && v.g != stored {
		return k.handOver(ctx, v)
	}
	return k.judge(v, time.Now())
}

// versionOf is the newest version of a session: g, or the other known one.
func versionOf(g, beside *packed.Generation) version {
	return version{g: newer(g, beside), idle: g.Idle, known: beside != nil && beside.Number >= g.Number}
}

// endings asks for the marks of all sessions. What this process knows by itself needs no asking:
// end has told watch. Where others know more, the idle limit ends no stream: it moves in cookies
// that this process may never see.
func (k *cookieKeeper) endings(ctx context.Context, all []version) ([]bool, error) {
	ended := make([]bool, len(all))
	for i, v := range all {
		if k.vault != nil {
			v = version{g: v.g.IdleAt(0)}
		}
		_, err := k.judge(v, time.Now())
		ended[i] = err != nil
	}
	if k.vault == nil {
		return ended, nil
	}
	names, raws, err := k.rowsOf(ctx, all, func(g *packed.Generation) []string {
		return slices.Delete(slices.Clone(k.rowNames(g, endedRow, generationRow)), 1, 2)
	})
	for i, rows := range raws {
		ended[i] = ended[i] || rows[0] != nil && !endIn(k.vault.Open(names[i][0], rows[0])).leads(time.Now()) || k.endedByMarks(all[i].g, names[i][1:], rows[1:]) != nil
	}
	return ended, err
}

// newer prefers a on a tie. Either may be nil.
func newer(a, b *packed.Generation) *packed.Generation {
	if a == nil || b != nil && b.Number > a.Number {
		return b
	}
	return a
}

// publish tells the Store first, since its compare-and-swap decides between processes. The first
// generation needs no telling: there is none before it.
func (k *cookieKeeper) publish(ctx context.Context, v version, next *packed.Generation) (bool, error) {
	if v.g.Number == 0 {
		return true, nil
	}
	if k.vault == nil {
		return k.recent.swap(v.g, next, k.successorLife(next)), nil
	}
	plain, err := next.Pack()
	if err != nil {
		return false, err
	}
	ok, err := k.store(ctx, v, next, plain)
	if err != nil || !ok {
		return false, err
	}
	return k.recent.swap(v.g, next, memoryOfGeneration), nil // the Store has it
}

// touch does nothing: the new limit goes into the cookie.
func (k *cookieKeeper) touch(context.Context, version, int64) error { return nil }

// end marks the session's id. The newest generation goes: nobody will be given it any more.
func (k *cookieKeeper) end(ctx context.Context, e ending) (first bool, err error) {
	if k.vault == nil {
		return true, nil
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMilli()))
	first, err = k.vault.Add(ctx, endedRow(e.id), at, e.life)
	if err == nil && !first && k.devices.mode != DeviceOff {
		return k.endMoved(ctx, e, at)
	}
	if err == nil {
		// Should this fail, whoever comes next with a cookie of the session does it.
		_, _ = k.vault.Delete(ctx, generationRow(e.id), nil)
	}
	return first, err
}

// fits tries what cookie will do.
func (k *cookieKeeper) fits(plain []byte) error {
	_, err := k.format.count(seal.SealedLen(len(plain)))
	return err
}

// cookie seals g for its cookies, with an idle limit that is not due. That is done once: requests
// that come in parallel, and clients that keep their old cookie, are all handed the same text, as
// long as its limit is not due either.
func (k *cookieKeeper) cookie(g *packed.Generation, _ string) ([]byte, time.Duration, error) {
	now, ring := time.Now(), k.ring.Generation()
	c := g.Sealed.Load()
	if c == nil || c.Ring != ring || k.touchDue(c.Idle, now) {
		var err error
		if c, err = k.sealedAt(g, now); err != nil {
			return nil, 0, err
		}
		c.Ring = ring
		g.Sealed.Store(c)
	}
	return c.Text, time.UnixMilli(c.Ends).Sub(now), nil
}

// sealedAt seals g as it is used now. The number of chunks, which the seal binds, follows from the
// length alone and so is known before.
func (k *cookieKeeper) sealedAt(g *packed.Generation, now time.Time) (*packed.Sealed, error) {
	if k.touchDue(g.Idle, now) {
		g = g.IdleAt(k.idleFrom(now))
	}
	plain, err := g.Pack()
	if err != nil {
		return nil, err
	}
	size := seal.SealedLen(len(plain))
	n, err := k.format.count(size)
	if err != nil {
		return nil, err
	}
	text := append(make([]byte, 0, 1+size), byte(countBase+n))
	text, err = k.sealer.AppendSeal(text, k.contexts[n], plain)
	return &packed.Sealed{Text: text, Idle: g.Idle, Ends: g.Ends()}, err
}
