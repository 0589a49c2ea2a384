package oidcauthtest

import (
	"crypto/rand"
	"crypto/sha256"
	"net/url"
	"time"
)

// grant is what a user agreed to, or what a client may do by itself: the family that tokens belong
// to and are revoked with.
type grant struct {
	client, scope, session, nonce, acr string

	user     *User // nil: the client's own
	amr      []string
	resource []string
	authTime time.Time
	jkt      string // thumbprint of the DPoP key
	x5t      string // thumbprint of the client's certificate
	actor    string // who exchanged a token of the subject's, "" where none was
	revoked  bool
}

// subject returns the user's, or the client itself (RFC 9068 §2.2).
func (g *grant) subject() string {
	if g.user == nil {
		return g.client
	}
	return g.user.Subject
}

// code is an authorization code; it is kept after its use, to notice a second one.
type code struct {
	grant                       *grant
	redirectURI, challenge, jkt string
	expires                     time.Time
	used                        bool
}

// refreshToken is kept after its use, to notice a second one.
type refreshToken struct {
	grant *grant
	used  time.Time
}

type accessToken struct {
	grant    *grant
	scope    string
	audience []string
	issued   time.Time
	expires  time.Time
	revoked  bool
}

// redeemCode returns a code's grant once. A second use revokes what the first one brought (RFC 6749
// §4.1.2).
func (p *Provider) redeemCode(s *Settings, client string, form url.Values, jkt string) (*grant, *oauthError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, verifier := p.codes[form.Get("code")], form.Get("code_verifier")
	if c == nil || c.grant.client != client {
		return nil, badRequest("invalid_grant", "the code is unknown, or another client's")
	}
	if c.used {
		c.grant.revoked = true
		return nil, badRequest("invalid_grant", "the code was used before")
	}
	c.used = true
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case s.Now().After(c.expires):
		return nil, badRequest("invalid_grant", "the code has expired")
	case c.redirectURI != form.Get("redirect_uri"):
		return nil, badRequest("invalid_grant", "redirect_uri is not the one of the authorization request")
	case len(verifier) < 43 || b64(sum[:]) != c.challenge:
		return nil, badRequest("invalid_grant", "code_verifier does not fit code_challenge")
	case c.jkt != "" && c.jkt != jkt:
		return nil, badRequest("invalid_dpop_proof", "the proof's key is not the one of the authorization request")
	}
	c.grant.jkt = jkt
	return c.grant, nil
}

// redeemRefresh returns a refresh token's grant and the refresh token to go on with. A second use
// of a rotated token revokes the family (RFC 9700 §4.14.2).
func (p *Provider) redeemRefresh(s *Settings, client, value, jkt string) (g *grant, next string, _ *oauthError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.refreshes[value]
	now := s.Now()
	switch {
	case t == nil || t.grant.client != client:
		return nil, "", badRequest("invalid_grant", "the refresh token is unknown, or another client's")
	case t.grant.revoked:
		return nil, "", badRequest("invalid_grant", "the refresh token is revoked")
	case t.grant.jkt != "" && t.grant.jkt != jkt:
		return nil, "", badRequest("invalid_dpop_proof", "the refresh token is bound to another key")
	case !t.used.IsZero() && (s.ReuseGrace == 0 || now.Sub(t.used) > s.ReuseGrace):
		t.grant.revoked = true
		return nil, "", badRequest("invalid_grant", "the refresh token was used before; its family is revoked")
	case s.StaticRefreshTokens:
		return t.grant, "", nil
	}
	if t.used.IsZero() {
		t.used = now
	}
	return t.grant, p.addRefresh(t.grant), nil
}

// addRefresh issues a refresh token. The provider's mutex is held.
func (p *Provider) addRefresh(g *grant) string {
	value := rand.Text()
	p.refreshes[value] = &refreshToken{grant: g}
	return value
}

// issueRefresh is addRefresh for callers that do not hold the mutex.
func (p *Provider) issueRefresh(g *grant) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addRefresh(g)
}

// findAccess returns an access token that is neither unknown, expired nor revoked.
func (p *Provider) findAccess(value string) *accessToken {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.accesses[value]
	if t == nil || t.revoked || t.grant.revoked || !p.settings.Now().Before(t.expires) {
		return nil
	}
	return t
}

// RevokeTokens ends every grant of a subject: its access tokens are refused and its refresh tokens
// answer invalid_grant. An empty subject means all.
func (p *Provider) RevokeTokens(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.accesses { // every grant has had one
		if subject == "" || t.grant.subject() == subject {
			t.grant.revoked = true
		}
	}
}

// ExpireAccessTokens makes every access token issued so far invalid, while refresh tokens keep
// working.
func (p *Provider) ExpireAccessTokens() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.accesses {
		t.revoked = true
	}
}
