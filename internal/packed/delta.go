package packed

import (
	"bytes"
	"maps"
	"slices"
)

// A Delta is what a request changes. It is applied to the newest generation when it is saved, so
// that two requests that change different names both succeed.
type Delta struct {
	Values map[string][]byte // nil: delete
	Tokens map[string]string // "": delete
	Tags   []Tag
	Fresh  map[string]int64 // by a tag's key: since when its user has authenticated, Unix milliseconds
	Limit  int64            // 0: none
	Place  Place            // of whoever enters a list; no part of the session
	Still  bool             // saving it is no use of the session: the idle limit stays

	sections map[uint64][]byte // nil: delete
}

// A Place is where somebody is signed in, as a list of sessions tells it.
type Place struct{ Provider, UserAgent, Address string }

// Empty reports whether nothing was changed.
func (d *Delta) Empty() bool {
	return len(d.Values) == 0 && len(d.Tokens) == 0 && len(d.Tags) == 0 && d.Limit == 0 &&
		len(d.sections) == 0
}

// SetValue notes a value; nil deletes.
func (d *Delta) SetValue(name string, data []byte) {
	if d.Values == nil {
		d.Values = map[string][]byte{}
	}
	d.Values[name] = data
}

// SetToken notes a token; "" deletes.
func (d *Delta) SetToken(name, text string) {
	if d.Tokens == nil {
		d.Tokens = map[string]string{}
	}
	d.Tokens[name] = text
}

// Amend notes what change makes of g's facts, as d leaves them so far. Facts that it leaves alone
// stay what the newest generation says. Error: the facts can't be kept; then nothing was noted.
func (d *Delta) Amend(g *Generation, change func(*Facts)) error {
	facts := *d.Facts(g)
	before := facts.sections()
	change(&facts)
	if err := facts.check(); err != nil {
		return err
	}
	for kind, data := range facts.sections() {
		if !bytes.Equal(before[kind], data) {
			d.setSection(kind, data)
		}
	}
	return nil
}

// Facts are g's facts with d's changes.
func (d *Delta) Facts(g *Generation) *Facts {
	if len(d.sections) == 0 {
		return g.Facts()
	}
	return new(reader).facts(applySections(g.sections, d.sections))
}

// SetExtension notes a section of a kind from FirstExtension on; nil deletes.
func (d *Delta) SetExtension(kind uint64, data []byte) {
	if kind < FirstExtension {
		panic("packed: not an extension")
	}
	d.setSection(kind, data)
}

// Extension is g's, with d's changes.
func (d *Delta) Extension(g *Generation, kind uint64) ([]byte, bool) {
	if data, changed := d.sections[kind]; changed {
		return data, data != nil
	}
	return g.Extension(kind)
}

func (d *Delta) setSection(kind uint64, data []byte) {
	if d.sections == nil {
		d.sections = map[uint64][]byte{}
	}
	d.sections[kind] = data
}

// Changes reports whether d would alter anything in g.
func (d *Delta) Changes(g *Generation) bool {
	if g.Number == 0 || d.Limit != 0 && d.Limit < g.Deadline {
		return true
	}
	for name, data := range d.Values {
		if old, ok := g.Value(name); ok != (data != nil) || !bytes.Equal(old, data) {
			return true
		}
	}
	for name, text := range d.Tokens {
		if old, _ := g.Token(name); old != text {
			return true
		}
	}
	for kind, data := range d.sections {
		if old, ok := find(g.sections, kind); ok != (data != nil) || !bytes.Equal(old, data) {
			return true
		}
	}
	return len(d.Tags) > 0 && !slices.Equal(applyTags(g.Tags, d.Tags, nil), g.Tags)
}

// applyValues returns the values after changes. Names are sorted, so that what is packed does not
// depend on the order of a map.
func applyValues(old []Value, changes map[string][]byte) []Value {
	kept := make([]Value, 0, len(old)+len(changes))
	for _, v := range old {
		if _, changed := changes[v.Name]; !changed {
			kept = append(kept, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if data := changes[name]; data != nil {
			kept = append(kept, Value{name, data})
		}
	}
	return kept
}

// applyTags adds tags; an existing one keeps the older epoch and the older stamp, so that tagging
// again revives nothing. A session is in one list: the last that it has entered.
func applyTags(old, added []Tag, epochs map[string]int64) []Tag {
	tags := slices.Clone(old)
	for _, t := range added {
		for i := range tags {
			if t.Listed {
				tags[i].Listed = tags[i].Key == t.Key
			}
		}
		i := slices.IndexFunc(tags, func(o Tag) bool { return o.Key == t.Key })
		switch {
		case i < 0:
			t.Epoch = epochs[t.Key]
			tags = append(tags, t)
		case t.Foreign != NoStamp && tags[i].Foreign == NoStamp:
			tags[i].Foreign = t.Foreign
		case t.Foreign != NoStamp:
			tags[i].Foreign = min(tags[i].Foreign, t.Foreign)
		}
	}
	return tags
}
