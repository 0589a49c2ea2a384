// Package packed is what a session holds, and the form of it that is sealed into cookies and rows:
// one byte string, small, of a length that says little of the content. Unpack bounds everything by
// the length of what it reads before it takes memory.
//
// The form may still change until the first release. From then on every release opens the form of
// every earlier one; testdata/vectors has what was written, and a test that reads it.
//
// It does no I/O, knows no key and decides nothing: when a session ends is package session's. Start
// reading at [Generation]; [Generation.Pack] has the form.
package packed

import (
	"math"
	"sync/atomic"
	"time"
)

// A Generation is one version of a session. Every change makes the next one; none is ever altered,
// so requests share it.
type Generation struct {
	ID     string
	Number uint64 // 0: not published yet

	// Times are in Unix milliseconds. Idle is when the session ends if nobody uses it; 0: never.
	Created, Deadline, Idle int64

	Tags     []Tag
	Values   []Value
	tokens   tokens
	sections []section // facts and extensions, in the order of their kinds
	facts    *Facts    // what sections say

	plain []byte // what it was unpacked from, nil for what has changed since
	body  []byte // all sections as they were packed, nil where they have changed since

	Sealed atomic.Pointer[Sealed]   // as it was last sealed
	Memo   atomic.Pointer[any]      // what the package that owns the session's content has made of it
	Proof  atomic.Pointer[Proof]    // the latest bound cookie of its device that was accepted
	names  atomic.Pointer[[]string] // of the rows that decide about it
}

// Sealed is what was made of a generation for its cookie. It is immutable.
type Sealed struct {
	Text       []byte
	Idle, Ends int64  // of what was sealed: see Generation
	Ring       uint64 // the keyring's generation: no key that was removed seals any more
}

// A Proof is a cookie that was found to be a generation's, so that it need not be opened again.
type Proof struct {
	Value string
	Ring  uint64    // the keyring's generation that opened it
	Until time.Time // when it is no longer accepted
}

// A Tag ties the session to what Revoke and RevokeAt may end.
type Tag struct {
	Key     string // TagSize bytes that stand for its name
	Epoch   int64  // the mark's epoch that the session has seen: a later one ends it
	Foreign int64  // stamp of a foreign clock in ms; NoStamp: none
	Listed  bool   `json:",omitempty"` // the session is in the list of this tag: at most one has it
}

// TagSize is the size of a tag's key.
const TagSize = 16

// NoStamp is the stamp of a tag that no foreign clock has stamped.
const NoStamp = math.MinInt64

// A Value is what an application, or this module, keeps under a name.
type Value struct {
	Name string
	Data []byte
}

// Ends is the nearer limit.
func (g *Generation) Ends() int64 {
	if g.Idle != 0 {
		return min(g.Idle, g.Deadline)
	}
	return g.Deadline
}

// Expired reports whether a limit has passed; the moment of the limit has.
func (g *Generation) Expired(now time.Time) bool { return now.UnixMilli() >= g.Ends() }

// Value returns what is kept under name. Sessions hold a few names, and a loop beats a map.
func (g *Generation) Value(name string) ([]byte, bool) {
	for i := range g.Values {
		if g.Values[i].Name == name {
			return g.Values[i].Data, true
		}
	}
	return nil, false
}

// Token returns the text of a token. The first call unpacks all of them.
func (g *Generation) Token(name string) (string, bool) { return g.tokens.get(name) }

// Claims returns the payload of a token that is a signed JWT, without unpacking the others; it is
// the caller's. false: there is none, or it is no object. Nothing was verified here.
func (g *Generation) Claims(name string) ([]byte, bool) { return g.tokens.claims(name) }

// RowNames returns what compute made of g at the first call: the names of the rows that decide
// about it, which every request needs.
func (g *Generation) RowNames(compute func() []string) []string {
	if names := g.names.Load(); names != nil {
		return *names
	}
	names := compute()
	g.names.Store(&names)
	return names
}

// Tag returns the tag with this key, nil if there is none.
func (g *Generation) Tag(key string) *Tag {
	for i := range g.Tags {
		if g.Tags[i].Key == key {
			return &g.Tags[i]
		}
	}
	return nil
}

// Listed returns the tag in whose list the session is, nil if there is none.
func (g *Generation) Listed() *Tag {
	for i := range g.Tags {
		if g.Tags[i].Listed {
			return &g.Tags[i]
		}
	}
	return nil
}

// Size is roughly the memory that g takes once its tokens are unpacked, a Memo is made of it and it
// was sealed again.
func (g *Generation) Size() int {
	size := 512
	for _, t := range g.Tags {
		size += 64 + 2*len(t.Key) // with the name of its mark's row
	}
	for _, v := range g.Values {
		size += 64 + len(v.Name) + 2*len(v.Data)
	}
	for _, s := range g.sections {
		size += 64 + 4*len(s.data) // as texts in Facts, too
	}
	if p := g.tokens.packed; p != nil {
		size += 5 * len(p.form) // packed, as text, and as claims in a Memo
	}
	return size + 2*len(g.plain)
}

// copy returns a generation whose number and times may still be altered.
func (g *Generation) copy() *Generation {
	return &Generation{
		ID: g.ID, Number: g.Number, Created: g.Created, Deadline: g.Deadline, Idle: g.Idle,
		Tags: g.Tags, Values: g.Values, tokens: g.tokens, sections: g.sections, facts: g.facts,
		body: g.body,
	}
}

// IdleAt returns g with another idle limit: the same generation, seen later.
func (g *Generation) IdleAt(idle int64) *Generation {
	if idle == g.Idle {
		return g
	}
	next := g.copy()
	next.Idle = idle
	next.Memo.Store(g.Memo.Load())
	next.names.Store(g.names.Load())
	return next
}

// Moved returns the generation after g under another id, as Apply would: what one cookie was goes on
// as another.
func (g *Generation) Moved(id string, d *Delta) *Generation {
	next := g.Apply(d, nil)
	next.ID = id
	next.names.Store(nil)
	return next
}

// Apply returns the generation after g: d's changes on top of what g holds. epochs are those of d's
// tags.
func (g *Generation) Apply(d *Delta, epochs map[string]int64) *Generation {
	next := g.copy()
	next.Number++
	next.body = nil
	next.Values = applyValues(g.Values, d.Values)
	next.tokens = g.tokens.with(d.Tokens)
	if len(d.sections) > 0 {
		next.sections, next.facts = applySections(g.sections, d.sections), d.Facts(g)
	}
	if len(d.Tags) > 0 {
		next.Tags = applyTags(g.Tags, d.Tags, epochs)
	} else {
		next.names.Store(g.names.Load()) // which follow from the id and the tags
	}
	if d.Limit != 0 {
		next.Deadline = min(next.Deadline, d.Limit)
	}
	return next
}

// Reread returns g as it will be read back from plain, which is g packed.
func (g *Generation) Reread(plain []byte) (*Generation, error) {
	next, err := Unpack(plain)
	if err == nil {
		next.names.Store(g.names.Load())
	}
	return next, err
}
