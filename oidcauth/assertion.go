package oidcauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife = 60 * time.Second
)

// applyAssertion adds a client assertion (RFC 7523 §2.2), a new one for every
// request, so that none is ever replayed.
func (a *clientAuthenticator) applyAssertion(form url.Values) (secrets []string, err error) {
	assertion, err := a.assertion()
	if err != nil {
		return nil, fmt.Errorf("oidcauth: ClientAuth.Key: %w", err)
	}
	form.Set("client_id", a.clientID)
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return []string{assertion}, nil
}

// assertion signs who we are, for one minute and one recipient: the issuer as a
// string, or ClientAuth.Audience.
func (a *clientAuthenticator) assertion() (string, error) {
	if a.audience == "" {
		return "", errors.New("expected an issuer or ClientAuth.Audience to address the assertion to, got none")
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": a.clientID,
		"sub": a.clientID,
		"aud": a.audience,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	// kid lets the provider find the key during a rotation; x5t#S256 names the
	// certificate where it registered one for this key.
	options := (&jose.SignerOptions{}).WithType("JWT")
	if a.auth.KeyID != "" {
		options = options.WithHeader("kid", a.auth.KeyID)
	}
	if certifies(a.auth.Certificate, a.auth.Key) {
		sum := sha256.Sum256(a.auth.Certificate.Certificate[0])
		options = options.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	return signJWT(a.auth.Key, a.auth.Alg, claims, options)
}

// certifies reports whether certificate is of key, as x5t#S256 says (RFC 7515
// §4.1.8): that of mutual TLS may be of another one.
func certifies(certificate *tls.Certificate, key crypto.Signer) bool {
	if certificate == nil || len(certificate.Certificate) == 0 || key == nil {
		return false
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return false
	}
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

// signJWT signs with any crypto.Signer, such as a key that never leaves its
// KMS. alg "" follows the key's type.
func signJWT(key crypto.Signer, alg string, claims []byte, options *jose.SignerOptions) (string, error) {
	alg, err := signingAlg(key, alg)
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

// pssSigner gives PSS signatures the salt length that RFC 7518 §3.5 demands:
// the hash's. cryptosigner asks for the longest, which strict providers refuse.
type pssSigner struct{ crypto.Signer }

// Sign implements crypto.Signer.
func (s pssSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: pss.Hash}
	}
	return s.Signer.Sign(random, digest, opts)
}

// signingAlg returns alg when the key can make such signatures, or the key's
// usual one when alg is "".
func signingAlg(key crypto.Signer, alg string) (string, error) {
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
