package oidcauthtest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
)

// AggregatedSource returns a source of aggregated claims (OpenID Connect Core §5.6.2), in which the
// provider, as a claims provider, asserts these claims to a client: a JWT that is created and
// signed now. The hooks alter it first, in order. Pass it to [Token.AddSource] of another
// provider's token, or of this one's.
func (p *Provider) AggregatedSource(clientID string, claims map[string]any, hooks ...func(*Token)) map[string]any {
	return map[string]any{"JWT": p.claimsToken(clientID, claims, hooks)}
}

// DistributedSource returns a source of distributed claims (OpenID Connect Core §5.6.2): the
// provider's endpoint [Claims] and a new access token, for which it returns these claims in a JWT.
// The hooks alter each of the responses, in order.
func (p *Provider) DistributedSource(clientID string, claims map[string]any, hooks ...func(*Token)) map[string]any {
	access, endpoint := rand.Text(), p.URL(Claims)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.distributed[access] = func() string { return p.claimsToken(clientID, claims, hooks) }
	return map[string]any{"endpoint": endpoint, "access_token": access}
}

// claimsToken is what a claims provider signs.
func (p *Provider) claimsToken(clientID string, claims map[string]any, hooks []func(*Token)) string {
	s := p.current()
	now := s.Now()
	signed := object("iss", s.Issuer, "aud", clientID, "iat", now.Unix(), "exp", now.Add(s.IDTokenLifetime).Unix())
	addUserClaims(signed, &User{Claims: claims})
	t := newToken(p.Key(), "JWT", signed)
	t.ClientID = clientID
	for _, hook := range hooks {
		hook(t)
	}
	return t.Compact()
}

// serveClaims answers the holder of a source's access token.
func (p *Provider) serveClaims(w http.ResponseWriter, r *http.Request) {
	scheme, value := authorization(r)
	p.mu.Lock()
	tell := p.distributed[value]
	p.mu.Unlock()
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case tell == nil || scheme != "bearer":
		challenge(w, http.StatusUnauthorized, "Bearer", "invalid_token", "no such token was made for this endpoint")
	default:
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(tell()))
	}
}

// AddSource adds a source of these claims to an ID token or a userinfo response (_claim_names and
// _claim_sources, OpenID Connect Core §5.6.2). The source may come from
// [Provider.AggregatedSource], [Provider.DistributedSource], or be anything else.
func (t *Token) AddSource(name string, source any, claims ...string) {
	names, sources := map[string]any{}, map[string]any{}
	_ = json.Unmarshal(t.Claims.value("_claim_names"), &names) // what is not there leaves them empty
	_ = json.Unmarshal(t.Claims.value("_claim_sources"), &sources)
	for _, claim := range claims {
		names[claim] = name
	}
	sources[name] = source
	t.Claims.Set("_claim_names", names)
	t.Claims.Set("_claim_sources", sources)
}
