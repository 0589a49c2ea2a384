package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/strictjson"
)

// Bounds of a key set.
const (
	maxKeys    = 100 // usable ones of a set; the rest is not looked at
	minRSABits = 2048
	maxRSABits = 8192 // verifying gets slow with size, and the provider chooses the size
)

// A Key is a public signature key of the provider.
type Key struct {
	// id is the kid, "" when the key has none.
	id string

	// alg is the one algorithm that the key is published for, "" for any.
	alg string

	// Issuer says whose key it is, where the keys of many tenants are published together; ""
	// elsewhere.
	Issuer string

	// Public is an *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
	Public any
}

// ParseKeySet reads a JWK set (RFC 7517 §5). A key that is unknown, broken, too weak, symmetric,
// private or not meant for signatures is left out, so that one odd key never takes the others with
// it; faults tell why, for the log. A set without a single usable key is an error: the caller then
// keeps the one it has.
func ParseKeySet(document strictjson.Object) (keys []Key, faults []string, err error) {
	if !document.Present("keys") {
		return nil, nil, errors.New("expected a key set, got no keys member")
	}
	// Entries are cut out first and parsed one by one: a list of typed keys would fail as a whole.
	var entries []json.RawMessage
	if err := json.Unmarshal(document.Values["keys"], &entries); err != nil {
		return nil, nil, errors.New("keys: expected a list, got " + strictjson.KindOf(document.Values["keys"]))
	}
	for i, entry := range entries {
		if len(keys) == maxKeys {
			faults = append(faults, fmt.Sprintf("only the first %d keys are used", maxKeys))
			break
		}
		key, err := parseKey(entry)
		if err == nil {
			keys = append(keys, key)
		} else if !errors.Is(err, errOtherPurpose) && len(faults) < 10 {
			faults = append(faults, fmt.Sprintf("key %d: %v", i, err))
		}
	}
	if len(keys) == 0 {
		return nil, faults, fmt.Errorf("expected a usable signature key, got none among %d keys", len(entries))
	}
	return keys, faults, nil
}

// errOtherPurpose marks keys that are fine, but not for checking the signatures we check.
var errOtherPurpose = errors.New("not a supported signature key")

// parseKey reads one entry of a set. Its error says in a few words what is wrong with the key,
// never what is in it.
func parseKey(entry json.RawMessage) (Key, error) {
	o, err := strictjson.Parse(entry)
	if err != nil {
		return Key{}, err
	}
	if err := checkPurpose(o); err != nil {
		return Key{}, err
	}
	id, err := o.Text("kid")
	if err != nil {
		return Key{}, err
	}
	alg, err := o.Text("alg")
	if err != nil {
		return Key{}, err
	}
	issuer, err := o.Text("issuer")
	if err != nil {
		return Key{}, err
	}
	key, err := publicKey(o)
	return Key{id: id, alg: alg, Issuer: issuer, Public: key}, err
}

// checkPurpose looks at the private members, use and key_ops (RFC 7518 §6; RFC 7517 §4.2, §4.3).
func checkPurpose(o strictjson.Object) error {
	if slices.ContainsFunc([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}, o.Has) {
		return errors.New("expected a public key, got a private or symmetric one: anyone who reads it can sign as the provider")
	}
	use, err := o.Text("use")
	if err != nil || use != "" && use != "sig" {
		return errOtherPurpose
	}
	operations, err := o.Texts("key_ops")
	if err != nil || operations != nil && !slices.Contains(operations, "verify") {
		return errOtherPurpose
	}
	// Key types that we know no algorithm for are nothing to warn about: providers publish keys for
	// others, too.
	kty, _ := o.Text("kty")
	curve, _ := o.Text("crv")
	if kty != "RSA" && !slices.Contains([]string{"EC P-256", "EC P-384", "EC P-521", "OKP Ed25519"}, kty+" "+curve) {
		return errOtherPurpose
	}
	return nil
}

// publicKey builds the key from its own members alone: x5c, x5u and the like are neither parsed nor
// followed.
func publicKey(o strictjson.Object) (any, error) {
	if kty, _ := o.Text("kty"); kty == "RSA" {
		return rsaPublicKey(o)
	}
	members := map[string]json.RawMessage{}
	for _, name := range []string{"kty", "crv", "x", "y"} {
		if o.Present(name) {
			members[name] = o.Values[name]
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	var jwk jose.JSONWebKey
	err = jwk.UnmarshalJSON(text)
	return jwk.Key, err
}

// rsaPublicKey reads n and e (RFC 7518 §6.3.1) itself, because go-jose draws the line at 4096 bits.
func rsaPublicKey(o strictjson.Object) (*rsa.PublicKey, error) {
	n, err := bigInteger(o, "n")
	if err != nil {
		return nil, err
	}
	e, err := bigInteger(o, "e")
	if err != nil {
		return nil, err
	}
	if bits := n.BitLen(); bits < minRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("expected an RSA key of %d to %d bits, got %d", minRSABits, maxRSABits, bits)
	}
	if e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 || n.Bit(0) == 0 {
		return nil, errors.New("expected an odd RSA modulus and exponent, the exponent from 3 to 2^31-1")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// bigInteger reads a Base64urlUInt (RFC 7518 §2), bounded before it becomes a number to calculate
// with.
func bigInteger(o strictjson.Object, name string) (*big.Int, error) {
	text, err := o.Text(name)
	if err != nil {
		return nil, err
	}
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(decoded) == 0 || len(decoded) > 2*maxRSABits/8 {
		return nil, fmt.Errorf("%s: expected a number in base64url", name)
	}
	return new(big.Int).SetBytes(decoded), nil
}

// curveOf names the one curve of each ECDSA algorithm (RFC 7518 §3.4).
var curveOf = map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

// Named reports whether the key has this kid.
func (k Key) Named(kid string) bool { return k.id == kid }

// Fits reports whether the key may verify a token with this alg and kid (RFC 7518 §3.1). A token or
// a key without kid matches any: the signature decides.
func (k Key) Fits(alg, kid string) bool {
	if k.alg != "" && k.alg != alg || kid != "" && k.id != "" && k.id != kid {
		return false
	}
	switch key := k.Public.(type) {
	case *rsa.PublicKey:
		return slices.Contains([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, alg)
	case *ecdsa.PublicKey:
		return curveOf[alg] == key.Curve.Params().Name
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}
