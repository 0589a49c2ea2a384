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

func TestValuesAndTokensComeBack(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		jwt := "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.AQID"
		b.with(func(s *session.Session) {
			require.ErrorIs(t, s.Load(), session.ErrNoSession)
			require.Empty(t, s.ID())
			require.NoError(t, s.Set("a", []byte("1")))
			require.NoError(t, s.Set("empty", nil))
			require.NoError(t, s.SetToken("id_token", jwt))
			require.NoError(t, s.SetToken("refresh_token", "opaque/token~with.odd..parts"))
			v, ok := s.Get("a")
			require.True(t, ok, "a request sees its own changes")
			require.Equal(t, "1", string(v))
		})
		b.with(func(s *session.Session) {
			require.NoError(t, s.Load())
			require.NotEmpty(t, s.ID())
			v, ok := s.Get("a")
			require.True(t, ok)
			require.Equal(t, "1", string(v))
			v[0] = 'x'
			v, _ = s.Get("a")
			require.Equal(t, "1", string(v), "values are copies")
			v, ok = s.Get("empty")
			require.True(t, ok)
			require.Empty(t, v)
			token, ok := s.Token("id_token")
			require.True(t, ok)
			require.Equal(t, jwt, token)
			token, _ = s.Token("refresh_token")
			require.Equal(t, "opaque/token~with.odd..parts", token)
			_, ok = s.Token("access_token")
			require.False(t, ok)
			s.Delete("a")
			s.Delete("refresh_token")
		})
		b.with(func(s *session.Session) {
			_, ok := s.Get("a")
			require.False(t, ok)
			_, ok = s.Token("refresh_token")
			require.False(t, ok)
			_, ok = s.Token("id_token")
			require.True(t, ok)
		})
	})
}

func TestRenewBeginsAnEmptySessionAndEndsTheOld(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("a", "1")
		b.set("b", "2")
		old, oldID := b.clone(), b.id()
		b.with(func(s *session.Session) { require.NoError(t, s.Renew()) })
		require.NotEqual(t, oldID, b.id())
		require.Equal(t, "", b.value("a"))
		require.Equal(t, "", b.value("b"))
		require.ErrorIs(t, old.load(), session.ErrNoSession)
		require.NotEmpty(t, old.cookies, "by now it may be the new one's: it is dead, and left alone")
	})
}

func TestDestroyEndsTheSessionEverywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("a", "1")
		thief := b.clone()
		w := b.with(func(s *session.Session) {
			require.NoError(t, s.Destroy(t.Context()))
			require.ErrorIs(t, s.Load(), session.ErrNoSession)
		})
		require.Len(t, setCookies(w), 1, "exactly one Set-Cookie, the deletion")
		require.Empty(t, b.cookies)
		require.ErrorIs(t, thief.load(), session.ErrNoSession)
	})
}

func TestDestroyIDEndsAnotherBrowsersSession(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("a", "1")
		id := b.id()
		require.NoError(t, b.m.DestroyID(t.Context(), ""))
		require.NoError(t, b.load())
		require.NoError(t, b.m.DestroyID(t.Context(), id))
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestParallelWritersOfDifferentNamesLoseNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("start", "1")
		const writers = 20
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				b.send(func(_ http.ResponseWriter, r *http.Request) {
					session.From(r.Context()).Set(fmt.Sprint("w", i), []byte{'x'})
				})
			})
		}
		all.Wait()
		b.with(func(s *session.Session) { // with the cookie from before
			for i := range writers {
				_, ok := s.Get(fmt.Sprint("w", i))
				require.True(t, ok, "writer %d", i)
			}
		})
	})
}

func TestLateResponseNeitherRevivesNorRollsBack(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("n", "1")
		late := b.send(func(_ http.ResponseWriter, r *http.Request) {
			session.From(r.Context()).Set("late", []byte("1"))
		})
		b.set("n", "2")
		b.receive(late) // overtaken on the wire
		require.Equal(t, "2", b.value("n"))
		require.Equal(t, "1", b.value("late"))

		late = b.send(func(_ http.ResponseWriter, r *http.Request) {
			session.From(r.Context()).Set("late", []byte("2"))
		})
		b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		b.receive(late)
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestWriteToASessionThatEndedMeanwhileIsDropped(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("n", "1")
		other := b.clone()
		w := b.with(func(s *session.Session) {
			require.NoError(t, s.Load())
			other.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
			require.NoError(t, s.Set("n", []byte("2")))
		})
		require.Equal(t, 200, w.Code)
		require.Empty(t, setCookies(w), "the browser may have the next session's cookie by now")
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestRevokeEndsOlderSessionsOnly(t *testing.T) {
	for name, c := range configs() {
		if c.Store == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := newManager(t, c)
			signIn := func() *browser {
				b := newBrowser(t, m)
				b.with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					s.Tag("user 7")
				})
				require.NoError(t, b.load())
				return b
			}
			first, other := signIn(), newBrowser(t, m)
			other.set("a", "1")
			require.NoError(t, m.Revoke(t.Context(), "user 7"))
			second := signIn()
			require.ErrorIs(t, first.load(), session.ErrNoSession)
			require.NoError(t, second.load())
			require.NoError(t, other.load())
			require.NoError(t, m.Revoke(t.Context(), "user 7"))
			require.NoError(t, m.Revoke(t.Context(), "user 7"))
			require.ErrorIs(t, second.load(), session.ErrNoSession)
			require.NoError(t, signIn().load())
		})
	}
}

func TestRevokeAtComparesTheForeignClockOnly(t *testing.T) {
	at := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC) // far from ours
	rows := []struct {
		name   string
		stamp  time.Time
		revoke time.Time
		ends   bool
	}{
		{"stamp before the revocation ends", at, at.Add(time.Second), true},
		{"a tie ends", at, at, true},
		{"stamp after the revocation lives", at.Add(time.Second), at, false},
	}
	for name, c := range configs() {
		if c.Store == nil {
			continue
		}
		for _, row := range rows {
			t.Run(name+"/"+row.name, func(t *testing.T) {
				tag := "sid " + row.name
				b := newBrowser(t, newManager(t, c))
				b.with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					s.TagAt(tag, row.stamp)
				})
				require.NoError(t, b.load())
				require.NoError(t, b.m.RevokeAt(t.Context(), tag, row.revoke))
				require.NoError(t, b.m.RevokeAt(t.Context(), tag, row.revoke.Add(-time.Hour)), "never backwards")
				require.Equal(t, row.ends, b.load() != nil)

				late := newBrowser(t, b.m) // a login that finds the mark
				late.with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					s.TagAt(tag, row.stamp)
					err := s.Save(t.Context())
					if row.ends {
						require.ErrorIs(t, err, session.ErrNoSession)
					} else {
						require.NoError(t, err)
					}
				})
				require.Equal(t, row.ends, len(late.cookies) == 0)
			})
		}
	}
}

func TestExclusiveHandsNewTokensToRequestsWithAnOldCookie(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.with(func(s *session.Session) { require.NoError(t, s.SetToken("t", "old")) })
		var calls int
		refresh := func(s *session.Session) string {
			require.NoError(t, s.Exclusive(context.Background(), func(_ context.Context, latest *session.Session) error {
				if token, _ := latest.Token("t"); token != "old" {
					return nil
				}
				calls++
				return latest.SetToken("t", "new")
			}))
			require.NoError(t, s.Sync(t.Context()))
			token, _ := s.Token("t")
			return token
		}
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				b.send(func(_ http.ResponseWriter, r *http.Request) {
					require.Equal(t, "new", refresh(session.From(r.Context())))
				})
			})
		}
		all.Wait()
		require.Equal(t, 1, calls)
		w := b.with(func(s *session.Session) { // still the first cookie
			token, _ := s.Token("t")
			require.Equal(t, "new", token)
		})
		if !c.ServerSide {
			require.Len(t, setCookies(w), 1, "and gets the newest one")
		}
		require.Empty(t, setCookies(b.with(func(s *session.Session) { s.Load() })))
	})
}

func TestFailedExclusivePublishesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("a", "1")
		b.with(func(s *session.Session) {
			err := s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
				require.NoError(t, latest.Set("a", []byte("2")))
				return errDown
			})
			require.ErrorIs(t, err, errDown)
		})
		require.Equal(t, "1", b.value("a"))
	})
}

func TestIdleAndAbsoluteLimits(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			c.Lifetime, c.IdleTimeout = 3*time.Hour, 10*time.Minute
			b := newBrowser(t, newManager(t, c))
			b.set("a", "1")
			start := time.Now()
			for time.Since(start) < 3*time.Hour-9*time.Minute {
				time.Sleep(9 * time.Minute)
				require.NoError(t, b.load(), "after %v", time.Since(start))
			}
			time.Sleep(9 * time.Minute)
			require.ErrorIs(t, b.load(), session.ErrNoSession, "the absolute limit never moves")

			b.set("a", "1")
			time.Sleep(10 * time.Minute)
			require.ErrorIs(t, b.load(), session.ErrNoSession, "idle")
			require.Equal(t, c.ServerSide, len(b.cookies) > 0, "a cookie that is past its own limits goes")
		})
	})
}

func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			if c.Store != nil {
				c.Store = newSpy(c.Store)
			}
			b := newBrowser(t, newManager(t, c))
			b.set("a", "1")
			require.Empty(t, setCookies(b.with(func(s *session.Session) {
				s.Get("a")
				require.NoError(t, s.Set("a", []byte("1")), "the same value is no change")
				s.Delete("b")
			})))
			time.Sleep(59 * time.Second)
			require.Empty(t, setCookies(b.with(func(s *session.Session) { s.Load() })))
			time.Sleep(time.Second)
			w := b.with(func(s *session.Session) { s.Load() })
			require.Equal(t, c.ServerSide, len(setCookies(w)) == 0, "idle moves in the cookie, or in the store")
		})
	})
}

func TestCookieAttributes(t *testing.T) {
	b := newBrowser(t, newManager(t, session.Config{}))
	w := b.set("a", "1")
	line := setCookies(w)[0]
	require.True(t, strings.HasPrefix(line, "__Host-session="), line)
	require.True(t, strings.HasSuffix(line, "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"), line)
	require.Equal(t, "private, no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "Cookie", w.Header().Get("Vary"))
}

func TestStampsOfAClockThatIsFarOff(t *testing.T) {
	for name, c := range configs() {
		if c.Store == nil {
			continue
		}
		for _, stamp := range []time.Time{{}, time.Unix(0, 0), time.Unix(1<<60, 0), time.Unix(-1<<60, 0)} {
			t.Run(fmt.Sprint(name, stamp.Unix()), func(t *testing.T) {
				b := newBrowser(t, newManager(t, c))
				tag := fmt.Sprint(stamp.Unix())
				b.with(func(s *session.Session) {
					require.NoError(t, s.Renew())
					s.TagAt(tag, stamp)
				})
				require.NoError(t, b.load())
				require.NoError(t, b.m.RevokeAt(t.Context(), tag, stamp))
				require.ErrorIs(t, b.load(), session.ErrNoSession)
			})
		}
	}
}

func TestTaggingAgainRevivesNothing(t *testing.T) {
	for name, c := range configs() {
		if c.Store == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			at := time.Unix(1_800_000_000, 0)
			b := newBrowser(t, newManager(t, c))
			b.with(func(s *session.Session) {
				require.NoError(t, s.Tag("before there is a session"), "does nothing")
				require.NoError(t, s.Delete("before there is a session"))
				require.NoError(t, s.Renew())
				s.Tag("t")
				s.TagAt("t", at)
			})
			late := b.clone()
			require.NoError(t, b.m.Revoke(t.Context(), "t"))
			late.with(func(s *session.Session) {
				s.Tag("t")
				s.TagAt("t", at.Add(time.Hour))
			})
			require.ErrorIs(t, late.load(), session.ErrNoSession)

			b = newBrowser(t, b.m)
			b.with(func(s *session.Session) {
				require.NoError(t, s.Renew())
				s.TagAt("u", at)
			})
			b.with(func(s *session.Session) { s.TagAt("u", at.Add(time.Hour)) })
			require.NoError(t, b.m.RevokeAt(t.Context(), "u", at))
			require.ErrorIs(t, b.load(), session.ErrNoSession, "the older stamp stays")
		})
	}
}
