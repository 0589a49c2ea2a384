package packed

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// The packed form of a generation, before it is sealed. All numbers are varints, times are
// milliseconds.
//
//	version      1 byte
//	id           length, bytes
//	number       generation
//	created      since 1970; then deadline and idle as distances from it (idle: 0 none)
//	sections     each: kind, length, bytes; kinds ascend, see sections.go; then 0
//	padding      zeros up to a multiple of 16 bytes, so that the length says little of the content
//
// Releases read the versions that they know. A value of a later version is no session and is left
// alone.
const version = 1

const (
	padTo    = 16
	maxCount = 256 // tags, values, tokens, sections
)

// MaxSize is the size of the largest packed form that is read.
const MaxSize = 256 << 10

var (
	// ErrNewer means that a later release has packed the session.
	ErrNewer = errors.New("packed: session of a newer version")

	// ErrTooMany means that there are more tags, values or tokens than are kept.
	ErrTooMany = fmt.Errorf("more than %d names", maxCount)

	errMalformed = errors.New("packed: no session")
)

// Pack writes g. The result must not be changed: it may be what g was unpacked from. Error:
// ErrTooMany.
func (g *Generation) Pack() ([]byte, error) {
	if g.plain != nil {
		return g.plain, nil
	}
	if max(len(g.Tags), len(g.Values), len(g.tokens.texts), len(g.sections)) > maxCount {
		return nil, ErrTooMany
	}
	id, err := base64.RawURLEncoding.DecodeString(g.ID)
	if err != nil {
		return nil, errMalformed
	}
	form, err := g.tokens.pack()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(id)+headRoom+max(len(g.body), g.roomForSections(form))+padTo)
	b = append(b, version)
	b = appendBytes(b, id)
	b = binary.AppendUvarint(b, g.Number)
	b = binary.AppendVarint(b, g.Created)
	b = binary.AppendVarint(b, g.Deadline-g.Created)
	if g.Idle == 0 {
		b = append(b, 0)
	} else {
		b = binary.AppendVarint(b, g.Idle-g.Created)
	}
	if g.body != nil {
		b = append(b, g.body...)
	} else {
		b = g.appendSections(b, form)
	}
	return append(b, make([]byte, -len(b)&(padTo-1))...), nil
}

const (
	tagStamped = 1 << iota
	tagListed
)

const headRoom = 1 + 5*binary.MaxVarintLen64 // bytes that the head takes at most, in addition to the id

// append writes a tag. The foreign stamp is near created as a rule, and then takes few bytes.
func (t Tag) append(b []byte, created int64) []byte {
	b = binary.AppendVarint(append(b, t.Key...), t.Epoch)
	var flags byte
	if t.Listed {
		flags |= tagListed
	}
	if t.Foreign == NoStamp {
		return append(b, flags)
	}
	return binary.AppendVarint(append(b, flags|tagStamped), t.Foreign-created)
}

// appendBytes writes a length and data.
func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// wellKnown names take one byte. The list is part of the format: append only.
var wellKnown = [...]string{"id", "access", "refresh", "oidc", "oidc.info", "id_token", "access_token", "refresh_token"}

// uvarintSize is what binary.AppendUvarint writes.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// nameSize is what appendName writes.
func nameSize(name string) int {
	if slices.Contains(wellKnown[:], name) {
		return 1
	}
	return uvarintSize(uint64(nameBase+len(name))) + len(name)
}

// appendName writes a number below len(wellKnown), or len(wellKnown) plus the length, and the name.
func appendName(b []byte, name string) []byte {
	for i, known := range wellKnown {
		if name == known {
			return append(b, byte(i))
		}
	}
	return append(binary.AppendUvarint(b, uint64(nameBase+len(name))), name...)
}

const nameBase = 16 // room for more well-known names

// Unpack reads what Pack wrote. What it returns refers to plain, which must not change. Everything
// is bounded by plain's length before memory is taken; tokens are not inflated. Error: ErrNewer;
// any other for what is no session.
func Unpack(plain []byte) (*Generation, error) {
	if len(plain) == 0 || len(plain) > MaxSize {
		return nil, errMalformed
	}
	if plain[0] > version {
		return nil, ErrNewer
	}
	r := &reader{b: plain[1:], bad: plain[0] != version}
	var room [64]byte // spares an allocation
	id := base64.RawURLEncoding.AppendEncode(room[:0], r.bytes())
	g := &Generation{ID: string(id), Number: r.uvarint(), Created: r.varint(), plain: plain}
	g.Deadline = r.after(g.Created)
	g.Idle = r.after(g.Created)
	if g.Idle == g.Created {
		g.Idle = 0
	}
	g.body = r.b
	r.sections(g)
	g.body = g.body[: len(g.body)-len(r.b) : len(g.body)-len(r.b)]
	if !r.padding() || g.Number == 0 || g.ID == "" {
		return nil, errMalformed
	}
	return g, nil
}
