// Package strictjson reads a JSON object from outside without leniency. Start at [Parse]. It bounds
// depth, not size: that is the caller's, who has read the text.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signet-go/signet/internal/logtext"
)

// maxDepth bounds how deep the JSON of a provider may be nested: claims of real providers stay
// below ten.
const maxDepth = 32

// An Object is a JSON object from outside, read without encoding/json's leniency: no name occurs
// twice at any depth, names are compared exactly, numbers keep their text, the text is valid UTF-8
// and nothing follows the object. RFC 7519 §4 leaves it to the reader which of two equal names
// counts; two readers that choose differently are an attack.
type Object struct {
	Names  []string // in the document's order
	Values map[string]json.RawMessage
}

// Parse reads data, whose size the caller has bounded, and keeps parts of it: data must not change
// afterward.
func Parse(data []byte) (Object, error) { return parse(data, false) }

// ParseRepeating is Parse for objects in which a member may stand again with the very same text as
// its value: whichever of them a reader takes, it reads the same. Objects inside of it stay strict.
func ParseRepeating(data []byte) (Object, error) { return parse(data, true) }

func parse(data []byte, repeating bool) (Object, error) {
	// encoding/json would replace invalid bytes by U+FFFD, so that different texts become equal.
	if !utf8.Valid(data) {
		return Object{}, errors.New("expected a JSON object, got invalid UTF-8")
	}
	w := walker{data: data, repeating: repeating}
	if w.next() != '{' {
		return Object{}, fmt.Errorf("expected a JSON object, got %s", KindOf(data))
	}
	if !json.Valid(data) {
		return Object{}, errors.New("expected a JSON object, got one that is cut or malformed")
	}
	o := Object{Values: map[string]json.RawMessage{}}
	return o, w.object(&o, 1)
}

// A walker goes through JSON text that is known to be valid, and looks for what is valid all the
// same: names that occur twice, and depth. It is apart from encoding/json's Decoder because that
// takes ten times as long, and claims are read with every session.
type walker struct {
	data []byte
	pos  int

	// repeating says that a member of the outermost object may stand again with the same text.
	repeating bool
}

// next skips what stands between tokens and returns the next one's first byte, 0 at the end. Commas
// and colons are in their places: the text is valid.
func (w *walker) next() byte {
	for ; w.pos < len(w.data); w.pos++ {
		if c := w.data[w.pos]; c > ' ' && c != ',' && c != ':' {
			return c
		}
	}
	return 0
}

// Object walks through an object. Its members are kept in into, unless that is nil.
func (w *walker) object(into *Object, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	seen := map[string]bool{}
	w.pos++
	for w.next() != '}' {
		name, err := w.name()
		if err != nil {
			return err
		}
		again := seen[name]
		if again && (into == nil || !w.repeating) {
			return fmt.Errorf("member %s occurs twice", logtext.Quote(name))
		}
		seen[name] = true
		value, err := w.value(depth)
		if err != nil {
			return fmt.Errorf("%s: %w", logtext.Quote(name), err)
		}
		switch {
		case again && !bytes.Equal(value, into.Values[name]):
			return fmt.Errorf("member %s occurs twice, with different values", logtext.Quote(name))
		case into != nil && !again:
			into.Names = append(into.Names, name)
			into.Values[name] = value
		}
	}
	w.pos++
	return nil
}

// value walks through a value at the given depth and returns its text.
func (w *walker) value(depth int) (json.RawMessage, error) {
	first := w.next()
	start := w.pos
	var err error
	switch first {
	case '{':
		err = w.object(nil, depth+1)
	case '[':
		err = w.array(depth + 1)
	case '"':
		w.text()
	default:
		for w.pos < len(w.data) && strings.IndexByte(",]} \t\r\n", w.data[w.pos]) < 0 {
			w.pos++
		}
	}
	return w.data[start:w.pos:w.pos], err
}

func (w *walker) array(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	w.pos++
	for w.next() != ']' {
		if _, err := w.value(depth); err != nil {
			return err
		}
	}
	w.pos++
	return nil
}

// name walks through a member's name and decodes it: "s\u0075b" is sub.
func (w *walker) name() (string, error) {
	w.next()
	quoted := w.text()
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1]), nil
	}
	var name string
	err := json.Unmarshal(quoted, &name)
	return name, err
}

// Text walks through a string and returns it with its quotes.
func (w *walker) text() []byte {
	start := w.pos
	for w.pos++; w.data[w.pos] != '"'; w.pos++ {
		if w.data[w.pos] == '\\' {
			w.pos++
		}
	}
	w.pos++
	return w.data[start:w.pos]
}

// Has reports whether the name is there, with whatever value, null included.
func (o Object) Has(name string) bool {
	_, ok := o.Values[name]
	return ok
}

// Present is has without null, which many providers write for "none".
func (o Object) Present(name string) bool {
	v, ok := o.Values[name]
	return ok && string(v) != "null"
}

// Text returns a string member, "" when it is absent or null.
func (o Object) Text(name string) (string, error) {
	if !o.Present(name) {
		return "", nil
	}
	value := o.Values[name]
	if value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), nil // it is valid, and there is nothing to undo
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return "", fmt.Errorf("%s: expected a string, got %s", name, KindOf(o.Values[name]))
	}
	return s, nil
}

// Credential is Text for a value that goes into headers and forms: visible ASCII only (RFC 6749
// appendix A).
func (o Object) Credential(name string) (string, error) {
	s, err := o.Text(name)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s: expected visible ASCII characters only", name)
	}
	return s, nil
}

// Texts returns a member that is a list of strings or one string; nil when it is absent or null.
func (o Object) Texts(name string) ([]string, error) {
	if !o.Present(name) {
		return nil, nil
	}
	if o.Values[name][0] == '"' {
		s, err := o.Text(name)
		return []string{s}, err
	}
	var list []*string // pointers, because null in a []string becomes ""
	if err := json.Unmarshal(o.Values[name], &list); err != nil {
		return nil, fmt.Errorf("%s: expected a list of strings, got %s", name, KindOf(o.Values[name]))
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, fmt.Errorf("%s: expected a list of strings, got null in it", name)
		}
		out[i] = *s
	}
	return out, nil
}

// Flag returns a boolean member, false when it is absent or null.
func (o Object) Flag(name string) (bool, error) {
	if !o.Present(name) {
		return false, nil
	}
	var b bool
	if err := json.Unmarshal(o.Values[name], &b); err != nil {
		return false, fmt.Errorf("%s: expected true or false, got %s", name, KindOf(o.Values[name]))
	}
	return b, nil
}

// yearMax is the last second of the year 9999, beyond which time.Time stops being representable as
// RFC 3339.
const yearMax = 253402300799

// Date returns a NumericDate (RFC 7519 §2), which may have a fraction; ok is false when it is
// absent or null. A number beyond the year 9999 counts as that year's end, so that nothing
// overflows; a string is not a number here.
func (o Object) Date(name string) (t time.Time, ok bool, err error) {
	if !o.Present(name) {
		return time.Time{}, false, nil
	}
	seconds, err := strconv.ParseFloat(string(o.Values[name]), 64)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%s: expected a number of seconds, got %s", name, KindOf(o.Values[name]))
	}
	seconds = max(0, min(seconds, yearMax))
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}

// KindOf names the JSON kind of a value for error texts, which never repeat the value itself.
func KindOf(value []byte) string {
	value = bytes.TrimLeft(value, " \t\r\n")
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '<':
		return "markup"
	}
	switch string(bytes.TrimRight(value, " \t\r\n")) {
	case "true", "false":
		return "a boolean"
	case "null":
		return "null"
	}
	if strings.IndexByte("-0123456789", value[0]) >= 0 {
		return "a number"
	}
	return "other text"
}
