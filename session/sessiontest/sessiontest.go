// Package sessiontest checks implementations of session.Store. Each failure quotes the rule that was broken:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(t *testing.T) session.Store { return mystore.New(openTestDatabase(t)) })
//	}
package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/signet-go/signet/session"
)

const (
	long  = time.Minute            // outlives a test
	short = 300 * time.Millisecond // ends within one
)

// Run checks the rules of session.Store against stores that open returns, one for each rule. The stores may share their rows:
// every rule uses keys of its own. It takes about a second, because some rules are about time. It needs a clock that moves,
// so don't call it inside testing/synctest.
func Run(t *testing.T, open func(t *testing.T) session.Store) {
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.check(&checker{T: t, Store: open(t), rule: rule.text, prefix: random()})
		})
	}
}

// A rule is one sentence of the contract and what shows that it holds.
type rule struct {
	name, text string
	check      func(c *checker)
}

var rules = []rule{
	{"Get", "Get returns one element per key, in the order of the keys: nil for a row that is absent.", checkGet},
	{"GetNothing", "Get of no keys is no error.", checkGetNothing},
	{"Expiry", "A row whose time is over is absent, for Get, Add, Swap and Delete.", checkExpiry},
	{"Kept", "A row is never dropped before its ttl is over.", checkKept},
	{"Set", "Set writes a row, whatever it held, and starts its time anew.", checkSet},
	{"Add", "Add writes a row only when it is absent, and reports whether it did.", checkAdd},
	{"Swap", "Swap replaces a row only while it holds old, byte for byte, and starts its time anew.", checkSwap},
	{"SwapAbsent", "Swap never creates a row: it is false when the row is absent, also for an empty old.", checkSwapAbsent},
	{"Delete", "Delete removes a row that holds old, or with a nil old whatever it holds, and reports whether it removed one.",
		checkDelete},
	{"Bytes", "Values are any bytes, also none, and come back as they were.", checkBytes},
	{"Copies", "The bytes passed in are the caller's again after the call, and the bytes returned are the caller's to change.",
		checkCopies},
	{"AddRace", "Of many Adds of a row at once, exactly one succeeds.", checkAddRace},
	{"SwapRace", "Of many Swaps of the same old value at once, exactly one succeeds.", checkSwapRace},
	{"DeleteRace", "Of many Deletes of a row at once, exactly one succeeds.", checkDeleteRace},
	{"Context", "A call whose ctx is done returns an error.", checkContext},
}

// checker is a test of one rule, with helpers that fail it.
type checker struct {
	*testing.T
	session.Store
	rule   string
	prefix string
}

// broken quotes the rule.
func (c *checker) broken(format string, args ...any) {
	c.Helper()
	c.Fatalf("%s\nrule: %s", fmt.Sprintf(format, args...), c.rule)
}

// key returns a key as a Manager would make it, of its own for each name.
func (c *checker) key(name string) string { return c.prefix + name }

func random() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (c *checker) get(keys ...string) [][]byte {
	c.Helper()
	values, err := c.Get(c.Context(), keys...)
	if err != nil {
		c.broken("Get: %v", err)
	}
	if len(values) != len(keys) {
		c.broken("Get returned %d elements for %d keys", len(values), len(keys))
	}
	return values
}

// holds fails unless the row holds want (nil: is absent).
func (c *checker) holds(key string, want []byte) {
	c.Helper()
	got := c.get(key)[0]
	if (got == nil) != (want == nil) || !bytes.Equal(got, want) {
		c.broken("the row holds %s, want %s", show(got), show(want))
	}
}

func show(b []byte) string {
	if b == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", b)
}

func (c *checker) set(key, value string, ttl time.Duration) {
	c.Helper()
	if err := c.Set(c.Context(), key, []byte(value), ttl); err != nil {
		c.broken("Set: %v", err)
	}
}

// says fails unless a call was answered as wanted.
func (c *checker) says(call string, got bool, err error, want bool) {
	c.Helper()
	if err != nil {
		c.broken("%s: %v", call, err)
	}
	if got != want {
		c.broken("%s reported %t, want %t", call, got, want)
	}
}

func (c *checker) add(key, value string, want bool) {
	c.Helper()
	ok, err := c.Add(c.Context(), key, []byte(value), long)
	c.says("Add", ok, err, want)
}

func (c *checker) swap(key string, old []byte, value string, want bool) {
	c.Helper()
	ok, err := c.Swap(c.Context(), key, old, []byte(value), long)
	c.says("Swap", ok, err, want)
}

func (c *checker) delete(key string, old []byte, want bool) {
	c.Helper()
	ok, err := c.Delete(c.Context(), key, old)
	c.says("Delete", ok, err, want)
}

func checkGet(c *checker) {
	c.set(c.key("a"), "1", long)
	c.set(c.key("c"), "3", long)
	values := c.get(c.key("c"), c.key("b"), c.key("a"), c.key("c"))
	if string(values[0]) != "3" || values[1] != nil || string(values[2]) != "1" || string(values[3]) != "3" {
		c.broken("Get of c, b (absent), a, c returned %s, %s, %s, %s",
			show(values[0]), show(values[1]), show(values[2]), show(values[3]))
	}
}

func checkGetNothing(c *checker) { c.get() }

func checkExpiry(c *checker) {
	for _, name := range []string{"get", "add", "swap", "delete"} {
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
			time.Sleep(short / 5) // its neighbours were written within this
			return
		}
	}
	c.broken("a row with a ttl of %v is there after %v", short, 10*short)
}

func checkKept(c *checker) {
	const rows = 500
	for i := range rows {
		c.set(c.key(fmt.Sprint(i)), "1", long)
	}
	for i := range rows {
		c.holds(c.key(fmt.Sprint(i)), []byte("1"))
	}
}

func checkSet(c *checker) {
	c.set(c.key("a"), "1", short)
	c.set(c.key("a"), "2", long)
	c.set(c.key("sentinel"), "1", short)
	c.waitUntilAbsent(c.key("sentinel"))
	c.holds(c.key("a"), []byte("2"))
}

func checkAdd(c *checker) {
	c.add(c.key("a"), "1", true)
	c.add(c.key("a"), "2", false)
	c.add(c.key("a"), "1", false)
	c.holds(c.key("a"), []byte("1"))
	c.delete(c.key("a"), nil, true)
	c.add(c.key("a"), "3", true)
}

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

func checkSwapAbsent(c *checker) {
	c.swap(c.key("a"), []byte("1"), "2", false)
	c.swap(c.key("a"), []byte{}, "2", false)
	c.swap(c.key("a"), nil, "2", false)
	c.holds(c.key("a"), nil)
}

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

func checkAddRace(c *checker) {
	c.race(func(i int) (bool, error) { return c.Add(c.Context(), c.key("a"), []byte{byte(i)}, long) })
}

func checkSwapRace(c *checker) {
	c.set(c.key("a"), "old", long)
	c.race(func(i int) (bool, error) {
		return c.Swap(c.Context(), c.key("a"), []byte("old"), []byte{byte(i)}, long)
	})
}

func checkDeleteRace(c *checker) {
	c.set(c.key("a"), "old", long)
	c.race(func(int) (bool, error) { return c.Delete(c.Context(), c.key("a"), []byte("old")) })
}

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
