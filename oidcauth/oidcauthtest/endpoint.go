package oidcauthtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Endpoint names one of the provider's endpoints in records and interceptions.
type Endpoint string

// The endpoints of a [Provider].
const (
	// Discovery publishes the metadata (OpenID Connect Discovery §4).
	Discovery Endpoint = "discovery"
	// JWKS publishes the keys that verify the provider's tokens (RFC 7517 §5).
	JWKS Endpoint = "jwks"
	// Authorize is where browsers are sent to sign in (OpenID Connect Core §3.1.2).
	Authorize Endpoint = "authorize"
	// PAR takes pushed authorization requests (RFC 9126).
	PAR Endpoint = "par"
	// TokenEndpoint redeems codes, refresh tokens and client credentials (RFC 6749 §3.2).
	TokenEndpoint Endpoint = "token"
	// UserInfo returns a user's claims for their access token (OpenID Connect Core §5.3).
	UserInfo Endpoint = "userinfo"
	// Revocation revokes access and refresh tokens (RFC 7009).
	Revocation Endpoint = "revoke"
	// Introspection says whether a token is active, and what it grants (RFC 7662).
	Introspection Endpoint = "introspect"
	// EndSession signs out at the provider (OpenID Connect RP-Initiated Logout).
	EndSession Endpoint = "end_session"
	// API is a protected resource for testing clients that call one: it answers any method at and
	// below its path, if the request has one of the provider's access tokens.
	API Endpoint = "api"
	// Claims returns distributed claims for their access token (OpenID Connect Core §5.6.2). See
	// [Provider.DistributedSource].
	Claims Endpoint = "claims"

	// Unknown stands for all other paths in the record. They get 404.
	Unknown Endpoint = "unknown"
	// Any stands for all endpoints, unknown paths included.
	Any Endpoint = "any"
)

const wellKnown = "/.well-known/openid-configuration"

// URL returns the address of an endpoint.
func (p *Provider) URL(e Endpoint) string { return p.base() + pathOf(e) }

// base returns the issuer without its trailing slash.
func (p *Provider) base() string { return strings.TrimSuffix(p.Issuer(), "/") }

// pathOf returns what follows the issuer in an endpoint's address.
func pathOf(e Endpoint) string {
	if e == Discovery {
		return wellKnown
	}
	return "/" + string(e)
}

// endpointOf is the reverse of URL. Paths below the API's are the API's too.
func (p *Provider) endpointOf(path string) Endpoint {
	u, err := url.Parse(p.base())
	if err != nil {
		return Unknown
	}
	rest, ok := strings.CutPrefix(path, u.Path)
	switch e := Endpoint(strings.TrimPrefix(rest, "/")); {
	case !ok:
		return Unknown
	case rest == wellKnown:
		return Discovery
	case e == JWKS, e == Authorize, e == PAR, e == TokenEndpoint, e == UserInfo,
		e == Revocation, e == Introspection, e == EndSession, e == API, e == Claims:
		return e
	case strings.HasPrefix(rest, "/api/"):
		return API
	}
	return Unknown
}

// handler returns the correct answer to requests at an endpoint.
func (p *Provider) handler(e Endpoint) http.HandlerFunc {
	switch e {
	case Discovery:
		return p.serveDiscovery
	case JWKS:
		return p.serveKeys
	case Authorize:
		return p.serveAuthorize
	case PAR:
		return p.servePAR
	case TokenEndpoint:
		return p.serveToken
	case UserInfo:
		return p.serveUserInfo
	case Revocation:
		return p.serveRevocation
	case Introspection:
		return p.serveIntrospection
	case EndSession:
		return p.serveEndSession
	case API:
		return p.serveAPI
	case Claims:
		return p.serveClaims
	}
	return http.NotFound
}

// oauthError is an error answer of RFC 6749 §5.2.
type oauthError struct {
	status            int
	code, description string
}

// Error is what the error pages of the authorization endpoint show.
func (e *oauthError) Error() string { return e.code + ": " + e.description }

// badRequest is an error that the client is to blame for.
func badRequest(code, description string) *oauthError {
	return &oauthError{http.StatusBadRequest, code, description}
}

// writeError answers with an error document.
func writeError(w http.ResponseWriter, e *oauthError) {
	writeJSON(w, e.status, object("error", e.code, "error_description", e.description).Bytes())
}

// writeJSON answers with a document that may hold secrets and is not to be stored (RFC 6749 §5.1).
func writeJSON(w http.ResponseWriter, status int, body json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
