package session_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// phone is where the sessions of these tests are.
var phone = session.Place{Provider: "https://issuer.example", UserAgent: "Phone/1.0", Address: "192.0.2.1"}

// enlist signs the browser in as the user of tag.
func (b *browser) enlist(tag string, at session.Place) *browser {
	b.t.Helper()
	b.with(func(s *session.Session) {
		require.NoError(b.t, s.Renew())
		require.NoError(b.t, s.Set("v", []byte("1")))
		require.NoError(b.t, s.Enlist(tag, at))
		require.NoError(b.t, s.Save(b.t.Context()))
	})
	return b
}

// list is what the browser's user sees under tag.
func (b *browser) list(tag string) (all []session.Listed) {
	b.t.Helper()
	b.get(func(_ http.ResponseWriter, r *http.Request) {
		var err error
		all, err = b.m.List(r.Context(), tag)
		require.NoError(b.t, err)
	})
	return all
}

// end is what End says in a request of the browser.
func (b *browser) end(tag, id string) (err error) {
	b.get(func(_ http.ResponseWriter, r *http.Request) { err = b.m.End(r.Context(), tag, id) })
	return err
}

// listed runs a test in each mode that has a Store, in a bubble.
func listed(t *testing.T, test func(t *testing.T, c session.Config)) {
	stored(t, func(t *testing.T, c session.Config, _ *spyStore) {
		synctest.Test(t, func(t *testing.T) {
			c.Store = session.NewMemoryStore()
			test(t, c)
		})
	})
}

func TestUsersSeeWhereTheyAreSignedIn(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		here, there := processes(t, c)
		first := newBrowser(t, here).enlist("alice", phone)
		began := time.Now()
		time.Sleep(time.Hour / 2)
		second := newBrowser(t, there).enlist("alice", session.Place{Provider: "https://issuer.example", UserAgent: "Desk/2.0"})
		newBrowser(t, here).enlist("bob", phone)
		newBrowser(t, here).set("v", "1")
		all := first.list("alice")
		require.Len(t, all, 2)
		require.Equal(t, []bool{false, true}, []bool{all[0].Current, all[1].Current}, "newest first")
		require.Equal(t, phone, all[1].Place)
		require.Empty(t, all[0].Place.Address)
		require.True(t, began.Equal(all[1].Created))
		require.NotEqual(t, all[0].ID, all[1].ID)
		require.Len(t, all[0].ID, 16)
		for _, s := range all {
			require.NotContains(t, first.header()+second.header()+first.id()+second.id(), s.ID, "it leads to no cookie")
			require.False(t, s.Bound)
		}
		require.Equal(t, []bool{true, false}, []bool{second.list("alice")[0].Current, second.list("alice")[1].Current})
		require.Empty(t, newBrowser(t, here).list("carol"))
		_, err := here.List(t.Context(), "")
		require.Error(t, err)
	})
}

func TestListFollowsEveryEnd(t *testing.T) {
	ends := map[string]func(t *testing.T, b, other *browser){
		"it is destroyed": func(t *testing.T, b, _ *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
		},
		"it is ended by its ID": func(t *testing.T, b, _ *browser) {
			require.NoError(t, b.m.DestroyID(t.Context(), b.id()))
		},
		"it is ended in the list of another browser": func(t *testing.T, b, other *browser) {
			all := other.list("alice")
			require.NoError(t, other.end("alice", all[len(all)-1].ID))
			require.NotEmpty(t, b.cookies)
		},
		"it is ended in its own list, which takes the cookie away": func(t *testing.T, b, _ *browser) {
			all := b.list("alice")
			require.NoError(t, b.end("alice", all[len(all)-1].ID))
			require.Empty(t, b.cookies)
		},
		"the others are ended": func(t *testing.T, _, other *browser) {
			other.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(t, other.m.EndOthers(r.Context())) })
		},
		"another tag of it is revoked": func(t *testing.T, b, _ *browser) {
			b.with(func(s *session.Session) {
				at := time.Now()
				require.NoError(t, s.TagAt("sid", at))
				require.NoError(t, s.Save(t.Context()))
				require.NoError(t, b.m.RevokeAt(t.Context(), "sid", at))
			})
		},
		"it is limited": func(t *testing.T, b, other *browser) {
			b.with(func(s *session.Session) { require.NoError(t, s.Limit(time.Now().Add(time.Minute))) })
			time.Sleep(2 * time.Minute)
			require.NoError(t, other.load())
		},
		"nobody uses it": func(t *testing.T, _, other *browser) {
			for range 8 {
				time.Sleep(10 * time.Minute)
				require.NoError(t, other.load())
			}
		},
		"another login takes its place": func(t *testing.T, b, _ *browser) { b.enlist("bob", phone) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			listed(t, func(t *testing.T, c session.Config) {
				here, there := processes(t, c)
				b := newBrowser(t, here).enlist("alice", phone)
				thief := b.clone()
				time.Sleep(time.Second)
				other := newBrowser(t, there).enlist("alice", phone)
				require.Len(t, b.list("alice"), 2)
				end(t, b, other)
				require.ErrorIs(t, thief.load(), session.ErrNoSession)
				require.NoError(t, other.load())
				require.Len(t, other.list("alice"), 1)
				require.True(t, other.list("alice")[0].Current)
				require.Len(t, newBrowser(t, here).list("alice"), 1, "in the process that ended it, too")
			})
		})
	}
}

func TestSessionIsEndedByNobodyButItsUser(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		m := newManager(t, c)
		alice := newBrowser(t, m).enlist("user\x1fhttps://a.example\x1f1", phone)
		id := alice.list("user\x1fhttps://a.example\x1f1")[0].ID
		namesake := newBrowser(t, m).enlist("user\x1fhttps://b.example\x1f1", phone)
		stranger := newBrowser(t, m)
		for _, try := range []struct {
			b       *browser
			tag, id string
		}{
			{namesake, "user\x1fhttps://b.example\x1f1", id},
			{namesake, "user\x1fhttps://a.example\x1f1", ""},
			{namesake, "user\x1fhttps://a.example\x1f1", alice.id()},
			{stranger, "", id},
			{stranger, "user\x1fhttps://c.example\x1f1", id},
		} {
			require.Error(t, try.b.end(try.tag, try.id))
		}
		stranger.get(func(_ http.ResponseWriter, r *http.Request) {
			require.ErrorIs(t, m.EndOthers(r.Context()), session.ErrNoSession)
		})
		require.ErrorIs(t, m.EndOthers(t.Context()), session.ErrNoSession)
		namesake.get(func(_ http.ResponseWriter, r *http.Request) { require.NoError(t, m.EndOthers(r.Context())) })
		require.NoError(t, alice.load())
		require.NoError(t, namesake.load())
	})
}

func TestSessionThatIsInNoListEndsNoOthers(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		m := newManager(t, c)
		other := newBrowser(t, m).enlist("alice", phone)
		b := newBrowser(t, m)
		b.set("v", "1")
		b.with(func(s *session.Session) { require.NoError(t, s.Tag("alice")) })
		b.get(func(_ http.ResponseWriter, r *http.Request) {
			require.ErrorIs(t, m.EndOthers(r.Context()), session.ErrNoSession)
		})
		require.NoError(t, other.load())
		require.Len(t, other.list("alice"), 1)
	})
}

func TestTheOldestOfTooManySessionsEnds(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		here, there := processes(t, c)
		var all []*browser
		for i := range 102 {
			all = append(all, newBrowser(t, []*session.Manager{here, there}[i%2]).enlist("alice", phone))
			time.Sleep(time.Second)
		}
		require.Len(t, all[101].list("alice"), 100)
		for i, b := range all {
			if i < 2 {
				require.ErrorIs(t, b.load(), session.ErrNoSession)
			} else {
				require.NoError(t, b.load())
			}
		}
		all[50].with(func(s *session.Session) { require.NoError(t, s.Manager().DestroyID(t.Context(), s.ID())) })
		newBrowser(t, here).enlist("alice", phone)
		require.NoError(t, all[2].load(), "there was room")
	})
}

func TestListedPlacesAreBounded(t *testing.T) {
	listed(t, func(t *testing.T, c session.Config) {
		long := strings.Repeat("é", 3000) + "\xff"
		b := newBrowser(t, newManager(t, c)).enlist("alice", session.Place{Provider: long, UserAgent: "\xff" + long, Address: long})
		at := b.list("alice")[0].Place
		require.LessOrEqual(t, len(at.Provider), 1024)
		require.LessOrEqual(t, len(at.UserAgent), 256)
		require.LessOrEqual(t, len(at.Address), 64)
		require.True(t, utf8.ValidString(at.Provider+at.UserAgent+at.Address))
	})
}

func TestEnlistNeedsAStoreAndSomebody(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		b.set("v", "1")
		b.with(func(s *session.Session) {
			require.Error(t, s.Enlist("", phone))
			require.Equal(t, c.Store == nil, s.Enlist("alice", phone) != nil)
		})
		_, err := b.m.List(t.Context(), "alice")
		require.Equal(t, c.Store == nil, errors.Is(err, session.ErrNoStore))
		require.Error(t, b.m.End(t.Context(), "alice", "x"))
		none := newBrowser(t, b.m)
		none.with(func(s *session.Session) { _ = s.Enlist("alice", phone) })
		require.Empty(t, none.cookies, "without a session it begins none")
	})
}
