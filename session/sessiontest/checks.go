package sessiontest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"
)

// checkGet asks for rows in another order, one of them absent, one twice.
func checkGet(c *checker) {
	c.set(c.key("a"), "1", long)
	c.set(c.key("c"), "3", long)
	values := c.get(c.key("c"), c.key("b"), c.key("a"), c.key("c"))
	if string(values[0]) != "3" || values[1] != nil || string(values[2]) != "1" || string(values[3]) != "3" {
		c.broken("Get of c, b (absent), a, c returned %s, %s, %s, %s",
			show(values[0]), show(values[1]), show(values[2]), show(values[3]))
	}
}

// checkGetNothing asks for no row.
func checkGetNothing(c *checker) { c.get() }

// checkExpiry lets rows end, and then makes every call on one of them.
func checkExpiry(c *checker) {
	for _, name := range []string{"add", "swap", "delete", "get"} {
		c.set(c.key(name), "1", short)
	}
	c.waitUntilAbsent(c.key("get"))
	c.add(c.key("add"), "2", true)
	c.swap(c.key("swap"), []byte("1"), "2", false)
	c.delete(c.key("delete"), nil, false)
}

// waitUntilAbsent waits for a short row to end; all short rows written before it have ended then.
func (c *checker) waitUntilAbsent(key string) {
	c.Helper()
	for deadline := time.Now().Add(10 * short); time.Now().Before(deadline); time.Sleep(short / 10) {
		if c.get(key)[0] == nil {
			return
		}
	}
	c.broken("a row with a ttl of %v is there after %v", short, 10*short)
}

// checkKept writes more rows than a small cache would keep.
func checkKept(c *checker) {
	const rows = 500
	for i := range rows {
		c.set(c.key(fmt.Sprint(i)), "1", long)
	}
	for i := range rows {
		c.holds(c.key(fmt.Sprint(i)), []byte("1"))
	}
}

// checkSet writes over a row, and waits until the time of the first value is over.
func checkSet(c *checker) {
	c.set(c.key("a"), "1", short)
	c.set(c.key("a"), "2", long)
	c.set(c.key("sentinel"), "1", short)
	c.waitUntilAbsent(c.key("sentinel"))
	c.holds(c.key("a"), []byte("2"))
}

// checkAdd adds to an absent row, to an existing one, and to one that was deleted.
func checkAdd(c *checker) {
	c.add(c.key("a"), "1", true)
	c.add(c.key("a"), "2", false)
	c.add(c.key("a"), "1", false)
	c.holds(c.key("a"), []byte("1"))
	c.delete(c.key("a"), nil, true)
	c.add(c.key("a"), "3", true)
}

// checkSwap swaps wrong and right old values, and waits until the time of the first is over.
func checkSwap(c *checker) {
	c.set(c.key("a"), "1", short)
	c.swap(c.key("a"), []byte("0"), "2", false)
	c.swap(c.key("a"), nil, "2", false)
	c.holds(c.key("a"), []byte("1"))
	c.swap(c.key("a"), []byte("1"), "2", true)
	c.set(c.key("sentinel"), "1", short)
	c.waitUntilAbsent(c.key("sentinel"))
	c.holds(c.key("a"), []byte("2"))
}

// checkSwapAbsent swaps a row that is not there.
func checkSwapAbsent(c *checker) {
	c.swap(c.key("a"), []byte("1"), "2", false)
	c.swap(c.key("a"), []byte{}, "2", false)
	c.swap(c.key("a"), nil, "2", false)
	c.holds(c.key("a"), nil)
}

// checkDelete deletes absent rows, wrong values, right values and anything.
func checkDelete(c *checker) {
	c.delete(c.key("a"), nil, false)
	c.delete(c.key("a"), []byte("1"), false)
	c.set(c.key("a"), "1", long)
	c.delete(c.key("a"), []byte("2"), false)
	c.delete(c.key("a"), []byte{}, false)
	c.holds(c.key("a"), []byte("1"))
	c.delete(c.key("a"), []byte("1"), true)
	c.holds(c.key("a"), nil)
	c.set(c.key("a"), "1", long)
	c.delete(c.key("a"), nil, true)
	c.holds(c.key("a"), nil)
}

// checkBytes writes an empty value, every byte and a long value.
func checkBytes(c *checker) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, value := range [][]byte{{}, {0}, all, bytes.Repeat(all, 400)} {
		c.set(c.key("a"), string(value), long)
		c.holds(c.key("a"), value)
		c.swap(c.key("a"), value, "x", true)
		c.delete(c.key("a"), nil, true)
	}
}

// checkCopies changes the bytes that it passed in, and those that it got.
func checkCopies(c *checker) {
	value := []byte("1")
	if err := c.Set(c.Context(), c.key("a"), value, long); err != nil {
		c.broken("Set: %v", err)
	}
	value[0] = '2'
	c.holds(c.key("a"), []byte("1"))
	c.get(c.key("a"))[0][0] = '3'
	c.holds(c.key("a"), []byte("1"))
}

// race counts the winners of a call made many times at once.
func (c *checker) race(call func(i int) (bool, error)) {
	c.Helper()
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		wins int
		errs error
	)
	for i := range 20 {
		all.Go(func() {
			ok, err := call(i)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				wins++
			}
			if err != nil {
				errs = err
			}
		})
	}
	all.Wait()
	if errs != nil {
		c.broken("one of many calls at once: %v", errs)
	}
	if wins != 1 {
		c.broken("%d of 20 succeeded", wins)
	}
}

// checkAddRace adds one row from many goroutines.
func checkAddRace(c *checker) {
	c.race(func(i int) (bool, error) { return c.Add(c.Context(), c.key("a"), []byte{byte(i)}, long) })
}

// checkSwapRace swaps one value from many goroutines.
func checkSwapRace(c *checker) {
	c.set(c.key("a"), "old", long)
	c.race(func(i int) (bool, error) {
		return c.Swap(c.Context(), c.key("a"), []byte("old"), []byte{byte(i)}, long)
	})
}

// checkDeleteRace deletes one row from many goroutines.
func checkDeleteRace(c *checker) {
	c.set(c.key("a"), "old", long)
	c.race(func(int) (bool, error) { return c.Delete(c.Context(), c.key("a"), []byte("old")) })
}

// checkContext makes every call with a context that is done.
func checkContext(c *checker) {
	c.set(c.key("a"), "1", long)
	ctx, cancel := context.WithCancel(c.Context())
	cancel()
	_, get := c.Get(ctx, c.key("a"))
	set := c.Set(ctx, c.key("a"), []byte("2"), long)
	_, add := c.Add(ctx, c.key("b"), []byte("2"), long)
	_, swap := c.Swap(ctx, c.key("a"), []byte("1"), []byte("2"), long)
	_, del := c.Delete(ctx, c.key("a"), nil)
	for name, err := range map[string]error{"Get": get, "Set": set, "Add": add, "Swap": swap, "Delete": del} {
		if err == nil {
			c.broken("%s returned no error", name)
		}
	}
}
