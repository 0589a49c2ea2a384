package oidcauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/jwt"
)

// serveKeys serves the client's public keys (jwks_uri of OpenID Connect Registration §2), so that a
// provider fetches them rather than being told of each rotation: of assertions and request objects,
// of mutual TLS, and those to encrypt tokens with. A client without keys has no such route.
func (a *Authenticator) serveKeys(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	set := a.publicKeys()
	if len(set.Keys) == 0 {
		a.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found"})
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(set) // the client may be gone
}

// publicKeys are the public halves of the client's keys.
func (a *Authenticator) publicKeys() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	auth := a.config.ClientAuth
	if auth.Key != nil {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: auth.Key.Public(), KeyID: auth.KeyID, Algorithm: auth.Alg, Use: "sig"})
	}
	for _, id := range slices.Sorted(maps.Keys(auth.PublishKeys)) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: auth.PublishKeys[id], KeyID: id, Use: "sig"})
	}
	if auth.Certificate != nil && auth.Method == TLSClientAuth {
		set.Keys = append(set.Keys, certificateKeys(auth.Certificate)...)
	}
	set.Keys = append(set.Keys, jwt.EncryptionKeys(a.config.Advanced.DecryptionKeys)...)
	return set
}

// certificateKeys is the client's certificate as a key with x5c, by which a provider knows a
// self-signed one (RFC 8705 §2.2.2).
func certificateKeys(certificate *tls.Certificate) []jose.JSONWebKey {
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

// validateKeys reports what must not be published.
func (a *ClientAuth) validateKeys(field string, wrong func(field, format string, args ...any)) {
	if len(a.PublishKeys) > 0 && a.KeyID == "" {
		wrong(field, "PublishKeys: needs KeyID, by which a provider tells the keys apart")
	}
	for _, id := range slices.Sorted(maps.Keys(a.PublishKeys)) {
		err := checkPublicKey(a.PublishKeys[id])
		if id == "" || id == a.KeyID {
			err = errors.New("expected a kid that Key does not have")
		}
		if err != nil {
			wrong(field, "PublishKeys[%q]: %v", id, err)
		}
	}
}

// checkPublicKey accepts the public half of a key that client assertions can be made with, and
// nothing private.
func checkPublicKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key != nil && key.N.BitLen() >= jwt.MinRSABits {
			return nil
		}
	case *ecdsa.PublicKey:
		if key != nil && key.Curve.Params().Name == jwt.CurveOf["ES256"] {
			return nil
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fmt.Errorf("expected the public half of an RSA key of at least %d bits, a P-256 or an Ed25519 key, got %T", jwt.MinRSABits, key)
}
