package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// nextLogins are the ways in which the browser's session is followed by another one, whose value is
// "next".
var nextLogins = map[string]func(t *testing.T, b *browser){
	"a login": func(t *testing.T, b *browser) {
		b.with(func(s *session.Session) {
			require.NoError(t, s.Renew())
			require.NoError(t, s.Set("v", []byte("next")))
		})
	},
	"a login that keeps fields": func(t *testing.T, b *browser) {
		b.with(func(s *session.Session) {
			require.NoError(t, s.RenewKeepingFields())
			require.NoError(t, s.Set("v", []byte("next")))
		})
	},
	"a cross-site login, without the cookie": func(t *testing.T, b *browser) {
		id := b.clone().id()
		b.cookies = map[string]string{}
		b.with(func(s *session.Session) {
			require.NoError(t, b.m.DestroyID(t.Context(), id))
			require.NoError(t, s.Renew())
			require.NoError(t, s.Set("v", []byte("next")))
		})
	},
	"a logout and a login": func(t *testing.T, b *browser) {
		b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		b.set("v", "next")
	},
	"a revocation and a login": func(t *testing.T, b *browser) {
		if b.m.Revoke(t.Context(), "user") != nil { // without a Store there are none
			require.NoError(t, b.m.DestroyID(t.Context(), b.clone().id()))
		}
		b.with(func(s *session.Session) {
			require.NoError(t, s.Renew())
			require.NoError(t, s.Set("v", []byte("next")))
		})
	},
	"a revocation by a foreign clock and a login": func(t *testing.T, b *browser) {
		if b.m.RevokeAt(t.Context(), "sid", time.Now()) != nil {
			require.NoError(t, b.m.DestroyID(t.Context(), b.clone().id()))
		}
		b.with(func(s *session.Session) {
			require.NoError(t, s.Renew())
			require.NoError(t, s.Set("v", []byte("next")))
		})
	},
}

// lateHandlers are what a request does that is under way meanwhile: before and after.
var lateHandlers = map[string][2]func(t *testing.T, ctx context.Context, s *session.Session){
	"it has looked": {func(t *testing.T, _ context.Context, s *session.Session) { require.NoError(t, s.Load()) }, nil},
	"it looks":      {nil, func(_ *testing.T, _ context.Context, s *session.Session) { _ = s.Load() }},
	"it has changed something": {func(t *testing.T, _ context.Context, s *session.Session) {
		require.NoError(t, s.Set("v", []byte("late")))
	}, nil},
	"it has changed and saved": {func(t *testing.T, ctx context.Context, s *session.Session) {
		require.NoError(t, s.Set("v", []byte("late")))
		require.NoError(t, s.Save(ctx))
	}, nil},
	"it changes something then": {func(t *testing.T, _ context.Context, s *session.Session) { require.NoError(t, s.Load()) },
		func(_ *testing.T, _ context.Context, s *session.Session) { _ = s.Set("v", []byte("late")) }},
	"it refreshes then": {func(t *testing.T, _ context.Context, s *session.Session) { require.NoError(t, s.Load()) },
		func(t *testing.T, ctx context.Context, s *session.Session) {
			require.ErrorIs(t, s.Exclusive(ctx, func(context.Context, *session.Session) error { return nil }), session.ErrNoSession)
			require.ErrorIs(t, s.Sync(ctx), session.ErrNoSession)
		}},
	"it signs out then what is no more": {func(t *testing.T, _ context.Context, s *session.Session) { require.NoError(t, s.Load()) },
		func(t *testing.T, ctx context.Context, s *session.Session) { require.NoError(t, s.Destroy(ctx)) }},
	"it limits then what is no more": {func(t *testing.T, _ context.Context, s *session.Session) { require.NoError(t, s.Load()) },
		func(t *testing.T, _ context.Context, s *session.Session) { require.NoError(t, s.Limit(time.Now())) }},
}

func TestLateResponseLeavesTheNextLoginAlone(t *testing.T) {
	for next, login := range nextLogins {
		for name, late := range lateHandlers {
			for _, takes := range []time.Duration{0, 50 * time.Second, 20 * time.Minute} {
				t.Run(next+"/"+name+"/"+takes.String(), func(t *testing.T) {
					everywhere(t, func(t *testing.T, c session.Config) {
						synctest.Test(t, func(t *testing.T) {
							if c.Store != nil {
								c.Store = session.NewMemoryStore()
							}
							testLate(t, c, login, late, takes)
						})
					})
				})
			}
		}
	}
}

// testLate has a request under way while its browser gets the next session.
func testLate(t *testing.T, c session.Config, login func(t *testing.T, b *browser),
	late [2]func(t *testing.T, ctx context.Context, s *session.Session), takes time.Duration,
) {
	here, there := processes(t, c)
	if c.Store == nil {
		there = here
	}
	b := newBrowser(t, here)
	b.with(func(s *session.Session) {
		require.NoError(t, s.Set("v", []byte("first")))
		require.NoError(t, s.Tag("user"))
		require.NoError(t, s.TagAt("sid", time.Now()))
	})
	time.Sleep(2 * time.Minute)
	sent := b.clone()
	sent.m = there
	response := sent.send(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		if late[0] != nil {
			late[0](t, t.Context(), s)
		}
		login(t, b)
		time.Sleep(takes)
		if late[1] != nil {
			late[1](t, t.Context(), s)
		}
	})
	require.Equal(t, http.StatusOK, response.Code)
	require.Equal(t, "next", b.clone().value("v"))
	b.receive(response)
	require.Equal(t, "next", b.value("v"))
}

func TestDeadCookieGoesWhenItCanBeNoLateRequestsAnyMore(t *testing.T) {
	revoked := func(t *testing.T, b *browser) { require.NoError(t, b.m.Revoke(t.Context(), "user")) }
	rows := []struct {
		name  string
		end   func(t *testing.T, b *browser)
		store bool
		known bool // when it ended, in another process and mode than server side
	}{
		{"destroyed", func(t *testing.T, b *browser) {
			b.clone().with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		}, false, true},
		{"ended by its id", func(t *testing.T, b *browser) { require.NoError(t, b.m.DestroyID(t.Context(), b.clone().id())) }, false, true},
		{"replaced", func(t *testing.T, b *browser) {
			b.clone().with(func(s *session.Session) { require.NoError(t, s.Renew()) })
		}, false, true},
		{"revoked", revoked, true, true},
		{"revoked by a foreign clock", func(t *testing.T, b *browser) {
			require.NoError(t, b.m.RevokeAt(t.Context(), "sid", time.Now()))
		}, true, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				if row.store && c.Store == nil {
					return
				}
				synctest.Test(t, func(t *testing.T) {
					here, there := processes(t, c)
					b := newBrowser(t, here)
					b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						require.NoError(t, s.Tag("user"))
						require.NoError(t, s.TagAt("sid", time.Now()))
					})
					row.end(t, b)
					start := time.Now()
					expired := func(m *session.Manager, after time.Duration) bool {
						time.Sleep(time.Until(start.Add(after)))
						mine := b.clone()
						mine.m = m
						require.ErrorIs(t, mine.load(), session.ErrNoSession)
						return len(mine.cookies) == 0
					}
					require.False(t, expired(here, 0))
					require.False(t, expired(here, time.Minute))
					if c.Store != nil {
						require.Equal(t, row.known && !c.ServerSide, expired(there, time.Minute+time.Second))
					}
					remembered := row.known && (!c.ServerSide || !row.store)
					require.Equal(t, remembered, expired(here, time.Minute+2*time.Second))
				})
			})
		})
	}
}

func TestRequestThatEndsItsSessionTakesTheCookieAway(t *testing.T) {
	rows := map[string]func(t *testing.T, s *session.Session){
		"it destroys it": func(t *testing.T, s *session.Session) { require.NoError(t, s.Destroy(t.Context())) },
		"it limits it to now": func(t *testing.T, s *session.Session) {
			require.NoError(t, s.Limit(time.Now()))
			require.ErrorIs(t, s.Save(t.Context()), session.ErrNoSession)
		},
		"it limits it to now, while a token is refreshed": func(t *testing.T, s *session.Session) {
			require.ErrorIs(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
				return latest.Limit(time.Now())
			}), session.ErrNoSession)
			inside.OfSession(s).JoinEnd(inside.OfSession(s)) // it has waited
			require.ErrorIs(t, s.Sync(t.Context()), session.ErrNoSession)
		},
		"it replaces it by one that is revoked": func(t *testing.T, s *session.Session) {
			require.NoError(t, s.Destroy(t.Context()))
			_ = s.Manager().RevokeAt(t.Context(), "sid", time.Now())
			require.NoError(t, s.Renew())
			require.NoError(t, s.TagAt("sid", time.Now()))
			_ = s.Save(t.Context())
		},
	}
	for name, end := range rows {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				b := newBrowser(t, newManager(t, c))
				b.set("v", "1")
				before := b.header()
				w := b.with(func(s *session.Session) { end(t, s) })
				require.NotEmpty(t, setCookies(w))
				require.NotEqual(t, before, b.header())
			})
		})
	}
}

func TestRequestThatBeginsASessionExpiresNoCookie(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		for _, value := range []string{"garbage", ""} {
			b := newBrowser(t, newManager(t, c))
			b.cookies[cookieName] = value
			w := b.with(func(s *session.Session) {
				require.ErrorIs(t, s.Load(), session.ErrNoSession)
				require.NoError(t, s.Set("v", []byte("1")))
			})
			for _, cookie := range w.Result().Cookies() {
				require.Positive(t, cookie.MaxAge)
			}
			require.Equal(t, "1", b.value("v"))
		}
	})
}

func TestRequestsThatWaitedTogetherForAnEndAllTakeTheCookieAway(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		other := newBrowser(t, b.m)
		other.set("v", "1")
		ends := []struct {
			name    string
			browser *browser
			begins  bool
			lives   bool
			expired bool
		}{
			{"the same session", b.clone(), false, false, true},
			{"the same, and begins another", b.clone(), true, true, false},
			{"another session", other, false, true, false},
		}
		answers := make([]*httptest.ResponseRecorder, len(ends))
		first := b.clone()
		first.with(func(leader *session.Session) {
			require.NoError(t, leader.Load())
			var nest func(i int)
			nest = func(i int) {
				if i == len(ends) {
					require.NoError(t, leader.Destroy(t.Context()))
					return
				}
				answers[i] = ends[i].browser.with(func(s *session.Session) {
					require.NoError(t, s.Load())
					inside.OfSession(s).JoinEnd(inside.OfSession(leader)) // nothing has ended yet
					require.NoError(t, s.Load())
					nest(i + 1)
					if ends[i].begins {
						require.NoError(t, s.Renew())
					}
					inside.OfSession(s).JoinEnd(inside.OfSession(leader))
					require.Equal(t, ends[i].lives, s.Load() == nil, ends[i].name)
				})
			}
			nest(0)
		})
		require.Empty(t, first.cookies)
		for i, end := range ends {
			require.Equal(t, end.expired, len(end.browser.cookies) == 0, end.name)
			require.Equal(t, 200, answers[i].Code)
		}
	})
}

// A request that looks only after the limit of its cookie does not know what the browser has by
// then.
func TestRequestThatLooksTooLateLeavesTheMovedLimitAlone(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			if c.Store != nil {
				c.Store = session.NewMemoryStore()
			}
			b := newBrowser(t, newManager(t, c))
			b.set("v", "1")
			late := b.clone().send(func(_ http.ResponseWriter, r *http.Request) {
				for range 3 {
					time.Sleep(25 * time.Minute)
					require.NoError(t, b.load())
				}
				require.Equal(t, c.ServerSide, session.From(r.Context()).Load() == nil)
			})
			b.receive(late)
			require.NoError(t, b.load())
		})
	})
}
