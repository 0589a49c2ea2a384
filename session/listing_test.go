package session_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/session"
)

func TestListIsConsistentUnderParallelLoginsAndLogouts(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		c.Store = session.NewMemoryStore()
		c.Keys = []string{session.NewKey()}
		replicas := []*session.Manager{newManager(t, c), newManager(t, c), newManager(t, c)}
		const browsers = 24
		all := make([]*browser, browsers)
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				b := newBrowser(t, replicas[i%len(replicas)])
				all[i] = b.enlist("alice", phone)
				switch i % 4 {
				case 0:
					b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
				case 1:
					b.enlist("alice", phone) // once more
				case 2:
					for _, s := range b.list("alice") {
						if s.Current {
							require.NoError(t, b.end("alice", s.ID))
						}
					}
				}
			})
		}
		wg.Wait()
		for _, m := range replicas {
			asks := newBrowser(t, m)
			require.Len(t, asks.list("alice"), browsers/2)
			for i, b := range all {
				require.Equal(t, i%4 == 1 || i%4 == 3, b.load() == nil)
			}
		}
		last := all[browsers-1]
		last.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(t, last.m.EndOthers(r.Context())) })
		require.Len(t, last.list("alice"), 1)
	})
}

func TestOneOfManyParallelEndsIsEnough(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		here, there := processes(t, c)
		b := newBrowser(t, here).enlist("alice", phone)
		keeper := newBrowser(t, there).enlist("alice", phone)
		id := b.list("alice")[0].ID
		if b.list("alice")[0].Current != true {
			id = b.list("alice")[1].ID
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := keeper.clone().end("alice", id); err != nil {
					require.ErrorIs(t, err, session.ErrNoSession)
				}
			})
		}
		wg.Wait()
		require.ErrorIs(t, b.load(), session.ErrNoSession)
		require.NoError(t, keeper.load())
	})
}

func TestLastSeenMovesWithTheIdleLimitAndNoOftener(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			spy := newSpy(session.NewMemoryStore())
			c.Store = spy
			here, there := processes(t, c)
			b := newBrowser(t, here).enlist("alice", phone)
			plain := newBrowser(t, here)
			plain.set("v", "1")
			extra := 0
			for i := range 60 { // a request every 30 s, at either process
				time.Sleep(30 * time.Second)
				b.m = []*session.Manager{here, there}[i%2]
				plain.m = b.m
				before := spy.calls.Load()
				require.NoError(t, plain.load())
				without := spy.calls.Load() - before
				require.NoError(t, b.load())
				with := spy.calls.Load() - before - without
				if with > without {
					extra++
				}
				if i%10 == 0 {
					seen := newBrowser(t, here).list("alice")[0].LastSeen
					require.WithinDuration(t, time.Now(), seen, 5*time.Minute+30*time.Second)
				}
			}
			require.Positive(t, extra)
			require.LessOrEqual(t, extra, 2*8, "two processes, 30 minutes")
			seen := b.list("alice")[0].LastSeen
			for range 20 {
				time.Sleep(time.Minute)
				b.send(func(_ http.ResponseWriter, r *http.Request) {
					b.m.Peek(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						require.NoError(t, b.m.From(r.Context()).Load())
					})).ServeHTTP(nil, r)
				})
			}
			require.True(t, seen.Equal(newBrowser(t, here).list("alice")[0].LastSeen), "a look is no use")
		})
	})
}

func TestListThatIsLostComesBackWithUse(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		if c.ServerSide {
			return // with the list the sessions are gone
		}
		synctest.Test(t, func(t *testing.T) {
			c.Keys, c.Store = []string{session.NewKey()}, session.NewMemoryStore()
			b := newBrowser(t, newManager(t, c)).enlist("alice", phone)
			c.Store = session.NewMemoryStore()
			b.m = newManager(t, c)
			require.Empty(t, b.list("alice"))
			time.Sleep(2 * time.Minute)
			require.NoError(t, b.load())
			all := b.list("alice")
			require.Len(t, all, 1)
			require.True(t, all[0].Current)
			require.NoError(t, b.end("alice", all[0].ID))
			require.Empty(t, b.cookies)
			require.Empty(t, b.list("alice"))
		})
	})
}

func TestSessionThatItsListCantTakeDoesNotBegin(t *testing.T) {
	breaks := map[string]func(spy *spyStore){
		"the Store is down": func(spy *spyStore) { spy.down.Store(true) },
		"the list alone can't be written": func(spy *spyStore) {
			adds := 0
			spy.before = func(op string) {
				if op == "Add" {
					adds++
				}
				spy.down.Store(op == "Add" && adds == 1) // the list comes first
			}
		},
	}
	for name, broken := range breaks {
		t.Run(name, func(t *testing.T) {
			stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
				spy := newSpy(session.NewMemoryStore())
				c.Store = spy
				b := newBrowser(t, newManager(t, c))
				broken(spy)
				b.with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					require.NoError(t, s.Enlist("alice", phone))
					require.ErrorIs(t, s.Save(t.Context()), session.ErrUnavailable)
				})
				require.Empty(t, b.cookies)
				spy.before = nil
				spy.down.Store(true)
				_, err := b.m.List(t.Context(), "alice")
				require.ErrorIs(t, err, session.ErrUnavailable)
				require.ErrorIs(t, b.m.End(t.Context(), "alice", "x"), session.ErrUnavailable)
				spy.down.Store(false)
				require.Empty(t, b.list("alice"))
			})
		})
	}
}

func TestStoreThatCantBeToldOfAUseCostsNoRequest(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			var log logBook
			spy := newSpy(session.NewMemoryStore())
			c.Store, c.Logger = spy, log.logger()
			b := newBrowser(t, newManager(t, c)).enlist("alice", phone)
			time.Sleep(6 * time.Minute)
			broken := false
			spy.before = func(op string) { broken = broken || op == "Swap"; spy.down.Store(op == "Swap") }
			w := b.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(t, session.From(r.Context()).Load()) })
			require.Equal(t, http.StatusOK, w.Code)
			require.True(t, broken)
			require.Contains(t, log.String(), "list of sessions not updated")
		})
	})
}

func TestListSaysWhetherASessionIsBound(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c)).enlist("alice", phone)
		b.with(func(s *session.Session) {
			require.NoError(t, inside.OfSession(s).Amend(func(f *packed.Facts) {
				f.Key = packed.DeviceKey{Thumbprint: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
			}))
		})
		all := b.list("alice")
		require.Len(t, all, 1)
		require.True(t, all[0].Bound)
		require.Equal(t, phone, all[0].Place)
	})
}
