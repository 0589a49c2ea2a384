package packed

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

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
	if !isObject(raw) || w.filled+len(raw) > maxClaims {
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
