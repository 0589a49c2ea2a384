package claims

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// Pick returns the values of the members of a JSON object that have exactly these names, in their
// order, without decoding the others: nil for a member that is missing, and all nil where raw is no
// object. Of members that occur twice it is the last one, as encoding/json has it in a map; a struct
// would take members in other spellings too.
func Pick(raw json.RawMessage, names ...string) []json.RawMessage {
	picked := make([]json.RawMessage, len(names))
	if !json.Valid(raw) { // from here on the form is known, and nothing can be out of place
		return picked
	}
	rest := bytes.TrimLeft(raw, blanks)
	if rest[0] != '{' {
		return picked
	}
	rest = bytes.TrimLeft(rest[1:], blanks)
	for rest[0] != '}' {
		size := valueSize(rest)
		key := rest[:size]
		rest = bytes.TrimLeft(rest[size:], blanks)
		rest = bytes.TrimLeft(rest[1:], blanks) // the colon
		size = valueSize(rest)
		if i := indexOf(names, key); i >= 0 {
			picked[i] = json.RawMessage(rest[:size:size])
		}
		rest = bytes.TrimLeft(rest[size:], blanks)
		if rest[0] == ',' {
			rest = bytes.TrimLeft(rest[1:], blanks)
		}
	}
	return picked
}

// blanks are the white space of JSON (RFC 8259 §2).
const blanks = " \t\r\n"

// indexOf returns which of names a JSON string spells, -1 for none.
func indexOf(names []string, spelled []byte) int {
	if bytes.IndexByte(spelled, '\\') >= 0 {
		return slices.Index(names, Text(spelled))
	}
	for i, name := range names {
		if string(spelled[1:len(spelled)-1]) == name {
			return i
		}
	}
	return -1
}

// Text returns the string that a JSON value is, "" for a value of another kind.
func Text(value json.RawMessage) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	return unescaped(value)
}

// unescaped returns the text of a JSON string.
func unescaped(value json.RawMessage) (s string) {
	_ = json.Unmarshal(value, &s) // of a value that was found valid
	return s
}

// valueSize is the length of the value that valid JSON begins with.
func valueSize(rest []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i // the end of a number, or of a word
			}
			depth--
		case depth == 0 && (c == ',' || bytes.IndexByte([]byte(blanks), c) >= 0):
			return i
		default:
			continue
		}
		if depth == 0 && !quoted {
			return i + 1
		}
	}
	return len(rest)
}
