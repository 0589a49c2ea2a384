package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// peek is a request of b that looks, by a way to build the handler.
func (b *browser) peek(wrap func(h http.Handler) http.Handler, fn func(s *session.Session)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "https://shop.example/", nil)
	r.Header.Set("Cookie", b.header())
	w := httptest.NewRecorder()
	wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { fn(session.From(r.Context())) })).ServeHTTP(w, r)
	b.receive(w)
	return w
}

// peeks are the ways to stand a Peek around a handler.
func peeks(m *session.Manager) map[string]func(h http.Handler) http.Handler {
	return map[string]func(h http.Handler) http.Handler{
		"peek":                     m.Peek,
		"peek inside of a handler": func(h http.Handler) http.Handler { return m.Handler(m.Peek(h)) },
		"a handler inside of peek": func(h http.Handler) http.Handler { return m.Peek(m.Handler(h)) },
	}
}

// ways runs a test for each session mode and each way to peek.
func ways(t *testing.T, test func(t *testing.T, c session.Config, way string)) {
	everywhere(t, func(t *testing.T, c session.Config) {
		for way := range peeks(nil) {
			t.Run(way, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, c, way) }) })
		}
	})
}

func TestLookingMovesNoLimitAndWritesNoCookie(t *testing.T) {
	ways(t, func(t *testing.T, c session.Config, way string) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		look := func() (w *httptest.ResponseRecorder, err error) {
			w = b.peek(peeks(b.m)[way], func(s *session.Session) {
				if err = s.Load(); err == nil {
					v, _ := s.Get("v")
					require.Equal(t, "1", string(v))
				}
			})
			return w, err
		}
		for range 59 {
			time.Sleep(time.Minute)
			w, err := look()
			require.NoError(t, err)
			require.Empty(t, setCookies(w))
			require.Equal(t, "Cookie", w.Header().Get("Vary"))
			require.Equal(t, "private, no-store", w.Header().Get("Cache-Control"))
		}
		time.Sleep(time.Minute)
		w, err := look()
		require.ErrorIs(t, err, session.ErrNoSession, "nobody has used it for an hour")
		require.Empty(t, setCookies(w), "and no cookie is expired")
	})
}

func TestUseAmongLooksMovesTheLimit(t *testing.T) {
	ways(t, func(t *testing.T, c session.Config, way string) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		for range 3 {
			time.Sleep(50 * time.Minute)
			b.peek(peeks(b.m)[way], func(s *session.Session) { require.NoError(t, s.Load()) })
			require.NoError(t, b.load(), "this is use")
		}
	})
}

func TestWhatALookChangesIsSavedAllTheSame(t *testing.T) {
	ways(t, func(t *testing.T, c session.Config, way string) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		b.peek(peeks(b.m)[way], func(s *session.Session) { require.NoError(t, s.Set("v", []byte("2"))) })
		require.Equal(t, "2", b.value("v"))
		b.peek(peeks(b.m)[way], func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		require.Empty(t, b.cookies)
	})
}

func TestTokenThatALookRefreshesMovesNoLimit(t *testing.T) {
	ways(t, func(t *testing.T, c session.Config, way string) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		time.Sleep(30 * time.Minute)
		b.peek(peeks(b.m)[way], func(s *session.Session) {
			require.NoError(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
				return latest.SetToken("t", "new")
			}))
			require.NoError(t, s.Sync(t.Context()))
			require.Equal(t, 30*time.Minute, time.Until(s.Expires()))
		})
		time.Sleep(30 * time.Minute)
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestChangeAfterTheHandlerReturnedIsAnError(t *testing.T) {
	const field session.Field[int] = "n"
	rows := map[string]func(ctx context.Context, s *session.Session) error{
		"Field.Set":          func(ctx context.Context, _ *session.Session) error { return field.Set(ctx, 2) },
		"Field.Delete":       func(ctx context.Context, _ *session.Session) error { return field.Delete(ctx) },
		"Set":                func(_ context.Context, s *session.Session) error { return s.Set("v", []byte("2")) },
		"Delete":             func(_ context.Context, s *session.Session) error { return s.Delete("v") },
		"SetToken":           func(_ context.Context, s *session.Session) error { return s.SetToken("t", "2") },
		"Tag":                func(_ context.Context, s *session.Session) error { return s.Tag("t") },
		"TagAt":              func(_ context.Context, s *session.Session) error { return s.TagAt("t", time.Now()) },
		"Limit":              func(_ context.Context, s *session.Session) error { return s.Limit(time.Now()) },
		"Renew":              func(_ context.Context, s *session.Session) error { return s.Renew() },
		"RenewKeepingFields": func(_ context.Context, s *session.Session) error { return s.RenewKeepingFields() },
	}
	ends := map[string]func(){
		"returned": func() {},
		"panicked": func() { panic(http.ErrAbortHandler) },
	}
	for name, change := range rows {
		for how, end := range ends {
			t.Run(name+"/"+how, func(t *testing.T) {
				everywhere(t, func(t *testing.T, c session.Config) {
					b := newBrowser(t, newManager(t, c))
					b.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(t, field.Set(r.Context(), 1)) })
					b.set("v", "1")
					var ctx context.Context
					func() {
						defer func() { _ = recover() }()
						b.get(func(_ http.ResponseWriter, r *http.Request) {
							ctx = r.Context()
							require.NoError(t, session.From(ctx).Load())
							end()
						})
					}()
					require.ErrorIs(t, change(ctx, session.From(ctx)), session.ErrReturned)
					require.Equal(t, "1", b.value("v"))
				})
			})
		}
	}
}

func TestBackgroundWorkChangesTheSessionInExclusiveAndCanEndIt(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		var s *session.Session
		b.with(func(mine *session.Session) { s = mine; require.NoError(t, s.Load()) })
		require.NoError(t, s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
			return latest.Set("v", []byte("2"))
		}))
		require.Equal(t, "2", b.value("v"))
		require.NoError(t, s.Destroy(t.Context()))
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}
