package session

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The packed form of a generation, before it is sealed. All numbers are
// varints, times are milliseconds.
//
//	version      1 byte
//	id           length, bytes
//	number       generation
//	created      since 1970; then deadline and idle as distances from it (idle: 0 none)
//	tags         count, each: key (16 bytes), epoch, 0 or 1 and the foreign stamp as its distance from created
//	values       count, each: name, length, bytes
//	tokens       see tokens.go
//	padding      zeros up to a multiple of 64 bytes, so that the length says little of the content
//
// Releases read the versions that they know. A value of a later version is no
// session and is left alone.
const packVersion = 1

const (
	padTo     = 64
	maxPacked = 256 << 10 // of a row in a Store; cookies are bounded by their chunks
	maxCount  = 256       // tags, values, tokens
)

var (
	errPacked      = errors.New("session: packed session is malformed")
	errPackedNewer = errors.New("session: packed session is of a newer version")
	errTooMany     = fmt.Errorf("more than %d names", maxCount)
)

// pack writes g. Error: errTooMany.
func (g *generation) pack() ([]byte, error) {
	if max(len(g.tags), len(g.values), len(g.tokens.texts)) > maxCount {
		return nil, errTooMany
	}
	id, err := base64.RawURLEncoding.DecodeString(g.id)
	if err != nil {
		return nil, errPacked
	}
	b := make([]byte, 0, 1024)
	b = append(b, packVersion)
	b = appendBytes(b, id)
	b = binary.AppendUvarint(b, g.number)
	b = binary.AppendVarint(b, g.created)
	b = binary.AppendVarint(b, g.deadline-g.created)
	if g.idle == 0 {
		b = append(b, 0)
	} else {
		b = binary.AppendVarint(b, g.idle-g.created)
	}
	b = binary.AppendUvarint(b, uint64(len(g.tags)))
	for _, t := range g.tags {
		b = t.append(b, g.created)
	}
	b = binary.AppendUvarint(b, uint64(len(g.values)))
	for _, v := range g.values {
		b = appendBytes(appendName(b, v.name), v.data)
	}
	b, err = g.tokens.append(b)
	if err != nil {
		return nil, err
	}
	return append(b, make([]byte, -len(b)&(padTo-1))...), nil
}

// append writes a tag. The foreign stamp is near created as a rule, and then
// takes few bytes.
func (t tag) append(b []byte, created int64) []byte {
	b = binary.AppendVarint(append(b, t.key...), t.epoch)
	if t.foreign == noStamp {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), t.foreign-created)
}

// appendBytes writes a length and data.
func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// wellKnown names take one byte. The list is part of the format: append only.
var wellKnown = [...]string{"id", "access", "refresh", "oidc", "oidc.info", "id_token", "access_token", "refresh_token"}

// appendName writes a number below len(wellKnown), or len(wellKnown) plus the
// length, and the name.
func appendName(b []byte, name string) []byte {
	for i, known := range wellKnown {
		if name == known {
			return append(b, byte(i))
		}
	}
	return append(binary.AppendUvarint(b, uint64(nameBase+len(name))), name...)
}

const nameBase = 16 // room for more well-known names

// unpack reads what pack wrote. What it returns refers to plain, which must not
// change. Everything is bounded by plain's length before memory is taken;
// tokens are not inflated.
func unpack(plain []byte) (*generation, error) {
	if len(plain) == 0 || len(plain) > maxPacked {
		return nil, errPacked
	}
	if plain[0] > packVersion {
		return nil, errPackedNewer
	}
	r := &reader{b: plain[1:], bad: plain[0] != packVersion}
	var room [64]byte // spares an allocation
	id := base64.RawURLEncoding.AppendEncode(room[:0], r.bytes())
	g := &generation{id: string(id), number: r.uvarint(), created: r.varint()}
	g.deadline = r.after(g.created)
	g.idle = r.after(g.created)
	if g.idle == g.created {
		g.idle = 0
	}
	for range r.count() {
		g.tags = append(g.tags, r.tag(g.created))
	}
	if n := r.count(); n > 0 {
		g.values = make([]value, 0, n)
		for range n {
			g.values = append(g.values, value{r.name(), r.bytes()})
		}
	}
	g.tokens = r.tokens()
	if !r.padding() || g.number == 0 || g.id == "" {
		return nil, errPacked
	}
	return g, nil
}

// reader takes a packed form apart. After the first mistake, bad stays set and
// everything read is zero.
type reader struct {
	b   []byte
	bad bool
}

// uvarint reads a length or a count.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * r.skip(n)
}

// varint reads a time or a distance.
func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return v * int64(r.skip(n))
}

// skip moves past n bytes that a number took; n <= 0 is binary's way to say
// that there is none.
func (r *reader) skip(n int) uint64 {
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return 1
}

// after reads a time as its distance from start.
func (r *reader) after(start int64) int64 {
	d := r.varint()
	if d > 0 && start > math.MaxInt64-d || d < 0 && start < math.MinInt64-d {
		r.bad = true
		return 0
	}
	return start + d
}

// take returns the next n bytes.
func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	data := r.b[:n:n]
	r.b = r.b[n:]
	return data
}

// bytes reads what appendBytes wrote, without copying.
func (r *reader) bytes() []byte { return r.take(r.uvarint()) }

// count reads how many elements follow; maxCount bounds what is made room for.
func (r *reader) count() int {
	n := r.uvarint()
	if n > maxCount {
		r.bad = true
		return 0
	}
	return int(n)
}

// name reads what appendName wrote.
func (r *reader) name() string {
	n := r.uvarint()
	switch {
	case n < uint64(len(wellKnown)):
		return wellKnown[n]
	case n < nameBase:
		r.bad = true
		return ""
	}
	return string(r.take(n - nameBase))
}

// tagSize is the size of a tag's key.
const tagSize = 16

// tag reads a tag of a session that began at created.
func (r *reader) tag(created int64) tag {
	t := tag{key: string(r.take(tagSize)), epoch: r.varint(), foreign: noStamp}
	switch flag := r.take(1); {
	case r.bad || flag[0] > 1:
		r.bad = true
	case flag[0] == 1:
		t.foreign = r.after(created)
	}
	return t
}

// padding reports whether nothing but less than a block of zeros is left.
func (r *reader) padding() bool {
	if r.bad || len(r.b) >= padTo {
		return false
	}
	for _, b := range r.b {
		if b != 0 {
			return false
		}
	}
	return true
}
