package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/strictjson"
)

func TestRSAKeysOfOddSizesAreNotUsed(t *testing.T) {
	jwk := func(bits int, e string) any {
		n := make([]byte, bits/8)
		_, _ = rand.Read(n)
		n[0], n[len(n)-1] = n[0]|0x80, n[len(n)-1]|1
		return m{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(n), "e": e}
	}
	for _, row := range []struct {
		name string
		key  any
		used int
	}{
		{"1024 bits", jwk(1024, "AQAB"), 0},
		{"2048 bits", jwk(2048, "AQAB"), 1},
		{"8192 bits", jwk(8192, "AQAB"), 1},
		{"8200 bits", jwk(8200, "AQAB"), 0},
		{"65536 bits", jwk(65536, "AQAB"), 0},
		{"exponent 1", jwk(2048, "AQ"), 0},
		{"exponent 2", jwk(2048, "Ag"), 0},
		{"exponent 3", jwk(2048, "Aw"), 1},
		{"an exponent of 33 bits", jwk(2048, "AQAAAAE"), 0},
		{"an exponent of 2048 bits", jwk(2048, base64.RawURLEncoding.EncodeToString(make([]byte, 256))), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			used, _, _, _ := parseKeySet(must(json.Marshal(m{"keys": []any{row.key}})), "RS256", "")
			require.Equal(t, row.used, used)
		})
	}
}

func TestAnECDSAKeyFitsItsOwnCurveOnly(t *testing.T) {
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for _, row := range []struct {
		key crypto.PublicKey
		alg string
		fit int
	}{
		{ecKey().Public(), "ES256", 1},
		{ecKey().Public(), "ES384", 0},
		{p384.Public(), "ES384", 1},
		{p384.Public(), "ES256", 0},
		{edKey().Public(), "EdDSA", 1},
		{edKey().Public(), "ES256", 0},
		{rsaKey().Public(), "PS256", 1},
		{rsaKey().Public(), "HS256", 0},
		{rsaKey().Public(), "none", 0},
		{rsaKey().Public(), "", 0},
	} {
		_, fitting, _, err := parseKeySet(must(json.Marshal(m{"keys": []any{jwkOf(row.key, "")}})), row.alg, "any")
		require.NoError(t, err)
		require.Equal(t, row.fit, fitting, "%T with %s", row.key, row.alg)
	}
}

func TestAtMostAHundredKeysAreUsed(t *testing.T) {
	keys := make([]any, 2000)
	for i := range keys {
		keys[i] = with(jwkOf(ecKey().Public(), ""), m{"kid": fmt.Sprint(i)})
	}
	used, _, faults, err := parseKeySet(must(json.Marshal(m{"keys": keys})), "ES256", "")
	require.NoError(t, err)
	require.Equal(t, jwt.MaxKeys, used)
	require.NotEmpty(t, faults)
}

func TestDecryptionKeysAreCheckedAndPublished(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for _, bad := range []crypto.PrivateKey{nil, "key", small, p224, edKey(), rsaKey().Public()} {
		require.Error(t, jwt.CheckDecryptionKey(bad), "%T", bad)
	}
	require.NoError(t, jwt.CheckDecryptionKey(rsaKey()))
	require.NoError(t, jwt.CheckDecryptionKey(ecKey()))
	published := jwt.EncryptionKeys([]crypto.PrivateKey{rsaKey(), edKey(), ecKey()})
	require.Len(t, published, 2)
	for i, alg := range []string{"RSA-OAEP-256", "ECDH-ES"} {
		require.Equal(t, alg, published[i].Algorithm)
		require.Equal(t, "enc", published[i].Use)
		require.Len(t, published[i].KeyID, 43)
		require.True(t, published[i].IsPublic())
	}
	require.NotEqual(t, published[0].KeyID, published[1].KeyID)
}

func FuzzKeySet(f *testing.F) {
	f.Add(must(json.Marshal(m{"keys": []any{jwkOf(rsaKey().Public(), "k1"), jwkOf(ecKey().Public(), ""), jwkOf(edKey().Public(), "k1")}})), "RS256", "k1")
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"RSA","n":"AQ","e":"AQAB","x5c":["AA"]}]}`), "HS256", "")
	f.Add([]byte(`{"keys":{}}`), "none", "")
	f.Add([]byte(`{"keys":[7,null,[],"x",{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`), "ES256", "\x00")
	f.Fuzz(func(t *testing.T, document []byte, alg, kid string) {
		used, fitting, faults, err := parseKeySet(document, alg, kid)
		require.LessOrEqual(t, used, jwt.MaxKeys)
		require.LessOrEqual(t, fitting, used)
		require.LessOrEqual(t, len(strings.Join(faults, "")), 1<<16)
		require.Equal(t, err == nil, used > 0)
		if strings.HasPrefix(alg, "HS") || strings.EqualFold(alg, "none") {
			require.Zero(t, fitting)
		}
	})
}

// parseKeySet reports how many keys of a set are used, and how many of them may verify alg with
// kid.
func parseKeySet(document []byte, alg, kid string) (used, fitting int, faults []string, err error) {
	o, err := strictjson.Parse(document)
	if err != nil {
		return 0, 0, nil, err
	}
	keys, faults, err := jwt.ParseKeySet(o)
	for _, k := range keys {
		if k.Fits(alg, kid) {
			fitting++
		}
	}
	return len(keys), fitting, faults, err
}
