package oidcauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that algorithms name
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Key is a key that signs tokens, with its published name and algorithm. It is immutable and safe
// for concurrent use.
type Key struct {
	ID  string // kid; empty: none is written
	Alg string // a JWS algorithm (RFC 7518 §3.1), or EdDSA

	private crypto.Signer
	secret  []byte
}

// NewKey generates a key for an asymmetric algorithm: RS256 to RS512, PS256 to PS512 (2,048 bits),
// ES256, ES384, ES512 or EdDSA (Ed25519). It panics for any other.
func NewKey(alg, id string) *Key {
	var signer crypto.Signer
	var err error
	switch alg {
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		signer, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		panic("oidcauthtest: NewKey wants RS256, PS256, ES256, EdDSA or a relative, not " + alg)
	}
	if err != nil {
		panic(err) // crypto/rand failed
	}
	return &Key{ID: id, Alg: alg, private: signer}
}

// SignerKey returns a Key from the caller's private key, with any algorithm of its type and any
// kid: an RSA key that signs as RS384, say.
func SignerKey(signer crypto.Signer, alg, id string) *Key {
	return &Key{ID: id, Alg: alg, private: signer}
}

// HMACKey returns a key for HS256 from these bytes: the client's secret, or the public key that a
// confused verifier mistakes for one (RFC 8725 §2.1).
func HMACKey(secret []byte) *Key { return &Key{Alg: "HS256", secret: secret} }

// Signer returns the private key, nil for an HMAC key.
func (k *Key) Signer() crypto.Signer { return k.private }

// PublicPEM returns the public key as PEM, the form that the attack in RFC 8725 §2.1 feeds to HMAC.
func (k *Key) PublicPEM() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		panic(err) // a key type that NewKey does not make
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// JWK returns the public key as a member of a key set (RFC 7517), with kid, alg and use=sig; for an
// HMAC key the secret itself, as an oct key.
func (k *Key) JWK() *Object {
	var key any = k.secret
	if k.private != nil {
		key = k.private.Public()
	}
	b, err := jose.JSONWebKey{Key: key, KeyID: k.ID, Algorithm: k.Alg, Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err) // a key type that NewKey does not make
	}
	var members map[string]any
	if err := json.Unmarshal(b, &members); err != nil {
		panic(err) // go-jose wrote it
	}
	return NewObject(members)
}

// Sign returns the JWS signature of input (RFC 7515 §5.1) by the key's algorithm.
func (k *Key) Sign(input []byte) []byte {
	if k.private == nil {
		mac := hmac.New(crypto.SHA256.New, k.secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
	hash, digest := digestFor(k.Alg, input)
	sig, err := k.private.Sign(rand.Reader, digest, signerOpts(k.Alg, hash))
	if err != nil {
		panic(fmt.Sprintf("oidcauthtest: a %T can't sign %s: %v", k.private, k.Alg, err))
	}
	if pub, ok := k.private.Public().(*ecdsa.PublicKey); ok {
		return fixedECDSA(sig, (pub.Curve.Params().BitSize+7)/8)
	}
	return sig
}

// digestFor hashes what is to be signed, except for Ed25519, which hashes by itself.
func digestFor(alg string, input []byte) (crypto.Hash, []byte) {
	hash := crypto.SHA256
	switch {
	case alg == "EdDSA":
		return 0, input
	case strings.HasSuffix(alg, "384"):
		hash = crypto.SHA384
	case strings.HasSuffix(alg, "512"):
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write(input)
	return hash, h.Sum(nil)
}

// signerOpts chooses between the two paddings of RSA; other keys take the hash alone.
func signerOpts(alg string, hash crypto.Hash) crypto.SignerOpts {
	if strings.HasPrefix(alg, "PS") {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	return hash
}

// fixedECDSA turns the ASN.1 form of an ECDSA signature into the fixed-size one of RFC 7518 §3.4.
func fixedECDSA(der []byte, size int) []byte {
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		panic(err) // crypto/ecdsa wrote it
	}
	out := make([]byte, 2*size)
	pair.R.FillBytes(out[:size])
	pair.S.FillBytes(out[size:])
	return out
}
