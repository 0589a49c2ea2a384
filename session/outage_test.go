package session_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// stored runs a test for each of configs that has a Store, which it can break.
func stored(t *testing.T, test func(t *testing.T, c session.Config, spy *spyStore)) {
	everywhere(t, func(t *testing.T, c session.Config) {
		if c.Store == nil {
			return
		}
		spy := newSpy(c.Store)
		c.Store = spy
		test(t, c, spy)
	})
}

func TestOutageIsNotALogout(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		before := b.header()
		spy.down.Store(true)
		require.ErrorIs(t, b.m.Ready(t.Context()), session.ErrUnavailable)
		w := b.get(func(w http.ResponseWriter, r *http.Request) {
			s := session.From(r.Context())
			require.ErrorIs(t, s.Load(), session.ErrUnavailable)
			require.ErrorIs(t, s.Load(), errDown, "the cause is kept for the log")
			_, ok := s.Get("v")
			require.False(t, ok)
			require.ErrorIs(t, s.Set("v", nil), session.ErrUnavailable, "no new session over one that may live")
			require.ErrorIs(t, s.SetToken("t", "x"), session.ErrUnavailable)
			require.ErrorIs(t, s.RenewKeepingFields(), session.ErrUnavailable)
			require.ErrorIs(t, s.Sync(r.Context()), session.ErrUnavailable)
			require.ErrorIs(t, s.Delete("v"), session.ErrUnavailable)
			require.ErrorIs(t, s.Tag("t"), session.ErrUnavailable)
			require.ErrorIs(t, s.TagAt("t", time.Now()), session.ErrUnavailable)
			require.ErrorIs(t, s.Limit(time.Now()), session.ErrUnavailable)
			session.WriteUnavailable(w)
		})
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.NotEmpty(t, w.Header().Get("Retry-After"))
		require.Empty(t, setCookies(w))
		require.Equal(t, before, b.header())
		spy.down.Store(false)
		require.NoError(t, b.m.Ready(t.Context()))
		require.Equal(t, "1", b.value("v"), "it heals by itself")
	})
}

func TestStalledStoreIsGivenUpInTime(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			c.Keys = []string{session.NewKey()}
			c.Store = stalled{c.Store, make(chan struct{})}
			b := newBrowser(t, newManager(t, c))
			b.cookies[cookieName] = sealedSomewhere(t, c)
			start := time.Now()
			require.ErrorIs(t, b.load(), session.ErrUnavailable)
			require.Equal(t, 3*time.Second, time.Since(start))
		})
	})
}

// stalled never answers.
type stalled struct {
	session.Store
	never chan struct{}
}

func (s stalled) Get(ctx context.Context, _ ...string) ([][]byte, error) {
	select {
	case <-s.never:
	case <-ctx.Done():
	}
	return nil, ctx.Err()
}

// sealedSomewhere is a cookie that a manager with c's keys takes for one of its own.
func sealedSomewhere(t *testing.T, c session.Config) string {
	c.Store = session.NewMemoryStore()
	b := newBrowser(t, newManager(t, c))
	b.set("v", "1")
	return b.cookies[cookieName]
}

func TestNoCookieNoStoreTraffic(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		b := newBrowser(t, newManager(t, c))
		b.cookies["other"] = "x"
		require.ErrorIs(t, b.load(), session.ErrNoSession)
		b.cookies[cookieName] = "garbage"
		require.ErrorIs(t, b.load(), session.ErrNoSession)
		b.set("v", "1")
		b.get(func(http.ResponseWriter, *http.Request) {}) // nobody asks
		if !c.ServerSide {
			require.Zero(t, spy.calls.Load(), "a first generation needs no row")
		}
		require.Zero(t, spy.gets.Load())
	})
}

func TestLoadingIsOneRead(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		b := newBrowser(t, newManager(t, c))
		b.with(func(s *session.Session) {
			require.NoError(t, s.Set("v", []byte("1")))
			s.Tag("a")
			s.TagAt("b", time.Now())
		})
		require.NoError(t, b.load()) // server mode learns the tags
		spy.calls.Store(0)
		b.with(func(s *session.Session) {
			for range 5 {
				require.NoError(t, s.Load())
				s.Get("v")
				s.ID()
			}
		})
		require.EqualValues(t, 1, spy.calls.Load())
	})
}

func TestFailedDestroyEndsTheSessionHereAndSaysSo(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		thief := b.clone()
		spy.down.Store(true)
		b.with(func(s *session.Session) { require.ErrorIs(t, s.Destroy(t.Context()), session.ErrUnavailable) })
		require.Empty(t, b.cookies)
		spy.down.Store(false)
		require.ErrorIs(t, thief.load(), session.ErrNoSession)
	})
}

func TestRenewWhileTheStoreIsDownIssuesNothing(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "old")
		before := b.header()
		spy.down.Store(true)
		b.with(func(s *session.Session) {
			require.NoError(t, s.Renew(), "nothing to keep, nothing to ask")
			require.NoError(t, s.Set("v", []byte("new")))
			require.ErrorIs(t, s.Save(t.Context()), session.ErrUnavailable)
		})
		require.Equal(t, before, b.header())
	})
}

func TestRevocationThatCantBeStoredIsAnError(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		m := newManager(t, c)
		spy.down.Store(true)
		require.ErrorIs(t, m.Revoke(t.Context(), "t"), session.ErrUnavailable)
		require.ErrorIs(t, m.RevokeAt(t.Context(), "t", time.Now()), session.ErrUnavailable)
	})
	without := newManager(t, session.Config{})
	require.ErrorIs(t, without.Revoke(t.Context(), "t"), session.ErrNoStore)
	require.ErrorIs(t, without.RevokeAt(t.Context(), "t", time.Now()), session.ErrNoStore)
	require.ErrorContains(t, without.Revoke(t.Context(), "t"), "Config.Store")
}

func TestRefreshedTokensSurviveAStoreThatFailsMeanwhile(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		c.Keys = []string{session.NewKey()}
		b := newBrowser(t, newManager(t, c))
		b.with(func(s *session.Session) { require.NoError(t, s.SetToken("t", "old")) })
		b.with(func(s *session.Session) {
			err := s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
				require.NoError(t, latest.SetToken("t", "new"))
				spy.down.Store(true) // the provider has answered, and cannot be asked again
				return nil
			})
			require.ErrorIs(t, err, session.ErrUnavailable)
		})
		spy.down.Store(false)
		for range 2 {
			b.with(func(s *session.Session) {
				token, _ := s.Token("t")
				require.Equal(t, "new", token)
			})
		}
		b.m = newManager(t, c) // another process: by now the Store, or the cookie, has it
		b.with(func(s *session.Session) {
			token, _ := s.Token("t")
			require.Equal(t, "new", token)
		})
	})
}

// The next request may reach another process, which would send the refresh token that is spent.
func TestWhatCouldNotBeStoredIsStoredWhenTheStoreIsBack(t *testing.T) {
	for name, c := range map[string]session.Config{"cookie and store": {}, "server side": {ServerSide: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared, key := session.NewMemoryStore(), session.NewKey()
				spy := newSpy(shared)
				mine, others := c, c
				mine.Store, others.Store = spy, shared
				mine.Keys, others.Keys = []string{key}, []string{key}
				b := newBrowser(t, newManager(t, mine))
				b.with(func(s *session.Session) { require.NoError(t, s.SetToken("refresh", "1")) })
				b.with(func(s *session.Session) {
					err := s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
						spy.down.Store(true)
						return latest.SetToken("refresh", "2")
					})
					require.ErrorIs(t, err, session.ErrUnavailable)
				})
				time.Sleep(10 * time.Second)
				spy.down.Store(false)
				time.Sleep(5 * time.Second)

				other := b.clone()
				other.m = newManager(t, others)
				other.with(func(s *session.Session) {
					token, _ := s.Token("refresh")
					require.Equal(t, "2", token)
				})
			})
		})
	}
}

// A readOnlyStore can be read all the time, and written until readOnly, as a Redis that became a replica.
type readOnlyStore struct {
	session.Store
	readOnly atomic.Bool
}

var errReadOnly = errors.New("READONLY You can't write against a read only replica")

func (s *readOnlyStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if s.readOnly.Load() {
		return false, errReadOnly
	}
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *readOnlyStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if s.readOnly.Load() {
		return false, errReadOnly
	}
	return s.Store.Swap(ctx, key, old, value, ttl)
}

func TestWhatCouldNotBeStoredIsServedWhileTheStoreIsReadOnly(t *testing.T) {
	for name, c := range map[string]session.Config{"cookie and store": {}, "server side": {ServerSide: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &readOnlyStore{Store: session.NewMemoryStore()}
				c.Store, c.Keys = store, []string{session.NewKey()}
				b := newBrowser(t, newManager(t, c))
				b.with(func(s *session.Session) { require.NoError(t, s.SetToken("refresh", "1")) })
				old := b.clone()
				old.with(func(s *session.Session) {
					_ = s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
						store.readOnly.Store(true)
						return latest.SetToken("refresh", "2")
					})
				})
				refresh := func(b *browser) (token string) {
					b.with(func(s *session.Session) {
						require.NoError(t, s.Load())
						token, _ = s.Token("refresh")
					})
					return token
				}
				require.Equal(t, "2", refresh(b.clone()))
				time.Sleep(time.Minute)
				require.Equal(t, "2", refresh(b.clone()))
				store.readOnly.Store(false)
				time.Sleep(5 * time.Second)
				b.m = newManager(t, c) // another process
				require.Equal(t, "2", refresh(b))
			})
		})
	}
}

func TestASessionThatEndsBeforeItIsStoredStaysEnded(t *testing.T) {
	for name, c := range map[string]session.Config{"cookie and store": {}, "server side": {ServerSide: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shared, key := session.NewMemoryStore(), session.NewKey()
				spy := newSpy(shared)
				mine, others := c, c
				mine.Store, others.Store = spy, shared
				mine.Keys, others.Keys = []string{key}, []string{key}
				b := newBrowser(t, newManager(t, mine))
				b.with(func(s *session.Session) { require.NoError(t, s.SetToken("refresh", "1")) })
				other := b.clone()
				other.m = newManager(t, others)
				b.with(func(s *session.Session) {
					_ = s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
						spy.down.Store(true)
						return latest.SetToken("refresh", "2")
					})
				})
				other.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
				spy.down.Store(false)
				time.Sleep(5 * time.Second)
				require.ErrorIs(t, b.load(), session.ErrNoSession)
			})
		})
	}
}

func TestCorruptRowsMeanNoSessionAndAreDeleted(t *testing.T) {
	good := func(raw []byte) []byte { return raw }
	rows := []struct {
		name   string
		change func(raw []byte) []byte
		gone   bool
	}{
		{"control: untouched", good, false},
		{"empty", func([]byte) []byte { return []byte{} }, true},
		{"cut", func(raw []byte) []byte { return raw[:len(raw)/2] }, true},
		{"a bit flipped", func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw }, true},
		{"garbage", func([]byte) []byte { return bytes.Repeat([]byte("garbage\x00"), 40) }, true},
		{"a newer format", func(raw []byte) []byte { raw[0] = '2'; return raw }, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var log logBook
			spy := newSpy(session.NewMemoryStore())
			b := newBrowser(t, newManager(t, session.Config{Store: spy, ServerSide: true, Logger: log.logger()}))
			b.set("v", "1")
			for key, raw := range spy.values {
				require.NoError(t, spy.Set(t.Context(), key, row.change(bytes.Clone(raw)), time.Hour))
				w := b.with(func(s *session.Session) { require.Equal(t, row.gone, s.Load() != nil) })
				require.Equal(t, 200, w.Code)
				values, err := spy.Get(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, row.gone, values[0] == nil)
			}
			if row.gone {
				require.Empty(t, b.cookies)
				require.Contains(t, log.String(), "unreadable session deleted")
			}
		})
	}
}

func TestFlushedStoreSignsOutNormally(t *testing.T) {
	store := session.NewMemoryStore()
	c := session.Config{Store: store, ServerSide: true, Keys: []string{session.NewKey()}}
	b := newBrowser(t, newManager(t, c))
	b.set("v", "1")
	c.Store = session.NewMemoryStore()
	b.m = newManager(t, c)
	w := b.with(func(s *session.Session) { require.ErrorIs(t, s.Load(), session.ErrNoSession) })
	require.Equal(t, 200, w.Code)
	require.NotEmpty(t, b.cookies, "nobody knows when it ended")
}

func TestUnreadableMarkEndsOldSessionsAndLocksNobodyOut(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		m := newManager(t, c)
		signIn := func() *browser {
			b := newBrowser(t, m)
			b.with(func(s *session.Session) {
				require.NoError(t, s.Renew())
				s.Tag("t")
			})
			return b
		}
		clear(spy.values)
		require.NoError(t, m.Revoke(t.Context(), "t"))
		var mark string
		for mark = range spy.values {
		}
		b := signIn()
		require.NoError(t, b.load())
		require.NoError(t, spy.Store.Set(t.Context(), mark, []byte("garbage"), time.Hour))
		require.ErrorIs(t, b.load(), session.ErrNoSession, "it may have been a revocation")
		b = signIn()
		require.NoError(t, b.load())
		require.NoError(t, m.Revoke(t.Context(), "t"))
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestServerSideCookieHoldsARandomIDOnly(t *testing.T) {
	spy := newSpy(session.NewMemoryStore())
	b := newBrowser(t, newManager(t, session.Config{Store: spy, ServerSide: true}))
	w := b.set("v", "top-secret")
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, b.cookies[cookieName])
	require.Equal(t, 12*60*60, w.Result().Cookies()[0].MaxAge, "idle moves in the store")
	require.NotContains(t, b.cookies[cookieName], b.id())
	for key, raw := range spy.values {
		require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, key)
		require.NotEqual(t, key, b.cookies[cookieName], "stored hashed")
		require.NotContains(t, string(raw), "top-secret", "stored sealed")
	}
	for _, id := range []string{"", "*", "../../x", "a\r\nDEL b", b.cookies[cookieName][:42], b.cookies[cookieName] + "A"} {
		forged := &browser{t: t, m: b.m, cookies: map[string]string{cookieName: id}}
		require.ErrorIs(t, forged.load(), session.ErrNoSession, "%q", id)
	}
	require.NoError(t, b.load())
}

func TestLateWriteNeverRevivesARow(t *testing.T) {
	spy := newSpy(session.NewMemoryStore())
	b := newBrowser(t, newManager(t, session.Config{Store: spy, ServerSide: true}))
	b.set("v", "1")
	var row string
	for row = range spy.values {
	}
	b.with(func(s *session.Session) {
		require.NoError(t, s.Set("v", []byte("2")))
		spy.before = func(op string) { // gone between this request's read and its write
			if op == "Swap" {
				spy.Store.Delete(context.Background(), row, nil)
			}
		}
		require.ErrorIs(t, s.Save(t.Context()), session.ErrNoSession)
	})
	spy.before = nil
	require.ErrorIs(t, b.load(), session.ErrNoSession)
}

func TestShorterLifetimeAppliesToSessionsThatExist(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			c.Keys = []string{session.NewKey()}
			b := newBrowser(t, newManager(t, c))
			b.set("v", "1")
			c.Lifetime = 10 * time.Minute
			b.m = newManager(t, c)
			require.NoError(t, b.load())
			b.with(func(s *session.Session) {
				require.Equal(t, 10*time.Minute, time.Until(s.Deadline()))
				require.Equal(t, 10*time.Minute, time.Until(s.Expires()))
			})
			time.Sleep(10 * time.Minute)
			require.ErrorIs(t, b.load(), session.ErrNoSession)
		})
	})
}

func TestLimitCapsAndNeverExtends(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			c.IdleTimeout = -1
			b := newBrowser(t, newManager(t, c))
			b.with(func(s *session.Session) {
				require.NoError(t, s.Limit(time.Now()), "no session: nothing to limit")
				require.NoError(t, s.Set("v", nil))
				require.True(t, time.Now().Equal(s.Created()))
				s.Limit(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
				s.Limit(time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC))
				s.Limit(time.Now().Add(24 * time.Hour))
				require.Equal(t, 12*time.Hour, time.Until(s.Deadline()))
				s.Limit(time.Now().Add(time.Hour))
				s.Limit(time.Now().Add(2 * time.Hour))
				require.Equal(t, time.Hour, time.Until(s.Deadline()))
			})
			b.with(func(s *session.Session) {
				require.Equal(t, time.Hour, time.Until(s.Deadline()))
				require.Equal(t, s.Deadline(), s.Expires(), "no idle limit")
			})
			time.Sleep(time.Hour)
			require.ErrorIs(t, b.load(), session.ErrNoSession)
			b.with(func(s *session.Session) {
				require.NoError(t, s.Set("v", nil))
				s.Limit(time.Time{}) // long past
				require.ErrorIs(t, s.Save(t.Context()), session.ErrNoSession)
			})
			require.ErrorIs(t, b.load(), session.ErrNoSession)
		})
	})
}
