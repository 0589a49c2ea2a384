// Package expiring has one bounded map whose entries end. Everything that a process remembers for
// strangers, for a while and in bounded room, is kept in one.
//
// It starts no goroutine, takes no lock and reads no clock: its owner does. Start reading at [Map].
package expiring

import "time"

// A Map is a bounded map whose entries end. It needs no goroutine: each Put drops a few of those
// that have ended, more than the one that it adds, and all that stand in its way. The cost of a
// call hardly depends on how much there is, and not at all on how much there has been. What is much
// smaller than it was gives its memory back.
//
// Its owner locks it: often it has more to decide under the same lock. A Map must not be copied.
type Map[K comparable, V any] struct {
	// Limit bounds the sum of the sizes of all entries; the owner says whether those are bytes or
	// ones. Zero leaves no room.
	Limit int

	entries map[K]*entry[K, V]
	ends    heap[K, V]
	size    int
}

// An entry is a value, when it ends, what it takes and where it stands in the heap.
type entry[K comparable, V any] struct {
	key      K
	value    V
	until    time.Time // on the monotonic clock: a wall clock that jumps ends nothing
	size     int
	position int
}

// longest bounds a life, so that adding it to a time can't overflow.
const longest = 100 * 365 * 24 * time.Hour

// Get returns the value of key unless its time is over. It changes nothing, so that a read lock
// will do.
func (m *Map[K, V]) Get(key K, now time.Time) (value V, ok bool) {
	e := m.entries[key]
	if e == nil || !now.Before(e.until) {
		return value, false
	}
	return e.value, true
}

// Put keeps value under key for so long from now, in place of what is there. Where there is no
// room, those that end first give way; shed tells how many had to before their time. What is larger
// than the Limit is not kept, and counts as shed.
func (m *Map[K, V]) Put(key K, value V, size int, now time.Time, life time.Duration) (shed int) {
	m.Delete(key)
	for range few {
		if !m.firstEnded(now) {
			break
		}
		m.drop(m.ends[0].entry)
	}
	if size > m.Limit {
		return 1
	}
	for m.size+size > m.Limit {
		if !m.firstEnded(now) {
			shed++
		}
		m.drop(m.ends[0].entry)
	}
	if m.entries == nil {
		m.entries = map[K]*entry[K, V]{}
	}
	e := &entry[K, V]{key: key, value: value, until: now.Add(min(life, longest)), size: size}
	m.entries[key] = e
	m.ends.add(e)
	m.size += size
	return shed
}

// Fits reports whether Put of a value of this size under key would shed nothing: for an owner that
// refuses rather than forgets.
func (m *Map[K, V]) Fits(key K, size int, now time.Time) bool {
	for !m.fits(key, size) && m.firstEnded(now) {
		m.drop(m.ends[0].entry)
	}
	return m.fits(key, size)
}

// fits is Fits as things are.
func (m *Map[K, V]) fits(key K, size int) bool {
	if e := m.entries[key]; e != nil {
		size -= e.size
	}
	return m.size+size <= m.Limit
}

// Delete forgets key, if it is there.
func (m *Map[K, V]) Delete(key K) {
	if e := m.entries[key]; e != nil {
		m.drop(e)
	}
}

// Len counts the entries, among them those that have ended and were not dropped yet.
func (m *Map[K, V]) Len() int { return len(m.ends) }

// Size is the sum of their sizes.
func (m *Map[K, V]) Size() int { return m.size }

// few is how many ended entries one Put drops at most: when very many end at once, no single call
// pays for all of them.
const few = 8

// firstEnded reports whether there is an entry that has ended: the one that ends first stands in
// front.
func (m *Map[K, V]) firstEnded(now time.Time) bool {
	return len(m.ends) > 0 && !now.Before(m.ends[0].until)
}

// drop forgets an entry, and gives memory back: a map of Go's never does.
func (m *Map[K, V]) drop(e *entry[K, V]) {
	delete(m.entries, e.key)
	m.ends.remove(e.position)
	m.size -= e.size
	if cap(m.ends) < smallest || len(m.ends) > cap(m.ends)/8 {
		return
	}
	m.ends = append(make(heap[K, V], 0, 2*len(m.ends)), m.ends...)
	m.entries = make(map[K]*entry[K, V], 2*len(m.ends))
	for _, kept := range m.ends {
		m.entries[kept.key] = kept.entry
	}
}

// smallest is the capacity below which a Map keeps its memory.
const smallest = 1024
