package session_test

import (
	"sync"
	"testing"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

func TestKeyRotationSignsNobodyOut(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		first, second, third := session.NewKey(), session.NewKey(), session.NewKey()
		uses := map[string]int{}
		c.Keys = []string{first}
		c.OnKeyUse = func(id string) { uses[id]++ }
		m := newManager(t, c)
		b := newBrowser(t, m)
		b.set("v", "1")
		require.NoError(t, b.load())
		firstID := m.KeyIDs()[0]
		require.Equal(t, map[string]int{firstID: 1}, uses)

		require.ErrorContains(t, m.SetKeys([]string{"bad"}), "session: Keys: key 1 of 1")
		require.NoError(t, b.load(), "on error the old keys stay")

		require.NoError(t, m.SetKeys([]string{second, first}))
		clear(uses)
		other := b.clone()
		w := b.with(func(s *session.Session) { require.NoError(t, s.Load()) })
		require.Equal(t, !c.ServerSide, len(setCookies(w)) == 1, "sealed anew")
		require.Equal(t, 1, uses[firstID])
		require.NoError(t, b.load())
		require.Equal(t, map[string]int{firstID: 1, m.KeyIDs()[0]: 1}, uses, "the operator sees that the old key can go")

		require.NoError(t, m.SetKeys([]string{third, second}))
		require.NoError(t, b.load(), "sealed under the last key but one")
		if !c.ServerSide {
			require.ErrorIs(t, other.load(), session.ErrNoSession, "sealed under a retired key")
			require.NotEmpty(t, other.cookies, "which another replica may still have")
		}
	})
}

func TestReplicasWithKeysInAnotherOrderReadEachOther(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		first, second := session.NewKey(), session.NewKey()
		c.Keys = []string{first, second}
		a := newManager(t, c)
		c.Keys = []string{second, first}
		b := newBrowser(t, newManager(t, c))
		for i := range 6 {
			b.set("v", string(rune('0'+i)))
			b.m, a = a, b.m
			require.Equal(t, string(rune('0'+i)), b.value("v"))
		}
	})
}

func TestSetKeysWhileServing(t *testing.T) {
	first, second := session.NewKey(), session.NewKey()
	m := newManager(t, session.Config{Keys: []string{first, second}})
	b := newBrowser(t, m)
	b.set("v", "1")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			mine := b.clone()
			for range 50 {
				require.Equal(t, "1", mine.value("v"))
			}
		})
	}
	for range 50 {
		require.NoError(t, m.SetKeys([]string{second, first}))
		require.NoError(t, m.SetKeys([]string{first, second}))
	}
	all.Wait()
}

func TestMemoryNeverOutlivesAKey(t *testing.T) {
	first := session.NewKey()
	m := newManager(t, session.Config{Keys: []string{first}})
	b := newBrowser(t, m)
	b.set("v", "1")
	require.NoError(t, b.load())
	require.NoError(t, m.SetKeys([]string{session.NewKey()}))
	require.ErrorIs(t, b.load(), session.ErrNoSession)
	require.NoError(t, m.SetKeys([]string{first}))
	require.NoError(t, b.load())
}
