package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"github.com/signet-go/signet/internal/strictjson"
)

// Changes are what Hooks.Login made of the claims. They are kept separately from the claims and
// laid over them, also over those that a refresh brings: what a guard lets pass was the
// application's word at the login, and stays it.
type Changes struct {
	Set  json.RawMessage `json:"s,omitempty"` // object of the claims that it added or changed
	Gone []string        `json:"g,omitempty"` // names of those that it removed
}

// errNoClaims says what User.Claims has to be when there are none.
var errNoClaims = errors.New("expected a JSON object, {} for no claims, got nothing")

// ChangesOf returns what differs in after, by its meaning as JSON; nil when nothing does.
func ChangesOf(before, after json.RawMessage) (*Changes, error) {
	if bytes.Equal(before, after) {
		return nil, nil
	}
	if len(after) == 0 {
		return nil, errNoClaims
	}
	now, err := strictjson.Parse(after)
	if err != nil {
		return nil, err
	}
	was, err := ParseOptional(before)
	if err != nil {
		return nil, err
	}
	set, gone := map[string]json.RawMessage{}, map[string]bool{}
	for name, value := range now.Values {
		if !was.Has(name) || !sameJSON(was.Values[name], value) {
			set[name] = value
		}
	}
	for _, name := range was.Names {
		gone[name] = !now.Has(name)
	}
	pinPairs(now, set, gone)
	return newClaimChanges(was.Names, set, gone)
}

// newClaimChanges packs what changed, with the removed names in the order of names.
func newClaimChanges(names []string, set map[string]json.RawMessage, gone map[string]bool) (*Changes, error) {
	c := new(Changes)
	for _, name := range names {
		if gone[name] {
			c.Gone, gone[name] = append(c.Gone, name), false
		}
	}
	for _, pair := range pairs { // halves that nobody had, and that no refresh may add
		for _, name := range pair {
			if gone[name] {
				c.Gone = append(c.Gone, name)
			}
		}
	}
	if len(set) > 0 {
		packed, err := json.Marshal(set)
		if err != nil {
			return nil, err
		}
		c.Set = packed
	}
	if c.Set == nil && c.Gone == nil {
		return nil, nil
	}
	return c, nil
}

// pinPairs keeps both halves of a pair of which one has changed, lest a refresh bring the mark of
// another address. A mark that stayed when its address changed is the provider's, of the address
// before: it goes.
func pinPairs(now strictjson.Object, set map[string]json.RawMessage, gone map[string]bool) {
	changed := func(name string) bool { return set[name] != nil || gone[name] }
	for _, pair := range pairs {
		address, mark := pair[0], pair[1]
		if !changed(address) && !changed(mark) {
			continue
		}
		stale := changed(address) && !changed(mark)
		for _, name := range pair {
			switch {
			case name == mark && stale || !now.Has(name):
				gone[name] = true
			default:
				set[name] = now.Values[name]
			}
		}
	}
}

// sameJSON reports whether two valid values mean the same: neither white space, nor escapes, nor
// the order of members count.
func sameJSON(a, b json.RawMessage) bool {
	decode := func(raw json.RawMessage) (v any) {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // two large numbers must not become one
		_ = d.Decode(&v)
		return v
	}
	return bytes.Equal(a, b) || reflect.DeepEqual(decode(a), decode(b))
}

// In returns claims with the changes, none where that is not possible.
func (c *Changes) In(claims json.RawMessage) json.RawMessage {
	if c == nil {
		return claims
	}
	told, err := ParseOptional(claims)
	if err != nil {
		return nil
	}
	set, err := ParseOptional(c.Set)
	if err != nil {
		return nil
	}
	for _, name := range c.Gone {
		delete(told.Values, name)
	}
	var changed bytes.Buffer
	changed.WriteByte('{')
	for _, name := range told.Names {
		value, kept := told.Values[name]
		if kept && !set.Has(name) && writeMember(&changed, name, value) != nil {
			return nil
		}
	}
	for _, name := range set.Names {
		if writeMember(&changed, name, set.Values[name]) != nil {
			return nil
		}
	}
	changed.WriteByte('}')
	return changed.Bytes()
}

// Without returns extra less the claims that changed: it is not needed any more, and a cookie has
// little room.
func (c *Changes) Without(extra json.RawMessage) json.RawMessage {
	kept, err := ParseOptional(extra)
	if c == nil || err != nil || len(kept.Names) == 0 {
		return extra
	}
	set, _ := ParseOptional(c.Set) // as it was just packed
	for _, name := range slices.Concat(c.Gone, set.Names) {
		delete(kept.Values, name)
	}
	if len(kept.Values) == 0 {
		return nil
	}
	rest, _ := json.Marshal(kept.Values) // of values that were just parsed
	return rest
}
