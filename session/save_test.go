package session_test

import (
	"testing"

	"github.com/signet-go/signet/session"
	"github.com/stretchr/testify/require"
)

func TestSaveThatFailedIsTriedAgainByWhoeverAsks(t *testing.T) {
	stored(t, func(t *testing.T, c session.Config, spy *spyStore) {
		rows := map[string]struct {
			again func(t *testing.T, s *session.Session)
			want  string
		}{
			"nobody asks":         {func(*testing.T, *session.Session) {}, "old"},
			"it is saved again":   {func(t *testing.T, s *session.Session) { require.NoError(t, s.Save(t.Context())) }, "new"},
			"it is changed again": {func(t *testing.T, s *session.Session) { require.NoError(t, s.Set("w", nil)) }, "new"},
		}
		for name, row := range rows {
			t.Run(name, func(t *testing.T) {
				b := newBrowser(t, newManager(t, c))
				b.set("v", "old")
				b.with(func(s *session.Session) {
					require.NoError(t, s.Set("v", []byte("new")))
					spy.down.Store(true)
					require.ErrorIs(t, s.Save(t.Context()), session.ErrUnavailable)
					spy.down.Store(false)
					row.again(t, s)
				})
				require.Equal(t, row.want, b.value("v"))
			})
		}
	})
}
