package session_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

// rotate is a refresh: the token in s becomes the next one, as a provider with reuse detection
// makes it.
func rotate(t testing.TB, s *session.Session, next string) {
	t.Helper()
	require.NoError(t, s.Exclusive(context.Background(), func(_ context.Context, latest *session.Session) error {
		return latest.SetToken("refresh_token", next)
	}))
}

func token(b *browser) (token string) {
	b.with(func(s *session.Session) { token, _ = s.Token("refresh_token") })
	return token
}

// lost are the ways in which a newer cookie does not reach the browser. Each makes the token "2".
var lost = map[string]func(t *testing.T, b *browser){
	"a refresh after the first byte": func(t *testing.T, b *browser) {
		b.get(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			rotate(t, session.From(r.Context()), "2")
		})
	},
	"a refresh after a flush, adopted": func(t *testing.T, b *browser) {
		b.get(func(w http.ResponseWriter, r *http.Request) {
			require.NoError(t, http.NewResponseController(w).Flush())
			rotate(t, session.From(r.Context()), "2")
			require.NoError(t, session.From(r.Context()).Sync(r.Context()))
		})
	},
	"an event stream that refreshes for minutes": func(t *testing.T, b *browser) {
		b.get(func(w http.ResponseWriter, r *http.Request) {
			for _, next := range []string{"1.1", "1.2", "1.3", "2"} {
				_, err := io.WriteString(w, "event")
				require.NoError(t, err)
				time.Sleep(2 * time.Minute)
				rotate(t, session.From(r.Context()), next)
				require.NoError(t, session.From(r.Context()).Sync(r.Context()))
			}
		})
	},
	"an answer that is lost": func(t *testing.T, b *browser) {
		b.send(func(_ http.ResponseWriter, r *http.Request) {
			rotate(t, session.From(r.Context()), "2")
			require.NoError(t, session.From(r.Context()).Sync(r.Context()))
		})
	},
	"two answers that are lost": func(t *testing.T, b *browser) {
		for _, next := range []string{"1.1", "2"} {
			b.send(func(_ http.ResponseWriter, r *http.Request) { rotate(t, session.From(r.Context()), next) })
			time.Sleep(90 * time.Second)
		}
	},
	"a slow refresh that the request did not wait for": func(t *testing.T, b *browser) {
		var s *session.Session
		b.get(func(_ http.ResponseWriter, r *http.Request) {
			s = session.From(r.Context())
			require.NoError(t, s.Load())
		})
		time.Sleep(20 * time.Second)
		rotate(t, s, "2")
	},
	"a change after the first byte": func(t *testing.T, b *browser) {
		b.get(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			require.NoError(t, session.From(r.Context()).SetToken("refresh_token", "2"))
		})
	},
	"a change after the first byte, saved": func(t *testing.T, b *browser) {
		b.get(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			require.NoError(t, session.From(r.Context()).SetToken("refresh_token", "2"))
			_ = session.From(r.Context()).Save(r.Context())
		})
	},
	"a request that was aborted": func(t *testing.T, b *browser) {
		ctx, abort := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
		r.Header.Set("Cookie", b.header())
		b.m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			rotate(t, session.From(r.Context()), "2")
			abort()
		})).ServeHTTP(httptest.NewRecorder(), r)
	},
}

// losing runs a test for each session mode and each way to lose a cookie, with a browser whose
// token is "1" and a process that need not be the one that the browser comes back to.
func losing(t *testing.T, test func(t *testing.T, b *browser, c session.Config, lose func(t *testing.T, b *browser))) {
	everywhere(t, func(t *testing.T, c session.Config) {
		for name, lose := range lost {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c.Keys = []string{session.NewKey()}
					if c.Store != nil {
						c.Store = session.NewMemoryStore()
					}
					b := newBrowser(t, newManager(t, c))
					b.with(func(s *session.Session) {
						require.NoError(t, s.SetToken("refresh_token", "1"))
						require.NoError(t, s.Set("bulk", make([]byte, 400)))
						require.NoError(t, s.Tag("user"))
					})
					test(t, b, c, lose)
				})
			})
		}
	})
}

func TestWhatTheBrowserHasNotGotIsKeptForIt(t *testing.T) {
	for _, pause := range []time.Duration{0, 65 * time.Second, 5 * time.Minute, 50 * time.Minute} {
		t.Run(pause.String(), func(t *testing.T) {
			losing(t, func(t *testing.T, b *browser, c session.Config, lose func(t *testing.T, b *browser)) {
				lose(t, b)
				time.Sleep(pause)
				if c.Store != nil {
					b.m = newManager(t, c) // another process
				}
				require.Equal(t, "2", token(b), "with the cookie from before")
				time.Sleep(50 * time.Minute)
				require.Equal(t, "2", token(b), "with the cookie that it got then")
				require.Empty(t, setCookies(b.with(func(s *session.Session) { s.Load() })))
			})
		})
	}
}

func TestWhatIsKeptMakesNoCookieLiveLonger(t *testing.T) {
	losing(t, func(t *testing.T, b *browser, c session.Config, lose func(t *testing.T, b *browser)) {
		if c.ServerSide {
			return // the limit is the row's
		}
		old := b.clone()
		time.Sleep(30 * time.Minute)
		lose(t, b)
		time.Sleep(30 * time.Minute)
		require.ErrorIs(t, old.load(), session.ErrNoSession, "an hour after it was sealed")
		require.Empty(t, old.cookies)
	})
}

func TestEndOfASessionIsTheEndOfWhatIsKept(t *testing.T) {
	ends := map[string]func(t *testing.T, b *browser){
		"logout": func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		},
		"login":     func(t *testing.T, b *browser) { b.with(func(s *session.Session) { require.NoError(t, s.Renew()) }) },
		"end by id": func(t *testing.T, b *browser) { require.NoError(t, b.m.DestroyID(t.Context(), b.clone().id())) },
		"mark":      func(t *testing.T, b *browser) { _ = b.m.Revoke(t.Context(), "user") },
		"limit, just set": func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Limit(time.Now())) })
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			losing(t, func(t *testing.T, b *browser, c session.Config, lose func(t *testing.T, b *browser)) {
				if name == "mark" && c.Store == nil {
					return
				}
				spy := newSpy(c.Store)
				if c.Store != nil {
					c.Store = spy
					b.m = newManager(t, c)
				}
				lose(t, b)
				old := b.clone()
				end(t, b)
				if name != "mark" { // which finds nothing: the next request does
					require.Zero(t, largeRows(t, c, spy), "its tokens are gone")
				}
				for range 2 {
					require.ErrorIs(t, old.load(), session.ErrNoSession)
				}
				require.Zero(t, largeRows(t, c, spy), "its tokens are gone")
			})
		})
	}
}

// largeRows counts rows of a cookie mode's Store that are as large as a session.
func largeRows(t *testing.T, c session.Config, spy *spyStore) (n int) {
	if c.Store == nil || c.ServerSide {
		return 0
	}
	for key := range spy.values {
		rows, err := spy.Store.Get(t.Context(), key)
		require.NoError(t, err)
		if len(rows[0]) > 200 {
			n++
		}
	}
	return n
}

func TestRoomIsMadeByWhatBrowsersHave(t *testing.T) {
	var log logBook
	m := newManager(t, session.Config{Logger: log.logger()})
	waits := newBrowser(t, m)
	waits.set("v", "1")
	waits.send(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, session.From(r.Context()).Set("v", []byte("2")))
	})
	for range 2_000 { // of about 20 kB each
		b := newBrowser(t, m)
		b.set("v", strings.Repeat("x", 11_000))
		b.set("w", "1")
		require.NoError(t, b.load())
	}
	require.NotContains(t, log.String(), "memory full")
	require.Equal(t, "2", waits.value("v"))
}

func TestStoreThatWasDownGetsWhatItMissed(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			spy.Store = session.NewMemoryStore()
			here, there := processes(t, c)
			b := newBrowser(t, here)
			b.with(func(s *session.Session) { require.NoError(t, s.SetToken("refresh_token", "1")) })
			b.send(func(_ http.ResponseWriter, r *http.Request) {
				s := session.From(r.Context())
				require.ErrorIs(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
					require.NoError(t, latest.SetToken("refresh_token", "2"))
					spy.down.Store(true)
					return nil
				}), session.ErrUnavailable)
			})
			time.Sleep(15 * time.Minute)
			spy.down.Store(false)
			b.send(func(_ http.ResponseWriter, r *http.Request) { require.NoError(t, session.From(r.Context()).Load()) })
			b.m = there
			require.Equal(t, "2", token(b))
		})
	})
}

// A page that takes long, while another tab of the browser goes on.
func TestPageThatTakesLongTakesNothingBack(t *testing.T) {
	for _, takes := range []time.Duration{30 * time.Second, 75 * time.Second, 10 * time.Minute, 40 * time.Minute} {
		t.Run(takes.String(), func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				synctest.Test(t, func(t *testing.T) {
					if c.Store != nil {
						c.Store = session.NewMemoryStore()
					}
					c.Keys = []string{session.NewKey()}
					here := newManager(t, c)
					there := here
					if c.Store != nil {
						there = newManager(t, c)
					}
					b := newBrowser(t, here)
					b.with(func(s *session.Session) { require.NoError(t, s.SetToken("refresh_token", "1")) })
					time.Sleep(2 * time.Minute) // so that the idle limit is to be moved
					tab, page := b.clone(), b.clone()
					late := page.send(func(w http.ResponseWriter, r *http.Request) {
						s := session.From(r.Context())
						require.NoError(t, s.Load())
						tab.m = there
						tab.with(func(s *session.Session) {
							rotate(t, s, "2")
							require.NoError(t, s.Sync(t.Context()))
							require.NoError(t, s.Set("field", []byte("2")))
						})
						require.Equal(t, "2", token(tab), "it has the newest")
						time.Sleep(takes)
						require.NoError(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
							token, _ := latest.Token("refresh_token")
							require.Equal(t, "2", token, "and none that is spent is sent")
							return nil
						}))
					})
					tab.receive(late)
					tab.m = newManager(t, c) // which remembers nothing
					require.Equal(t, "2", token(tab))
					require.Equal(t, "2", tab.value("field"))
				})
			})
		})
	}
}

// Without a Store, a minute is all that is certain: there may be too much to remember.
func TestResponseThatTookLongerThanTheMemoryMovesNoLimit(t *testing.T) {
	rows := []struct {
		name   string
		takes  time.Duration
		change bool
		set    bool
	}{
		{"within a minute", 59 * time.Second, false, true},
		{"after a minute", time.Minute, false, false},
		{"with a change of its own", time.Minute, true, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrowser(t, newManager(t, session.Config{}))
				b.set("v", "1")
				time.Sleep(10 * time.Minute)
				w := b.with(func(s *session.Session) {
					require.NoError(t, s.Load())
					time.Sleep(row.takes)
					if row.change {
						require.NoError(t, s.Set("v", []byte("2")))
					}
				})
				require.Equal(t, row.set, len(setCookies(w)) > 0)
			})
		})
	}
}
