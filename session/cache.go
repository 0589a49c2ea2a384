package session

import (
	"bytes"
	"sync"

	"github.com/signet-go/signet/internal/packed"
)

// cache is the memory of decoded sessions. It holds only what was opened and decoded, is bounded in
// bytes, and saves nothing but that work: limits, marks and newer generations are looked at on
// every hit, and in server mode the Store is read first.
//
// Entries are found by a few bytes that differ from entry to entry, and must then equal every byte
// that they were decoded from. There are two maps: what is used moves to the young one, and when
// that has half the bytes it becomes the old one.
type cache struct {
	mu         sync.RWMutex
	max        int
	size       int // of young
	young, old map[string]*decoded
}

// decoded is a generation and what it was decoded from.
type decoded struct {
	g    *packed.Generation
	key  string
	from string // all the bytes: a cookie's text,
	row  []byte // or a row of the Store
	ring uint64 // the keyring's generation: a hit must not outlive a key
	size int
	sealed
}

// get returns the entry of key if it was decoded under the present keys from bytes that are the
// same.
func (c *cache) get(key string, ring uint64, same func(*decoded) bool) *decoded {
	c.mu.RLock()
	d, young := c.young[key]
	if !young {
		d = c.old[key]
	}
	c.mu.RUnlock()
	if d == nil || d.ring != ring || !same(d) {
		return nil
	}
	if !young {
		c.put(d)
	}
	return d
}

// newDecoded notes what g was decoded from. Its key is a part of the text.
func newDecoded(g *packed.Generation, key, from string) *decoded {
	return &decoded{g: g, key: key, from: from, size: entryOverhead + len(key) + len(from) + g.Size()}
}

// rowIs finds the entry that was decoded from this row.
func rowIs(raw []byte) func(*decoded) bool {
	return func(d *decoded) bool { return bytes.Equal(d.row, raw) }
}

// putRow remembers that g is what a row of the Store holds, by the id of its session. The row must
// not change any more.
func (c *cache) putRow(g *packed.Generation, row []byte, ring uint64, by sealed) *decoded {
	d := &decoded{g: g, key: g.ID, row: row, ring: ring, sealed: by}
	d.size = entryOverhead + len(g.ID) + len(row) + g.Size()
	c.put(d)
	return d
}

// remembers reports whether there is any memory: without, nothing need be copied for it.
func (c *cache) remembers() bool { return c.max > 0 }

// put remembers d. An entry that would take half the memory is not worth it.
func (c *cache) put(d *decoded) {
	if d.size > c.max/2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.size+d.size > c.max/2 {
		c.old, c.young, c.size = c.young, nil, 0
	}
	if c.young == nil {
		c.young = map[string]*decoded{}
	}
	if before, known := c.young[d.key]; known {
		c.size -= before.size
	}
	c.young[d.key] = d
	c.size += d.size
}

// flush forgets everything: keys have changed.
func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old, c.size = nil, nil, 0
}
