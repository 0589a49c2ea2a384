package demoapi

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
)

// addResource adds /resource, for whoever has a token with RESOURCE_AUDIENCE and, where it is set,
// RESOURCE_SCOPE. Both providers' tokens will do; only the first is asked about what is no JWT.
func (routes Routes) addResource(c *settings.Config, log *slog.Logger) error {
	r := oidcauth.ResourceConfig{
		URL: c.BaseURL.String(), Audience: []string{c.ResourceAudience}, Issuers: []oidcauth.TokenIssuer{issuer(&c.OIDC)},
		Timeout: c.OIDC.Timeout, Logger: log, ErrorHandler: refuse,
	}
	if c.Second != nil {
		r.Issuers = append(r.Issuers, oidcauth.TokenIssuer{Issuer: c.Second.OIDC.Issuer})
	}
	server, err := oidcauth.NewResource(r)
	if err != nil {
		return err
	}
	var requirements []oidcauth.Requirement
	if len(c.ResourceScopes) > 0 {
		requirements = append(requirements, oidcauth.HasScope(c.ResourceScopes...))
	}
	routes["GET /resource"] = server.Require(requirements...)(http.HandlerFunc(whoCalls))
	return nil
}

// whoCalls answers with the caller; null is what the token does not say.
func whoCalls(w http.ResponseWriter, r *http.Request) {
	c := oidcauth.CallerFrom(r.Context())
	reply.JSON(w, http.StatusOK, map[string]any{"sub": textOrNull(c.Subject), "client_id": textOrNull(c.ClientID), "scope": textOrNull(scopeOf(c))})
}

// scopeOf is what was granted, in one text.
func scopeOf(c *oidcauth.Caller) string { return strings.Join(c.Scopes, " ") }

// textOrNull is s, or null in place of nothing.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
