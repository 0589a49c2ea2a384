package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// What a session was told later is in no copy of an older cookie of it.
func TestOlderCookieOutlivesNoEndOfItsSession(t *testing.T) {
	ends := map[string]func(t *testing.T, b *browser){
		"by a mark of a tag that came later": func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.TagAt("sid", time.Now())) })
			require.NoError(t, b.m.RevokeAt(t.Context(), "sid", time.Now()))
		},
		"by a limit that came later": func(t *testing.T, b *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Limit(time.Now().Add(time.Minute))) })
			time.Sleep(time.Minute)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
				synctest.Test(t, func(t *testing.T) {
					c.Store = session.NewMemoryStore()
					for _, idle := range []time.Duration{0, -1} {
						c.IdleTimeout = idle
						here, there := processes(t, c)
						b := newBrowser(t, here)
						b.set("v", "1")
						thief := b.clone()
						thief.m = there
						end(t, b)
						for range 5 {
							require.ErrorIs(t, b.clone().load(), session.ErrNoSession)
							require.ErrorIs(t, thief.clone().load(), session.ErrNoSession)
							time.Sleep(10 * time.Minute)
						}
					}
				})
			})
		})
	}
}

// Without a Store only the process that has seen the end knows of it.
func TestOlderCookieOutlivesNoLimitThatItsProcessHasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := session.New(session.Config{Keys: []string{session.NewKey()}})
		require.NoError(t, err)
		b := newBrowser(t, m)
		b.set("v", "1")
		thief := b.clone()
		require.NoError(t, thief.clone().load())
		b.with(func(s *session.Session) { require.NoError(t, s.Limit(time.Now().Add(time.Minute))) })
		require.NoError(t, thief.clone().load())
		time.Sleep(time.Minute)
		require.ErrorIs(t, thief.clone().load(), session.ErrNoSession)
	})
}
