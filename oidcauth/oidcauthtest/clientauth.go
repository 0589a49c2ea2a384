package oidcauthtest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var signatureAlgs = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// assertionType marks a client assertion (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// invalidClient is the error of a client that could not be authenticated (RFC 6749 §5.2).
func invalidClient(description string) *oauthError {
	return &oauthError{http.StatusUnauthorized, "invalid_client", description}
}

// clientRequest reads the form of a back-channel request and authenticates its client, by the one
// method that is registered for it (RFC 6749 §2.3).
func (p *Provider) clientRequest(s *Settings, r *http.Request) (url.Values, *Client, *oauthError) {
	if r.Method != http.MethodPost || r.URL.RawQuery != "" {
		return nil, nil, badRequest("invalid_request", "POST a form, without a query")
	}
	if err := r.ParseForm(); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, nil, badRequest("invalid_request", "the body is not a form")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return nil, nil, badRequest("invalid_request", "the parameter "+name+" occurs more than once")
		}
	}
	method, id, secret, err := presented(r)
	if err != nil {
		return nil, nil, err
	}
	c := s.client(id)
	if c != nil && method == "none" && c.presentedIn(r) {
		method = "tls_client_auth"
	}
	switch {
	case c == nil:
		return nil, nil, invalidClient("the client is unknown")
	case c.method() != method:
		return nil, nil, invalidClient("the client is registered for " + c.method() + ", not " + method)
	case method == "private_key_jwt":
		err = p.checkAssertion(s, c, secret)
	case method == "tls_client_auth":
	case method != "none" && subtle.ConstantTimeCompare([]byte(secret), []byte(c.Secret)) == 0:
		err = invalidClient("the secret is wrong")
	}
	return r.PostForm, c, err
}

// presentedIn reports whether the request came with the client's certificate.
func (c *Client) presentedIn(r *http.Request) bool {
	return c.Certificate != nil && r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && c.Certificate.Equal(r.TLS.PeerCertificates[0])
}

// thumbprint is that of the request's certificate (RFC 8705 §3.1), "" without one.
func thumbprint(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return b64(sum[:])
}

// presented returns the credentials of a request, which must have one kind only.
func presented(r *http.Request) (method, id, secret string, err *oauthError) {
	form := r.PostForm
	id = form.Get("client_id")
	var methods []string
	if user, pass, ok := r.BasicAuth(); ok {
		name, err1 := url.QueryUnescape(user) // RFC 6749 §2.3.1
		word, err2 := url.QueryUnescape(pass)
		if err1 != nil || err2 != nil || id != "" && id != name {
			return "", "", "", invalidClient("the Basic credentials are not form-encoded, or client_id differs")
		}
		methods, id, secret = append(methods, "client_secret_basic"), name, word
	}
	if form.Has("client_secret") {
		methods, secret = append(methods, "client_secret_post"), form.Get("client_secret")
	}
	if form.Has("client_assertion") {
		if form.Get("client_assertion_type") != assertionType {
			return "", "", "", invalidClient("client_assertion_type must be " + assertionType)
		}
		methods, secret = append(methods, "private_key_jwt"), form.Get("client_assertion")
		id = orDefault(id, subjectOf(secret))
	}
	switch len(methods) {
	case 0:
		return "none", id, "", nil
	case 1:
		return methods[0], id, secret, nil
	}
	return "", "", "", badRequest("invalid_request", "the client authenticates in more than one way")
}

// subjectOf reads the client from an assertion that comes without client_id (RFC 7521 §4.2); the
// signature is checked afterward, with that client's keys.
func subjectOf(compact string) string {
	if t := ParseToken(compact); t != nil {
		return t.Claims.Text("sub")
	}
	return ""
}

// checkAssertion verifies a client assertion (RFC 7523 §3) as the FAPI 2.0 profile asks: aud is one
// string, exp is near, jti is new.
func (p *Provider) checkAssertion(s *Settings, c *Client, compact string) *oauthError {
	jws, err := jose.ParseSignedCompact(compact, signatureAlgs)
	if err != nil {
		return invalidClient("the assertion is not a JWS: " + err.Error())
	}
	payload, err := verifyByAny(jws, c.Keys)
	if err != nil {
		return invalidClient("the assertion's signature fits no key of the client")
	}
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp, Iat           int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return invalidClient("the assertion's claims are of wrong types (aud must be one string): " + err.Error())
	}
	now := s.Now()
	switch {
	case claims.Iss != c.ID || claims.Sub != c.ID:
		return invalidClient("the assertion's iss and sub must be the client_id")
	case claims.Aud != orDefault(c.AssertionAudience, s.Issuer):
		return invalidClient("the assertion's aud must be " + orDefault(c.AssertionAudience, s.Issuer) + ", not " + claims.Aud)
	case claims.Exp <= now.Unix() || claims.Exp > now.Add(5*time.Minute).Unix():
		return invalidClient("the assertion's exp must be at most 5 minutes ahead")
	case claims.Iat > now.Unix()+10:
		return invalidClient("the assertion's iat is in the future")
	case claims.Jti == "" || !p.firstUse("assertion "+c.ID+" "+claims.Jti):
		return invalidClient("the assertion's jti is missing or was used before")
	}
	return nil
}

// firstUse reports whether nobody used this identifier before.
func (p *Provider) firstUse(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, used := p.seen[id]; used {
		return false
	}
	p.seen[id] = p.settings.Now()
	return true
}

// verifyByAny returns the payload if one of the keys that the header's kid allows verifies it.
func verifyByAny(jws *jose.JSONWebSignature, keys jose.JSONWebKeySet) ([]byte, error) {
	if len(jws.Signatures) != 1 {
		return nil, errors.New("one signature is expected")
	}
	kid := jws.Signatures[0].Header.KeyID
	for _, key := range slices.Clone(keys.Keys) {
		if kid != "" && key.KeyID != "" && kid != key.KeyID {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key verifies the signature")
}
