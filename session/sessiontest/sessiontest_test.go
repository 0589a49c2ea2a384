package sessiontest_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/signet-go/signet/session/sessiontest"
)

// broken is a store that keeps all rules but the one that the test asks it to break.
type broken struct {
	session.Store
	rule string

	looked chan struct{} // where two meet who are about to write what both may not
}

func (b broken) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	values, err := b.Store.Get(ctx, keys...)
	switch {
	case b.rule == "Get" && len(values) > 1:
		values[0], values[1] = values[1], values[0]
	case b.rule == "Bytes":
		for i, value := range values {
			if len(value) == 0 {
				values[i] = nil
			}
		}
	case b.rule == "Context":
		return b.Store.Get(context.WithoutCancel(ctx), keys...)
	}
	return values, err
}

func (b broken) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if b.rule == "Expiry" {
		ttl = time.Hour
	}
	if b.rule == "Copies" {
		return b.Store.Set(ctx, key, value[:0], ttl)
	}
	return b.Store.Set(ctx, key, value, ttl)
}

func (b broken) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if b.rule == "Add" || b.rule == "AddRace" {
		return true, b.Store.Set(ctx, key, value, ttl)
	}
	return b.Store.Add(ctx, key, value, ttl)
}

func (b broken) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	held, err := b.Store.Get(ctx, key)
	switch {
	case err != nil:
		return false, err
	case b.rule == "SwapAbsent" && held[0] == nil, b.rule == "Swap":
		return true, b.Store.Set(ctx, key, value, ttl)
	case b.rule == "SwapRace" && bytes.Equal(held[0], old): // looks first, then acts
		select { // the others that have looked, or nobody
		case b.looked <- struct{}{}:
		case <-b.looked:
		case <-time.After(time.Second):
		}
		return true, b.Store.Set(ctx, key, value, ttl)
	}
	return b.Store.Swap(ctx, key, old, value, ttl)
}

func (b broken) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	switch b.rule {
	case "Delete":
		old = nil
	case "DeleteRace":
		_, err := b.Store.Delete(ctx, key, old)
		return true, err
	}
	return b.Store.Delete(ctx, key, old)
}

// TestBrokenStoresFailTheirRule runs this test binary once for each rule, with a store that breaks it.
func TestBrokenStoresFailTheirRule(t *testing.T) {
	const variable = "SESSIONTEST_BREAK"
	if rule := os.Getenv(variable); rule != "" {
		sessiontest.Run(t, func(*testing.T) session.Store { return broken{session.NewMemoryStore(), rule, make(chan struct{})} })
		return
	}
	for _, rule := range []string{
		"Get", "Expiry", "Add", "AddRace", "Swap", "SwapAbsent", "SwapRace", "Delete", "DeleteRace", "Bytes", "Copies", "Context",
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run", "^TestBrokenStoresFailTheirRule$/^"+rule+"$", "-test.v")
			cmd.Env = append(os.Environ(), variable+"="+rule)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "rule: ") {
				t.Fatalf("the store breaks the rule, and passes: %v\n%s", err, out)
			}
		})
	}
}

func TestGoodStorePasses(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) session.Store { return session.NewMemoryStore() })
}

func TestStoreOfTheExamplePasses(t *testing.T) {
	sessiontest.Run(t, func(*testing.T) session.Store { return newShelf() })
}
