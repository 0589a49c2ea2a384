package bound

import (
	"errors"
	"fmt"
	"slices"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
)

const (
	proofType    = "dbsc+jwt"
	maxProof     = 4 << 10 // one of an RSA key of 4,096 bits takes half of it
	maxChallenge = 512
)

// A Proof is a JWT that a browser has signed with a device's key. It says that the sender has the
// key, and nothing else: which session is meant, and that it is fresh, only its challenge tells.
type Proof struct {
	// Challenge is the text that it answers.
	Challenge string

	jws *jwt.JWS
	alg string
}

// ParseProof takes a proof apart. It is as strict as with every other token: one signature, one
// spelling, no member twice, and exactly the type and the algorithms that there are.
func ParseProof(raw string) (*Proof, error) {
	if len(raw) > maxProof {
		return nil, fmt.Errorf("expected a proof of at most %d bytes, got %d", maxProof, len(raw))
	}
	jws, err := jwt.Parse(raw)
	if err != nil {
		return nil, err
	}
	p := &Proof{jws: jws, alg: jws.Alg()}
	if !slices.Contains([]string{es256, rs256}, p.alg) {
		return nil, fmt.Errorf("alg: expected %s or %s, got %s", es256, rs256, logtext.Quote(p.alg))
	}
	if err := jws.CheckHeader(p.alg, proofType); err != nil {
		return nil, err
	}
	if typ := jws.Type(); typ != proofType {
		return nil, fmt.Errorf("typ: expected %s, got %s", proofType, logtext.Quote(typ))
	}
	if p.Challenge, err = jws.Payload.Text("jti"); err != nil {
		return nil, err
	}
	if p.Challenge == "" || len(p.Challenge) > maxChallenge {
		return nil, fmt.Errorf("jti: expected a challenge of at most %d bytes, got %d", maxChallenge, len(p.Challenge))
	}
	return p, nil
}

// Register returns the key that the proof brings, and has signed it: the first that is heard of it.
func (p *Proof) Register() (Key, error) {
	public, err := p.jws.EmbeddedKey()
	if err != nil {
		return Key{}, err
	}
	key, err := newKey(public)
	if err != nil {
		return Key{}, err
	}
	return key, p.jws.VerifiedBy(public, p.alg)
}

// errOwnKey is a proof of whoever has signed it.
var errOwnKey = errors.New("jwk: a renewal is signed with the key that was registered, and brings none")

// SignedBy checks that key has signed the proof, and that it brings none of its own.
func (p *Proof) SignedBy(key Key) error {
	if p.jws.HasKey() {
		return errOwnKey
	}
	if p.alg != key.alg() {
		return fmt.Errorf("alg: expected %s, which is the key's, got %s", key.alg(), p.alg)
	}
	return p.jws.VerifiedBy(key.public, p.alg)
}
