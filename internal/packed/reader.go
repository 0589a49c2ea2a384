package packed

import (
	"encoding/binary"
	"math"
)

// reader takes a packed form apart. After the first mistake, bad stays set and everything read is
// zero.
type reader struct {
	b   []byte
	bad bool
}

// uvarint reads a length or a count.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * r.skip(n)
}

// varint reads a time or a distance.
func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return v * int64(r.skip(n))
}

// skip moves past n bytes that a number took; n <= 0 is binary's way to say that there is none.
func (r *reader) skip(n int) uint64 {
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return 1
}

// after reads a time as its distance from start.
func (r *reader) after(start int64) int64 {
	d := r.varint()
	if d > 0 && start > math.MaxInt64-d || d < 0 && start < math.MinInt64-d {
		r.bad = true
		return 0
	}
	return start + d
}

// take returns the next n bytes.
func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	data := r.b[:n:n]
	r.b = r.b[n:]
	return data
}

// bytes reads what appendBytes wrote, without copying.
func (r *reader) bytes() []byte { return r.take(r.uvarint()) }

// rest takes all that is left.
func (r *reader) rest() []byte { return r.take(uint64(len(r.b))) }

// count reads how many elements follow; maxCount bounds what is made room for.
func (r *reader) count() int {
	n := r.uvarint()
	if n > maxCount {
		r.bad = true
		return 0
	}
	return int(n)
}

// name reads what appendName wrote.
func (r *reader) name() string {
	n := r.uvarint()
	switch {
	case n < uint64(len(wellKnown)):
		return wellKnown[n]
	case n < nameBase:
		r.bad = true
		return ""
	}
	return string(r.take(n - nameBase))
}

// tag reads a tag of a session that began at created.
func (r *reader) tag(created int64) Tag {
	t := Tag{Key: string(r.take(TagSize)), Epoch: r.varint(), Foreign: NoStamp}
	flags := r.take(1)
	if r.bad || flags[0]&^(tagStamped|tagListed) != 0 {
		r.bad = true
		return t
	}
	t.Listed = flags[0]&tagListed != 0
	if flags[0]&tagStamped != 0 {
		t.Foreign = r.after(created)
	}
	return t
}

// padding reports whether nothing but less than a block of zeros is left.
func (r *reader) padding() bool {
	if r.bad || len(r.b) >= padTo {
		return false
	}
	for _, b := range r.b {
		if b != 0 {
			return false
		}
	}
	return true
}
