package provider

import (
	"context"
	"errors"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// signature lets go-oidc verify signature, issuer and audience. Its own expiry check, which knows
// no skew, is off.
func (v *Verifier) signature(ctx context.Context, jws *jwt.JWS, why purpose) error {
	issuer, err := v.issuers.of(jws.Payload)
	if err != nil {
		return err
	}
	keys := &oneSignature{verifier: v, alg: v.alg, claims: jws.Payload, why: why}
	_, err = oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             v.clientID,
		SupportedSigningAlgs: []string{v.alg},
		SkipExpiryCheck:      true,
	}).Verify(ctx, jws.Raw)
	switch {
	case keys.err != nil:
		return keys.err // go-oidc flattens errors to text
	case err != nil:
		if own := checkListed(jws.Payload, v.clientID); own != nil {
			return own // says more
		}
		return errors.New(logtext.Clip(err.Error(), maxFinding)) // it may quote a whole claim
	}
	return nil
}

// signedBy verifies the signature only: go-oidc's verifier would insist on iss and aud, which
// userinfo may leave out.
func (v *Verifier) signedBy(ctx context.Context, jws *jwt.JWS) error {
	return v.signedWith(ctx, jws, v.alg, forLogin)
}

// signedWith is signedBy for a token with another algorithm or purpose than a login's.
func (v *Verifier) signedWith(ctx context.Context, jws *jwt.JWS, alg string, why purpose) error {
	keys := &oneSignature{verifier: v, alg: alg, claims: jws.Payload, why: why}
	_, err := keys.VerifySignature(ctx, jws.Raw)
	return err
}

// maxFinding bounds what is said about a token.
const maxFinding = 300

// oneSignature is go-oidc's KeySet for one token. It keeps the error that go-oidc would flatten.
type oneSignature struct {
	verifier *Verifier

	// alg is the one algorithm that it may have.
	alg string

	// Claims are the token's, not verified yet.
	claims strictjson.Object

	// why says which brake a refetch asks.
	why purpose

	// err is what VerifySignature returned.
	err error
}

// VerifySignature implements oidc.KeySet. go-oidc has checked the algorithm before; it is checked
// here again, because a key set that trusts its caller is one refactoring away from verifying
// anything.
func (s *oneSignature) VerifySignature(ctx context.Context, raw string) (payload []byte, err error) {
	algs := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.alg)}
	jws, err := jose.ParseSignedCompact(raw, algs)
	if err == nil {
		payload, err = s.verifier.keys.verify(ctx, jws, s.why, s.owned)
	}
	s.err = err
	return payload, err
}

// owned reports whether a key of this issuer may have signed the token.
func (s *oneSignature) owned(issuer string) bool {
	return s.verifier.issuers.ownsKey(issuer, s.claims)
}
