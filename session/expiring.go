package session

import "time"

// expiring is a map whose entries end. It sweeps itself a little at every put,
// so that it needs no goroutine and what has ended never outweighs what lives.
// Its owner locks it.
type expiring[V any] struct {
	entries map[string]expiringEntry[V]
	bytes   int
}

// expiringEntry is a value, when it ends and what it takes.
type expiringEntry[V any] struct {
	value V
	until time.Time // on the monotonic clock: a wall clock that jumps ends nothing
	size  int
}

const (
	sweepSample   = 4   // entries looked at by each put: more than the one it adds
	entryOverhead = 128 // bytes of a map entry beside its key and value, roughly
)

// get returns the value of key unless its time is over.
func (e *expiring[V]) get(key string, now time.Time) (value V, ok bool) {
	entry, ok := e.entries[key]
	if !ok || !now.Before(entry.until) {
		return value, false
	}
	return entry.value, true
}

// put adds or replaces an entry; size is the bytes of its value.
func (e *expiring[V]) put(key string, value V, size int, now, until time.Time) {
	if e.entries == nil {
		e.entries = map[string]expiringEntry[V]{}
	}
	e.delete(key)
	e.sweep(now, sweepSample)
	size += len(key) + entryOverhead
	e.entries[key] = expiringEntry[V]{value: value, until: until, size: size}
	e.bytes += size
}

// delete forgets key, if it is there.
func (e *expiring[V]) delete(key string) {
	e.bytes -= e.entries[key].size
	delete(e.entries, key)
}

// sweep looks at up to n entries, in the map's random order, and drops those
// whose time is over.
func (e *expiring[V]) sweep(now time.Time, n int) {
	for key, entry := range e.entries {
		if n--; n < 0 {
			return
		}
		if !now.Before(entry.until) {
			e.delete(key)
		}
	}
}

// shed makes room for a cache that may forget early: of a few entries, the one
// that ends first goes, until bytes fit max.
func (e *expiring[V]) shed(max int) (shed int) {
	for ; e.bytes > max && len(e.entries) > 1; shed++ {
		var first string
		n := sweepSample
		for key, entry := range e.entries {
			if n--; n < 0 {
				break
			}
			if first == "" || entry.until.Before(e.entries[first].until) {
				first = key
			}
		}
		e.delete(first)
	}
	return shed
}
