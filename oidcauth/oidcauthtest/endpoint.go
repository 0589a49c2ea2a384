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
	Discovery     Endpoint = "discovery"
	JWKS          Endpoint = "jwks"
	Authorize     Endpoint = "authorize"
	PAR           Endpoint = "par"
	TokenEndpoint Endpoint = "token"
	UserInfo      Endpoint = "userinfo"
	Revocation    Endpoint = "revoke"
	Introspection Endpoint = "introspect"
	EndSession    Endpoint = "end_session"
	API           Endpoint = "api" // a protected resource: it wants one of the provider's access tokens

	Unknown Endpoint = "unknown" // any other path
	Any     Endpoint = "any"     // all of them, in Intercept and Count
)

const wellKnown = "/.well-known/openid-configuration"

// URL returns the address of an endpoint.
func (p *Provider) URL(e Endpoint) string { return p.base() + pathOf(e) }

// base returns the issuer without its trailing slash.
func (p *Provider) base() string { return strings.TrimSuffix(p.Issuer(), "/") }

func pathOf(e Endpoint) string {
	if e == Discovery {
		return wellKnown
	}
	return "/" + string(e)
}

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
		e == Revocation, e == Introspection, e == EndSession, e == API:
		return e
	case strings.HasPrefix(rest, "/api/"):
		return API
	}
	return Unknown
}

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
	}
	return http.NotFound
}

// oauthError is an error answer of RFC 6749 §5.2.
type oauthError struct {
	status            int
	code, description string
}

func (e *oauthError) Error() string { return e.code + ": " + e.description }

func badRequest(code, description string) *oauthError {
	return &oauthError{http.StatusBadRequest, code, description}
}

func writeError(w http.ResponseWriter, e *oauthError) {
	writeJSON(w, e.status, object("error", e.code, "error_description", e.description).Bytes())
}

func writeJSON(w http.ResponseWriter, status int, body json.RawMessage) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
