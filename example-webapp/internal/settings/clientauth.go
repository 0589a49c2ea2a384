package settings

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/signet-go/signet/oidcauth"
)

// clientAuth reads how the client authenticates: its method, and the files that the method needs.
func (e *env) clientAuth() oidcauth.ClientAuth {
	auth := oidcauth.ClientAuth{Key: e.clientKey("OIDC_CLIENT_KEY_FILE"), Certificate: e.certificate("OIDC_CLIENT_CERT_FILE")}
	methods := []string{
		string(oidcauth.ClientSecretBasic), string(oidcauth.ClientSecretPost), string(oidcauth.PublicClient),
		string(oidcauth.PrivateKeyJWT), string(oidcauth.TLSClientAuth),
	}
	if e.getenv("OIDC_CLIENT_KEY_FILE") != "" {
		methods = []string{string(oidcauth.PrivateKeyJWT)}
	}
	auth.Method = oidcauth.AuthMethod(e.oneOf("OIDC_CLIENT_AUTH", methods...))
	e.clientKeyOptions(&auth)
	if auth.Method == oidcauth.PrivateKeyJWT && e.getenv("OIDC_CLIENT_KEY_FILE") == "" {
		e.mistake("OIDC_CLIENT_KEY_FILE", "required by private_key_jwt")
	}
	if auth.Method == oidcauth.TLSClientAuth && e.getenv("OIDC_CLIENT_CERT_FILE") == "" {
		e.mistake("OIDC_CLIENT_CERT_FILE", "required by tls_client_auth")
	}
	return auth
}

// clientKeyOptions reads what belongs to a key, and refuses it without one.
func (e *env) clientKeyOptions(auth *oidcauth.ClientAuth) {
	auth.Alg, auth.KeyID = e.getenv("OIDC_CLIENT_KEY_ALG"), e.getenv("OIDC_CLIENT_KEY_ID")
	auth.Audience = e.getenv("OIDC_CLIENT_KEY_AUDIENCE")
	if e.getenv("OIDC_CLIENT_KEY_FILE") == "" {
		for _, name := range []string{"OIDC_CLIENT_KEY_ALG", "OIDC_CLIENT_KEY_ID", "OIDC_CLIENT_KEY_AUDIENCE"} {
			if e.getenv(name) != "" {
				e.mistake(name, "has no meaning without OIDC_CLIENT_KEY_FILE")
			}
		}
		return
	}
	if fits := AlgsOf(auth.Key); auth.Key != nil && auth.Alg != "" && !slices.Contains(fits, auth.Alg) {
		e.mistake("OIDC_CLIENT_KEY_ALG", "want one of %v for this key, got %q", fits, auth.Alg)
	}
}

// AlgsOf names the signature algorithms (RFC 7518 §3.1, RFC 8037) that a key can make; the first is
// the default.
func AlgsOf(key crypto.Signer) []string {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return []string{"PS256", "RS256"}
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return []string{"ES256"}
		}
	case ed25519.PrivateKey:
		return []string{"EdDSA"}
	}
	return nil
}

// privateKey reads the file that a variable names; key is nil when that is unset or wrong.
func (e *env) privateKey(name string) (file string, key crypto.Signer) {
	if file = e.getenv(name); file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		e.mistake(name, "%w", err)
		return file, nil
	}
	if key, err = parseKey(data); err != nil {
		e.mistake(name, "%s: %w", file, err)
		return file, nil
	}
	return file, key
}

// clientKey reads a PEM private key; nil when the variable is unset or wrong.
func (e *env) clientKey(name string) crypto.Signer {
	file, key := e.privateKey(name)
	if key == nil {
		return nil
	}
	if AlgsOf(key) == nil {
		e.mistake(name, "%s: want an RSA, P-256 or Ed25519 key", file)
		return nil
	}
	return key
}

// parseKey reads the first private key in PEM as PKCS #8, PKCS #1 or SEC 1.
func parseKey(data []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(data)
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("no private key in PEM found")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("want a private key that is not encrypted (PKCS #8, PKCS #1 or SEC 1)")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key can't sign")
	}
	return signer, nil
}

// certificate reads a PEM file with a certificate chain and its key; nil when the variable is unset
// or wrong.
func (e *env) certificate(name string) *tls.Certificate {
	file := e.getenv(name)
	if file == "" {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		e.mistake(name, "%w", err)
		return nil
	}
	cert, err := tls.X509KeyPair(data, data)
	if err != nil {
		e.mistake(name, "%s: %w", file, err)
		return nil
	}
	return &cert
}
