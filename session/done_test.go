package session_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// streaming runs fn with the context of a request of b, which ends with the test or with leave.
func streaming(t *testing.T, b *browser, fn func(ctx context.Context)) (leave func()) {
	ctx, leave := context.WithCancel(t.Context())
	b.get(func(_ http.ResponseWriter, r *http.Request) { fn(&linked{Context: ctx, values: r.Context()}) })
	return leave
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestDoneInALoopCostsNoMemory(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		streaming(t, b, func(ctx context.Context) {
			first := session.Done(ctx)
			before := heap()
			for range 3_000 {
				require.Equal(t, first, session.Done(ctx))
			}
			require.Less(t, heap()-before, 200_000)
			require.False(t, isClosed(first))
			runtime.KeepAlive(ctx)
		})
	})
}

func TestDoneInALoopMissesNoEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		other := b.clone()
		streaming(t, b, func(ctx context.Context) {
			require.NoError(t, session.From(ctx).Load())
			first := session.Done(ctx)
			other.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
			require.True(t, isClosed(first))
			require.True(t, isClosed(session.Done(ctx)), "the next turn of the loop sees it too")
		})
	})
}

func TestDoneAfterAnEndThatThisRequestHasNotSeenIsClosed(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		other := b.clone()
		streaming(t, b, func(ctx context.Context) {
			require.NoError(t, session.From(ctx).Load())
			other.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
			require.True(t, isClosed(session.Done(ctx)))
		})
	})
}

func TestOutageEndsNoStream(t *testing.T) {
	rows := []struct {
		name string
		then func(t *testing.T, b *browser)
		ends bool
	}{
		{"the session lives", func(*testing.T, *browser) {}, false},
		{"the session was revoked", func(t *testing.T, b *browser) { require.NoError(t, b.m.Revoke(t.Context(), "t")) }, true},
		{"the session was ended", func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		}, true},
	}
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					here, there := processes(t, c)
					b := newBrowser(t, here)
					b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						s.Tag("t")
					})
					other := b.clone()
					other.m = there
					spy.down.Store(true)
					defer streaming(t, b, func(ctx context.Context) {
						done := session.Done(ctx)
						time.Sleep(10 * time.Second)
						require.False(t, isClosed(done), "a Store that fails ends nothing")
						spy.down.Store(false)
						row.then(t, other)
						time.Sleep(5 * time.Second)
						require.Equal(t, row.ends, isClosed(done))
						time.Sleep(20 * time.Second)
						require.Equal(t, row.ends, isClosed(done))
					})()
				})
			})
		}
	})
}

func TestTagThatASessionGetsLaterEndsItsStreams(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			here, there := processes(t, c)
			b := newBrowser(t, here)
			b.set("v", "1")
			other := b.clone()
			defer streaming(t, b, func(ctx context.Context) {
				done := session.Done(ctx)
				other.with(func(s *session.Session) { s.Tag("t") })
				require.NoError(t, other.load())
				require.NoError(t, there.Revoke(t.Context(), "t"))
				time.Sleep(5 * time.Second)
				require.True(t, isClosed(done))
			})()
		})
	})
}
