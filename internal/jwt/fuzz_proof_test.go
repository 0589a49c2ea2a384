package jwt_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
)

// Whatever comes as a DPoP proof is refused, or is one whose every member is there and within its bound.
func FuzzProof(f *testing.F) {
	key, err := jwt.NewProofKey()
	require.NoError(f, err)
	target, err := url.Parse("https://api.example.test/orders")
	require.NoError(f, err)
	good, err := key.Proof("GET", target, "token", "nonce")
	require.NoError(f, err)
	thumbprint, err := key.Thumbprint()
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:len(good)-4] + "AAAA")
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUifQ.e30.")
	f.Add("...")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := jwt.ParseProof(raw)
		if err != nil {
			require.Less(t, len(err.Error()), 2<<10)
			return
		}
		require.NotEmpty(t, p.ID)
		require.LessOrEqual(t, len(p.ID), 256)
		require.NotEmpty(t, p.Method)
		require.NotEmpty(t, p.URI)
		require.Len(t, p.Thumbprint, len(thumbprint))
		if raw == good {
			require.Equal(t, thumbprint, p.Thumbprint)
		}
	})
}
