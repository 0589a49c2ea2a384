package expiring

import "time"

// A heap has the entry that ends first in front. Its nodes have many children, which stand together
// in memory: a million entries are seven steps deep, and most of those that come end last and stay
// where they are put.
type heap[K comparable, V any] []node[K, V]

// A node repeats the end of its entry, so that comparing needs no look at it.
type node[K comparable, V any] struct {
	until time.Time
	*entry[K, V]
}

// children is how many each node has.
const children = 8

// add puts an entry into the heap.
func (h *heap[K, V]) add(e *entry[K, V]) {
	*h = append(*h, node[K, V]{e.until, e})
	h.up(len(*h) - 1)
}

// remove takes the entry at i out.
func (h *heap[K, V]) remove(i int) {
	last := len(*h) - 1
	moved := (*h)[last]
	(*h)[last] = node[K, V]{} // for the garbage collector
	*h = (*h)[:last]
	if i == last {
		return
	}
	h.place(i, moved)
	h.down(h.up(i))
}

// place puts n at i.
func (h *heap[K, V]) place(i int, n node[K, V]) {
	(*h)[i] = n
	n.position = i
}

// up moves the entry at i forward, past what ends later, and returns where it stands then.
func (h *heap[K, V]) up(i int) int {
	n := (*h)[i]
	for i > 0 {
		parent := (i - 1) / children
		if !n.until.Before((*h)[parent].until) {
			break
		}
		h.place(i, (*h)[parent])
		i = parent
	}
	h.place(i, n)
	return i
}

// down moves the entry at i back, behind what ends sooner.
func (h *heap[K, V]) down(i int) {
	n := (*h)[i]
	for {
		first := h.firstChild(i)
		if first < 0 || !(*h)[first].until.Before(n.until) {
			break
		}
		h.place(i, (*h)[first])
		i = first
	}
	h.place(i, n)
}

// firstChild returns the child of i that ends first, -1 when it has none.
func (h *heap[K, V]) firstChild(i int) int {
	from := children*i + 1
	if from >= len(*h) {
		return -1
	}
	first := from
	for c := from + 1; c < min(from+children, len(*h)); c++ {
		if (*h)[c].until.Before((*h)[first].until) {
			first = c
		}
	}
	return first
}
