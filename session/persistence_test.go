package session_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// lasting reports whether the response sets the session's cookie to outlive the browser; ok: it sets it.
func lasting(cookies []string) (lasts, ok bool) {
	for _, line := range cookies {
		if strings.HasPrefix(line, cookieName+"=") {
			return strings.Contains(line, "Max-Age="), true
		}
	}
	return false, false
}

func TestCookiesOutliveTheBrowserOnlyWhereThatIsMeant(t *testing.T) {
	for name, row := range map[string]struct {
		config, own session.Persistence
		lasts       bool
	}{
		"as ever":                         {0, 0, true},
		"transient by the configuration":  {session.Transient, 0, false},
		"transient by the session":        {0, session.Transient, false},
		"persistent by the session":       {session.Transient, session.Persistent, true},
		"the default, said twice":         {session.Persistent, session.DefaultPersistence, true},
		"transient by both":               {session.Transient, session.Transient, false},
		"persistent by the configuration": {session.Persistent, session.Transient, false},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				synctest.Test(t, func(t *testing.T) {
					if c.Store != nil {
						c.Store = session.NewMemoryStore()
					}
					c.Persistence = row.config
					b := newBrowser(t, newManager(t, c))
					w := b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						require.NoError(t, s.SetPersistence(row.own))
					})
					lasts, ok := lasting(setCookies(w))
					require.True(t, ok)
					require.Equal(t, row.lasts, lasts)
					if lasts, moved := lasting(setCookies(b.sendAfter(30 * time.Minute))); moved {
						require.Equal(t, row.lasts, lasts, "as the idle limit moves")
					}
					require.Empty(t, setCookies(b.sendAfter(0)), "and no more than that is written")
					time.Sleep(61 * time.Minute)
					require.ErrorIs(t, b.load(), session.ErrNoSession, "the limits are the same")
				})
			})
		})
	}
}

func TestPersistenceCanBeChanged(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		for _, p := range []session.Persistence{session.Transient, session.Persistent, session.Transient, session.DefaultPersistence} {
			w := b.with(func(s *session.Session) { require.NoError(t, s.SetPersistence(p)) })
			lasts, ok := lasting(setCookies(w))
			require.True(t, ok)
			require.Equal(t, p != session.Transient, lasts)
		}
		b.with(func(s *session.Session) { require.Error(t, s.SetPersistence(3)) })
		require.Equal(t, "1", b.value("v"))
		none := newBrowser(t, b.m)
		none.with(func(s *session.Session) { require.NoError(t, s.SetPersistence(session.Transient)) })
		require.Empty(t, none.cookies)
		_, err := session.New(session.Config{Keys: []string{session.NewKey()}, Persistence: 3})
		require.ErrorContains(t, err, "Persistence")
	})
}

func TestACookieThatIsTakenAwayIsSoInEveryForm(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		c.Persistence, c.SameSiteStrict = session.Transient, true
		b := newBrowser(t, newManager(t, c))
		w := b.set("v", "1")
		require.Contains(t, setCookies(w)[0], "; SameSite=Strict")
		require.NotContains(t, setCookies(w)[0], "SameSite=Lax")
		w = b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		require.Contains(t, setCookies(w)[0], "Max-Age=0")
		require.Empty(t, b.cookies)
	})
}
