package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/jwt"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife = 60 * time.Second
)

// applyAssertion adds a client assertion (RFC 7523 §2.2), a new one for every request, so that none
// is ever replayed.
func (a *clientAuthenticator) applyAssertion(form url.Values) (secrets []string, err error) {
	assertion, err := a.assertion()
	if err != nil {
		return nil, fmt.Errorf("oidcauth: ClientAuth.Key: %w", err)
	}
	form.Set("client_id", a.ClientID)
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return []string{assertion}, nil
}

// assertion signs who we are, for one minute and one recipient: the issuer as a string, or
// ClientAuth.Audience.
func (a *clientAuthenticator) assertion() (string, error) {
	if a.audience == "" {
		return "", errors.New("expected an issuer or ClientAuth.Audience to address the assertion to, got none")
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": a.ClientID,
		"sub": a.ClientID,
		"aud": a.audience,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	// kid lets the provider find the key during a rotation; x5t#S256 names the certificate where it
	// registered one for this key.
	options := (&jose.SignerOptions{}).WithType("JWT")
	if a.KeyID != "" {
		options = options.WithHeader("kid", a.KeyID)
	}
	if certifies(a.Certificate, a.Key) {
		sum := sha256.Sum256(a.Certificate.Certificate[0])
		options = options.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	return jwt.Sign(a.Key, a.Alg, claims, options)
}

// certifies reports whether certificate is of key, as x5t#S256 says (RFC 7515 §4.1.8): that of
// mutual TLS may be of another one.
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
