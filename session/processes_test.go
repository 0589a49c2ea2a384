package session_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// processes are two Managers that share keys and a Store, as two replicas do.
func processes(t *testing.T, c session.Config) (a, b *session.Manager) {
	c.Keys = []string{session.NewKey()}
	return newManager(t, c), newManager(t, c)
}

func TestLateResponseOfAnotherProcessRollsNothingBack(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		here, there := processes(t, c)
		b := newBrowser(t, here)
		b.set("v", "1")
		late := b.send(func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Set("late", []byte("1")) })
		b.m = there
		b.set("v", "2")
		b.receive(late)
		require.Equal(t, "2", b.value("v"))
		require.Equal(t, "1", b.value("late"), "and loses nothing")
		require.Empty(t, setCookies(b.with(func(s *session.Session) { s.Load() })), "the browser has the newest cookie again")
	})
}

func TestSessionEndedInOneProcessIsEndedInAll(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		here, there := processes(t, c)
		b := newBrowser(t, here)
		b.set("v", "1")
		thief := b.clone()
		thief.m = there
		late := thief.send(func(_ http.ResponseWriter, r *http.Request) { session.From(r.Context()).Set("v", []byte("2")) })
		b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		require.ErrorIs(t, thief.load(), session.ErrNoSession)
		thief.receive(late)
		require.ErrorIs(t, thief.load(), session.ErrNoSession)
	})
}

func TestManyWritersInTwoProcessesLoseNothing(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		here, there := processes(t, c)
		b := newBrowser(t, here)
		b.set("start", "1")
		var all sync.WaitGroup
		for i := range 20 {
			mine := b.clone()
			mine.m = []*session.Manager{here, there}[i%2]
			all.Go(func() { mine.set("w"+string(rune('a'+i)), "1") })
		}
		all.Wait()
		for i := range 20 {
			require.Equal(t, "1", b.clone().value("w"+string(rune('a'+i))))
		}
	})
}

func TestExclusiveExcludesOtherProcesses(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		here, there := processes(t, c)
		b := newBrowser(t, here)
		b.with(func(s *session.Session) { require.NoError(t, s.SetToken("t", "0")) })
		var inside, refreshes atomic.Int32
		var all sync.WaitGroup
		for i := range 12 {
			mine := b.clone()
			mine.m = []*session.Manager{here, there}[i%2]
			all.Go(func() {
				mine.with(func(s *session.Session) {
					require.NoError(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
						require.EqualValues(t, 1, inside.Add(1))
						defer inside.Add(-1)
						if token, _ := latest.Token("t"); token == "0" {
							refreshes.Add(1)
							return latest.SetToken("t", "1")
						}
						return nil
					}))
					require.NoError(t, s.Sync(t.Context()))
					token, _ := s.Token("t")
					require.Equal(t, "1", token)
				})
			})
		}
		all.Wait()
		require.EqualValues(t, 1, refreshes.Load())
	})
}

func TestLeaseOfAProcessThatDiedEndsByItself(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			here, there := processes(t, c)
			b := newBrowser(t, here)
			b.set("v", "1")
			dead, die := context.WithCancel(t.Context())
			held := make(chan struct{})
			go b.clone().with(func(s *session.Session) {
				s.Exclusive(dead, func(ctx context.Context, _ *session.Session) error {
					close(held)
					<-ctx.Done()
					spy.down.Store(true) // it gives nothing back
					return ctx.Err()
				})
			})
			<-held
			die()
			synctest.Wait()
			spy.down.Store(false)
			start := time.Now()
			b.m = there
			b.with(func(s *session.Session) {
				require.NoError(t, s.Exclusive(t.Context(), func(context.Context, *session.Session) error { return nil }))
			})
			require.InDelta(t, 15, time.Since(start).Seconds(), 1)
		})
	})
}

func TestLeaseIsRenewedWhileTheWorkTakesLong(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			here, there := processes(t, c)
			b := newBrowser(t, here)
			b.set("v", "1")
			var done atomic.Bool
			var all sync.WaitGroup
			held := make(chan struct{})
			all.Go(func() {
				b.clone().with(func(s *session.Session) {
					require.NoError(t, s.Exclusive(t.Context(), func(ctx context.Context, _ *session.Session) error {
						close(held)
						time.Sleep(50 * time.Second)
						done.Store(true)
						return ctx.Err()
					}))
				})
			})
			<-held
			other := b.clone()
			other.m = there
			other.with(func(s *session.Session) {
				require.NoError(t, s.Exclusive(t.Context(), func(context.Context, *session.Session) error {
					require.True(t, done.Load())
					return nil
				}))
			})
			all.Wait()
		})
	})
}

func TestWorkIsStoppedWhenItsLeaseIsLost(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			here, _ := processes(t, c)
			b := newBrowser(t, here)
			b.set("v", "1")
			b.with(func(s *session.Session) {
				err := s.Exclusive(t.Context(), func(ctx context.Context, _ *session.Session) error {
					spy.down.Store(true)
					<-ctx.Done()
					return ctx.Err()
				})
				require.ErrorIs(t, err, context.Canceled)
			})
		})
	})
}

func TestLeaseThatAnotherProcessHasTakenIsLeftToIt(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			here, there := processes(t, c)
			b := newBrowser(t, here)
			b.set("v", "1")
			var all sync.WaitGroup
			lost := func(ctx context.Context, _ *session.Session) error { <-ctx.Done(); return ctx.Err() }
			kept := func(ctx context.Context, _ *session.Session) error {
				time.Sleep(time.Minute)
				return ctx.Err()
			}
			clear(spy.values)
			all.Go(func() {
				b.clone().with(func(s *session.Session) { require.ErrorIs(t, s.Exclusive(t.Context(), lost), context.Canceled) })
			})
			synctest.Wait()
			for lease := range spy.values { // an operator deletes the row
				_, err := spy.Delete(t.Context(), lease, nil)
				require.NoError(t, err)
			}
			other := b.clone()
			other.m = there
			other.with(func(s *session.Session) { require.NoError(t, s.Exclusive(t.Context(), kept)) })
			all.Wait()
		})
	})
}

func TestExclusiveWaitsNoLongerThanItsContext(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.with(func(s *session.Session) {
			nothing := func(context.Context, *session.Session) error { return errors.New("must not run") }
			require.ErrorIs(t, s.Exclusive(t.Context(), nothing), session.ErrNoSession)
			require.NoError(t, s.Set("v", nil))
			require.ErrorIs(t, s.Exclusive(t.Context(), nothing), session.ErrNoSession, "not saved yet")
		})
		b.with(func(s *session.Session) {
			require.NoError(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
				require.Error(t, latest.Renew(), "there is no response to give a cookie to")
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				require.ErrorIs(t, s.Exclusive(ctx, nil), context.Canceled)
				return nil
			}))
		})
	})
}

func TestSessionThatEndsDuringExclusiveStaysEnded(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		other := b.clone()
		b.with(func(s *session.Session) {
			err := s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
				other.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
				return latest.SetToken("t", "new")
			})
			require.ErrorIs(t, err, session.ErrNoSession)
			require.ErrorIs(t, s.Sync(t.Context()), session.ErrNoSession)
			require.ErrorIs(t, s.Load(), session.ErrNoSession)
		})
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestRevocationDuringALongRequestIsSeenBeforeItsCookie(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		b := newBrowser(t, newManager(t, c))
		b.with(func(s *session.Session) {
			require.NoError(t, s.Set("v", []byte("1")))
			s.Tag("t")
		})
		w := b.with(func(s *session.Session) {
			require.NoError(t, s.Set("v", []byte("2")))
			require.NoError(t, s.Save(t.Context()))
			require.NoError(t, b.m.Revoke(t.Context(), "t"))
		})
		for _, line := range setCookies(w) {
			require.Contains(t, line, "Max-Age=0")
		}
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestDoneClosesWhenTheSessionEnds(t *testing.T) {
	rows := []struct {
		name   string
		end    func(t *testing.T, b *browser, elsewhere *session.Manager) // ends at its return, or later
		within time.Duration
		store  bool // needs one
		idle   bool // ends for idleness
	}{
		{"destroyed in this process", func(t *testing.T, b *browser, _ *session.Manager) {
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		}, 0, false, false},
		{"revoked in this process", func(t *testing.T, b *browser, _ *session.Manager) {
			require.NoError(t, b.m.Revoke(t.Context(), "t"))
		}, 0, true, false},
		{"destroyed in another process", func(t *testing.T, b *browser, elsewhere *session.Manager) {
			require.NoError(t, elsewhere.DestroyID(t.Context(), b.id()))
		}, 5 * time.Second, true, false},
		{"revoked in another process", func(t *testing.T, _ *browser, elsewhere *session.Manager) {
			require.NoError(t, elsewhere.Revoke(t.Context(), "t"))
		}, 5 * time.Second, true, false},
		{"idle", func(*testing.T, *browser, *session.Manager) {}, time.Hour + 5*time.Second, false, true},
		{"at its absolute limit, though used", func(t *testing.T, b *browser, _ *session.Manager) {
			for range 23 {
				time.Sleep(30 * time.Minute)
				require.NoError(t, b.load())
			}
		}, 31 * time.Minute, false, false},
	}
	everywhere(t, func(t *testing.T, c session.Config) {
		for _, row := range rows {
			if row.store && c.Store == nil || row.idle && c.Store != nil && !c.ServerSide {
				continue // nobody can, or nobody knows: the limit moves in cookies that another process sets
			}
			t.Run(row.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					here, there := processes(t, c)
					b := newBrowser(t, here)
					b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						s.Tag("t")
					})
					streaming, done := make(chan struct{}), make(chan time.Time, 1)
					go b.clone().get(func(_ http.ResponseWriter, r *http.Request) {
						ended := session.Done(r.Context())
						close(streaming)
						<-ended
						done <- time.Now()
					})
					<-streaming
					time.Sleep(10 * time.Second)
					require.Empty(t, done)
					row.end(t, b, there)
					start := time.Now()
					ended := (<-done).Sub(start)
					require.GreaterOrEqual(t, ended, time.Duration(0), "not before")
					require.LessOrEqual(t, ended, row.within)
				})
			})
		}
	})
}

func TestDoneWithoutSessionIsClosed(t *testing.T) {
	<-session.Done(context.Background())
	newBrowser(t, newManager(t, session.Config{})).get(func(_ http.ResponseWriter, r *http.Request) {
		<-session.Done(r.Context())
	})
}

func TestManyStreamsCostOneRead(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, c)
			ctx, leave := context.WithCancel(t.Context())
			for range 20 {
				b := newBrowser(t, m)
				b.set("v", "1")
				b.get(func(_ http.ResponseWriter, r *http.Request) {
					r = r.WithContext(r.Context())
					go func() { <-ctx.Done() }()
					session.Done(&linked{Context: ctx, values: r.Context()})
				})
			}
			synctest.Wait()
			spy.gets.Store(0)
			time.Sleep(30*time.Second + time.Millisecond)
			require.EqualValues(t, 10, spy.gets.Load(), "every 3 s")
			spy.down.Store(true)
			time.Sleep(30 * time.Second) // ends nothing
			leave()
			synctest.Wait()
			spy.gets.Store(0)
			time.Sleep(time.Minute)
			require.Zero(t, spy.gets.Load(), "nobody left, nothing asked")
		})
	})
}

// linked takes its end from one context and its values from another.
type linked struct {
	context.Context
	values context.Context
}

func (l *linked) Value(key any) any { return l.values.Value(key) }

func TestMemoIsMadeOncePerGeneration(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		builds := 0
		memo := func(s *session.Session) any {
			return inside.OfSession(s).Memo(func(s inside.View) any {
				builds++
				v, _ := s.Get("v")
				return strings.Repeat(string(v), 2)
			})
		}
		b.with(func(s *session.Session) { require.Nil(t, memo(s)) })
		b.set("v", "1")
		for range 3 {
			b.with(func(s *session.Session) { require.Equal(t, "11", memo(s)) })
		}
		require.Equal(t, 1, builds)
		b.with(func(s *session.Session) {
			require.Equal(t, "11", memo(s))
			require.NoError(t, s.Set("v", []byte("2")))
			require.Equal(t, "22", memo(s))
			require.Equal(t, "22", memo(s))
			require.Equal(t, 2, builds)
		})
		b.with(func(s *session.Session) { require.Equal(t, "22", memo(s)) })
	})
}

func TestFields(t *testing.T) {
	type cart struct{ Items []string }
	const field session.Field[cart] = "cart"
	require.Error(t, field.Set(context.Background(), cart{}))
	require.Error(t, field.Delete(context.Background()))
	_, ok := field.Get(context.Background())
	require.False(t, ok)
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.get(func(_ http.ResponseWriter, r *http.Request) {
			_, ok := field.Get(r.Context())
			require.False(t, ok)
			require.NoError(t, field.Delete(r.Context()))
			require.NoError(t, field.Set(r.Context(), cart{[]string{"tea"}}))
		})
		b.with(func(s *session.Session) { require.NoError(t, s.RenewKeepingFields()) })
		b.get(func(_ http.ResponseWriter, r *http.Request) {
			v, ok := field.Get(r.Context())
			require.True(t, ok)
			require.Equal(t, []string{"tea"}, v.Items)
			_, ok = session.Field[int]("cart").Get(r.Context())
			require.False(t, ok, "another type")
			require.Error(t, session.Field[func()]("f").Set(r.Context(), nil), "no JSON")
			require.NoError(t, field.Delete(r.Context()))
		})
		b.get(func(_ http.ResponseWriter, r *http.Request) {
			_, ok := field.Get(r.Context())
			require.False(t, ok)
		})
	})
}
