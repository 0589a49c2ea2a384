package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A ProofKey is the ES256 key that the tokens of one session or one machine client are bound to
// (RFC 9449). It never leaves the process except sealed, and prints as nothing. It is safe for
// concurrent use.
type ProofKey struct{ private *ecdsa.PrivateKey }

// NewProofKey makes a key: one per session, made when its login begins, so that the code is bound
// to it already.
func NewProofKey() (*ProofKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return &ProofKey{private}, nil
}

// parseProofKey is the inverse of bytes.
func parseProofKey(raw []byte) (*ProofKey, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, fmt.Errorf("DPoP key: %w", err)
	}
	return &ProofKey{private}, nil
}

// StoredProofKey is parseProofKey for what may keep no key: nil for nil.
func StoredProofKey(raw []byte) (*ProofKey, error) {
	if raw == nil {
		return nil, nil
	}
	return parseProofKey(raw)
}

// Bytes returns the private key in 32 bytes, for sealing into the session.
func (k *ProofKey) Bytes() ([]byte, error) { return k.private.Bytes() }

// String and GoString keep the key out of logs and debug dumps.
func (k *ProofKey) String() string { return "DPoP key (redacted)" }

// GoString is String.
func (k *ProofKey) GoString() string { return k.String() }

// Thumbprint returns the value of dpop_jkt (RFC 9449 §10): the authorization code is bound to the
// key from the start.
func (k *ProofKey) Thumbprint() (string, error) {
	sum, err := (&jose.JSONWebKey{Key: k.private.Public()}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// Proof signs a DPoP proof for one request (RFC 9449 §4.2). With an access token, it is bound to
// it; nonce is the server's, "" when it gave none.
func (k *ProofKey) Proof(method string, target *url.URL, accessToken, nonce string) (string, error) {
	// A fresh jti and the current second: servers refuse a proof that they have seen or that is
	// old.
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": targetURI(target), "iat": time.Now().Unix()}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.private}, options)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// targetURI is htu: the URL without query and fragment (RFC 9449 §4.2), its empty path spelled "/"
// as it is sent.
func targetURI(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) + path
}
