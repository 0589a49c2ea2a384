package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// CertificateKeys is a client's certificate as a key with x5c, by which a provider knows a
// self-signed one (RFC 8705 §2.2.2).
func CertificateKeys(certificate *tls.Certificate) []jose.JSONWebKey {
	var chain []*x509.Certificate
	for _, der := range certificate.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil
	}
	return []jose.JSONWebKey{{Key: chain[0].PublicKey, Certificates: chain, Use: "sig"}}
}

// CheckPublicKey accepts the public half of a key that client assertions can be made with, and
// nothing private.
func CheckPublicKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key != nil && key.N.BitLen() >= minRSABits {
			return nil
		}
	case *ecdsa.PublicKey:
		if key != nil && key.Curve.Params().Name == curveOf["ES256"] {
			return nil
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fmt.Errorf("expected the public half of an RSA key of at least %d bits, a P-256 or an Ed25519 key, got %T", minRSABits, key)
}
