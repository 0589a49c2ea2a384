package session_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

func TestMaxAgeIsTheNearerLimit(t *testing.T) {
	rows := []struct {
		name   string
		c      session.Config
		limit  time.Duration // of Session.Limit
		cookie time.Duration
		server time.Duration // the idle limit moves in the Store
	}{
		{"the idle limit", session.Config{}, 0, time.Hour, 12 * time.Hour},
		{"the absolute limit", session.Config{Lifetime: 30 * time.Minute}, 0, 30 * time.Minute, 30 * time.Minute},
		{"the absolute limit where idling is no matter", session.Config{IdleTimeout: -1}, 0, 12 * time.Hour, 12 * time.Hour},
		{"the provider's limit", session.Config{}, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		{"a part of a second counts as a whole one", session.Config{}, 2500 * time.Millisecond, 3 * time.Second, 3 * time.Second},
	}
	for _, row := range rows {
		for name, c := range configs() {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					row.c.Store, row.c.ServerSide = c.Store, c.ServerSide
					b := newBrowser(t, newManager(t, row.c))
					w := b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", nil))
						if row.limit != 0 {
							require.NoError(t, s.Limit(time.Now().Add(row.limit)))
						}
					})
					want := row.cookie
					if c.ServerSide {
						want = row.server
					}
					require.EqualValues(t, want/time.Second, w.Result().Cookies()[0].MaxAge)
				})
			})
		}
	}
}

// ttlStore notes the time of each row that is written.
type ttlStore struct {
	session.Store
	last time.Duration
}

func (s *ttlStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	s.last = ttl
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *ttlStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	s.last = ttl
	return s.Store.Swap(ctx, key, old, value, ttl)
}

func TestRowLivesUntilTheNearerLimitAndAMarkLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &ttlStore{Store: session.NewMemoryStore()}
		m := newManager(t, session.Config{Store: store, ServerSide: true})
		b := newBrowser(t, m)
		b.set("v", "1")
		require.Equal(t, time.Hour, store.last)
		for range 23 {
			time.Sleep(30 * time.Minute)
			require.NoError(t, b.load())
		}
		require.Equal(t, 30*time.Minute, store.last, "half an hour before the absolute limit")
		require.NoError(t, m.Revoke(t.Context(), "t"))
		require.GreaterOrEqual(t, store.last, 36*time.Hour, "a mark outlives every session, by what a clock may be set back")
	})
}

func TestIdleLimitMovesWhenATenthOrAMinuteHasPassed(t *testing.T) {
	rows := []struct {
		name string
		idle time.Duration
		due  time.Duration
	}{
		{"a tenth of five minutes", 5 * time.Minute, 30 * time.Second},
		{"a minute of a day", 24 * time.Hour, time.Minute},
		{"never without an idle limit", -1, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrowser(t, newManager(t, session.Config{IdleTimeout: row.idle, Lifetime: 48 * time.Hour}))
				b.set("v", "1")
				written := func() bool { return len(setCookies(b.with(func(s *session.Session) { s.Load() }))) > 0 }
				if row.due == 0 {
					time.Sleep(20 * time.Hour)
					require.False(t, written())
					return
				}
				time.Sleep(row.due - time.Millisecond)
				require.False(t, written())
				time.Sleep(time.Millisecond)
				require.True(t, written())
			})
		})
	}
}

func TestSharedResponseCarriesOnlyTheCookieThatItMust(t *testing.T) {
	rows := []struct {
		name    string
		request func(t *testing.T, b *browser) // makes a cookie due
		change  bool                           // the request itself changes the session
		cookies int
	}{
		{"the idle limit waits", func(*testing.T, *browser) { time.Sleep(10 * time.Minute) }, false, 0},
		{"a newer generation waits", func(t *testing.T, b *browser) { b.clone().set("v", "2") }, false, 0},
		{"a change does not", func(*testing.T, *browser) {}, true, 1},
	}
	for _, control := range []string{"public, max-age=60", "max-age=60", "s-maxage=60"} {
		for _, row := range rows {
			t.Run(row.name+"/"+control, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBrowser(t, newManager(t, session.Config{}))
					b.set("v", "1")
					row.request(t, b)
					w := b.get(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Cache-Control", control)
						s := session.From(r.Context())
						require.NoError(t, s.Load())
						if row.change {
							require.NoError(t, s.Set("v", []byte("3")))
						}
					})
					require.Len(t, setCookies(w), row.cookies)
					want := control
					if row.cookies > 0 {
						want = "private, no-store"
					}
					require.Equal(t, want, w.Header().Get("Cache-Control"), "no cache keeps a cookie")
				})
			})
		}
	}
}

// made returns a cookie of a session that began ahead of the clock, and its manager's keys.
func made(t *testing.T, ahead time.Duration, c session.Config) (cookies map[string]string) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(ahead)
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		cookies = b.cookies
	})
	return cookies
}

// A clock that jumps back shows as a session from the future: synctest's bubbles all begin in the
// year 2000.
func TestClockThatJumpsBackEndsNothingEarlyAndExtendsNothing(t *testing.T) {
	rows := []struct {
		name  string
		ahead time.Duration
		lives bool
	}{
		{"by a minute", time.Minute, true},
		{"by an hour", time.Hour, true},
		{"by more than any session lives", 500 * 24 * time.Hour, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := session.Config{Keys: []string{session.NewKey()}}
			cookies := made(t, row.ahead, c)
			synctest.Test(t, func(t *testing.T) {
				b := &browser{t: t, m: newManager(t, c), cookies: cookies}
				require.Equal(t, row.lives, b.load() == nil)
				if !row.lives {
					return
				}
				end := time.Now().Add(row.ahead + 12*time.Hour) // as it was sealed
				b.with(func(s *session.Session) { require.True(t, end.Equal(s.Deadline())) })
				for time.Until(end) > 30*time.Minute {
					time.Sleep(30 * time.Minute)
					require.NoError(t, b.load(), "used, so it lives")
				}
				time.Sleep(30 * time.Minute)
				require.ErrorIs(t, b.load(), session.ErrNoSession, "the absolute limit has not moved")
			})
		})
	}
}

func TestRevocationInTheSameMillisecondEndsWhatWasBefore(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		synctest.Test(t, func(t *testing.T) { // whose clock stands still
			m := newManager(t, c)
			signIn := func() *browser {
				b := newBrowser(t, m)
				b.with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					require.NoError(t, s.Tag("t"))
				})
				return b
			}
			var ended []*browser
			for range 3 {
				before := signIn()
				require.NoError(t, before.load())
				ended = append(ended, before)
				require.NoError(t, m.Revoke(t.Context(), "t"))
				for _, b := range ended {
					require.ErrorIs(t, b.clone().load(), session.ErrNoSession)
				}
			}
			require.NoError(t, signIn().load())
		})
	})
}

func TestRevocationCostsTheSameHoweverManySessionsItEnds(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		m := newManager(t, c)
		cost := func(sessions int) int64 {
			for range sessions {
				newBrowser(t, m).with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					require.NoError(t, s.Tag(fmt.Sprint(sessions)))
				})
			}
			spy.calls.Store(0)
			require.NoError(t, m.Revoke(t.Context(), fmt.Sprint(sessions)))
			return spy.calls.Load()
		}
		require.Equal(t, cost(1), cost(50))
	})
}

func TestRowsAreBoundToTheirKey(t *testing.T) {
	spy := newSpy(session.NewMemoryStore())
	m := newManager(t, session.Config{Store: spy, ServerSide: true})
	b := newBrowser(t, m)
	b.set("v", "the administrator's")
	var first string
	for first = range spy.values {
	}
	thief := newBrowser(t, m)
	thief.set("v", "somebody's")
	for key := range spy.values {
		if key != first { // who can write to the Store copies a row
			require.NoError(t, spy.Set(t.Context(), key, spy.values[first], time.Hour))
		}
	}
	require.ErrorIs(t, thief.load(), session.ErrNoSession)
	require.Equal(t, "the administrator's", b.value("v"), "control")
}

func TestMemoryNeverReplacesTheReadOfTheStore(t *testing.T) {
	spy := newSpy(session.NewMemoryStore())
	b := newBrowser(t, newManager(t, session.Config{Store: spy, ServerSide: true}))
	b.set("v", "1")
	require.NoError(t, b.load())
	require.NoError(t, b.load(), "remembered")
	for row := range spy.values {
		_, err := spy.Store.Delete(t.Context(), row, nil)
		require.NoError(t, err)
	}
	require.ErrorIs(t, b.load(), session.ErrNoSession)
}

func TestFullStoreIsAnOutageAndNoLogin(t *testing.T) {
	store := &session.MemoryStore{MaxBytes: 2_000}
	b := newBrowser(t, newManager(t, session.Config{Store: store, ServerSide: true}))
	b.set("v", "1")
	for i := 0; store.Set(t.Context(), fmt.Sprint(i), nil, time.Hour) == nil; i++ {
	}
	other := newBrowser(t, b.m)
	w := other.get(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, session.From(r.Context()).Set("v", []byte("1")))
	})
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Empty(t, other.cookies)
	require.Equal(t, "1", b.value("v"), "sessions that are there go on")
	b.set("v", "2")
	require.Equal(t, "2", b.value("v"), "and can change")
}

func TestWriterOfTwoProcessesWinsByFieldAndTheLaterByName(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		here, there := processes(t, c)
		b := newBrowser(t, here)
		b.set("both", "0")
		other := b.clone()
		other.m = there
		b.with(func(s *session.Session) {
			require.NoError(t, s.Set("a", []byte("1")))
			require.NoError(t, s.Set("both", []byte("later")))
			other.with(func(s *session.Session) { // is saved before
				require.NoError(t, s.Set("b", []byte("1")))
				require.NoError(t, s.Set("both", []byte("earlier")))
			})
		})
		for _, m := range []*session.Manager{here, there} {
			b.m, other.m = m, m
			for name, want := range map[string]string{"a": "1", "b": "1", "both": "later"} {
				require.Equal(t, want, b.value(name))
				require.Equal(t, want, other.value(name), "also by the cookie of the earlier one")
			}
		}
	})
}

func TestFieldsOfParallelWritersInServerModeAllStay(t *testing.T) {
	here, there := processes(t, session.Config{Store: session.NewMemoryStore(), ServerSide: true})
	b := newBrowser(t, here)
	b.set("start", "1")
	field := func(i int) session.Field[string] { return session.Field[string](strings.Repeat("f", i+1)) }
	var all sync.WaitGroup
	for i := range 24 {
		mine := b.clone()
		mine.m = []*session.Manager{here, there}[i%2]
		all.Go(func() {
			mine.get(func(_ http.ResponseWriter, r *http.Request) { field(i).Set(r.Context(), fmt.Sprint(i)) })
		})
	}
	all.Wait()
	b.get(func(_ http.ResponseWriter, r *http.Request) {
		for i := range 24 {
			v, _ := field(i).Get(r.Context())
			require.Equal(t, fmt.Sprint(i), v)
		}
	})
}

// A clock that was ahead makes a session live longer. What ends it must not live shorter than that.
func TestEndLivesAsLongAsWhatItEnds(t *testing.T) {
	const ahead = 2 * time.Hour
	ends := map[string]func(t *testing.T, b *browser){
		"logout": func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		},
		"login":     func(t *testing.T, b *browser) { b.with(func(s *session.Session) { require.NoError(t, s.Renew()) }) },
		"end by id": func(t *testing.T, b *browser) { require.NoError(t, b.m.DestroyID(t.Context(), b.id())) },
		"limit": func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Limit(time.Now())) })
		},
		"mark":    func(t *testing.T, b *browser) { require.NoError(t, b.m.Revoke(t.Context(), "t")) },
		"nothing": func(*testing.T, *browser) {},
	}
	for name, end := range ends {
		for mode, store := range map[string]bool{"cookie": false, "cookie and store": true} {
			if name == "mark" && !store {
				continue
			}
			t.Run(name+"/"+mode, func(t *testing.T) {
				c := session.Config{Keys: []string{session.NewKey()}, IdleTimeout: -1}
				var cookies map[string]string
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(ahead)
					if store {
						c.Store = session.NewMemoryStore()
					}
					b := newBrowser(t, newManager(t, c))
					b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						require.NoError(t, s.Tag("t"))
					})
					cookies = b.cookies
				})
				synctest.Test(t, func(t *testing.T) {
					if store {
						c.Store = session.NewMemoryStore()
					}
					b := &browser{t: t, m: newManager(t, c), cookies: cookies}
					copied := b.clone()
					require.NoError(t, b.load(), "control")
					end(t, b)
					for range 15 {
						require.Equal(t, name == "nothing", copied.clone().load() == nil)
						time.Sleep(54*time.Minute + time.Second)
					}
				})
			})
		}
	}
}
