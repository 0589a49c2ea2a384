package oidcauth_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A hangingStore answers nothing once it hangs.
type hangingStore struct {
	session.Store
	hangs bool
}

func (s *hangingStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Store.Get(ctx, keys...)
}

// Browsers let every request of the origin wait for a renewal: it must not wait for a Store that hangs.
func TestStoreThatHangsHoldsNoRenewalUp(t *testing.T) {
	for _, server := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := &hangingStore{Store: session.NewMemoryStore()}
			w := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, server })
			w.bind()
			w.forget()
			store.hangs = true
			began := time.Now()
			require.Equal(t, 503, w.browser.Get(app+"/me").Status)
			require.LessOrEqual(t, time.Since(began), 7*time.Second, "twice StoreTimeout: the renewal, and the page")
			require.Len(t, w.browser.DeviceSessions(), 1)
			store.hangs = false
			w.skipped = time.Minute
			require.NotNil(t, w.user())
		})
	}
}

func TestBoundRequestReadsTheStoreNoMoreThanAnother(t *testing.T) {
	for _, server := range []bool{false, true} {
		reads := map[string]int64{}
		for _, alg := range []string{"", "ES256"} {
			store := &moodyStore{Store: session.NewMemoryStore()}
			w := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, server })
			w.browser.DeviceAlg = alg
			w.signIn()
			w.browser.Get(app + "/me") // what waited for the browser to have the new cookie
			before, writes := store.reads.Load(), store.writes.Load()
			require.Equal(t, 200, script(w.browser, "/me").Status)
			reads[alg] = store.reads.Load() - before
			require.Equal(t, writes, store.writes.Load())
		}
		require.Equal(t, reads[""], reads["ES256"])
	}
}
