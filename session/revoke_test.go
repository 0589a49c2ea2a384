package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/session"
)

// withMarks runs f in each mode that has a Store, and where revocations of another process have to
// be seen.
func withMarks(t *testing.T, f func(t *testing.T, m, elsewhere *session.Manager)) {
	for name, serverSide := range map[string]bool{"cookie with a Store": false, "server-side": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := session.Config{Keys: []string{session.NewKey()}, Store: session.NewMemoryStore(), ServerSide: serverSide}
				f(t, newManager(t, c), newManager(t, c))
			})
		})
	}
}

// begin signs a new browser in with the tag; fresh is since when its user has authenticated, zero
// for no word of that.
func begin(t *testing.T, m *session.Manager, tag string, fresh time.Time) (b *browser, err error) {
	b = newBrowser(t, m)
	b.with(func(s *session.Session) {
		require.NoError(t, s.Set("v", []byte("1")))
		if fresh.IsZero() {
			require.NoError(t, s.Tag(tag))
		} else {
			require.NoError(t, s.TagFresh(tag, fresh))
		}
		err = s.Save(t.Context())
	})
	return b, err
}

func TestAFreshLoginIsDemandedOfWhoComesBack(t *testing.T) {
	withMarks(t, func(t *testing.T, m, elsewhere *session.Manager) {
		old, err := begin(t, m, "t", time.Time{})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, elsewhere.Revoke(t.Context(), "t", session.DemandFreshLogin))
		at := time.Now()
		require.ErrorIs(t, old.load(), session.ErrNoSession)
		time.Sleep(time.Minute)
		for name, fresh := range map[string]time.Time{
			"no word": {}, "long before": at.Add(-time.Hour), "before": at.Add(-time.Millisecond), "in the same millisecond": at,
		} {
			b, err := begin(t, m, "t", fresh)
			var stale *session.FreshLoginError
			require.ErrorAs(t, err, &stale, name)
			require.ErrorIs(t, err, session.ErrNoSession, name)
			require.True(t, at.Truncate(time.Millisecond).Equal(stale.Since), name)
			require.Empty(t, b.cookies, name)
		}
		for name, fresh := range map[string]time.Time{"just after": at.Add(time.Millisecond), "now": time.Now()} {
			b, err := begin(t, m, "t", fresh)
			require.NoError(t, err, name)
			require.NoError(t, b.load(), name)
		}
		_, err = begin(t, m, "other", time.Time{})
		require.NoError(t, err, "of another tag nothing is demanded")
	})
}

func TestADemandOutlivesWhatItEndedAndNoMore(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		require.NoError(t, m.Revoke(t.Context(), "t", session.DemandFreshLogin))
		time.Sleep(12 * time.Hour)
		_, err := begin(t, m, "t", time.Time{})
		require.ErrorIs(t, err, session.ErrNoSession)
		time.Sleep(2 * time.Minute)
		_, err = begin(t, m, "t", time.Time{})
		require.NoError(t, err)
	})
}

func TestALaterRevocationTakesNoDemandBack(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		require.NoError(t, m.Revoke(t.Context(), "t", session.DemandFreshLogin))
		demanded := time.Now()
		time.Sleep(time.Minute)
		require.NoError(t, m.Revoke(t.Context(), "t"))
		require.NoError(t, m.RevokeAt(t.Context(), "t", time.Now()))
		_, err := begin(t, m, "t", time.Time{})
		require.ErrorIs(t, err, session.ErrNoSession)
		b, err := begin(t, m, "t", demanded.Add(time.Second))
		require.NoError(t, err, "the later revocation demanded nothing")
		require.NoError(t, b.load())
	})
}

func TestWithoutTheOptionNothingIsDemanded(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		require.NoError(t, m.Revoke(t.Context(), "t"))
		b, err := begin(t, m, "t", time.Time{})
		require.NoError(t, err)
		require.NoError(t, b.load())
	})
}

// A session that lives may be tagged again, as after a refresh.
func TestASessionThatHasTheTagIsAskedForNothing(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		b, err := begin(t, m, "t", time.Time{})
		require.NoError(t, err)
		b.with(func(s *session.Session) {
			require.NoError(t, m.Revoke(t.Context(), "t", session.DemandFreshLogin, session.Except(s)))
		})
		b.with(func(s *session.Session) {
			require.NoError(t, s.Tag("t"))
			require.NoError(t, s.Save(t.Context()))
		})
		require.NoError(t, b.load())
	})
}

func TestSignOutEverywhereElseKeepsThisSession(t *testing.T) {
	withMarks(t, func(t *testing.T, m, elsewhere *session.Manager) {
		this, _ := begin(t, m, "t", time.Time{})
		other, _ := begin(t, m, "t", time.Time{})
		time.Sleep(time.Minute)
		early := this.clone()
		this.with(func(s *session.Session) { require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s))) })
		require.ErrorIs(t, other.load(), session.ErrNoSession)
		for _, manager := range []*session.Manager{m, elsewhere} {
			this.m, early.m = manager, manager
			require.Equal(t, "1", this.value("v"))
			require.NoError(t, early.load(), "a request that was sent before is of the same session")
		}
		this.set("v", "2")
		time.Sleep(50 * time.Minute)
		require.Equal(t, "2", this.value("v"))
		again, err := begin(t, m, "t", time.Time{})
		require.NoError(t, err)

		again.with(func(s *session.Session) { require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s))) })
		require.ErrorIs(t, this.load(), session.ErrNoSession, "to that one, this is elsewhere")
		require.NoError(t, again.load())
		again.with(func(s *session.Session) { require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s))) })
		require.NoError(t, again.load(), "twice is no harm")
		require.NoError(t, m.Revoke(t.Context(), "t"))
		require.ErrorIs(t, again.load(), session.ErrNoSession, "everywhere is here too")
	})
}

func TestExceptWithoutASessionKeepsNothing(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		b, err := begin(t, m, "t", time.Time{})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, m.Revoke(t.Context(), "t", session.Except(session.From(t.Context()))))
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestNothingIsKeptThatAnotherRevocationHasEnded(t *testing.T) {
	withMarks(t, func(t *testing.T, m, elsewhere *session.Manager) {
		b, _ := begin(t, m, "t", time.Time{})
		b.with(func(s *session.Session) {
			require.NoError(t, s.Load())
			require.NoError(t, elsewhere.Revoke(t.Context(), "t"), "at the same time, by somebody else")
			require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s)))
		})
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}

func TestWhatCantBeKeptIsNoError(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		victim, _ := begin(t, m, "t", time.Time{})
		untagged := newBrowser(t, m)
		untagged.set("v", "1")
		newBrowser(t, m).with(func(s *session.Session) { require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s))) })
		require.ErrorIs(t, victim.load(), session.ErrNoSession)
		untagged.with(func(s *session.Session) { require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s))) })
		require.NoError(t, untagged.load(), "it was not meant in the first place")
	})
}

// RevokeAt is the provider's word, which spares nobody.
func TestAProvidersLogoutEndsTheSessionThatWasKept(t *testing.T) {
	withMarks(t, func(t *testing.T, m, _ *session.Manager) {
		b := newBrowser(t, m)
		at := time.Now()
		b.with(func(s *session.Session) {
			require.NoError(t, s.Set("v", nil))
			require.NoError(t, s.Tag("t"))
			require.NoError(t, s.TagAt("t", at))
		})
		b.with(func(s *session.Session) { require.NoError(t, m.Revoke(t.Context(), "t", session.Except(s))) })
		require.NoError(t, b.load())
		require.NoError(t, m.RevokeAt(t.Context(), "t", at))
		require.ErrorIs(t, b.load(), session.ErrNoSession)
	})
}
