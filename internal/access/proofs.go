package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/seal"
)

const (
	// ProofSkew is how far a proof's iat may be from now, either way.
	ProofSkew = time.Minute

	// proofMemory is how long a proof is remembered: for as long as it could pass again.
	proofMemory = 2*ProofSkew + time.Second

	// maxProofs bounds the proofs that one process remembers, at some 200 bytes each.
	maxProofs = 100_000

	// storePatience bounds a call to a Store.
	storePatience = 3 * time.Second

	// nonceLife is how long a nonce is good; an answer brings the next one when half of it is over.
	nonceLife = 5 * time.Minute
)

// Proofs judge the DPoP proofs that come with requests to a resource server (RFC 9449 §4.3, §7). A
// proof passes once. It is safe for concurrent use.
type Proofs struct {
	ProofSettings

	mu   sync.Mutex
	seen expiring.Map[[sha256.Size]byte, struct{}]
}

// ProofSettings say what processes share.
type ProofSettings struct {
	// Vault remembers the proofs that have passed, for every process; nil is for one alone.
	Vault *seal.Vault

	// Nonces seals the nonces that are demanded of proofs; nil demands none.
	Nonces *seal.Sealer
}

// NewProofs returns a judge that has seen none.
func NewProofs(s ProofSettings) *Proofs {
	p := &Proofs{ProofSettings: s}
	p.seen.Limit = maxProofs
	return p
}

// A Proven is a request that a proof has to be for.
type Proven struct {
	// Method and Target are the request's, the URL without query.
	Method, Target string

	// Token is the access token, Thumbprint that of the key which it is bound to.
	Token, Thumbprint string
}

var (
	// ErrProof is in the chain of a proof's refusal.
	ErrProof = errors.New("the DPoP proof is missing or wrong")

	// ErrProofNonce means that a proof is good but for its nonce (RFC 9449 §9).
	ErrProofNonce = errors.New("the DPoP proof has no valid nonce")

	// ErrProofMemory means that proofs can't be remembered, so that none may pass.
	ErrProofMemory = errors.New("DPoP proofs can't be recorded right now")
)

// Check judges the DPoP headers of a request. renew says that the nonce should be followed by a
// newer one. Errors: [ErrProof], [ErrProofNonce] and [ErrProofMemory] in the chain.
func (p *Proofs) Check(ctx context.Context, headers []string, want Proven) (renew bool, err error) {
	if len(headers) != 1 {
		return false, fmt.Errorf("%w: expected one DPoP header, got %d", ErrProof, len(headers))
	}
	proof, err := jwt.ParseProof(headers[0])
	if err == nil {
		err = want.check(proof, time.Now())
	}
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if renew, err = p.checkNonce(proof.Nonce, time.Now()); err != nil {
		return false, err
	}
	// Last of all: what fails before must not fill the memory.
	return renew, p.consume(ctx, proof)
}

// check compares a proof with what it has to be for.
func (want Proven) check(p *jwt.Proof, now time.Time) error {
	sum := sha256.Sum256([]byte(want.Token))
	switch age := now.Sub(p.IssuedAt); {
	case !equalText(p.Thumbprint, want.Thumbprint):
		return errors.New("the token is bound to another key")
	case p.Method != want.Method:
		return errors.New("htm: it is for another method")
	case !sameTarget(p.URI, want.Target):
		return errors.New("htu: it is for another URL")
	case !equalText(p.TokenHash, base64.RawURLEncoding.EncodeToString(sum[:])):
		return errors.New("ath: it is for another access token")
	case age.Abs() > ProofSkew:
		return fmt.Errorf("iat: %v from now, expected at most %v", age.Round(time.Second).Abs(), ProofSkew)
	}
	return nil
}

// sameTarget compares htu with the request's URL, of which query and fragment don't count (RFC 9449
// §4.3, number 9). Scheme and host have no case, and the default port may be written or not (RFC
// 3986 §6.2).
func sameTarget(htu, target string) bool {
	got, err1 := url.Parse(htu)
	want, err2 := url.Parse(target)
	return err1 == nil && err2 == nil && got.User == nil && got.Host != "" && outbound.Origin(got) == outbound.Origin(want) && pathOf(got) == pathOf(want)
}

// pathOf is a URL's path, the empty one spelled "/".
func pathOf(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// equalText compares two hashes without telling by time where they differ.
func equalText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// consume lets each proof pass once: jti is the key's, which has no reason to repeat one.
func (p *Proofs) consume(ctx context.Context, proof *jwt.Proof) error {
	id := sha256.Sum256([]byte(proof.Thumbprint + "\x00" + proof.ID))
	first, err := p.remember(ctx, id)
	if err == nil && !first {
		err = fmt.Errorf("%w: jti: it was used before", ErrProof)
	}
	return err
}

// remember reports whether id is seen for the first time. A full memory refuses: to forget before
// time would let a proof pass twice.
func (p *Proofs) remember(ctx context.Context, id [sha256.Size]byte) (first bool, err error) {
	if p.Vault != nil {
		ctx, cancel := context.WithTimeout(ctx, storePatience)
		defer cancel()
		first, err = p.Vault.Add(ctx, base64.RawURLEncoding.EncodeToString(id[:]), []byte{1}, proofMemory)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrProofMemory, err)
		}
		return first, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if _, again := p.seen.Get(id, now); again {
		return false, nil
	}
	if !p.seen.Fits(id, 1, now) {
		return false, fmt.Errorf("%w: there are too many", ErrProofMemory)
	}
	p.seen.Put(id, struct{}{}, 1, now, proofMemory)
	return true, nil
}

// nonceName is what nonces are sealed for.
const nonceName = "dpop nonce"

// NewNonce returns the nonce for the proofs to come (RFC 9449 §8). It is a sealed time, so that
// every process with the same keys knows it.
func (p *Proofs) NewNonce() (string, error) {
	return p.Nonces.Seal(nonceName, binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix())))
}

// checkNonce judges the nonce of a proof, where one is demanded.
func (p *Proofs) checkNonce(nonce string, now time.Time) (renew bool, err error) {
	if p.Nonces == nil {
		return false, nil
	}
	plain, _, err := p.Nonces.Open(nonceName, nonce)
	if err != nil || len(plain) != 8 {
		return false, ErrProofNonce
	}
	age := now.Unix() - int64(binary.BigEndian.Uint64(plain))
	if seconds := int64(nonceLife / time.Second); age > seconds || age < -seconds {
		return false, ErrProofNonce
	}
	return age > int64(nonceLife/time.Second)/2, nil
}
