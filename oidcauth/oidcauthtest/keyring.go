package oidcauthtest

import (
	"bytes"
	"fmt"
	"sync"
)

// keyring generates the providers' keys once a process and hands them out again, since an RSA key
// costs as much time as a hundred sign-ins. Providers of different issuers never share a key, nor
// do two that serve at once.
var keyring = struct {
	sync.Mutex
	keys  map[string]*Key
	slots map[int]bool
}{keys: map[string]*Key{}, slots: map[int]bool{}}

// ringKey returns the key of an owner for an algorithm and a generation.
func ringKey(owner, alg string, generation int) *Key {
	keyring.Lock()
	defer keyring.Unlock()
	name := fmt.Sprintf("%s %s %d", owner, alg, generation)
	k := keyring.keys[name]
	if k == nil {
		k = NewKey(alg, fmt.Sprintf("%s-%d", alg, generation))
		keyring.keys[name] = k
	}
	return k
}

// borrowSlot returns the name of an owner that no other serving provider uses, and gives it back
// when release is called.
func borrowSlot() (owner string, release func()) {
	keyring.Lock()
	defer keyring.Unlock()
	n := 0
	for keyring.slots[n] {
		n++
	}
	keyring.slots[n] = true
	return fmt.Sprintf("slot %d", n), func() {
		keyring.Lock()
		defer keyring.Unlock()
		delete(keyring.slots, n)
	}
}

// ForeignKey returns a key that no provider publishes, for an algorithm of [NewKey]. Its kid is
// "foreign". It is the same for every call of a process.
func ForeignKey(alg string) *Key {
	k := *ringKey("nobody", alg, 0)
	k.ID = "foreign"
	return &k
}

// DecoyKeys returns published keys that a verifier has to skip, all with this kid: of other types
// and curves, for encryption, symmetric, too short, and unparsable.
func DecoyKeys(kid string) []*Object {
	encryption := ringKey("nobody", "RS256", 1).JWK()
	encryption.Set("use", "enc")
	encryption.Set("alg", "RSA-OAEP-256")
	list := []*Object{
		encryption,
		ForeignKey("ES256").JWK(),
		ForeignKey("EdDSA").JWK(),
		HMACKey([]byte("a secret that somebody published")).JWK(),
		object("kty", "EC", "crv", "secp256k1", "x", b64(make([]byte, 32)), "y", b64(make([]byte, 32))),
		object("kty", "OKP", "crv", "X25519", "x", b64(make([]byte, 32)), "use", "enc"),
		object("kty", "RSA", "n", b64(bytes.Repeat([]byte{0xff}, 64)), "e", "AQAB", "use", "sig"),
		object("kty", "RSA", "n", "not base64!", "e", "AQAB"),
		object("kty", "AKP", "alg", "ML-DSA-44", "pub", "AA"),
		object("kty", 7),
	}
	for _, k := range list {
		k.Set("kid", kid)
	}
	return list
}
