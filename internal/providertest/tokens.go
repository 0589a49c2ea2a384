package providertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"sync"
	"time"
)

// Keys are made once: RSA ones take a while.
var (
	RSAKey   = sync.OnceValue(func() *rsa.PrivateKey { return Must(rsa.GenerateKey(rand.Reader, 2048)) })
	OtherRSA = sync.OnceValue(func() *rsa.PrivateKey { return Must(rsa.GenerateKey(rand.Reader, 2048)) })
	ECKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	EdKey    = sync.OnceValue(func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k })
)

// Must returns v, and panics where there is an error.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Header is that of good tokens, and Nonce the one that Claims hold.
var (
	Header = Object{"alg": "RS256", "kid": "k1", "typ": "JWT"}
	Nonce  = "n-0S6_WzA2Mj"
)

// Claims are those of a good ID token, now.
func Claims() Object {
	now := time.Now().Unix()
	return Object{"iss": Issuer, "sub": "alice", "aud": ClientID, "exp": now + 300, "iat": now, "nonce": Nonce}
}

// LogoutHeader is that of good logout tokens.
var LogoutHeader = Object{"alg": "RS256", "kid": "k1", "typ": "logout+jwt"}

// LogoutClaims are those of a good logout token, now.
func LogoutClaims() Object {
	now := time.Now().Unix()
	return Object{
		"iss": Issuer, "sub": "alice", "sid": "s-1", "aud": ClientID, "iat": now, "exp": now + 120, "jti": "j-1",
		"events": Object{"http://schemas.openid.net/event/backchannel-logout": Object{}},
	}
}

// JWK publishes a key for signatures.
func JWK(key crypto.PublicKey, kid string) Object {
	b64 := base64.RawURLEncoding.EncodeToString
	jwk := Object{"use": "sig"}
	if kid != "" {
		jwk["kid"] = kid
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		maps.Copy(jwk, Object{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())})
	case *ecdsa.PublicKey:
		point := Must(key.Bytes())[1:]
		half := len(point) / 2
		maps.Copy(jwk, Object{"kty": "EC", "crv": key.Curve.Params().Name, "x": b64(point[:half]), "y": b64(point[half:])})
	case ed25519.PublicKey:
		maps.Copy(jwk, Object{"kty": "OKP", "crv": "Ed25519", "x": b64(key)})
	}
	return jwk
}

// With returns a copy of an object with changes; a nil value drops the name.
func With(base, changes Object) Object {
	out := maps.Clone(base)
	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}

// Sign makes a compact JWS of any header and payload, marshalled unless they are text, without a
// library's objections.
func Sign(key crypto.Signer, header, payload any) string {
	input := Segment(header) + "." + Segment(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature(key, algOf(header), input))
}

// Segment is one part of a compact JWS.
func Segment(v any) string {
	text, ok := v.(string)
	if !ok {
		text = string(Must(json.Marshal(v)))
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func algOf(header any) string {
	h, _ := header.(Object)
	alg, _ := h["alg"].(string)
	return alg
}

func signature(key crypto.Signer, alg, input string) []byte {
	sum := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case *rsa.PrivateKey:
		switch alg {
		case "PS256":
			return Must(rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		case "RS384":
			sum := sha512.Sum384([]byte(input))
			return Must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA384, sum[:]))
		}
		return Must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return Must(out, err)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	}
	panic("no such key")
}
