package bound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/signet-go/signet/internal/jwt"
)

// The algorithms that browsers have (Device Bound Session Credentials), smaller keys first:
// Chromium takes the first that it can.
const (
	es256 = "ES256"
	rs256 = "RS256"
)

// maxRSABits bounds the keys of devices: a TPM makes 2,048 bits.
const maxRSABits = 4096

// A Key is the public half of a device's key. It prints as its thumbprint.
type Key struct {
	public     any // *ecdsa.PublicKey on P-256, or *rsa.PublicKey
	thumbprint string
}

// newKey returns a key that a browser has registered.
func newKey(public any) (Key, error) {
	if key, ok := public.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return Key{}, fmt.Errorf("jwk: expected an RSA key of at most %d bits, got %d", maxRSABits, key.N.BitLen())
	}
	sum, err := jwt.Thumbprint(public)
	if err != nil {
		return Key{}, fmt.Errorf("jwk: %w", err)
	}
	return Key{public, jwt.ThumbprintText(sum)}, nil
}

// Thumbprint names the key (RFC 7638, SHA-256, base64url). It may be logged.
func (k Key) Thumbprint() string { return k.thumbprint }

// String keeps the key out of logs.
func (k Key) String() string { return "device key " + k.thumbprint }

// alg is the one algorithm of the key.
func (k Key) alg() string {
	if _, ok := k.public.(*ecdsa.PublicKey); ok {
		return es256
	}
	return rs256
}

// append writes the key: a point, or an exponent and a modulus.
func (k Key) append(b []byte) ([]byte, error) {
	switch key := k.public.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return nil, err
		}
		return append(append(b, 'E'), point...), nil
	case *rsa.PublicKey:
		return append(binary.BigEndian.AppendUint32(append(b, 'R'), uint32(key.E)), key.N.Bytes()...), nil
	}
	return nil, errKey
}

var errKey = errors.New("bound: no key of a device")

// parseKey is the inverse of append. What it reads was sealed by us.
func parseKey(b []byte) (Key, error) {
	switch {
	case len(b) > 1 && b[0] == 'E':
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b[1:])
		if err != nil {
			return Key{}, errKey
		}
		return newKey(key)
	case len(b) > 5 && b[0] == 'R':
		return newKey(&rsa.PublicKey{E: int(binary.BigEndian.Uint32(b[1:])), N: new(big.Int).SetBytes(b[5:])})
	}
	return Key{}, errKey
}
