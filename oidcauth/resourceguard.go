package oidcauth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/provider"
)

// Require returns middleware that admits only requests with an access token that is valid for this
// API and whose caller meets every requirement, checked in order: [HasScope], [HasAudience],
// [Role], [Claim], [ACR], [AMR], [MaxAge]. [CallerFrom] tells the handler who is calling.
//
// A session's cookie is ignored: [UserFrom] returns nil, and an Authenticator's token sources and
// clients return ErrLoginRequired. To call another API on the caller's behalf, see
// [Authenticator.Exchange].
//
// Without a token, the response is 401 with a challenge without an error (RFC 6750 §3.1); two
// Authorization headers or a token in the query get 400; an invalid token gets 401; a token that
// doesn't meet the requirements gets 403, or 401 if another login would help (RFC 9470). 503 means
// that the token can't be checked because the issuer or the Store is down.
func (r *ResourceServer) Require(requirements ...Requirement) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.serve(w, req, requirements, h) })
	}
}

// Beside returns middleware for routes that a session's guard, such as
// [Authenticator.RequireLogin], protects as well: a request with the scheme Bearer or DPoP is
// judged by its token alone, as by Require, and any other by sessions. Other schemes, such as the
// Basic of a staging proxy, are ignored. The requirements apply to tokens only: give those for
// users to the session's guard, such as Authenticator.Require.
//
// A request judged by its cookie has to pass ResourceConfig.CrossOrigin first: an application that
// accepts tokens is called from other origins, and those must not be able to act as the signed-in
// user.
func (r *ResourceServer) Beside(sessions func(http.Handler) http.Handler, requirements ...Requirement) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		guarded := sessions(h)
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if presentsToken(req) {
				r.serve(w, req, requirements, h)
				return
			}
			if err := r.config.CrossOrigin.Check(req); err != nil && !r.ownRoute(req) {
				r.refuse(w, req, refusal{status: http.StatusForbidden, code: "cross_origin", err: err})
				return
			}
			guarded.ServeHTTP(w, req)
		})
	}
}

// ownRoute reports whether req is for a route of an Authenticator's, which is no page of the
// application and checks by itself what other sites may do.
func (r *ResourceServer) ownRoute(req *http.Request) bool {
	for i := range r.config.Issuers {
		if auth := r.config.Issuers[i].Auth; auth != nil && auth.routes[req.URL.Path] != nil {
			return true
		}
	}
	return false
}

// serve lets h serve req if its token is good, and refuses it otherwise.
func (r *ResourceServer) serve(w http.ResponseWriter, req *http.Request, requirements []Requirement, h http.Handler) {
	j, refused := r.judge(w.Header(), req, requirements)
	if refused != nil {
		r.refuse(w, req, *refused)
		return
	}
	// What is for this caller alone is for no cache that others share (RFC 9111 §3.5).
	w.Header().Add("Vary", "Authorization")
	h.ServeHTTP(w, j.as(req))
}

// judge decides whether req may pass: the check, apart from serve, which enacts it. A nonce for the
// next proof goes into answer.
func (r *ResourceServer) judge(answer http.Header, req *http.Request, requirements []Requirement) (*judged, *refusal) {
	scheme, token, refused := presented(req)
	if refused != nil {
		return nil, refused
	}
	v, err := r.verify(req.Context(), token)
	if err != nil {
		return nil, refusalOf(scheme, err)
	}
	// A guard within another of r's finds the proof used, by that one.
	if j := judgedBy(req.Context()); j != nil && j.by == r && j.token == token {
		err = nil
	} else {
		err = r.checkBinding(answer, req, scheme, token, v.token)
	}
	if err != nil {
		if v.token.Thumbprint != "" {
			scheme = schemeDPoP // the one that it has to come with
		}
		return nil, refusalOf(scheme, err)
	}
	if err := met(v, requirements); err != nil {
		return nil, unmetBy(scheme, err)
	}
	return &judged{caller: v.caller, token: token, by: r}, nil
}

// Schemes of access tokens, in their usual spelling; they have no case.
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// schemeOf returns the scheme of an Authorization header, if it is one of an access token, and what
// follows it.
func schemeOf(header string) (scheme, rest string) {
	word, rest, _ := strings.Cut(header, " ")
	for _, known := range []string{schemeBearer, schemeDPoP} {
		if strings.EqualFold(word, known) {
			return known, strings.TrimLeft(rest, " ")
		}
	}
	return "", ""
}

// presentsToken reports whether req is to be judged by an access token: also where it may not be
// sent so.
func presentsToken(req *http.Request) bool {
	headers := req.Header["Authorization"]
	if len(headers) > 1 || tokenInQuery(req.URL.RawQuery) {
		return true
	}
	if len(headers) == 0 {
		return false
	}
	scheme, _ := schemeOf(headers[0])
	return scheme != ""
}

// presented returns the one access token of req.
func presented(req *http.Request) (scheme, token string, refused *refusal) {
	bad := func(text string) *refusal {
		return &refusal{status: http.StatusBadRequest, code: "invalid_request", scheme: schemeBearer, err: errors.New(text)}
	}
	headers := req.Header["Authorization"]
	switch {
	case len(headers) > 1:
		return "", "", bad("expected one Authorization header, got more")
	case tokenInQuery(req.URL.RawQuery):
		return "", "", bad("an access token in the query is not taken: it stands in logs and histories (RFC 6750 §5.3)")
	case len(headers) == 1:
		scheme, token = schemeOf(headers[0])
	}
	if token == "" {
		return "", "", &refusal{status: http.StatusUnauthorized, code: "unauthorized", err: errors.New("there is no access token")}
	}
	if !isToken68(token) {
		return "", "", bad("expected one token after the scheme (RFC 9110 §11.2)")
	}
	return scheme, token, nil
}

// isToken68 holds RFC 9110 §11.2.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !token68[body[i]] {
			return false
		}
	}
	return body != ""
}

// token68 are the characters that isToken68 accepts.
var token68 = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		set[c] = true
	}
	return set
}()

// tokenInQuery reports whether a query has a token in it (RFC 6750 §2.3).
func tokenInQuery(query string) bool {
	const name = "access_token"
	for pair := range strings.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' }) {
		key, _, _ := strings.Cut(pair, "=")
		if len(key) > 3*len(name) {
			continue
		}
		if key == name {
			return true
		}
		if plain, err := url.QueryUnescape(key); err == nil && plain == name {
			return true
		}
	}
	return false
}

// errScheme means that a token came with another scheme than its own: a bound one as a Bearer token
// is worth nothing without its proof, and one that is not bound has nothing to prove (RFC 9449
// §7.1, §7.2).
var errScheme = errors.New("the authentication scheme doesn't match the token")

// checkBinding checks that a token which is bound to a key or a certificate comes from who has it.
func (r *ResourceServer) checkBinding(answer http.Header, req *http.Request, scheme, token string, t *provider.AccessToken) error {
	if (scheme == schemeDPoP) != (t.Thumbprint != "") {
		return provider.RefuseAccessToken(errScheme)
	}
	if t.Certificate != "" {
		if err := r.checkCertificate(req, t.Certificate); err != nil {
			return provider.RefuseAccessToken(err)
		}
	}
	if t.Thumbprint == "" {
		return nil
	}
	renew, err := r.proofs.Check(req.Context(), req.Header["Dpop"], access.Proven{
		Method: req.Method, Target: r.url.Scheme + "://" + r.url.Host + r.url.EscapedPath() + req.URL.EscapedPath(),
		Token: token, Thumbprint: t.Thumbprint,
	})
	if renew || errors.Is(err, access.ErrProofNonce) {
		nonce, failed := r.proofs.NewNonce()
		if failed != nil {
			return failed
		}
		answer.Set("DPoP-Nonce", nonce)
	}
	return err
}

// checkCertificate compares the client's certificate with the one that a token is bound to (RFC 8705
// §3.1).
func (r *ResourceServer) checkCertificate(req *http.Request, want string) error {
	var certificate *x509.Certificate
	switch {
	case r.config.ClientCertificate != nil:
		var err error
		if certificate, err = r.config.ClientCertificate(req); err != nil {
			return fmt.Errorf("ResourceConfig.ClientCertificate: %w", err)
		}
	case req.TLS == nil:
		return fmt.Errorf("%w: it is bound to a certificate, and TLS ends before this process", ErrUncheckable)
	case len(req.TLS.PeerCertificates) > 0:
		certificate = req.TLS.PeerCertificates[0]
	}
	if certificate == nil {
		return errors.New("it is bound to a certificate, and the caller presented none")
	}
	sum := sha256.Sum256(certificate.Raw)
	if base64.RawURLEncoding.EncodeToString(sum[:]) != want {
		return errors.New("it is bound to a certificate other than the caller's")
	}
	return nil
}
