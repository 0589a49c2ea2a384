package oidcauthtest

import (
	"encoding/base64"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
)

// Token is a JWT that is about to be signed and sent: an ID token, an access token, a signed
// userinfo response or a logout token. A hook may change anything about it; what it doesn't change
// is correct.
type Token struct {
	Header Object // the JOSE header: alg, kid, typ
	Claims Object // the payload

	// Key signs the token; nil leaves the signature empty. Changing it does not change the header:
	// a foreign key under the published kid is t.Key = ForeignKey("RS256").
	Key *Key

	Grant    string // the grant_type of the token request, "" for other tokens
	ClientID string // whom it is for

	rewrite []func(string) string
}

// SignWith makes key the signer and says so in the header: its alg, and its kid when it has one.
func (t *Token) SignWith(key *Key) {
	t.Key = key
	t.Header.Set("alg", key.Alg)
	t.Header.Delete("kid")
	if key.ID != "" {
		t.Header.Set("kid", key.ID)
	}
}

// Unsign removes the signature and claims this algorithm in the header: "none", or a spelling of it
// (RFC 8725 §2.1).
func (t *Token) Unsign(alg string) {
	t.Key = nil
	t.Header.Set("alg", alg)
}

// FlipSignature inverts one bit in the middle of the signature.
func (t *Token) FlipSignature() {
	t.RewriteSignature(func(sig []byte) []byte {
		if len(sig) > 0 {
			sig[len(sig)/2] ^= 1
		}
		return sig
	})
}

// RewriteSignature passes the raw bytes of the signature through f before they are encoded.
func (t *Token) RewriteSignature(f func(signature []byte) []byte) {
	t.Rewrite(func(compact string) string {
		input, sig := splitSignature(compact)
		b, _ := base64.RawURLEncoding.DecodeString(sig)
		return input + "." + b64(f(b))
	})
}

// Rewrite passes the finished token in its compact form through f: to encrypt it, to pad it, to put
// another in its place. Several are applied in order.
func (t *Token) Rewrite(f func(compact string) string) { t.rewrite = append(t.rewrite, f) }

// Encrypt returns a function for [Token.Rewrite] that puts the signed token into a JWE (RFC 7516)
// with these alg and enc, for a public key or a secret.
func Encrypt(alg, enc string, key any) func(compact string) string {
	return func(compact string) string {
		options := new(jose.EncrypterOptions).WithType("JWT").WithContentType("JWT")
		to := jose.Recipient{Algorithm: jose.KeyAlgorithm(alg), Key: key}
		encrypter, err := jose.NewEncrypter(jose.ContentEncryption(enc), to, options)
		if err != nil {
			panic("oidcauthtest: can't encrypt: " + err.Error())
		}
		jwe, err := encrypter.Encrypt([]byte(compact))
		if err != nil {
			panic("oidcauthtest: can't encrypt: " + err.Error())
		}
		out, err := jwe.CompactSerialize()
		if err != nil {
			panic("oidcauthtest: can't encrypt: " + err.Error())
		}
		return out
	}
}

// Compact signs the token and returns its compact form (RFC 7515 §7.1).
func (t *Token) Compact() string {
	compact := b64(t.Header.Bytes()) + "." + b64(t.Claims.Bytes())
	if t.Key == nil {
		compact += "."
	} else {
		compact += "." + b64(t.Key.Sign([]byte(compact)))
	}
	for _, f := range t.rewrite {
		compact = f(compact)
	}
	return compact
}

// newToken returns a token of this typ and these claims, to be signed by key.
func newToken(key *Key, typ string, claims *Object) *Token {
	t := &Token{Header: *object("alg", key.Alg, "typ", typ), Claims: *claims}
	t.SignWith(key)
	return t
}

// ParseToken splits a compact JWT without checking anything, so a test can inspect it or sign it
// again. It returns nil if it isn't a JWT.
func ParseToken(compact string) *Token {
	input, _ := splitSignature(compact)
	header, claims := splitSignature(input)
	t := new(Token)
	for part, into := range map[string]*Object{header: &t.Header, claims: &t.Claims} {
		b, err := base64.RawURLEncoding.DecodeString(part)
		var members map[string]json.RawMessage
		if err != nil || json.Unmarshal(b, &members) != nil {
			return nil
		}
		for name, value := range members {
			into.Add(name, value)
		}
	}
	return t
}

// splitSignature cuts at the last dot.
func splitSignature(compact string) (input, signature string) {
	for i := len(compact) - 1; i >= 0; i-- {
		if compact[i] == '.' {
			return compact[:i], compact[i+1:]
		}
	}
	return compact, ""
}

// b64 is the encoding of all parts of a JWT (RFC 7515 §2).
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
