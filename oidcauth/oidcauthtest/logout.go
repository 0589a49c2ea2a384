package oidcauthtest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// logoutEvent is the member of events that makes a JWT a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// serveEndSession ends the session at the provider and sends the browser back (OpenID Connect
// RP-Initiated Logout §2). It trusts an id_token_hint only if it issued it.
func (p *Provider) serveEndSession(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the body is not a form", http.StatusBadRequest)
		return
	}
	clientID, sid := r.Form.Get("client_id"), ""
	if hint := r.Form.Get("id_token_hint"); hint != "" {
		t := p.issuedToken(hint)
		if t == nil || clientID != "" && clientID != t.Claims.Text("aud") {
			http.Error(w, "id_token_hint was not issued here, or not to this client", http.StatusBadRequest)
			return
		}
		clientID, sid = t.Claims.Text("aud"), t.Claims.Text("sid")
	}
	back, c := r.Form.Get("post_logout_redirect_uri"), s.client(clientID)
	if back != "" && (c == nil || !slices.Contains(c.PostLogoutRedirectURIs, back)) {
		http.Error(w, "post_logout_redirect_uri is not registered", http.StatusBadRequest)
		return
	}
	p.endSession(r, sid)
	if back == "" {
		_, _ = w.Write([]byte("You are signed out.\n"))
		return
	}
	if state := r.Form.Get("state"); state != "" {
		back = withQuery(back, url.Values{"state": {state}})
	}
	redirect(w, http.StatusSeeOther, back)
}

// issuedToken returns a token that one of the provider's keys, old ones included, has signed,
// whether it has expired or not.
func (p *Provider) issuedToken(compact string) *Token {
	jws, err := jose.ParseSignedCompact(compact, signatureAlgs)
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for g := p.generation; g >= 0; g-- {
		key := ringKey(p.owner, p.settings.Alg, g)
		if _, err := jws.Verify(key.private.Public()); err == nil {
			return ParseToken(compact)
		}
	}
	return nil
}

// LogoutToken returns a signed logout token for a client (OpenID Connect Back-Channel Logout §2.4).
// An empty subject or sid leaves the claim out. The hooks alter it first, in order.
func (p *Provider) LogoutToken(clientID, subject, sid string, hooks ...func(*Token)) string {
	s := p.current()
	now := s.Now()
	claims := object("iss", s.Issuer, "aud", clientID, "iat", now.Unix(), "exp", now.Add(2*time.Minute).Unix(),
		"jti", rand.Text(), "events", map[string]any{logoutEvent: struct{}{}})
	if subject != "" {
		claims.Set("sub", subject)
	}
	if sid != "" {
		claims.Set("sid", sid)
	}
	t := newToken(p.Key(), "logout+jwt", claims)
	t.ClientID = clientID
	for _, hook := range hooks {
		hook(t)
	}
	return t.Compact()
}

// FrontChannelLogoutURL returns what the provider's logout page loads in a frame for this client
// (OpenID Connect Front-Channel Logout §2). An empty sid leaves out iss and sid.
func (p *Provider) FrontChannelLogoutURL(clientID, sid string) string {
	s := p.current()
	c := s.client(clientID)
	if c == nil || c.FrontChannelLogoutURI == "" {
		panic("oidcauthtest: no FrontChannelLogoutURI is registered for " + clientID)
	}
	if sid == "" {
		return c.FrontChannelLogoutURI
	}
	return withQuery(c.FrontChannelLogoutURI, url.Values{"iss": {s.Issuer}, "sid": {sid}})
}
