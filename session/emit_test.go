package session_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// A change that changes nothing is not saved, and is a use of the session all the same.
func TestSettingWhatIsThereKeepsTheSessionAlive(t *testing.T) {
	for name, use := range map[string]func(s *session.Session) error{
		"set to the same value":         func(s *session.Session) error { return s.Set("v", []byte("1")) },
		"a name deleted that was never": func(s *session.Session) error { return s.Delete("none") },
		"a tag that it has":             func(s *session.Session) error { return s.Tag("user") },
	} {
		t.Run(name, func(t *testing.T) {
			all := configs()
			all["server side, no memory"] = session.Config{Store: session.NewMemoryStore(), ServerSide: true, MemoryBytes: -1}
			all["cookie and store, no memory"] = session.Config{Store: session.NewMemoryStore(), MemoryBytes: -1}
			for _, c := range all {
				synctest.Test(t, func(t *testing.T) {
					c.IdleTimeout = 10 * time.Minute
					if c.Store != nil {
						c.Store = session.NewMemoryStore()
					}
					b := newBrowser(t, newManager(t, c))
					b.with(func(s *session.Session) {
						require.NoError(t, s.Set("v", []byte("1")))
						require.NoError(t, s.Tag("user"))
					})
					id := b.id()
					for range 4 {
						time.Sleep(4 * time.Minute)
						b.with(func(s *session.Session) {
							require.NoError(t, use(s))
							require.Equal(t, id, s.ID())
						})
					}
					time.Sleep(10 * time.Minute)
					require.ErrorIs(t, b.load(), session.ErrNoSession, "a control: nobody used it")
				})
			}
		})
	}
}

// Server side, the cookie that has left holds for what is saved later too.
func TestWhatIsSavedAfterTheCookieHasLeft(t *testing.T) {
	for name, late := range map[string]bool{"a session begun before the first byte": false, "a session begun after it": true} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c session.Config) {
				var log logBook
				c.Logger = log.logger()
				b := newBrowser(t, newManager(t, c))
				b.get(func(w http.ResponseWriter, r *http.Request) {
					s := session.From(r.Context())
					if !late {
						require.NoError(t, s.Set("v", []byte("1")))
					}
					w.WriteHeader(200)
					require.NoError(t, s.Set("v", []byte("2")))
					err := s.Save(r.Context())
					if c.ServerSide && !late {
						require.NoError(t, err)
						return
					}
					require.ErrorIs(t, err, session.ErrCommitted)
				})
				if c.ServerSide && !late {
					require.NotContains(t, log.String(), "can't be set")
				} else {
					require.Contains(t, log.String(), "cookie can't be set")
				}
				if !late {
					require.Equal(t, "2", b.value("v"))
				}
			})
		})
	}
}
