package bound_test

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
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// A device is a browser's key, and signs whatever it is told to.
type device struct {
	key crypto.Signer
	alg jose.SignatureAlgorithm
}

func ecDevice(t testing.TB) device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return device{key, jose.ES256}
}

// rsaKeys are made once: they take their time.
var rsaKeys sync.Map

func rsaDevice(t testing.TB, bits int) device {
	t.Helper()
	if known, ok := rsaKeys.Load(bits); ok {
		return known.(device)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	d := device{key, jose.RS256}
	rsaKeys.Store(bits, d)
	return d
}

// jwk is the public key as a header has it.
func (d device) jwk(t testing.TB) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: d.key.Public()})
	require.NoError(t, err)
	return string(text)
}

// sign signs a header and a payload as they stand.
func (d device) sign(t testing.TB, header, payload string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	hash := crypto.SHA256.New()
	hash.Write([]byte(signed))
	var signature []byte
	var err error
	switch key := d.key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err2 := ecdsa.Sign(rand.Reader, key, hash.Sum(nil))
		require.NoError(t, err2)
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, hash.Sum(nil))
	}
	require.NoError(t, err)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// registration is what a browser posts to register its key.
func (d device) registration(t testing.TB, challenge string) string {
	t.Helper()
	return d.sign(t, fmt.Sprintf(`{"alg":"%s","typ":"dbsc+jwt","jwk":%s}`, d.alg, d.jwk(t)), fmt.Sprintf(`{"jti":%q}`, challenge))
}

// renewal is what it posts to renew its cookie.
func (d device) renewal(t testing.TB, challenge string) string {
	t.Helper()
	return d.sign(t, fmt.Sprintf(`{"alg":"%s","typ":"dbsc+jwt"}`, d.alg), fmt.Sprintf(`{"jti":%q}`, challenge))
}

// unpadded is base64url.
func unpadded(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// part returns the n-th part of a token.
func part(token string, n int) string { return strings.Split(token, ".")[n] }
