package packed

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// What a request needs first stands first: limits, then facts, the login's last. Values and
// tokens follow, which most requests never look into. The list is part of the format: numbers are
// never used again for anything else.
//
//	persistent   1 byte: a Choice
//	key          registration deadline (0: none), then the thumbprint
//	login        see login.go
//	tags         count, each: key (16 bytes), epoch, flags (stamped, listed), the foreign stamp as its distance from created
//	values       count, each: name, length, bytes
//	tokens       see tokens.go
//
// A section that is not there is empty. One of a kind that a reader does not know it keeps byte for
// byte, and writes again with whatever it changes.
const (
	kindEnd = iota // nothing follows but padding
	kindPersistent
	kindKey
	kindLogin
	kindTags
	kindValues
	kindTokens
)

// FirstExtension is the least kind of a section that this package knows nothing of, and keeps for
// other packages. Give each a constant here, so that no two are the same. The kinds below are for
// later releases of this package.
const FirstExtension = 32

// Kinds of extensions.
const (
	// ExtensionMoved is package session's, of a row that leads to another id: that id.
	ExtensionMoved = FirstExtension + iota

	// ExtensionProvider is package session's, of a session that is listed: the provider of its place,
	// with which it comes back to a list that has lost it.
	ExtensionProvider
)

// A section is a part of the form: facts, and what this package does not know.
type section struct {
	kind uint64
	data []byte
}

// Extension returns what is kept under kind, which is FirstExtension or more.
func (g *Generation) Extension(kind uint64) ([]byte, bool) { return find(g.sections, kind) }

// find returns the section of a kind.
func find(sections []section, kind uint64) ([]byte, bool) {
	for i := range sections {
		if sections[i].kind == kind {
			return sections[i].data, true
		}
	}
	return nil, false
}

// appendSections writes all sections in the order of their kinds.
func (g *Generation) appendSections(b, form []byte) []byte {
	rest := g.sections
	for len(rest) > 0 && rest[0].kind < kindTags {
		b, rest = rest[0].append(b), rest[1:]
	}
	if len(g.Tags) > 0 {
		b = section{kindTags, g.packTags()}.append(b)
	}
	if len(g.Values) > 0 {
		b = g.appendValues(b)
	}
	if form != nil {
		b = section{kindTokens, form}.append(b)
	}
	for _, s := range rest {
		b = s.append(b)
	}
	return append(b, kindEnd)
}

// roomForSections is what appendSections writes at most.
func (g *Generation) roomForSections(form []byte) int {
	const head = 2 * binary.MaxVarintLen64
	size := head + g.valuesSize() + head + len(form) + head + len(g.Tags)*maxTag + head
	for _, s := range g.sections {
		size += head + len(s.data)
	}
	return size
}

const maxTag = TagSize + 1 + 2*binary.MaxVarintLen64 // bytes of a tag at most

// packTags writes the tags.
func (g *Generation) packTags() []byte {
	b := make([]byte, 0, binary.MaxVarintLen64+len(g.Tags)*maxTag)
	b = binary.AppendUvarint(b, uint64(len(g.Tags)))
	for _, t := range g.Tags {
		b = t.append(b, g.Created)
	}
	return b
}

// valuesSize is the length of the section of values.
func (g *Generation) valuesSize() int {
	size := uvarintSize(uint64(len(g.Values)))
	for _, v := range g.Values {
		size += nameSize(v.Name) + uvarintSize(uint64(len(v.Data))) + len(v.Data)
	}
	return size
}

// appendValues writes the section of values: the largest one of many sessions, and so without a
// copy.
func (g *Generation) appendValues(b []byte) []byte {
	b = binary.AppendUvarint(append(b, kindValues), uint64(g.valuesSize()))
	b = binary.AppendUvarint(b, uint64(len(g.Values)))
	for _, v := range g.Values {
		b = appendBytes(appendName(b, v.Name), v.Data)
	}
	return b
}

// append writes one section.
func (s section) append(b []byte) []byte {
	return appendBytes(binary.AppendUvarint(b, s.kind), s.data)
}

// sections reads all sections into g, up to the padding.
func (r *reader) sections(g *Generation) {
	last := uint64(kindEnd)
	for {
		s := section{kind: r.uvarint()}
		if s.kind == kindEnd {
			break
		}
		s.data = r.bytes()
		if r.bad || s.kind <= last || len(g.sections) == maxCount {
			r.bad = true
			return
		}
		last = s.kind
		own := &reader{b: s.data}
		switch s.kind {
		case kindTags:
			g.Tags = own.tags(g.Created)
		case kindValues:
			g.Values = own.values()
		case kindTokens:
			g.tokens = tokens{packed: &packedTokens{form: own.rest()}}
		default:
			g.sections = append(g.sections, s)
			own.rest()
		}
		r.bad = r.bad || own.bad || len(own.b) > 0
	}
	if len(g.sections) > 0 {
		g.facts = r.facts(g.sections)
	}
}

// tags reads the tags of a session that began at created.
func (r *reader) tags(created int64) (tags []Tag) {
	n := r.count()
	if n == 0 {
		return nil
	}
	tags = make([]Tag, 0, n)
	for range n {
		tags = append(tags, r.tag(created))
	}
	return tags
}

// values reads the values.
func (r *reader) values() []Value {
	n := r.count()
	values := make([]Value, 0, n)
	for range n {
		values = append(values, Value{r.name(), r.bytes()})
	}
	return values
}

// applySections returns old with changes; nil deletes.
func applySections(old []section, changes map[uint64][]byte) []section {
	if len(changes) == 0 {
		return old
	}
	next := slices.DeleteFunc(slices.Clone(old), func(s section) bool {
		_, changed := changes[s.kind]
		return changed
	})
	for kind, data := range changes {
		if data != nil {
			next = append(next, section{kind, data})
		}
	}
	slices.SortFunc(next, func(a, b section) int { return cmp.Compare(a.kind, b.kind) })
	return next
}
