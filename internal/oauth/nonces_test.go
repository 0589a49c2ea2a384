package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
)

func TestNoncesAreKeptPerServerAndBounded(t *testing.T) {
	key, err := jwt.NewProofKey()
	require.NoError(t, err)
	var proof map[string]any
	send := func(r *http.Request) (*http.Response, error) {
		proof = map[string]any{}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(r.Header.Get("DPoP"), ".")[1])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(payload, &proof))
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Dpop-Nonce": {"of-" + r.URL.Host}}, Body: http.NoBody}, nil
	}
	nonces := new(oauth.Nonces)
	call := func(host string) map[string]any {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/api", http.NoBody)
		require.NoError(t, err)
		res, err := nonces.Authorized(send, r, key, "at", new(oauth.Retry))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return proof
	}
	require.NotContains(t, call("a.example"), "nonce")
	require.NotContains(t, call("b.example"), "nonce", "a server never sees another's nonce")
	require.Equal(t, "of-a.example", call("a.example")["nonce"])
	for i := range 2 * oauth.MaxNonces {
		call(fmt.Sprintf("h%d.example", i))
		require.LessOrEqual(t, nonces.Len(), oauth.MaxNonces)
	}
}
