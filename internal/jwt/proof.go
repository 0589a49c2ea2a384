package jwt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// Bounds of a DPoP proof. Real ones stay below 2 kB, the key of an RSA client included, and a jti
// is kept for as long as its proof could come again.
const (
	maxProof   = 8 << 10
	maxProofID = 256
)

// proofType is the typ of a DPoP proof.
const proofType = "dpop+jwt"

// A Proof is a DPoP proof (RFC 9449 §4.2) whose signature is by the key that it brings. What it is
// good for is not judged yet: whether the key is the one that a token is bound to, and whether
// request, time and token are those that it names.
type Proof struct {
	// Thumbprint is the RFC 7638 SHA-256 thumbprint of its key, as cnf.jkt spells it.
	Thumbprint string

	// ID is jti, Method htm and URI htu; none is empty. TokenHash is ath and Nonce nonce, each ""
	// when absent.
	ID, Method, URI, TokenHash, Nonce string

	// IssuedAt is iat.
	IssuedAt time.Time
}

// ParseProof takes a proof apart and verifies its signature (RFC 9449 §4.3, numbers 2 to 7). The
// claims are read first: nonsense costs no cryptography.
func ParseProof(raw string) (*Proof, error) {
	if len(raw) > maxProof {
		return nil, fmt.Errorf("expected a proof of at most %d bytes, got %d", maxProof, len(raw))
	}
	jws, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if jws.Type() != proofType {
		return nil, fmt.Errorf("typ: expected %s, got %s", proofType, logtext.Quote(jws.Type()))
	}
	alg := jws.Alg()
	if !slices.Contains(SigningAlgs, alg) {
		return nil, fmt.Errorf("alg: expected one of %q, got %s", SigningAlgs, logtext.Quote(alg))
	}
	p, err := readProof(jws.Payload)
	if err = cmp.Or(jws.CheckHeader(alg, proofType), err); err != nil {
		return nil, err
	}
	key, err := jws.EmbeddedKey()
	if err != nil {
		return nil, err
	}
	if err := jws.VerifiedBy(key, alg); err != nil {
		return nil, err
	}
	sum, err := Thumbprint(key)
	p.Thumbprint = ThumbprintText(sum)
	return p, err
}

// readProof reads the claims, of which four must be there.
func readProof(claims strictjson.Object) (*Proof, error) {
	p := new(Proof)
	for _, c := range []struct {
		name     string
		to       *string
		required bool
	}{{"jti", &p.ID, true}, {"htm", &p.Method, true}, {"htu", &p.URI, true}, {"ath", &p.TokenHash, false}, {"nonce", &p.Nonce, false}} {
		text, err := claims.Text(c.name)
		if err == nil && c.required && text == "" {
			err = fmt.Errorf("%s: expected, got none", c.name)
		}
		if err != nil {
			return nil, err
		}
		*c.to = text
	}
	if len(p.ID) > maxProofID {
		return nil, fmt.Errorf("jti: expected at most %d bytes, got %d", maxProofID, len(p.ID))
	}
	at, ok, err := claims.Date("iat")
	if err == nil && !ok {
		err = errors.New("iat: expected a date, got none")
	}
	p.IssuedAt = at
	return p, err
}
