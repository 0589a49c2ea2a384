package oidcauthtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Object is a JSON object as a hostile provider may write it: members keep their order, a name may
// occur twice, and a value may be bytes that aren't JSON at all. Claims, JOSE headers, metadata,
// keys and token responses are all Objects, so the same methods alter all of them.
//
// The zero Object is empty and ready to use. An Object is not safe for concurrent use; hooks get
// their own for each response.
type Object struct {
	members []member
	raw     []byte
}

type member struct {
	name  string
	value json.RawMessage
}

// NewObject returns an Object with the members of m in the order of their names.
func NewObject(m map[string]any) *Object {
	o := new(Object)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		o.Add(name, m[name])
	}
	return o
}

// object returns an Object from alternating names and values.
func object(pairs ...any) *Object {
	o := new(Object)
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Add(pairs[i].(string), pairs[i+1])
	}
	return o
}

// Set gives the member name this value, in place of all previous ones.
//
// The value is encoded as JSON. A json.RawMessage is written as it is and need not be valid:
// json.RawMessage("NaN") writes NaN. Any other value that can't be encoded is a bug in the test and
// panics.
func (o *Object) Set(name string, value any) {
	for i, m := range o.members {
		if m.name == name {
			o.members[i].value = encode(value)
			o.members = append(o.members[:i+1], without(o.members[i+1:], name)...)
			return
		}
	}
	o.Add(name, value)
}

// Add appends a member even if there is one with the same name: use it to write a duplicate. Values
// are encoded as by [Object.Set].
func (o *Object) Add(name string, value any) {
	o.members = append(o.members, member{name, encode(value)})
}

// Delete removes every member of these names. Names that are absent are ignored.
func (o *Object) Delete(names ...string) {
	for _, name := range names {
		o.members = without(o.members, name)
	}
}

// Has reports whether there is a member of this name, whatever its value.
func (o *Object) Has(name string) bool { return o.value(name) != nil }

// Get returns the first value of a member as encoding/json decodes it into an any, or nil if the
// member is absent or not JSON.
func (o *Object) Get(name string) any {
	var v any
	_ = json.Unmarshal(o.value(name), &v)
	return v
}

// Text returns the first value of a member if it is a JSON string, otherwise "".
func (o *Object) Text(name string) string {
	s, _ := o.Get(name).(string)
	return s
}

// Replace makes the whole object these bytes, whatever they are: an array, a truncated document,
// nothing. Its members are no longer written.
func (o *Object) Replace(raw string) { o.raw = []byte(raw) }

// Bytes returns the object as it is sent.
func (o *Object) Bytes() []byte {
	if o.raw != nil {
		return o.raw
	}
	b := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, encode(m.name)...), ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

// value returns the first value of a member, nil when it is absent.
func (o *Object) value(name string) json.RawMessage {
	for _, m := range o.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// without returns the members of other names.
func without(list []member, name string) []member {
	return slices.DeleteFunc(slices.Clone(list), func(m member) bool { return m.name == name })
}

// encode writes a value as JSON, without the escapes for HTML that encoding/json adds.
func encode(value any) json.RawMessage {
	switch v := value.(type) {
	case json.RawMessage:
		return v
	case *Object:
		return v.Bytes()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(fmt.Sprintf("oidcauthtest: a value that is not JSON; use json.RawMessage to write broken JSON: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
