// Package sessiontest checks implementations of [session.Store]. Each failure quotes the rule that
// was broken:
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(t *testing.T) session.Store { return mystore.New(openTestDatabase(t)) })
//	}
package sessiontest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/signet-go/signet/session"
)

const (
	long  = time.Minute            // outlives a test
	short = 300 * time.Millisecond // ends within one
)

// Run checks the rules of [session.Store] against stores that open returns, one for each rule. The
// stores may share their rows: every rule uses keys of its own. It takes about a second, because
// some rules are about time. It needs a real clock, so don't call it inside testing/synctest. It
// doesn't check behavior that only shows over hours, or when a server is full or fails.
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

// rules are all that Run checks.
var rules = []rule{
	{"Get", "Get returns one element per key, in the order of the keys: nil for a row that is absent.", checkGet},
	{"GetNothing", "Get of no keys is not an error.", checkGetNothing},
	{"Expiry", "A row whose time is over is absent, for Get, Add, Swap and Delete.", checkExpiry},
	{"Kept", "A row is never dropped before its ttl is over.", checkKept},
	{"Set", "Set writes a row, whatever it held, and restarts its time.", checkSet},
	{"Add", "Add writes a row only if it is absent, and reports whether it did.", checkAdd},
	{"Swap", "Swap replaces a row only if it holds old, byte for byte, and restarts its time.", checkSwap},
	{"SwapAbsent", "Swap never creates a row: it reports false if the row is absent, even for an empty old.", checkSwapAbsent},
	{"Delete", "Delete removes a row that holds old, or, with a nil old, whatever it holds, and reports whether it removed one.",
		checkDelete},
	{"Bytes", "Values are any bytes, even none, and come back unchanged.", checkBytes},
	{"Copies", "The bytes passed in belong to the caller again after the call, and the returned bytes are the caller's to change.",
		checkCopies},
	{"AddRace", "Of many concurrent Adds of a row, exactly one succeeds.", checkAddRace},
	{"SwapRace", "Of many concurrent Swaps of the same old value, exactly one succeeds.", checkSwapRace},
	{"DeleteRace", "Of many concurrent Deletes of a row, exactly one succeeds.", checkDeleteRace},
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

// random is a key's worth of the alphabet of keys.
func random() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// get is Get without an error, and with one element per key.
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

// show tells an absent row from an empty one.
func show(b []byte) string {
	if b == nil {
		return "nothing"
	}
	return fmt.Sprintf("%q", b)
}

// set is Set without an error.
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

// add fails unless Add reports want.
func (c *checker) add(key, value string, want bool) {
	c.Helper()
	ok, err := c.Add(c.Context(), key, []byte(value), long)
	c.says("Add", ok, err, want)
}

// swap fails unless Swap reports want.
func (c *checker) swap(key string, old []byte, value string, want bool) {
	c.Helper()
	ok, err := c.Swap(c.Context(), key, old, []byte(value), long)
	c.says("Swap", ok, err, want)
}

// delete fails unless Delete reports want.
func (c *checker) delete(key string, old []byte, want bool) {
	c.Helper()
	ok, err := c.Delete(c.Context(), key, old)
	c.says("Delete", ok, err, want)
}
