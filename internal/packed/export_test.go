package packed

import "bytes"

// What the tests of the packed form need: a form is hostile only to who reads it, and no public
// door makes one.

// Texts returns every token of g.
func Texts(g *Generation) map[string]string {
	texts := map[string]string{}
	for _, t := range g.tokens.all() {
		texts[t.name] = t.text
	}
	return texts
}

// PackStream packs a token whose claims are size bytes by its own account, with the stream and
// UUIDs given.
func PackStream(size int, claims []byte, uuids int) []byte {
	stream, err := deflate(claims)
	if err != nil {
		panic(err)
	}
	var table outlined
	for i := range uuids {
		table.uuids = append(table.uuids, outlinedValue{formUUID, bytes.Repeat([]byte{byte(i)}, uuidSize)})
	}
	form := append(table.append([]byte{1, 0, 1, partClaims}), appendUvarint(uint64(size))...)
	form = append(form, stream...)
	g := &Generation{ID: "AAAA", Number: 1, Created: 1, Deadline: 2}
	g.tokens.packed = &packedTokens{form: form}
	plain, err := g.Pack()
	if err != nil {
		panic(err)
	}
	return plain
}

func appendUvarint(v uint64) (b []byte) {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

const (
	MaxClaims = maxClaims
	PadTo     = padTo
)

// WithSection is g with the section of a kind, whatever it is, in place of its own.
func WithSection(g *Generation, kind uint64, data []byte) *Generation {
	next := g.copy()
	next.body = nil
	next.sections = applySections(g.sections, map[uint64][]byte{kind: data})
	return next
}
