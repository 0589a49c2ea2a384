package jwt

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/strictjson"
)

// Some tokens bring the key that signed them: they prove that their sender has it, and nothing else
// (RFC 9449 §4.2, Device Bound Session Credentials).

// Alg returns alg, "" where the header has none that can be read.
func (t *JWS) Alg() string {
	alg, _ := t.header.Text("alg")
	return alg
}

// Type returns typ without case and "application/" (RFC 7515 §4.1.9), "" where the header has none
// that can be read.
func (t *JWS) Type() string {
	typ, _ := t.header.Text("typ")
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// HasKey reports whether the header has a jwk, of whatever kind.
func (t *JWS) HasKey() bool { return t.header.Has("jwk") }

// EmbeddedKey returns the public key in the header (RFC 7515 §4.1.3): an *rsa.PublicKey,
// *ecdsa.PublicKey or ed25519.PublicKey. A private or symmetric one is an error, and so is one that
// is too weak or for something else.
func (t *JWS) EmbeddedKey() (any, error) {
	if !t.header.Present("jwk") {
		return nil, errors.New("jwk: expected the key in the header, got none")
	}
	o, err := strictjson.Parse(t.header.Values["jwk"])
	if err != nil {
		return nil, fmt.Errorf("jwk: %w", err)
	}
	if err := checkPurpose(o); err != nil {
		return nil, fmt.Errorf("jwk: %w", err)
	}
	key, err := publicKey(o)
	if err != nil {
		return nil, fmt.Errorf("jwk: %w", err)
	}
	return key, nil
}

// VerifiedBy checks the signature by key, of exactly this algorithm.
func (t *JWS) VerifiedBy(key any, alg string) error {
	if !(Key{Public: key}).Fits(alg, "") {
		return fmt.Errorf("alg: %s is not for this key", alg)
	}
	jws, err := jose.ParseSignedCompact(t.Raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return errors.New("expected a signed token, got one that can't be parsed")
	}
	if _, err := jws.Verify(key); err != nil {
		return errors.New("signature: not made with this key")
	}
	return nil
}

// Thumbprint is the SHA-256 thumbprint of a public key (RFC 7638).
func Thumbprint(key any) (sum [sha256.Size]byte, err error) {
	raw, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return sum, err
	}
	return [sha256.Size]byte(raw), nil
}

// ThumbprintText is how a thumbprint is written (RFC 9449 §6.1).
func ThumbprintText(sum [sha256.Size]byte) string {
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
