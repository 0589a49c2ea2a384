package oidcauthtest

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// invalidProof is the error of RFC 9449 §5.
func invalidProof(description string) *oauthError {
	return badRequest("invalid_dpop_proof", description)
}

// checkProof verifies the request's DPoP proof (RFC 9449 §4.3) and returns the thumbprint of its
// key; "" when there is no proof. With an access token the proof must carry its hash.
func (p *Provider) checkProof(s *Settings, r *http.Request, accessToken string) (jkt string, _ *oauthError) {
	proofs := r.Header.Values("DPoP")
	switch len(proofs) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", invalidProof("there is more than one DPoP header")
	}
	jws, err := jose.ParseSignedCompact(proofs[0], signatureAlgs)
	if err != nil || len(jws.Signatures) != 1 {
		return "", invalidProof("it is not a JWS")
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return "", invalidProof("typ must be dpop+jwt")
	}
	key := header.JSONWebKey
	if key == nil { // a private one is no JWS to go-jose
		return "", invalidProof("the header must have a public jwk")
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return "", invalidProof("its signature does not fit its jwk")
	}
	if err := p.checkProofClaims(s, r, payload, accessToken); err != nil {
		return "", err
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", invalidProof("its jwk has no thumbprint")
	}
	return b64(sum), nil
}

// checkProofClaims checks a proof whose signature holds. The jti is looked at last, so that a proof
// refused for its nonce may be told from a replay.
func (p *Provider) checkProofClaims(s *Settings, r *http.Request, payload []byte, accessToken string) *oauthError {
	var claims struct {
		Htm, Htu, Jti, Ath, Nonce string
		Iat                       int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return invalidProof("its claims are of wrong types")
	}
	age := s.Now().Unix() - claims.Iat
	sum := sha256.Sum256([]byte(accessToken))
	switch {
	case claims.Htm != r.Method:
		return invalidProof("htm must be " + r.Method)
	case claims.Htu != p.requestURL(r):
		return invalidProof("htu must be " + p.requestURL(r) + ", not " + claims.Htu)
	case age > 300 || age < -60:
		return invalidProof("iat is too far from now")
	case accessToken != "" && claims.Ath != b64(sum[:]):
		return invalidProof("ath is not the access token's hash")
	case s.DPoPNonces && !p.takeNonce(claims.Nonce):
		return badRequest("use_dpop_nonce", "the proof needs the nonce of this answer")
	case claims.Jti == "" || !p.firstUse("proof "+claims.Jti):
		return invalidProof("jti is missing or was used before")
	}
	return nil
}

// requestURL returns the URL that a proof must name: without query and fragment.
func (p *Provider) requestURL(r *http.Request) string {
	return origin(p.Issuer()) + (&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath}).EscapedPath()
}

// offerNonce puts a nonce for the next proof into the answer (RFC 9449 §8).
func (p *Provider) offerNonce(s *Settings, w http.ResponseWriter) {
	if !s.DPoPNonces {
		return
	}
	nonce := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[nonce] = true
	w.Header().Set("DPoP-Nonce", nonce)
}

// takeNonce accepts each nonce once: the strictest that a server may be, so that a client has to
// follow every new one.
func (p *Provider) takeNonce(nonce string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.nonces[nonce]
	delete(p.nonces, nonce)
	return known
}

// bindToProof makes a proof at the PAR endpoint count as dpop_jkt (RFC 9449 §10.1).
func (p *Provider) bindToProof(s *Settings, r *http.Request, form url.Values) *oauthError {
	jkt, err := p.checkProof(s, r, "")
	switch {
	case err != nil:
		return err
	case jkt != "" && form.Has("dpop_jkt") && form.Get("dpop_jkt") != jkt:
		return invalidProof("dpop_jkt and the proof's key differ")
	case jkt != "":
		form.Set("dpop_jkt", jkt)
	}
	return nil
}

// authorization splits the Authorization header into its scheme, in small letters, and the rest.
func authorization(r *http.Request) (scheme, value string) {
	scheme, value, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.ToLower(scheme), value
}
