package packed

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
)

// Ids, hashes and nonces don't deflate, and their letters make the code of all other text longer.
// The outline of claims is the text with every such value replaced by one control character, which
// JSON can't hold otherwise (RFC 8259 §7); the values themselves stand in a table outside the
// stream, as bytes:
//
//	number of UUIDs, 16 bytes each
//	number of others, each: length<<1 | form, bytes
//
// UUIDs take the symbols from the first on, the others from the last.
const (
	formBase64 = iota // URL alphabet, no padding
	formHex           // lower case
	formUUID          // 8-4-4-4-12 lower-case digits
)

// outlined are the values of all tokens of a session.
type outlined struct {
	uuids, others []outlinedValue
	index         map[string]byte // symbols, while packing
}

// outlinedValue is a value as bytes and how to write them.
type outlinedValue struct {
	form int
	raw  []byte
}

const (
	uuidChars = 36
	uuidSize  = 16
	minRandom = 20 // characters below which a random value stays in the text
)

// symbols are the control characters that stand for values: all but those that JSON allows between
// its tokens.
var symbols = []byte{
	1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
}

// symbolIndex is the inverse of symbols; -1 for other characters.
var symbolIndex = func() (index [' ']int) {
	for c := range index {
		index[c] = bytes.IndexByte(symbols, byte(c))
	}
	return index
}()

// outline replaces values in text; nil when text holds control characters already.
func (o *outlined) outline(text []byte) []byte {
	if bytes.ContainsAny(text, string(symbols)) || bytes.IndexByte(text, endOfClaims) >= 0 {
		return nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		value, chars := randomAt(text, i)
		symbol, ok := byte(0), false
		if chars > 0 {
			symbol, ok = o.symbol(value)
		}
		if ok {
			out = append(out, symbol)
			i += chars
			continue
		}
		out = append(out, text[i])
		i++
	}
	return out
}

// symbol returns the symbol of a value, the same for the same value; false when there are no more.
func (o *outlined) symbol(v outlinedValue) (symbol byte, ok bool) {
	key := string(append([]byte{byte(v.form)}, v.raw...))
	if symbol, known := o.index[key]; known {
		return symbol, true
	}
	switch {
	case len(o.uuids)+len(o.others) == len(symbols):
		return 0, false
	case v.form == formUUID:
		o.uuids = append(o.uuids, v)
		symbol = symbols[len(o.uuids)-1]
	default:
		o.others = append(o.others, v)
		symbol = symbols[len(symbols)-len(o.others)]
	}
	if o.index == nil {
		o.index = map[string]byte{}
	}
	o.index[key] = symbol
	return symbol, true
}

// value returns what symbols[i] stands for.
func (o *outlined) value(i int) (v outlinedValue, ok bool) {
	if i < len(o.uuids) {
		return o.uuids[i], true
	}
	i = len(symbols) - 1 - i
	if i < len(o.others) {
		return o.others[i], true
	}
	return v, false
}

// randomAt recognizes a value that begins at text[i], and the characters that it takes.
func randomAt(text []byte, i int) (v outlinedValue, chars int) {
	if raw := uuidAt(text[i:]); raw != nil {
		return outlinedValue{formUUID, raw}, uuidChars
	}
	if i > 0 && urlAlphabet(text[i-1]) {
		return v, 0
	}
	run := text[i:]
	for n := range run {
		if !urlAlphabet(run[n]) {
			run = run[:n]
			break
		}
	}
	if len(run) < minRandom {
		return v, 0
	}
	if raw, err := hex.DecodeString(string(run)); err == nil && hex.EncodeToString(raw) == string(run) {
		return outlinedValue{formHex, raw}, len(run)
	}
	if !mixed(run) {
		return v, 0
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(run))
	if err != nil { // its last characters stay in the text
		run = run[:len(run)&^3]
		raw, _ = base64.RawURLEncoding.DecodeString(string(run))
	}
	return outlinedValue{formBase64, raw}, len(run)
}

// uuidAt returns the bytes of a UUID that text begins with (RFC 9562 §4, lower case), nil if there
// is none.
func uuidAt(text []byte) []byte {
	if len(text) < uuidChars || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return nil
	}
	raw := make([]byte, 0, 16)
	for _, span := range [][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		var err error
		if raw, err = hex.AppendDecode(raw, text[span[0]:span[1]]); err != nil {
			return nil
		}
	}
	if !bytes.Equal(appendUUID(nil, raw), text[:uuidChars]) { // upper case
		return nil
	}
	return raw
}

// appendUUID writes a UUID.
func appendUUID(b, raw []byte) []byte {
	for i, span := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, raw[span[0]:span[1]])
	}
	return b
}

// urlAlphabet reports whether c is of base64's URL alphabet (RFC 4648 §5).
func urlAlphabet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// mixed tells random characters from words: a fifth each of upper and lower case, and a digit.
func mixed(run []byte) bool {
	var upper, lower, digit int
	for _, c := range run {
		switch {
		case 'a' <= c && c <= 'z':
			lower++
		case 'A' <= c && c <= 'Z':
			upper++
		case '0' <= c && c <= '9':
			digit++
		}
	}
	return upper*5 >= len(run) && lower*5 >= len(run) && digit > 0
}

// append writes the table.
func (o *outlined) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(o.uuids)))
	for _, v := range o.uuids {
		b = append(b, v.raw...)
	}
	b = binary.AppendUvarint(b, uint64(len(o.others)))
	for _, v := range o.others {
		b = append(binary.AppendUvarint(b, uint64(len(v.raw)<<1|v.form)), v.raw...)
	}
	return b
}

// outlined reads the table.
func (r *reader) outlined() (o outlined) {
	if n := r.symbols(0); n > 0 {
		o.uuids = make([]outlinedValue, 0, n)
		for range n {
			o.uuids = append(o.uuids, outlinedValue{formUUID, r.take(uuidSize)})
		}
	}
	if n := r.symbols(len(o.uuids)); n > 0 {
		o.others = make([]outlinedValue, 0, n)
		for range n {
			head := r.uvarint()
			o.others = append(o.others, outlinedValue{int(head & 1), r.take(head >> 1)})
		}
	}
	return o
}

// symbols reads how many symbols are used, besides others that are.
func (r *reader) symbols(others int) int {
	n := r.count()
	if n > len(symbols)-others {
		r.bad = true
		return 0
	}
	return n
}

// fill appends to b the text that has this outline; nil when it would be longer than most, or names
// a value that is not there.
func (o *outlined) fill(b, outline []byte, most int) []byte {
	for _, c := range outline {
		if c >= ' ' || symbolIndex[c] < 0 { // NUL does not come here
			b = append(b, c)
			continue
		}
		value, ok := o.value(symbolIndex[c])
		if !ok || len(b) > most {
			return nil
		}
		b = value.append(b)
	}
	if len(b) > most {
		return nil
	}
	return b
}

// append writes the characters of a value.
func (v outlinedValue) append(b []byte) []byte {
	switch v.form {
	case formUUID:
		return appendUUID(b, v.raw)
	case formHex:
		return hex.AppendEncode(b, v.raw)
	}
	return base64.RawURLEncoding.AppendEncode(b, v.raw)
}
