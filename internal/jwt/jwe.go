package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// What an encrypted token may use (RFC 7518 §4, §5): no RSA1_5, whose errors decrypt for an
// attacker, no passwords, no symmetric keys.
var (
	keyAlgorithms      = []jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.ECDH_ES}
	contentEncryptions = []jose.ContentEncryption{jose.A256GCM, jose.A128GCM, jose.A128CBC_HS256}
)

// Open takes a token apart, decrypted first when it is encrypted and there are decryption keys.
// What was encrypted must be a signed token: encryption with a public key says nothing about who
// wrote it (Core §10.2).
func Open(raw string, decryption []crypto.PrivateKey) (*JWS, error) {
	signed, err := signedIn(raw, decryption)
	if err != nil {
		return nil, err
	}
	return Parse(signed)
}

// signedIn returns the token that Open takes apart.
func signedIn(raw string, decryption []crypto.PrivateKey) (string, error) {
	if len(decryption) > 0 && len(raw) <= MaxToken && strings.Count(raw, ".") == 4 {
		return decrypt(raw, decryption)
	}
	return raw, nil
}

// decrypt opens an encrypted token with whichever key fits: during a rotation there are several.
// Which key failed, and how, is not told (RFC 7516 §11.5).
func decrypt(raw string, keys []crypto.PrivateKey) (string, error) {
	alg, err := checkEncryption(raw)
	if err != nil {
		return "", err
	}
	jwe, err := jose.ParseEncryptedCompact(raw, keyAlgorithms, contentEncryptions)
	if err != nil {
		return "", errors.New("expected an encrypted token, got one that can't be parsed")
	}
	// Tokens carry no trustworthy hint of the key: the few that are configured are tried in turn.
	for _, key := range keys {
		if encryptionAlg(key) != alg {
			continue
		}
		if inner, err := jwe.Decrypt(key); err == nil {
			return string(inner), nil
		}
	}
	return "", errors.New("none of Advanced.DecryptionKeys decrypts this token")
}

// checkEncryption looks at the header before any cryptography: the algorithms, and no compression,
// which turns a small token into a large one (RFC 8725 §3.6). It returns alg.
func checkEncryption(raw string) (jose.KeyAlgorithm, error) {
	decoded, err := decodeSegments(raw, 5)
	if err != nil {
		return "", err
	}
	header, err := strictjson.Parse(decoded[0])
	if err != nil {
		return "", fmt.Errorf("header: %w", err)
	}
	for _, name := range []string{"zip", "crit"} {
		if header.Has(name) {
			return "", fmt.Errorf("%s: not accepted in an encrypted token", name)
		}
	}
	alg, err := header.Text("alg")
	if err != nil || !slices.Contains(keyAlgorithms, jose.KeyAlgorithm(alg)) {
		return "", fmt.Errorf("alg: expected one of %q, got %s", keyAlgorithms, logtext.Quote(alg))
	}
	enc, err := header.Text("enc")
	if err != nil || !slices.Contains(contentEncryptions, jose.ContentEncryption(enc)) {
		return "", fmt.Errorf("enc: expected one of %q, got %s", contentEncryptions, logtext.Quote(enc))
	}
	return jose.KeyAlgorithm(alg), nil
}

// encryptionAlg returns the one algorithm that a private key decrypts with, "" for a key that
// can't.
func encryptionAlg(key crypto.PrivateKey) jose.KeyAlgorithm {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() >= minRSABits {
			return jose.RSA_OAEP_256
		}
	case *ecdsa.PrivateKey:
		if key.Curve.Params().BitSize >= 256 {
			return jose.ECDH_ES
		}
	}
	return ""
}

// CheckDecryptionKey says why a key can't be one of Advanced.DecryptionKeys.
func CheckDecryptionKey(key crypto.PrivateKey) error {
	if encryptionAlg(key) == "" {
		return fmt.Errorf("expected an RSA key of at least %d bits or a P-256, P-384 or P-521 key, got %T", minRSABits, key)
	}
	return nil
}

// EncryptionKeys are the public halves of decryption keys, as the client's key set publishes them.
// Their kid is the RFC 7638 thumbprint.
func EncryptionKeys(private []crypto.PrivateKey) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, key := range private {
		public, ok := key.(interface{ Public() crypto.PublicKey })
		if !ok || encryptionAlg(key) == "" {
			continue
		}
		jwk := jose.JSONWebKey{Key: public.Public(), Algorithm: string(encryptionAlg(key)), Use: "enc"}
		if sum, err := jwk.Thumbprint(crypto.SHA256); err == nil {
			jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
		}
		keys = append(keys, jwk)
	}
	return keys
}
