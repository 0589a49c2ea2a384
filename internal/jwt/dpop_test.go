package jwt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
)

func proofKey(t *testing.T) *jwt.ProofKey {
	t.Helper()
	key, err := jwt.NewProofKey()
	require.NoError(t, err)
	return key
}

func TestProofsAreNeverUsedTwice(t *testing.T) {
	key, seen := proofKey(t), map[any]bool{}
	for range 1000 {
		r := httptest.NewRequest(http.MethodGet, "https://api.example/", nil)
		r.Header.Set("DPoP", must(key.Proof(http.MethodGet, r.URL, "at", "")))
		_, claims := proofOf(t, r)
		require.False(t, seen[claims["jti"]])
		seen[claims["jti"]] = true
	}
}

func TestTheTargetOfAProofHasNoQueryAndNoFragment(t *testing.T) {
	for target, want := range map[string]string{
		"https://API.example/a/b?c=d#e": "https://api.example/a/b",
		"https://api.example":           "https://api.example/",
		"https://api.example?x":         "https://api.example/",
		"https://u:p@api.example/":      "https://api.example/",
		"https://api.example:8443/%2F":  "https://api.example:8443/%2F",
	} {
		r := httptest.NewRequest(http.MethodGet, "https://x.example/", nil)
		r.Header.Set("DPoP", must(proofKey(t).Proof(http.MethodGet, must(url.Parse(target)), "", "")))
		_, claims := proofOf(t, r)
		require.Equal(t, want, claims["htu"], target)
	}
}

func TestAKeySurvivesItsSession(t *testing.T) {
	key := proofKey(t)
	raw, err := key.Bytes()
	require.NoError(t, err)
	require.Len(t, raw, 32)
	again, err := jwt.ParseProofKey(raw)
	require.NoError(t, err)
	require.Equal(t, must(key.Thumbprint()), must(again.Thumbprint()))
	require.Len(t, must(key.Thumbprint()), 43)
	for _, bad := range [][]byte{nil, raw[:31], make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)} {
		_, err := jwt.ParseProofKey(bad)
		require.Error(t, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "DPoP key (redacted)", fmt.Sprintf(verb, key))
	}
}

func TestTheThumbprintIsThatOfTheKeyInTheProof(t *testing.T) {
	key := proofKey(t)
	r := httptest.NewRequest(http.MethodGet, "https://api.example/", nil)
	r.Header.Set("DPoP", must(key.Proof(http.MethodGet, r.URL, "", "")))
	header, _ := proofOf(t, r)
	jwk := header["jwk"].(m)
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, jwk["x"], jwk["y"]))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), must(key.Thumbprint()))
}
