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

// What a stream may do is what Done says: where that is open, tokens can be refreshed and content
// saved.
func TestAStreamGoesOnAsLongAsDoneIsOpen(t *testing.T) {
	rows := []struct {
		name   string
		active bool // another tab is used meanwhile
		open   map[string]bool
	}{
		{"another tab is used", true, map[string]bool{"cookie": true, "cookie and store": true, "server side": true}},
		// Another process may have moved the limit in a cookie, which this one can't know.
		{"nothing is used", false, map[string]bool{"cookie": false, "cookie and store": true, "server side": false}},
	}
	for _, row := range rows {
		for name, c := range configs() {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if c.Store != nil {
						c.Store = session.NewMemoryStore()
					}
					b := newBrowser(t, newManager(t, c))
					b.set("v", "1")
					old := b.clone()
					ctx, leave := context.WithCancel(t.Context())
					defer leave()
					old.get(func(w http.ResponseWriter, r *http.Request) {
						s := session.From(r.Context())
						done := session.Done(&linked{Context: ctx, values: r.Context()})
						w.WriteHeader(http.StatusOK)
						for i := range 4 {
							time.Sleep(50 * time.Minute)
							if row.active {
								b.with(func(s *session.Session) {
									require.NoError(t, s.Load())
									if i == 0 { // what comes of it is forgotten when the browser has had it for long
										require.NoError(t, refreshTo(t, s, "", "1"))
									}
								})
							}
							if c.Store != nil {
								_ = s.Sync(t.Context())
							}
						}
						synctest.Wait()
						want := row.open[name]
						require.Equal(t, want, !isClosed(done))
						before := ""
						if row.active {
							before = "1"
						}
						err := refreshTo(t, s, before, "2")
						if !want {
							require.ErrorIs(t, err, session.ErrNoSession)
							require.ErrorIs(t, s.Sync(t.Context()), session.ErrNoSession)
							return
						}
						require.NoError(t, err)
						token, _ := s.Token("refresh")
						require.Equal(t, "2", token)
					})
					if row.active {
						require.Equal(t, "1", b.value("v"), "the browser's session goes on")
						return
					}
					require.ErrorIs(t, b.load(), session.ErrNoSession, "nobody is let in again by what a stream does")
				})
			})
		}
	}
}

// refreshTo spends the refresh token, which has to be this one, for another.
func refreshTo(t *testing.T, s *session.Session, spent, next string) error {
	err := s.Exclusive(t.Context(), func(_ context.Context, latest *session.Session) error {
		token, _ := latest.Token("refresh")
		require.Equal(t, spent, token)
		return latest.SetToken("refresh", next)
	})
	if err != nil {
		return err
	}
	return s.Sync(t.Context())
}
