package packed

import (
	"bytes"
	"encoding/base64"
)

// form is a form taken apart; it refers to the form's bytes.
type form struct {
	list   []packedToken
	values outlined
	stream []byte
	claims int // inflated length
}

// packedToken is a token as parts between dots.
type packedToken struct {
	name  string
	parts []part
}

// part is one of them.
type part struct {
	kind int
	data []byte // nil for claims
}

// form takes a form apart; false when it is malformed.
func (r *reader) form() (f form, ok bool) {
	n := r.count()
	f.list = make([]packedToken, 0, n)
	for range n {
		f.list = append(f.list, packedToken{r.name(), r.parts()})
	}
	f.values = r.outlined()
	f.claims = int(min(r.uvarint(), maxClaims+1))
	f.stream = r.rest()
	return f, !r.bad && f.claims <= maxClaims
}

// parts reads the parts of a token, the bytes of those that are not in the stream.
func (r *reader) parts() []part {
	n := r.count()
	if n == signedJWT {
		return []part{{kind: partClaims}, {kind: partClaims}, {partRaw, r.bytes()}}
	}
	if n > maxParts {
		r.bad = true
		return nil
	}
	parts := make([]part, 0, n)
	for range n {
		head := r.uvarint()
		p := part{kind: int(head & 3)}
		r.bad = r.bad || p.kind == partKinds || p.kind == partClaims && head != partClaims
		if p.kind != partClaims {
			p.data = r.take(head >> 2)
		}
		parts = append(parts, p)
	}
	return parts
}

// unpackTokens rebuilds the texts. A form that contradicts itself, or grows beyond what was ever
// packed, which only a holder of the keys can make, yields no tokens.
func unpackTokens(packed []byte) []tokenText {
	r := &reader{b: packed}
	f, ok := r.form()
	if !ok {
		return nil
	}
	claims, err := inflate(f.stream, f.claims)
	if err != nil {
		return nil
	}
	texts := make([]tokenText, 0, len(f.list))
	filler := filler{values: &f.values, claims: claims, room: maxClaims}
	for _, token := range f.list {
		text := make([]byte, 0, 1024)
		for i, part := range token.parts {
			if i > 0 {
				text = append(text, '.')
			}
			data := part.data
			if part.kind == partClaims {
				if data = filler.next(); data == nil {
					return nil
				}
			}
			text = part.append(text, data)
		}
		texts = append(texts, tokenText{token.name, string(text)})
	}
	if len(filler.claims) > 0 {
		return nil
	}
	return texts
}

// filler gives the claims of a stream, one after the other.
type filler struct {
	values *outlined
	claims []byte // outlines that are left
	room   int    // for what they are long in full
	filled []byte // the last one
}

// next returns the next claims, which are good until it is called again; nil when there are none.
func (f *filler) next() []byte {
	end := bytes.IndexByte(f.claims, endOfClaims)
	if end < 0 {
		return nil
	}
	outline := f.claims[:end]
	f.filled = f.values.fill(f.filled[:0], outline, f.room)
	f.claims, f.room = f.claims[end+1:], f.room-len(f.filled)
	return f.filled
}

// append writes the text of a part.
func (p part) append(text, data []byte) []byte {
	if p.kind == partText {
		return append(text, data...)
	}
	return base64.RawURLEncoding.AppendEncode(text, data)
}

// claimsOf returns the payload of a token, before whose own claims others stand in the stream.
func (f *form) claimsOf(parts []part, before int) ([]byte, bool) {
	if len(parts) != 3 || parts[1].kind == partText {
		return nil, false
	}
	if raw := parts[1].data; parts[1].kind == partRaw {
		return bytes.Clone(raw), isObject(raw)
	}
	if parts[0].kind == partClaims {
		before++
	}
	stream, err := inflate(f.stream, f.claims)
	for range before {
		_, stream, _ = bytes.Cut(stream, []byte{endOfClaims})
	}
	outline, _, ok := bytes.Cut(stream, []byte{endOfClaims})
	if err != nil || !ok {
		return nil, false
	}
	claims := f.values.fill(make([]byte, 0, 2*len(outline)), outline, maxClaims)
	return claims, claims != nil
}
