package session_test

import (
	"context"
	"math"
	"net/http"
	"runtime"
	"sync/atomic"
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

// openStreams opens a stream for each of n sessions with three tags, and returns what Done says to
// each. The sessions are seen by a manager that did not begin them.
func openStreams(t *testing.T, here, there *session.Manager, n int) (all []<-chan struct{}) {
	for range n {
		b := newBrowser(t, there)
		b.with(func(s *session.Session) {
			require.NoError(t, s.Set("v", []byte("1")))
			for _, tag := range []string{"user", "browser", "everybody"} {
				require.NoError(t, s.Tag(tag))
			}
		})
		b.m = here
		streaming(t, b, func(ctx context.Context) { all = append(all, session.Done(ctx)) })
	}
	return all
}

func closedOf(all []<-chan struct{}) (closed int) {
	for _, done := range all {
		if isClosed(done) {
			closed++
		}
	}
	return closed
}

func TestManyStreamsAreAskedForInPieces(t *testing.T) {
	const streams = 450
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			here, there := processes(t, c)
			all := openStreams(t, here, there, streams)
			spy.asked()
			time.Sleep(3 * time.Second)
			synctest.Wait()
			asked := 0
			for _, keys := range spy.asked() {
				require.LessOrEqual(t, len(keys), 1_000, "keys in one read")
				asked += len(keys)
			}
			require.GreaterOrEqual(t, asked, 4*streams, "all are asked for")
			require.Zero(t, closedOf(all))
			require.NoError(t, there.Revoke(t.Context(), "everybody"))
			time.Sleep(4 * time.Second)
			synctest.Wait()
			require.Equal(t, streams, closedOf(all))
		})
	})
}

// asked returns the keys of each read since the last call.
func (s *spyStore) asked() [][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.keys
	s.keys = nil
	return keys
}

// failingStore answers so many more reads, and then none.
type failingStore struct {
	session.Store
	reads atomic.Int64
}

func (f *failingStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if f.reads.Add(-1) < 0 {
		return nil, errDown
	}
	return f.Store.Get(ctx, keys...)
}

func TestAStoreThatFailsBetweenPiecesEndsWhatItToldOf(t *testing.T) {
	const streams = 450
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			failing := &failingStore{Store: c.Store}
			failing.reads.Store(math.MaxInt64)
			c.Store = failing
			here, there := processes(t, c)
			all := openStreams(t, here, there, streams)
			require.NoError(t, there.Revoke(t.Context(), "everybody"))
			failing.reads.Store(1)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			require.Equal(t, 200, closedOf(all))
			failing.reads.Store(math.MaxInt64)
			time.Sleep(4 * time.Second)
			synctest.Wait()
			require.Equal(t, streams, closedOf(all))
		})
	})
}

// In cookie mode the idle limit moves in cookies, which another process may have set.
func TestStreamIsNotClosedForIdlenessThatOthersKnowBetter(t *testing.T) {
	rows := []struct {
		name string
		end  func(t *testing.T, b *browser)
		ends bool
	}{
		{"nothing", func(*testing.T, *browser) {}, false},
		{"an end", func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		}, true},
		{"a mark", func(t *testing.T, b *browser) { require.NoError(t, b.m.Revoke(t.Context(), "t")) }, true},
		{"the absolute limit", func(*testing.T, *browser) { time.Sleep(30 * time.Minute) }, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
				synctest.Test(t, func(t *testing.T) {
					spy.Store = session.NewMemoryStore()
					here, there := processes(t, c)
					b := newBrowser(t, here)
					b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						require.NoError(t, s.Tag("t"))
					})
					defer streaming(t, b.clone(), func(ctx context.Context) {
						done := session.Done(ctx)
						b.m = there
						for range 23 {
							time.Sleep(30 * time.Minute)
							require.NoError(t, b.load())
							require.False(t, isClosed(done))
						}
						row.end(t, b)
						time.Sleep(5 * time.Second)
						require.Equal(t, row.ends, isClosed(done))
					})()
				})
			})
		})
	}
}
