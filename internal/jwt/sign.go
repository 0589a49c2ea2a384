package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// Sign signs with any crypto.Signer, such as a key that never leaves its KMS. alg "" follows the
// key's type.
func Sign(key crypto.Signer, alg string, claims []byte, options *jose.SignerOptions) (string, error) {
	alg, err := SigningAlg(key, alg)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(alg),
		Key:       cryptosigner.Opaque(pssSigner{key}),
	}, options)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// pssSigner gives PSS signatures the salt length that RFC 7518 §3.5 demands: the hash's.
// cryptosigner asks for the longest, which strict providers refuse.
type pssSigner struct{ crypto.Signer }

// Sign implements crypto.Signer.
func (s pssSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: pss.Hash}
	}
	return s.Signer.Sign(random, digest, opts)
}

// SigningAlg returns alg when the key can make such signatures, or the key's usual one when alg is
// "".
func SigningAlg(key crypto.Signer, alg string) (string, error) {
	if key == nil {
		return "", errors.New("expected a key, got none")
	}
	var able []string
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		able = []string{"PS256", "RS256"}
		if public.N.BitLen() < minRSABits {
			return "", fmt.Errorf("expected an RSA key of at least %d bits, got %d", minRSABits, public.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if public.Curve.Params().Name == curveOf["ES256"] {
			able = []string{"ES256"}
		}
	case ed25519.PublicKey:
		able = []string{"EdDSA"}
	}
	if len(able) == 0 {
		return "", fmt.Errorf("expected an RSA, P-256 or Ed25519 key, got %T", key.Public())
	}
	for _, a := range able {
		if alg == "" || alg == a {
			return a, nil
		}
	}
	return "", fmt.Errorf("expected Alg to be one of %q for this key, got %q", able, alg)
}
