package session

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// generation is one version of a session. Every change makes the next one; none
// is ever altered, so requests share it.
type generation struct {
	id     string
	number uint64 // 0: not published yet

	// Times are in Unix milliseconds. idle is when the session ends if nobody
	// uses it; 0: never.
	created, deadline, idle int64

	tags   []tag
	values []value
	tokens tokens

	memo  atomic.Pointer[any] // what the package that owns the session's content has made of it
	names struct {            // of the rows that decide about it

		once sync.Once
		list []string
	}
}

// tag ties the session to what Revoke and RevokeAt may end.
type tag struct {
	key     string // tagKey of its name
	epoch   int64  // the mark's epoch that the session has seen: a later one ends it
	foreign int64  // stamp of a foreign clock in ms; noStamp: none
}

// noStamp is the stamp of a tag that no foreign clock has stamped.
const noStamp = math.MinInt64

// value is what an application, or this module, keeps under a name.
type value struct {
	name string
	data []byte
}

// delta is what a request changes. It is applied to the newest generation when
// it is saved, so that two requests that change different names both succeed.
type delta struct {
	values map[string][]byte // nil: delete
	tokens map[string]string // "": delete
	tags   []tag
	fresh  map[string]int64 // by a tag's key: since when its user has authenticated, Unix milliseconds
	limit  int64            // 0: none
	still  bool             // saving it is no use of the session: the idle limit stays
}

// empty reports whether nothing was changed.
func (d *delta) empty() bool {
	return len(d.values) == 0 && len(d.tokens) == 0 && len(d.tags) == 0 && d.limit == 0
}

// setValue notes a value; nil deletes.
func (d *delta) setValue(name string, data []byte) {
	if d.values == nil {
		d.values = map[string][]byte{}
	}
	d.values[name] = data
}

// setToken notes a token; "" deletes.
func (d *delta) setToken(name, text string) {
	if d.tokens == nil {
		d.tokens = map[string]string{}
	}
	d.tokens[name] = text
}

// ends is the nearer limit.
func (g *generation) ends() int64 {
	if g.idle != 0 {
		return min(g.idle, g.deadline)
	}
	return g.deadline
}

// expired reports whether a limit has passed; the moment of the limit has.
func (g *generation) expired(now time.Time) bool { return now.UnixMilli() >= g.ends() }

// value returns what is kept under name. Sessions hold a few names, and a loop
// beats a map.
func (g *generation) value(name string) ([]byte, bool) {
	for i := range g.values {
		if g.values[i].name == name {
			return g.values[i].data, true
		}
	}
	return nil, false
}

// token returns the text of a token. The first call unpacks all of them.
func (g *generation) token(name string) (string, bool) { return g.tokens.get(name) }

// rowNames returns what compute made of g at the first call.
func (g *generation) rowNames(compute func() []string) []string {
	g.names.once.Do(func() { g.names.list = compute() })
	return g.names.list
}

// tag returns the tag with this key, nil if there is none.
func (g *generation) tag(key string) *tag {
	for i := range g.tags {
		if g.tags[i].key == key {
			return &g.tags[i]
		}
	}
	return nil
}

// size is roughly the memory that g takes once its tokens are unpacked and a
// Memo is made of it.
func (g *generation) size() int {
	size := 512
	for _, t := range g.tags {
		size += 64 + 2*len(t.key) // with the name of its mark's row
	}
	for _, v := range g.values {
		size += 64 + len(v.name) + 2*len(v.data)
	}
	if p := g.tokens.packed; p != nil {
		size += 5 * len(p.form) // packed, as text, and as claims in a Memo
	}
	return size
}

// copy returns a generation that may still be altered.
func (g *generation) copy() *generation {
	return &generation{
		id: g.id, number: g.number, created: g.created, deadline: g.deadline, idle: g.idle,
		tags: g.tags, values: g.values, tokens: g.tokens,
	}
}

// idleAt returns g with another idle limit: the same generation, seen later.
func (g *generation) idleAt(idle int64) *generation {
	next := g.copy()
	next.idle = idle
	return next
}

// apply returns the generation after g: d's changes on top of what g holds.
// epochs are those of d's tags.
func (g *generation) apply(d *delta, epochs map[string]int64) *generation {
	next := g.copy()
	next.number++
	next.values = applyValues(g.values, d.values)
	next.tokens = g.tokens.with(d.tokens)
	next.tags = applyTags(g.tags, d.tags, epochs)
	if d.limit != 0 {
		next.deadline = min(next.deadline, d.limit)
	}
	return next
}

// applyValues returns the values after changes. Names are sorted, so that what
// is packed does not depend on the order of a map.
func applyValues(old []value, changes map[string][]byte) []value {
	kept := make([]value, 0, len(old)+len(changes))
	for _, v := range old {
		if _, changed := changes[v.name]; !changed {
			kept = append(kept, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if data := changes[name]; data != nil {
			kept = append(kept, value{name, data})
		}
	}
	return kept
}

// applyTags adds tags; one that is there keeps the older epoch and the older
// stamp, so that tagging again revives nothing.
func applyTags(old, added []tag, epochs map[string]int64) []tag {
	tags := slices.Clone(old)
	for _, t := range added {
		i := slices.IndexFunc(tags, func(o tag) bool { return o.key == t.key })
		switch {
		case i < 0:
			t.epoch = epochs[t.key]
			tags = append(tags, t)
		case t.foreign != noStamp && tags[i].foreign == noStamp:
			tags[i].foreign = t.foreign
		case t.foreign != noStamp:
			tags[i].foreign = min(tags[i].foreign, t.foreign)
		}
	}
	return tags
}

// changes reports whether d would alter anything in g.
func (d *delta) changes(g *generation) bool {
	if g.number == 0 {
		return true
	}
	next := g.apply(d, nil)
	return next.deadline != g.deadline || !slices.Equal(next.tags, g.tags) || !next.tokens.equal(&g.tokens) ||
		!slices.EqualFunc(sorted(next.values), sorted(g.values), func(a, b value) bool {
			return a.name == b.name && bytes.Equal(a.data, b.data)
		})
}

// sorted returns values by name: their order means nothing.
func sorted(values []value) []value {
	return slices.SortedFunc(slices.Values(values), func(a, b value) int {
		return bytes.Compare([]byte(a.name), []byte(b.name))
	})
}
