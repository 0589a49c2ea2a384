package oidcauthtest

import "net/http"

// serveRevocation revokes a token; a refresh token takes its family along (RFC 7009 §2).
func (p *Provider) serveRevocation(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	form, c, err := p.clientRequest(&s, r)
	if err == nil && !form.Has("token") {
		err = badRequest("invalid_request", "token is missing")
	}
	if err != nil {
		writeError(w, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	value := form.Get("token")
	if t := p.refreshes[value]; t != nil && t.grant.client == c.ID {
		t.grant.revoked = true
	}
	if t := p.accesses[value]; t != nil && t.grant.client == c.ID {
		t.revoked = true
	}
	w.WriteHeader(http.StatusOK)
}

// serveIntrospection tells what a token is worth (RFC 7662 §2).
func (p *Provider) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	s := p.current()
	form, _, err := p.clientRequest(&s, r)
	if err != nil {
		writeError(w, err)
		return
	}
	answer := object("active", false)
	if t := p.findAccess(form.Get("token")); t != nil {
		answer = object("active", true, "iss", s.Issuer, "sub", t.grant.subject(), "client_id", t.grant.client,
			"scope", t.scope, "aud", single(t.audience), "token_type", "Bearer", "iat", t.issued.Unix(), "exp", t.expires.Unix())
		if t.grant.jkt != "" {
			answer.Set("token_type", "DPoP")
			answer.Set("cnf", map[string]string{"jkt": t.grant.jkt})
		}
	}
	apply(p.hook().introspection, answer)
	writeJSON(w, http.StatusOK, answer.Bytes())
}
