package oidcauthtest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// TokenAnswer is a successful answer of the token endpoint (RFC 6749 §5.1); its members are set,
// added and deleted like any Object's.
type TokenAnswer struct {
	Object
	Grant    string     // the request's grant_type
	ClientID string     // who asked
	Request  url.Values // the request's form
}

// serveToken answers a token request (RFC 6749 §3.2).
func (p *Provider) serveToken(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	p.offerNonce(&s, w)
	answer, err := p.tokenAnswer(&s, r)
	if err != nil {
		if err.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Basic")
		}
		writeError(w, err)
		return
	}
	apply(p.hook().tokens, answer)
	writeJSON(w, http.StatusOK, answer.Bytes())
}

// tokenAnswer authenticates the client, checks its proof and redeems its grant.
func (p *Provider) tokenAnswer(s *Settings, r *http.Request) (*TokenAnswer, *oauthError) {
	form, c, err := p.clientRequest(s, r)
	if err != nil {
		return nil, err
	}
	jkt, err := p.checkProof(s, r, "")
	if err == nil && jkt == "" && c.RequireDPoP {
		err = invalidProof("a DPoP proof is required")
	}
	if err != nil {
		return nil, err
	}
	g, refresh, err := p.redeem(s, c, form, jkt)
	if err != nil {
		return nil, err
	}
	if c.Certificate != nil {
		g.x5t = thumbprint(r)
	}
	scope := orDefault(form.Get("scope"), g.scope)
	if !within(scope, g.scope) {
		return nil, badRequest("invalid_scope", "scope exceeds what was granted")
	}
	return p.tokens(s, g, form, scope, refresh), nil
}

// redeem turns what the request presents into a grant and, where one is due, a new refresh token.
func (p *Provider) redeem(s *Settings, c *Client, form url.Values, jkt string) (g *grant, refresh string, err *oauthError) {
	switch form.Get("grant_type") {
	case "authorization_code":
		g, err = p.redeemCode(s, c.ID, form, jkt)
		if err == nil && within("offline_access", g.scope) {
			refresh = p.issueRefresh(g)
		}
		return g, refresh, err
	case "refresh_token":
		return p.redeemRefresh(s, c.ID, form.Get("refresh_token"), jkt)
	case "client_credentials":
		if c.method() == "none" {
			return nil, "", badRequest("unauthorized_client", "a public client has no credentials")
		}
		return &grant{client: c.ID, scope: form.Get("scope"), jkt: jkt}, "", nil
	case grantExchange, grantAssertion:
		g, err = p.redeemToken(c, form, jkt)
		return g, "", err
	}
	return nil, "", badRequest("unsupported_grant_type", "grant_type is none that this provider knows")
}

// tokens writes the answer to a grant that passed.
func (p *Provider) tokens(s *Settings, g *grant, form url.Values, scope, refresh string) *TokenAnswer {
	a := &TokenAnswer{Grant: form.Get("grant_type"), ClientID: g.client, Request: form}
	access := p.issueAccess(s, g, a.Grant, scope, form["resource"])
	a.Set("access_token", access)
	a.Set("token_type", "Bearer")
	if g.jkt != "" {
		a.Set("token_type", "DPoP")
	}
	a.Set("expires_in", int64(s.AccessTokenLifetime.Seconds()))
	if scope != "" {
		a.Set("scope", scope)
	}
	if refresh != "" {
		a.Set("refresh_token", refresh)
	}
	if a.Grant == grantExchange {
		a.Set("issued_token_type", tokenTypeURI+"access_token")
	}
	if g.user != nil && g.actor == "" {
		t := p.idToken(s, g, access)
		t.Grant = a.Grant
		apply(p.hook().idToken, t)
		a.Set("id_token", t.Compact())
	}
	return a
}

// idToken returns a correct ID token (OpenID Connect Core §2).
func (p *Provider) idToken(s *Settings, g *grant, access string) *Token {
	now := s.Now()
	claims := object("iss", s.Issuer, "sub", g.user.Subject, "aud", g.client,
		"iat", now.Unix(), "exp", now.Add(s.IDTokenLifetime).Unix(),
		"auth_time", g.authTime.Unix(), "sid", g.session, "amr", g.amr)
	if g.nonce != "" {
		claims.Set("nonce", g.nonce)
	}
	if g.acr != "" {
		claims.Set("acr", g.acr)
	}
	key := p.Key()
	// The hash is of the token as it is sent, bent or not: to break it, bend the ID token.
	claims.Set("at_hash", halfHash(key.Alg, access))
	addUserClaims(claims, g.user)
	t := newToken(key, "JWT", claims)
	t.ClientID = g.client
	return t
}

// issueAccess returns a new access token in the form of RFC 9068.
func (p *Provider) issueAccess(s *Settings, g *grant, kind, scope string, resource []string) string {
	now := s.Now()
	if len(resource) == 0 {
		resource = g.resource
	}
	if len(resource) == 0 {
		resource = []string{p.URL(API)}
	}
	claims := object("iss", s.Issuer, "sub", g.subject(), "client_id", g.client, "aud", single(resource),
		"iat", now.Unix(), "exp", now.Add(s.AccessTokenLifetime).Unix(), "jti", rand.Text(), "scope", scope)
	if g.actor != "" {
		claims.Set("act", map[string]string{"sub": g.actor})
	}
	if g.jkt != "" {
		claims.Set("cnf", map[string]string{"jkt": g.jkt})
	} else if g.x5t != "" {
		claims.Set("cnf", map[string]string{"x5t#S256": g.x5t})
	}
	t := newToken(p.Key(), "at+jwt", claims)
	t.Grant, t.ClientID = kind, g.client
	apply(p.hook().accessToken, t)
	value := t.Compact()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accesses[value] = &accessToken{grant: g, scope: scope, audience: resource, issued: now, expires: now.Add(s.AccessTokenLifetime)}
	return value
}

// addUserClaims adds what the provider knows of a user; protocol claims stay.
func addUserClaims(claims *Object, u *User) {
	for _, name := range slices.Sorted(maps.Keys(u.Claims)) {
		if !claims.Has(name) {
			claims.Add(name, u.Claims[name])
		}
	}
}

// halfHash is the left half of a token's hash (OpenID Connect Core §3.1.3.6).
func halfHash(alg, token string) string {
	switch {
	case alg == "EdDSA" || strings.HasSuffix(alg, "512"):
		sum := sha512.Sum512([]byte(token))
		return b64(sum[:32])
	case strings.HasSuffix(alg, "384"):
		sum := sha512.Sum384([]byte(token))
		return b64(sum[:24])
	}
	sum := sha256.Sum256([]byte(token))
	return b64(sum[:16])
}

// single returns a list of one as its member: aud is mostly written so.
func single(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// within reports whether every word of scope is in granted.
func within(scope, granted string) bool {
	for _, word := range strings.Fields(scope) {
		if !slices.Contains(strings.Fields(granted), word) {
			return false
		}
	}
	return true
}
