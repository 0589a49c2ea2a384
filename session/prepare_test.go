package session_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

const memo session.Field[string] = "memo"

// prepared runs fn with the browser's session and one to come.
func (b *browser) prepared(fn func(ctx context.Context, s, next *session.Session)) {
	b.get(func(_ http.ResponseWriter, r *http.Request) {
		s := session.From(r.Context())
		ctx, next, err := s.Prepare(r.Context(), false)
		require.NoError(b.t, err)
		fn(ctx, s, next)
	})
}

func TestASessionToComeTakesTheOthersPlace(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("who", "alice")
		old := b.clone()
		b.prepared(func(ctx context.Context, s, next *session.Session) {
			require.Same(t, next, session.From(ctx))
			require.Same(t, next, b.m.From(ctx))
			require.True(t, next.Pending())
			require.False(t, s.Pending())
			require.NoError(t, next.Set("who", []byte("bob")))
			require.NoError(t, memo.Set(ctx, "bob's"))
			id := next.ID()
			require.NoError(t, s.Replace(ctx, next))
			require.Equal(t, id, s.ID())
			require.Error(t, s.Replace(ctx, next), "it has begun")
		})
		require.Equal(t, "bob", b.value("who"))
		require.ErrorIs(t, old.load(), session.ErrNoSession)
	})
}

func TestASessionToComeThatIsGivenUpLeavesNoTrace(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		spy := newSpy(session.NewMemoryStore())
		if c.Store != nil {
			c.Store = spy
		}
		b := newBrowser(t, newManager(t, c))
		b.set("who", "alice")
		rows := len(spy.values)
		b.prepared(func(ctx context.Context, s, next *session.Session) {
			require.NoError(t, memo.Set(ctx, "carol's"))
			require.NoError(t, next.SetToken("t", "carol's"))
			require.NoError(t, next.Save(ctx))
			require.Error(t, next.Renew())
			require.Error(t, next.RenewKeepingFields())
			require.ErrorIs(t, next.Exclusive(ctx, func(context.Context, *session.Session) error { return nil }), session.ErrNoSession)
			require.NoError(t, next.Destroy(ctx))
			require.ErrorIs(t, next.Load(), session.ErrNoSession)
			require.ErrorIs(t, next.Save(ctx), session.ErrNoSession)
			require.ErrorIs(t, memo.Set(ctx, "late"), session.ErrReturned)
			require.ErrorIs(t, s.Replace(ctx, next), session.ErrNoSession)
			_, ok := memo.Get(ctx)
			require.False(t, ok)
		})
		require.Equal(t, "alice", b.value("who"))
		require.Len(t, spy.values, rows)
		b.with(func(s *session.Session) {
			_, ok := s.Token("t")
			require.False(t, ok)
		})
	})
}

func TestWhatIsKeptForASessionToComeIsTheNewest(t *testing.T) {
	saves := func(value string) func(b *browser) {
		return func(b *browser) {
			b.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(b.t, memo.Set(r.Context(), value)) })
		}
	}
	signsOut := func(b *browser) { b.with(func(s *session.Session) { require.NoError(b.t, s.Destroy(b.t.Context())) }) }
	nothing := func(*browser) {}
	rows := []struct {
		name         string
		before, then func(other *browser) // what another request does before the session is prepared, and then
		own          string               // what the session to come sets itself
		want         string
	}{
		{"another request has saved something else before", saves("newer"), nothing, "", "newer"},
		{"another request has emptied it before", saves(""), nothing, "", ""},
		{"the session has ended before", signsOut, nothing, "", ""},
		{"another request saves something else then", nothing, saves("newer"), "", "newer"},
		{"another request empties it then", nothing, saves(""), "", ""},
		{"the session ends then", nothing, signsOut, "", ""},
		{"another request saves something else, and so does the session to come", nothing, saves("newer"), "own", "own"},
		{"the session ends, and the session to come has something of its own", nothing, signsOut, "own", "own"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				b := newBrowser(t, newManager(t, c))
				saves("older")(b)
				other := b.clone()
				b.get(func(_ http.ResponseWriter, r *http.Request) {
					s := session.From(r.Context())
					require.NoError(t, s.Load())
					row.before(other)
					ctx, next, err := s.Prepare(r.Context(), true)
					require.NoError(t, err)
					if row.own != "" {
						require.NoError(t, memo.Set(ctx, row.own))
					}
					row.then(other)
					require.NoError(t, s.Replace(ctx, next))
				})
				b.get(func(_ http.ResponseWriter, r *http.Request) {
					value, _ := memo.Get(r.Context())
					require.Equal(t, row.want, value)
				})
			})
		})
	}
}

func TestStreamsKnowASessionToCome(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			b := newBrowser(t, newManager(t, c))
			var begun, refused <-chan struct{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			watch := func(from context.Context) <-chan struct{} {
				return session.Done(valuesFrom{ctx, from})
			}
			b.prepared(func(ctx context.Context, s, next *session.Session) {
				begun = watch(ctx)
				time.Sleep(10 * time.Second)
				require.False(t, isClosed(begun), "it has not begun yet")
				require.NoError(t, s.Replace(ctx, next))
			})
			b.prepared(func(ctx context.Context, _, next *session.Session) {
				refused = watch(ctx)
				require.NoError(t, next.Destroy(ctx))
			})
			require.True(t, isClosed(refused))
			time.Sleep(10 * time.Second)
			require.False(t, isClosed(begun))
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
			require.True(t, isClosed(begun))
		})
	})
}

// valuesFrom is a context with the values of another.
type valuesFrom struct {
	context.Context
	values context.Context
}

func (c valuesFrom) Value(key any) any { return c.values.Value(key) }
