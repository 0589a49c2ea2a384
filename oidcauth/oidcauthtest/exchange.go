package oidcauthtest

import (
	"net/url"
	"slices"
	"strings"
)

// Grant types by which one token is exchanged for another (RFC 8693 §2.1, RFC 7523 §2.1), and how the
// types of tokens begin.
const (
	grantExchange  = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantAssertion = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenTypeURI   = "urn:ietf:params:oauth:token-type:"
)

// redeemToken returns the grant of what a token is exchanged for: the subject's, for the client that
// asks, in the hands of an actor. It lasts no longer than what it was got with.
func (p *Provider) redeemToken(c *Client, form url.Values, jkt string) (*grant, *oauthError) {
	subject, kind := form.Get("subject_token"), form.Get("subject_token_type")
	if form.Get("grant_type") == grantAssertion {
		subject, kind = form.Get("assertion"), tokenTypeURI+"access_token"
	}
	if requested := form.Get("requested_token_type"); requested != "" && requested != tokenTypeURI+"access_token" {
		return nil, badRequest("invalid_request", "only access tokens are issued")
	}
	t := p.findAccess(subject)
	switch {
	case kind != tokenTypeURI+"access_token":
		return nil, badRequest("invalid_request", "subject_token_type must be that of an access token")
	case t == nil:
		return nil, badRequest("invalid_grant", "the subject token is unknown, expired or revoked")
	}
	actor := c.ID
	if form.Has("actor_token") {
		a := p.findAccess(form.Get("actor_token"))
		if a == nil {
			return nil, badRequest("invalid_request", "the actor token is unknown, expired or revoked")
		}
		actor = a.grant.subject()
	}
	g := *t.grant
	g.client, g.jkt, g.actor, g.scope = c.ID, jkt, actor, t.scope
	g.resource = slices.Concat(form["audience"], form["resource"])
	if form.Has("scope") {
		g.scope = strings.TrimSpace(t.scope + " " + form.Get("scope"))
	}
	return &g, nil
}
