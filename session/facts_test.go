package session_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/session"
)

// inner is s for the packages of this module.
func inner(s *session.Session) inside.Session { return inside.OfSession(s) }

func TestFactsOfParallelRequestsAllStay(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		m := newManager(t, c)
		b := newBrowser(t, m)
		login := &packed.Login{Provider: "p", Roles: []string{"admin"}}
		b.with(func(s *session.Session) {
			require.Nil(t, inner(s).Facts(), "no session yet")
			require.NoError(t, inner(s).Amend(func(f *packed.Facts) { f.Login = login }))
			require.Equal(t, login, inner(s).Facts().Login, "before it is saved")
		})
		late := b.clone()
		b.with(func(s *session.Session) {
			require.NoError(t, inner(s).Amend(func(f *packed.Facts) { f.Key.Deadline = 7 }))
		})
		late.with(func(s *session.Session) {
			require.NoError(t, inner(s).Amend(func(f *packed.Facts) { f.Persistent = packed.No }))
			require.Error(t, inner(s).Amend(func(f *packed.Facts) { f.Key.Thumbprint = "no thumbprint" }))
		})
		late.with(func(s *session.Session) {
			require.Equal(t, packed.Facts{Login: login, Key: packed.DeviceKey{Deadline: 7}, Persistent: packed.No}, *inner(s).Facts())
			memo := inner(s).Memo(func(v inside.View) any { return v.Facts().Login.Provider })
			require.Equal(t, "p", memo)
		})
		late.with(func(s *session.Session) {
			require.NoError(t, s.Renew())
			require.Equal(t, packed.Facts{}, *inner(s).Facts(), "of another session")
		})
	})
}

func TestClaimsAreThoseOfTheTokenAsItIsNow(t *testing.T) {
	everywhere(t, func(t *testing.T, c session.Config) {
		b := newBrowser(t, newManager(t, c))
		set, other := setS(1), setS(2)
		payload := func(token string) string {
			raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			require.NoError(t, err)
			return string(raw)
		}
		claims := func(s *session.Session, name string) string {
			raw, _ := inner(s).Claims(name)
			return string(raw)
		}
		b.with(func(s *session.Session) {
			require.Empty(t, claims(s, "id_token"))
			set.keep(t, s)
			require.NoError(t, s.SetToken("opaque", "a.b.c"))
			require.Equal(t, payload(set.ID), claims(s, "id_token"))
		})
		b.with(func(s *session.Session) {
			require.Equal(t, payload(set.ID), claims(s, "id_token"))
			require.Equal(t, payload(set.Access), claims(s, "access_token"))
			_, ok := inner(s).Claims("opaque")
			require.False(t, ok)
			require.NoError(t, s.SetToken("id_token", other.ID))
			require.Equal(t, payload(other.ID), claims(s, "id_token"))
			require.NoError(t, s.Delete("id_token"))
			require.Empty(t, claims(s, "id_token"))
			require.Equal(t, payload(set.Access), claims(s, "access_token"))
		})
	})
}
