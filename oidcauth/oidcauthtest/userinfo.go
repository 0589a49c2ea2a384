package oidcauthtest

import (
	"fmt"
	"net/http"
	"strings"
)

// serveUserInfo answers an access token with its user's claims (OpenID Connect Core §5.3).
func (p *Provider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	p.offerNonce(&s, w)
	access, ok := p.resource(w, r, &s)
	if !ok {
		return
	}
	if access.grant.user == nil || !within("openid", access.scope) {
		challenge(w, http.StatusForbidden, "Bearer", "insufficient_scope", "the token lacks openid")
		return
	}
	claims := object("sub", access.grant.user.Subject)
	if s.SignedUserInfo {
		claims.Set("iss", s.Issuer)
		claims.Set("aud", access.grant.client)
	}
	addUserClaims(claims, access.grant.user)
	t := newToken(p.Key(), "JWT", claims)
	t.ClientID = access.grant.client
	apply(p.hook().userInfo, t)
	if s.SignedUserInfo {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(t.Compact()))
		return
	}
	writeJSON(w, http.StatusOK, t.Claims.Bytes())
}

// serveAPI is a protected resource that tells who called it.
func (p *Provider) serveAPI(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	p.offerNonce(&s, w)
	access, ok := p.resource(w, r, &s)
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, object("sub", access.grant.subject(), "client_id", access.grant.client,
		"scope", access.scope, "method", r.Method, "path", r.URL.RequestURI()).Bytes())
}

// resource checks the access token of a request to a protected resource, and its proof when it is
// bound to a key (RFC 6750 §3, RFC 9449 §7). If that fails it has answered.
func (p *Provider) resource(w http.ResponseWriter, r *http.Request, s *Settings) (*accessToken, bool) {
	scheme, value := authorization(r)
	access := p.findAccess(value)
	switch {
	case value == "":
		challenge(w, http.StatusUnauthorized, "Bearer", "", "")
		return nil, false
	case access == nil:
		challenge(w, http.StatusUnauthorized, schemeName(scheme), "invalid_token", "the token is unknown, expired or revoked")
		return nil, false
	case access.grant.jkt == "" && scheme != "bearer", access.grant.jkt != "" && scheme != "dpop":
		challenge(w, http.StatusUnauthorized, schemeName(scheme), "invalid_token", "the scheme is not the token's")
		return nil, false
	case access.grant.x5t != "" && access.grant.x5t != thumbprint(r):
		challenge(w, http.StatusUnauthorized, schemeName(scheme), "invalid_token", "the certificate is not the token's")
		return nil, false
	case scheme == "bearer":
		return access, true
	}
	jkt, err := p.checkProof(s, r, value)
	if err == nil && jkt != access.grant.jkt {
		err = invalidProof("the proof is missing, or its key is not the token's")
	}
	if err != nil {
		challenge(w, http.StatusUnauthorized, "DPoP", err.code, err.description)
		return nil, false
	}
	return access, true
}

// schemeName spells the scheme that a challenge answers in.
func schemeName(scheme string) string {
	if scheme == "dpop" {
		return "DPoP"
	}
	return "Bearer"
}

// challenge refuses a request for its token (RFC 6750 §3).
func challenge(w http.ResponseWriter, status int, scheme, code, description string) {
	value := scheme
	if code != "" {
		value += fmt.Sprintf(` error=%q, error_description=%q`, code, strings.ReplaceAll(description, `"`, "'"))
	}
	w.Header().Set("WWW-Authenticate", value)
	writeError(w, &oauthError{status, orDefault(code, "unauthorized"), description})
}
