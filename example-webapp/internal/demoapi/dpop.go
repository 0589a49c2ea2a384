package demoapi

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// dpopProofAge is how far a proof's iat may be from now, either way.
//
// Both clocks may be off; RFC 9449 §11.1 leaves the number to the server.
const dpopProofAge = 5 * time.Minute

// errProof is every failure of a proof to the caller (RFC 9449 §7.1); its cause is joined to it for
// the log.
var errProof = errors.New("the DPoP proof is missing or wrong")

// checkBinding checks that a sender-constrained token comes from its owner, and that no other token
// claims to be one.
//
// Both directions matter: a bound token sent as Bearer would be good for whoever stole it, and a
// Bearer token under the scheme DPoP would look protected without being so (RFC 9449 §7.1, §7.2).
func (d *API) checkBinding(r *http.Request, scheme, token string, c *tokenClaims) error {
	bound := c.Confirmation.JWKThumbprint != ""
	switch {
	case c.Confirmation.CertThumbprint != "":
		return errors.Join(errNeedsAPIURL, errors.New("it is bound to a certificate, and TLS ends before this process"))
	case bound && strings.EqualFold(scheme, "DPoP"):
		return d.checkProof(r, token, c.Confirmation.JWKThumbprint)
	case bound:
		return errors.Join(errProof, errors.New("a bound token came with scheme "+scheme))
	case !strings.EqualFold(scheme, "Bearer"):
		return errors.Join(errInvalidToken, errors.New("want scheme Bearer for a token that is not bound"))
	}
	return nil
}

// proofClaims are the claims of a DPoP proof (RFC 9449 §4.2).
//
// Of the registered claims, iat and jti are used.
type proofClaims struct {
	jwt.Claims
	Method    string `json:"htm"`
	URI       string `json:"htu"`
	TokenHash string `json:"ath"`
}

// checkProof is RFC 9449 §4.3, but for server nonces, which the demo API does not ask for.
//
// The key in the header is the sender's claim; what makes it the right one is its thumbprint in the
// access token, which the provider signed.
func (d *API) checkProof(r *http.Request, token, thumbprint string) error {
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 {
		return errProof
	}
	proof, err := jwt.ParseSigned(headers[0], accessTokenAlgs)
	if err != nil || len(proof.Headers) != 1 || proof.Headers[0].ExtraHeaders[jose.HeaderType] != "dpop+jwt" {
		return errors.Join(errProof, err)
	}
	key := proof.Headers[0].JSONWebKey
	if key == nil || !key.Valid() || !key.IsPublic() {
		return errors.Join(errProof, errors.New("want a public jwk"))
	}
	if sum, err := key.Thumbprint(crypto.SHA256); err != nil || !sameText(base64.RawURLEncoding.EncodeToString(sum), thumbprint) {
		return errors.Join(errProof, errors.New("the proof's key is not the token's"))
	}
	var c proofClaims
	if err := proof.Claims(key.Key, &c); err != nil {
		return errors.Join(errProof, err)
	}
	return d.checkProofClaims(r, token, c)
}

// checkProofClaims ties a proof to this request, this token and this moment. The jti is consumed
// last: a proof that fails before must not fill the memory of those that passed.
func (d *API) checkProofClaims(r *http.Request, token string, c proofClaims) error {
	hash := sha256.Sum256([]byte(token))
	switch {
	case c.Method != r.Method || c.URI != d.url:
		return errors.Join(errProof, errors.New("the proof is for another request"))
	case !sameText(c.TokenHash, base64.RawURLEncoding.EncodeToString(hash[:])):
		return errors.Join(errProof, errors.New("the proof is for another token"))
	case c.IssuedAt == nil || time.Since(c.IssuedAt.Time()).Abs() > dpopProofAge:
		return errors.Join(errProof, errors.New("the proof is too old or from the future"))
	case c.ID == "":
		return errors.Join(errProof, errors.New("want jti"))
	}
	if err := d.proofs.Consume(r.Context(), c.ID); err != nil {
		return errors.Join(errProof, err)
	}
	return nil
}

// sameText compares in constant time. The values are hashes of what the caller knows, so that
// little could be learned; it costs nothing either.
func sameText(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
