package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// Requests of one page come in parallel, and some clients keep no cookies at all.
func TestAnIdleLimitThatIsDueIsSealedOnceForAllWhoHaveTheOldCookie(t *testing.T) {
	for name, c := range map[string]session.Config{"cookie": {}, "cookie and store": {Store: session.NewMemoryStore()}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := session.NewKey(), session.NewKey()
				c.Keys, c.IdleTimeout = []string{first}, time.Hour
				m := newManager(t, c)
				old := newBrowser(t, m)
				old.set("v", "1")
				renewed := func() string {
					b := old.clone()
					if len(setCookies(b.with(func(s *session.Session) { require.NoError(t, s.Load()) }))) == 0 {
						return ""
					}
					require.NotEqual(t, old.cookies, b.cookies)
					return b.header()
				}
				require.Empty(t, renewed(), "not due")
				time.Sleep(time.Minute)
				one := renewed()
				require.NotEmpty(t, one)
				time.Sleep(59 * time.Second)
				require.Equal(t, one, renewed(), "the limit in it is not due")

				time.Sleep(time.Second)
				other := renewed()
				require.NotEqual(t, one, other, "it is due")
				late := newBrowser(t, m)
				late.cookies[cookieName] = other[len(cookieName)+1:]
				time.Sleep(time.Hour - time.Millisecond)
				require.Equal(t, "1", late.clone().value("v"), "the newer one moved the limit")
				require.Error(t, old.clone().load(), "the old one's own limit is over")

				require.NoError(t, m.SetKeys([]string{second, first}))
				b := late.clone()
				b.with(func(s *session.Session) { require.NoError(t, s.Load()) })
				require.NoError(t, m.SetKeys([]string{second}))
				require.NoError(t, b.load(), "nothing is handed out that a key has sealed which is the newest no more")
				require.Error(t, late.load())

				require.NoError(t, m.DestroyID(t.Context(), b.id()))
				w := b.with(func(s *session.Session) { require.ErrorIs(t, s.Load(), session.ErrNoSession) })
				for _, c := range w.Result().Cookies() {
					require.Empty(t, c.Value, "an ended session is handed nothing")
				}
			})
		})
	}
}

// What is handed out belongs to one generation: a change is never lost for a text that is there.
func TestAChangeIsSealedAnew(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		synctest.Test(t, func(t *testing.T) {
			old := newBrowser(t, newManager(t, c))
			old.set("v", "1")
			time.Sleep(time.Minute)
			old.clone().with(func(s *session.Session) { _ = s.Load() })
			b := old.clone()
			b.set("v", "2")
			require.Equal(t, "2", b.value("v"))
			require.Equal(t, "2", old.value("v"))
			require.Equal(t, "2", old.value("v"), "by the cookie that it was handed")
		})
	})
}

// A change that no browser has got yet stays in the process's memory beyond a change of keys.
func TestWhatARetiredKeyHasSealedIsNotHandedOut(t *testing.T) {
	first, second := session.NewKey(), session.NewKey()
	m := newManager(t, session.Config{Keys: []string{first}})
	old := newBrowser(t, m)
	old.set("v", "1")
	old.clone().set("v", "2")
	b := old.clone()
	require.Equal(t, "2", b.value("v"))
	require.NoError(t, m.SetKeys([]string{second, first}))
	late := old.clone()
	require.Equal(t, "2", late.value("v"))
	require.NoError(t, m.SetKeys([]string{second}))
	require.Error(t, b.load(), "control: what it was handed is the first key's")
	require.Equal(t, "2", late.value("v"))
}
