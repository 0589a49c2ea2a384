package packed

import (
	"cmp"
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

// get returns the text of a token, unpacking all tokens on the first call.
func (t *tokens) get(name string) (string, bool) {
	for _, token := range t.all() {
		if token.name == name {
			return token.text, true
		}
	}
	return "", false
}

// claims returns the payload of a signed JWT, false when the token is none. Others stay packed.
func (t *tokens) claims(name string) ([]byte, bool) {
	if t.packed == nil {
		text, _ := t.get(name)
		return ClaimsIn(text)
	}
	r := &reader{b: t.packed.form}
	f, ok := r.form()
	if !ok {
		return nil, false
	}
	before := 0 // claims of other tokens, and the header's
	for _, token := range f.list {
		if token.name == name {
			return f.claimsOf(token.parts, before)
		}
		for _, p := range token.parts {
			if p.kind == partClaims {
				before++
			}
		}
	}
	return nil, false
}

// ClaimsIn returns the payload of a signed JWT, false for any other text and for a payload that is
// no object.
func ClaimsIn(text string) ([]byte, bool) {
	_, rest, _ := strings.Cut(text, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	raw := rawOf(payload)
	return raw, isObject(raw) && !strings.Contains(signature, ".")
}

// isObject reports whether raw looks like a JSON object.
func isObject(raw []byte) bool { return len(raw) >= 2 && raw[0] == '{' && raw[len(raw)-1] == '}' }

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
