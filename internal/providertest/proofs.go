package providertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// VerifyAssertion checks a client assertion as a strict provider does and returns header and
// claims.
func VerifyAssertion(t *testing.T, raw string, key crypto.PublicKey) (header, claims Object) {
	t.Helper()
	parts := strings.Split(raw, ".")
	require.Len(t, parts, 3)
	require.NoError(t, json.Unmarshal(Must(base64.RawURLEncoding.DecodeString(parts[0])), &header))
	require.NoError(t, json.Unmarshal(Must(base64.RawURLEncoding.DecodeString(parts[1])), &claims))
	sig := Must(base64.RawURLEncoding.DecodeString(parts[2]))
	input := []byte(parts[0] + "." + parts[1])
	sum := sha256.Sum256(input)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if header["alg"] == "PS256" {
			require.NoError(t, rsa.VerifyPSS(key, crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: 32}), "the salt is as long as the hash")
		} else {
			require.NoError(t, rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig))
		}
	case *ecdsa.PublicKey:
		require.Len(t, sig, 64)
		r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
		require.True(t, ecdsa.Verify(key, sum[:], r, s))
	case ed25519.PublicKey:
		require.True(t, ed25519.Verify(key, input, sig))
	}
	return header, claims
}

// ProofOf checks a DPoP proof's signature with the key inside it and returns its header and claims.
func ProofOf(t *testing.T, r *http.Request) (header, claims Object) {
	t.Helper()
	values := r.Header.Values("DPoP")
	require.Len(t, values, 1)
	require.NoError(t, json.Unmarshal(Must(base64.RawURLEncoding.DecodeString(strings.Split(values[0], ".")[0])), &header))
	jwk := header["jwk"].(Object)
	point := append([]byte{4}, Must(base64.RawURLEncoding.DecodeString(jwk["x"].(string)))...)
	point = append(point, Must(base64.RawURLEncoding.DecodeString(jwk["y"].(string)))...)
	return VerifyAssertion(t, values[0], Must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)))
}

// Certificate returns a client certificate, signed by ca or by itself.
func Certificate(t *testing.T, name string, ca *tls.Certificate) *tls.Certificate {
	t.Helper()
	key := Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: ca == nil, BasicConstraintsValid: true,
	}
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der := Must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer))
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: Must(x509.ParseCertificate(der))}
}
