package oidcauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth bounds how deep the JSON of a provider may be nested: claims of real providers stay below ten.
const maxDepth = 32

// An object is a JSON object from outside, read without encoding/json's leniency: no name occurs twice at any depth,
// names are compared exactly, numbers keep their text, the text is valid UTF-8 and nothing follows the object.
// RFC 7519 §4 leaves it to the reader which of two equal names counts; two readers that choose differently are an attack.
type object struct {
	names  []string // in the document's order
	values map[string]json.RawMessage
}

// parseObject reads data, whose size the caller has bounded.
func parseObject(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return object{}, errors.New("expected a JSON object, got invalid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return object{}, fmt.Errorf("expected a JSON object, got %s", kindOf(data))
	}
	o := object{values: map[string]json.RawMessage{}}
	for dec.More() {
		if err := o.readMember(dec); err != nil {
			return object{}, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return object{}, fmt.Errorf("expected a whole JSON object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return object{}, errors.New("expected one JSON object, got more after it")
	}
	return o, nil
}

func (o *object) readMember(dec *json.Decoder) error {
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("expected a member name: %w", err)
	}
	name, _ := token.(string) // the decoder accepts nothing else here
	if _, twice := o.values[name]; twice {
		return fmt.Errorf("member %s occurs twice", quoteShort(name))
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return fmt.Errorf("member %s: %w", quoteShort(name), err)
	}
	if value[0] == '{' || value[0] == '[' { // a decoder for each number would cost more than the rest
		if err := checkNested(value); err != nil {
			return fmt.Errorf("member %s: %w", quoteShort(name), err)
		}
	}
	o.names = append(o.names, name)
	o.values[name] = value
	return nil
}

// checkNested refuses a value that is too deep or holds an object with a name twice. It keeps its own stack, so that
// depth costs memory in proportion to maxDepth, not to the input.
func checkNested(value json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var open []frame
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case token == json.Delim('{') || token == json.Delim('['):
			if len(open) == maxDepth {
				return fmt.Errorf("nested deeper than %d", maxDepth)
			}
			enterValue(open)
			open = append(open, newFrame(token))
		case token == json.Delim('}') || token == json.Delim(']'):
			open = open[:len(open)-1]
		case len(open) > 0:
			if err := open[len(open)-1].see(token); err != nil {
				return err
			}
		}
	}
}

// A frame is an array or object that checkNested is inside of.
type frame struct {
	names     map[string]bool // nil in an array
	wantsName bool
}

func newFrame(start json.Token) frame {
	if start == json.Delim('{') {
		return frame{names: map[string]bool{}, wantsName: true}
	}
	return frame{}
}

// enterValue notes that an object or array begins where the innermost frame expected a value.
func enterValue(open []frame) {
	if len(open) > 0 {
		open[len(open)-1].wantsName = open[len(open)-1].names != nil
	}
}

// see takes the next name or scalar of an array or object.
func (f *frame) see(token json.Token) error {
	if f.names == nil || !f.wantsName {
		f.wantsName = f.names != nil
		return nil
	}
	f.wantsName = false
	name, _ := token.(string)
	if f.names[name] {
		return fmt.Errorf("member %s occurs twice", quoteShort(name))
	}
	f.names[name] = true
	return nil
}

// has reports whether the name is there, with whatever value, null included.
func (o object) has(name string) bool {
	_, ok := o.values[name]
	return ok
}

// present is has without null, which many providers write for "none".
func (o object) present(name string) bool {
	v, ok := o.values[name]
	return ok && string(v) != "null"
}

// text returns a string member, "" when it is absent or null.
func (o object) text(name string) (string, error) {
	if !o.present(name) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(o.values[name], &s); err != nil {
		return "", fmt.Errorf("%s: expected a string, got %s", name, kindOf(o.values[name]))
	}
	return s, nil
}

// texts returns a member that is a list of strings or one string; nil when it is absent or null.
func (o object) texts(name string) ([]string, error) {
	if !o.present(name) {
		return nil, nil
	}
	if o.values[name][0] == '"' {
		s, err := o.text(name)
		return []string{s}, err
	}
	var list []*string // pointers, because null in a []string becomes ""
	if err := json.Unmarshal(o.values[name], &list); err != nil {
		return nil, fmt.Errorf("%s: expected a list of strings, got %s", name, kindOf(o.values[name]))
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

// flag returns a boolean member, false when it is absent or null.
func (o object) flag(name string) (bool, error) {
	if !o.present(name) {
		return false, nil
	}
	var b bool
	if err := json.Unmarshal(o.values[name], &b); err != nil {
		return false, fmt.Errorf("%s: expected true or false, got %s", name, kindOf(o.values[name]))
	}
	return b, nil
}

// yearMax is the last second of the year 9999, beyond which time.Time stops being representable as RFC 3339.
const yearMax = 253402300799

// date returns a NumericDate (RFC 7519 §2), which may have a fraction; ok is false when it is absent or null.
// A number beyond the year 9999 counts as that year's end, so that nothing overflows; a string is not a number here.
func (o object) date(name string) (t time.Time, ok bool, err error) {
	if !o.present(name) {
		return time.Time{}, false, nil
	}
	seconds, err := strconv.ParseFloat(string(o.values[name]), 64)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%s: expected a number of seconds, got %s", name, kindOf(o.values[name]))
	}
	seconds = max(0, min(seconds, yearMax))
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}

// kindOf names the JSON kind of a value for error texts, which never repeat the value itself.
func kindOf(value []byte) string {
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
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	case '<':
		return "markup"
	}
	if strings.IndexByte("-0123456789", value[0]) >= 0 {
		return "a number"
	}
	return "other text"
}

// quoteShort makes text from outside fit for an error or a log line: quoted in ASCII and cut.
func quoteShort(s string) string {
	const limit = 64
	if len(s) > limit {
		return strconv.QuoteToASCII(s[:limit]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
