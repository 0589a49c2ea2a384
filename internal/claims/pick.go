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
	rest := afterBlanks(raw)
	if rest[0] != '{' {
		return picked
	}
	rest = afterBlanks(rest[1:])
	for rest[0] != '}' {
		size := valueSize(rest)
		key := rest[:size]
		rest = afterBlanks(rest[size:])
		rest = afterBlanks(rest[1:]) // the colon
		size = valueSize(rest)
		if i := indexOf(names, key); i >= 0 {
			picked[i] = json.RawMessage(rest[:size:size])
		}
		rest = afterBlanks(rest[size:])
		if rest[0] == ',' {
			rest = afterBlanks(rest[1:])
		}
	}
	return picked
}

// afterBlanks returns rest without the white space that it begins with.
func afterBlanks(rest []byte) []byte {
	for len(rest) > 0 && blank(rest[0]) {
		rest = rest[1:]
	}
	return rest
}

// blank reports whether c is white space in JSON (RFC 8259 §2).
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

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

// Texts returns the strings of a list that was found valid, as encoding/json decodes it into a
// []string: nil for a value of another kind, and "" for a member of another kind.
func Texts(value json.RawMessage) (list []string) {
	rest := value
	if len(rest) > 0 && rest[0] == '[' {
		rest = afterBlanks(rest[1:])
	}
	for len(rest) > 0 && rest[0] == '"' {
		size := stringSize(rest)
		list = append(list, Text(rest[:size]))
		if rest = afterBlanks(rest[size:]); len(rest) > 0 && rest[0] == ',' {
			rest = afterBlanks(rest[1:])
		}
	}
	if len(list) > 0 && string(rest) == "]" {
		return list
	}
	list = nil
	_ = json.Unmarshal(value, &list) // what else it may be is rare
	return list
}

// unescaped returns the text of a JSON string.
func unescaped(value json.RawMessage) (s string) {
	_ = json.Unmarshal(value, &s) // of a value that was found valid
	return s
}

// valueSize is the length of the value that valid JSON begins with.
func valueSize(rest []byte) int {
	depth := 0
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			i += stringSize(rest[i:]) - 1
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == '}' || c == ']' || c == ',' || blank(c)):
			return i // the end of a number, or of a word
		case c == '}' || c == ']':
			depth--
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(rest)
}

// stringSize is the length of the string that valid JSON begins with.
func stringSize(rest []byte) int {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(rest)
}
