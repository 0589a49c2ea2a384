package session

import "bytes"

// What the tests of the packed form need: a form is hostile only to who reads it, and no public door takes one unsealed.

// Unpack reports whether plain is a session, and what it holds.
func Unpack(plain []byte) (tokens map[string]string, err error) {
	g, err := unpack(plain)
	if err != nil {
		return nil, err
	}
	tokens = map[string]string{}
	for _, t := range g.tokens.all() {
		tokens[t.name] = t.text
	}
	return tokens, nil
}

// Repack reads plain and writes what it read.
func Repack(plain []byte) ([]byte, error) {
	g, err := unpack(plain)
	if err != nil {
		return nil, err
	}
	return g.pack()
}

// Pack packs tokens and values into a session.
func Pack(tokens map[string]string, values map[string][]byte) ([]byte, error) {
	g := &generation{id: "AAAA", number: 1, created: 1, deadline: 2}
	return g.apply(&delta{values: values, tokens: tokens}, nil).pack()
}

// PackStream packs a token whose claims are size bytes by its own account, with the stream and UUIDs given.
func PackStream(size int, claims []byte, uuids int) []byte {
	stream, err := deflate(claims)
	if err != nil {
		panic(err)
	}
	var table outlined
	for i := range uuids {
		table.uuids = append(table.uuids, outlinedValue{formUUID, bytes.Repeat([]byte{byte(i)}, uuidSize)})
	}
	form := append([]byte{1, 0, 1}, appendUvarint(uint64(size)<<2|partClaims)...)
	form = appendBytes(table.append(form), stream)
	g := &generation{id: "AAAA", number: 1, created: 1, deadline: 2}
	g.tokens.packed = &packedTokens{form: form}
	plain, err := g.pack()
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
