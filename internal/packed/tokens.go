package packed

import (
	"bytes"
	"cmp"
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
//	claims   the JSON object behind the header or payload of a signed JWT: its outline (outline.go), and NUL, in one stream
//	         that all tokens of the session share, deflated with a preset dictionary
//	raw      the bytes behind any other base64 part: signatures, opaque tokens, encrypted tokens
//	text     anything else
//
// Nothing else goes into the stream: no secret, and nothing that an application or a visitor
// chooses, so that the length of what is sealed does not tell one from the other. The form:
//
//	count, each token: name, then
//	    0, and the length and bytes of the signature, for claims.claims.raw; or
//	    number of parts, each part: length<<2 | kind, bytes; 2 for claims
//	table of outlined values
//	length of the claims, inflated; the deflated stream, up to the end
//
// The ID token stands first, since its claims are asked for most: they are read without inflating
// more.
const (
	partText = iota
	partRaw
	partClaims
	partKinds
)

const signedJWT = 0 // in place of a number of parts

const (
	maxParts  = 16
	maxClaims = 64 << 10 // of all tokens of a session, inflated and filled in

	endOfClaims = 0 // after the outline of each
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

// part is one of them.
type part struct {
	kind int
	data []byte // nil for claims
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
	slices.SortStableFunc(next.texts, func(a, b tokenText) int { return cmp.Compare(rank(a.name), rank(b.name)) })
	return next
}

// rank is 0 for an ID token.
func rank(name string) int {
	if name == "id" || name == "id_token" {
		return 0
	}
	return 1
}

// pack writes the form; nil when there are no tokens.
func (t *tokens) pack() ([]byte, error) {
	if t.packed != nil {
		return t.packed.form, nil
	}
	if len(t.texts) == 0 {
		return nil, nil
	}
	w := tokenWriter{b: binary.AppendUvarint(make([]byte, 0, t.size()), uint64(len(t.texts)))}
	for _, token := range t.texts {
		w.b = appendName(w.b, token.name)
		w.token(token.text)
	}
	stream, err := deflate(w.claims)
	w.b = binary.AppendUvarint(w.values.append(w.b), uint64(len(w.claims)))
	return append(w.b, stream...), err
}

// size is the length of all texts: more, as a rule, than their form takes.
func (t *tokens) size() (n int) {
	for _, token := range t.texts {
		n += len(token.name) + len(token.text)
	}
	return n
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
	if len(parts) > maxParts {
		parts = []string{text}
	}
	if len(parts) == 3 && w.jwt(parts) {
		return
	}
	w.b = binary.AppendUvarint(w.b, uint64(len(parts)))
	for i, part := range parts {
		raw := rawOf(part)
		switch {
		case len(parts) == 3 && i < 2 && w.object(raw):
			w.b = append(w.b, partClaims)
		case raw != nil:
			w.b = append(binary.AppendUvarint(w.b, uint64(len(raw))<<2|partRaw), raw...)
		default:
			w.b = append(binary.AppendUvarint(w.b, uint64(len(part))<<2|uint64(partText)), part...)
		}
	}
}

// jwt writes a signed JWT in its short form, if it is one.
func (w *tokenWriter) jwt(parts []string) bool {
	before := *w
	signature := rawOf(parts[2])
	if signature == nil || !w.object(rawOf(parts[0])) || !w.object(rawOf(parts[1])) {
		*w = before
		return false
	}
	w.b = appendBytes(append(w.b, signedJWT), signature)
	return true
}

// object adds raw to the stream, if it looks like a JSON object and there is room.
func (w *tokenWriter) object(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '{' || raw[len(raw)-1] != '}' || w.filled+len(raw) > maxClaims {
		return false
	}
	outline := w.values.outline(raw)
	if outline == nil || !bytes.Equal(w.values.fill(nil, outline, len(raw)), raw) {
		return false
	}
	w.filled += len(raw)
	w.claims = append(append(w.claims, outline...), endOfClaims)
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
