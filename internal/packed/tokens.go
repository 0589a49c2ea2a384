package packed

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Tokens are packed by their shape. A token is cut at its dots, and each part is kept in the
// smallest form from which its text comes back character by character, which is tried when it is
// packed; a part that fails is kept as text:
//
//	claims   the JSON object behind the header or payload of a signed JWT: its outline (outline.go), in one stream that all
//	         tokens of the session share, deflated with a preset dictionary
//	raw      the bytes behind any other base64 part: signatures, opaque tokens, encrypted tokens
//	text     anything else
//
// Nothing else goes into the stream: no secret, and nothing that an application or a visitor
// chooses, so that the length of what is sealed does not tell one from the other. The form:
//
//	count, each token: name, number of parts, each part: length<<2 | kind, then bytes unless the kind is claims
//	table of outlined values
//	length of the deflated stream, the stream
const (
	partText = iota
	partRaw
	partClaims
	partKinds
)

const (
	maxParts  = 16
	maxClaims = 64 << 10 // of all tokens of a session, inflated and filled in
)

// tokens are the tokens of a generation: packed, and unpacked when somebody asks.
type tokens struct {
	packed *packedTokens
	texts  []tokenText // when they were just set, and not packed yet
}

// tokenText is a token as an application knows it.
type tokenText struct{ name, text string }

// packedTokens is the form as it was read, which is written again as it is while no token changes.
type packedTokens struct {
	form  []byte
	once  sync.Once
	texts []tokenText
}

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

// part is one of them; size is its length in its own form.
type part struct {
	kind, size int
	data       []byte // nil for claims
}

// get returns the text of a token, unpacking all tokens on the first call.
func (t *tokens) get(name string) (string, bool) {
	for _, token := range t.all() {
		if token.name == name {
			return token.text, true
		}
	}
	return "", false
}

// all returns every token as text.
func (t *tokens) all() []tokenText {
	if t.packed == nil {
		return t.texts
	}
	t.packed.once.Do(func() { t.packed.texts = unpackTokens(t.packed.form) })
	return t.packed.texts
}

// equal compares tokens; the same packed form needs no unpacking.
func (t *tokens) equal(other *tokens) bool {
	return t.packed != nil && t.packed == other.packed || slices.Equal(t.all(), other.all())
}

// with returns the tokens after changes ("" deletes); without any, the packed form stays.
func (t *tokens) with(changes map[string]string) tokens {
	if len(changes) == 0 {
		return *t
	}
	var next tokens
	for _, token := range t.all() {
		if text, changed := changes[token.name]; !changed {
			next.texts = append(next.texts, token)
		} else if text != "" {
			next.texts = append(next.texts, tokenText{token.name, text})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		known := slices.ContainsFunc(next.texts, func(t tokenText) bool { return t.name == name })
		if !known && changes[name] != "" {
			next.texts = append(next.texts, tokenText{name, changes[name]})
		}
	}
	return next
}

// pack writes the form; nil when there are no tokens.
func (t *tokens) pack() ([]byte, error) {
	if t.packed != nil {
		return t.packed.form, nil
	}
	if len(t.texts) == 0 {
		return nil, nil
	}
	w := tokenWriter{b: binary.AppendUvarint(nil, uint64(len(t.texts)))}
	for _, token := range t.texts {
		w.b = appendName(w.b, token.name)
		w.token(token.text)
	}
	stream, err := deflate(w.claims)
	return appendBytes(w.values.append(w.b), stream), err
}

// tokenWriter takes tokens apart.
type tokenWriter struct {
	b      []byte
	values outlined
	claims []byte // the stream to be
	filled int    // what the stream's claims are long in full
}

// token writes one token, part by part.
func (w *tokenWriter) token(text string) {
	parts := strings.Split(text, ".")
	jwt := len(parts) == 3
	if len(parts) > maxParts {
		parts = []string{text}
	}
	w.b = binary.AppendUvarint(w.b, uint64(len(parts)))
	for i, part := range parts {
		raw := rawOf(part)
		switch {
		case jwt && i < 2 && w.object(raw):
		case raw != nil:
			w.b = append(binary.AppendUvarint(w.b, uint64(len(raw))<<2|partRaw), raw...)
		default:
			w.b = append(binary.AppendUvarint(w.b, uint64(len(part))<<2|uint64(partText)), part...)
		}
	}
}

// object writes raw as claims, if it looks like a JSON object and there is room.
func (w *tokenWriter) object(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '{' || raw[len(raw)-1] != '}' || w.filled+len(raw) > maxClaims {
		return false
	}
	outline := w.values.outline(raw)
	if outline == nil || !bytes.Equal(w.values.fill(nil, outline, len(raw)), raw) {
		return false
	}
	w.filled += len(raw)
	w.claims = append(w.claims, outline...)
	w.b = binary.AppendUvarint(w.b, uint64(len(outline))<<2|partClaims)
	return true
}

// rawOf returns the bytes behind base64 text, nil unless they give back the same text.
func rawOf(text string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
		return nil
	}
	return raw
}

// form takes a form apart; false when it is malformed.
func (r *reader) form() (f form, ok bool) {
	for range r.count() {
		token := packedToken{name: r.name()}
		n := r.count()
		if n > maxParts {
			return f, false
		}
		token.parts = make([]part, 0, n)
		for range n {
			token.parts = append(token.parts, r.part(&f))
		}
		f.list = append(f.list, token)
	}
	f.values = r.outlined()
	f.stream = r.bytes()
	return f, !r.bad && len(r.b) == 0 && f.claims <= maxClaims
}

// part reads one part's head, and its bytes unless they are in the stream.
func (r *reader) part(f *form) part {
	head := r.uvarint()
	t := part{kind: int(head & 3), size: int(min(head>>2, maxClaims+1))}
	switch t.kind {
	case partKinds:
		r.bad = true
	case partClaims:
		f.claims += t.size
	default:
		t.data = r.take(head >> 2)
	}
	return t
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
	room := maxClaims
	var filled []byte
	for _, token := range f.list {
		text := make([]byte, 0, 1024)
		for i, part := range token.parts {
			if i > 0 {
				text = append(text, '.')
			}
			data := part.data
			if part.kind == partClaims {
				filled = f.values.fill(filled[:0], claims[:part.size], room)
				if filled == nil {
					return nil
				}
				data, claims, room = filled, claims[part.size:], room-len(filled)
			}
			text = part.append(text, data)
		}
		texts = append(texts, tokenText{token.name, string(text)})
	}
	return texts
}

// append writes the text of a part.
func (t part) append(text, data []byte) []byte {
	if t.kind == partText {
		return append(text, data...)
	}
	return base64.RawURLEncoding.AppendEncode(text, data)
}
