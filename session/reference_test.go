package session_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/packed/reference"
	"github.com/signet-go/signet/session"
)

// tokenSet is what a session usually keeps.
type tokenSet reference.Tokens

func setS(seed uint64) tokenSet { return tokenSet(reference.S(seed)) }

func setL(seed uint64) tokenSet { return tokenSet(reference.L(seed)) }

func setUnseen(seed uint64) tokenSet { return tokenSet(reference.Unseen(seed)) }

func (s tokenSet) bytes() int { return len(s.ID) + len(s.Access) + len(s.Refresh) }

// keep puts the set into a session.
func (s tokenSet) keep(t testing.TB, to *session.Session) {
	require.NoError(t, to.SetToken("id_token", s.ID))
	require.NoError(t, to.SetToken("access_token", s.Access))
	require.NoError(t, to.SetToken("refresh_token", s.Refresh))
}
