package provider

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/strictjson"
)

// Metadata is what a provider publishes about itself (OpenID Connect Discovery §3, RFC 8414 §2),
// checked: every endpoint that is not empty is an absolute URL that we may call. It is never
// changed after it was built.
type Metadata struct {
	// Issuer is the configured one, to which the published one is equal.
	Issuer string

	// AuthorizationEndpoint is where a browser is sent to log in (RFC 6749 §3.1). It may have a
	// query. Empty only in metadata for machines.
	AuthorizationEndpoint string

	// TokenEndpoint answers grants (RFC 6749 §3.2). Never empty.
	TokenEndpoint string

	// JWKSURI has the signature keys (RFC 7517). Empty only in metadata for machines.
	JWKSURI string

	// UserinfoEndpoint answers who the owner of an access token is (Core §5.3).
	UserinfoEndpoint string

	// EndSessionEndpoint is where a browser is sent to log out (RP-Initiated Logout §2.1).
	EndSessionEndpoint string

	// RevocationEndpoint ends tokens (RFC 7009 §2).
	RevocationEndpoint string

	// IntrospectionEndpoint tells what a token is worth (RFC 7662 §2). Logins don't need it: it is
	// empty, too, where it may not be called.
	IntrospectionEndpoint string

	// PushedAuthorizationRequestEndpoint takes authorization requests before the browser is sent
	// (RFC 9126 §2).
	PushedAuthorizationRequestEndpoint string

	// RequirePAR is require_pushed_authorization_requests (RFC 9126 §5).
	RequirePAR bool

	// IssParameterSupported is the promise that every authorization response has an iss parameter
	// (RFC 9207 §3): one without is then an attack.
	IssParameterSupported bool

	// TokenEndpointAuthMethods are the client authentication methods that the provider lists; nil
	// when it lists none. They serve messages only: what the client does is configured, so that
	// nobody can talk it into less.
	TokenEndpointAuthMethods []string

	// ResponseModes is response_modes_supported, or what its absence means, for messages only.
	ResponseModes []string

	// ScopesSupported is scopes_supported, for messages only: providers need not list all of
	// theirs.
	ScopesSupported []string

	// RevocationAuthMethods are those that the revocation endpoint lists; nil when it lists none.
	// Where ours is missing, nothing is sent.
	RevocationAuthMethods []string

	// SigningAlgs is id_token_signing_alg_values_supported, for messages only.
	SigningAlgs []string

	// DPoPSigningAlgs is dpop_signing_alg_values_supported (RFC 9449 §5.1).
	DPoPSigningAlgs []string

	// MTLSEndpointAliases are the endpoints for clients with a certificate, by the metadata name of
	// the endpoint that they replace (RFC 8705 §5).
	MTLSEndpointAliases map[string]string
}

// adviceOnIssuer says what to do about a published issuer that is not the configured one.
func adviceOnIssuer(configured, published string) string {
	if strings.TrimSuffix(configured, "/") == strings.TrimSuffix(published, "/") {
		return ": they differ in the slash at the end; write Config.Issuer as the provider does"
	}
	return "; if that is your provider, write Config.Issuer as it does"
}

// ParseMetadata checks a discovery document against the configured issuer, which must be equal to
// the published one, character by character (Discovery §4.3). One endpoint that we may not call
// refuses the whole document, because a document with such an endpoint was tampered with or is a
// mistake that would otherwise show much later.
func ParseMetadata(o strictjson.Object, issuer string) (*Metadata, error) {
	published, err := o.Text("issuer")
	if err != nil {
		return nil, err
	}
	if published != issuer {
		return nil, fmt.Errorf("issuer: expected exactly %q, got %s%s", issuer, logtext.Quote(published), adviceOnIssuer(issuer, published))
	}
	m := &Metadata{Issuer: issuer}
	if err := m.readEndpoints(o); err != nil {
		return nil, err
	}
	m.RequirePAR, err = o.Flag("require_pushed_authorization_requests")
	if err != nil {
		return nil, err
	}
	m.IssParameterSupported, err = o.Flag("authorization_response_iss_parameter_supported")
	if err != nil {
		return nil, err
	}
	// These only make messages better: a wrong type is as good as silence.
	m.TokenEndpointAuthMethods, _ = o.Texts("token_endpoint_auth_methods_supported")
	m.RevocationAuthMethods, _ = o.Texts("revocation_endpoint_auth_methods_supported")
	if m.ResponseModes, _ = o.Texts("response_modes_supported"); m.ResponseModes == nil {
		m.ResponseModes = []string{"query", "fragment"} // Discovery §3
	}
	m.ScopesSupported, _ = o.Texts("scopes_supported")
	m.SigningAlgs, _ = o.Texts("id_token_signing_alg_values_supported")
	m.DPoPSigningAlgs, _ = o.Texts("dpop_signing_alg_values_supported")
	return m, nil
}

// ServesLogins returns what m lacks that logins can't do without; machines need the token endpoint
// alone.
func (m *Metadata) ServesLogins() error {
	for _, e := range []struct{ name, endpoint string }{
		{"authorization_endpoint", m.AuthorizationEndpoint}, {"jwks_uri", m.JWKSURI},
	} {
		if e.endpoint == "" {
			return fmt.Errorf("%s: %w", e.name, outbound.CheckEndpoint(m.Issuer, ""))
		}
	}
	return nil
}

// readEndpoints reads the endpoints that the package uses. The token endpoint nobody can do
// without; the rest switch features on by being there.
func (m *Metadata) readEndpoints(o strictjson.Object) error {
	for _, e := range []struct {
		name     string
		to       *string
		required bool
	}{
		{"authorization_endpoint", &m.AuthorizationEndpoint, false},
		{"token_endpoint", &m.TokenEndpoint, true},
		{"jwks_uri", &m.JWKSURI, false},
		{"userinfo_endpoint", &m.UserinfoEndpoint, false},
		{"end_session_endpoint", &m.EndSessionEndpoint, false},
		{"revocation_endpoint", &m.RevocationEndpoint, false},
		{"pushed_authorization_request_endpoint", &m.PushedAuthorizationRequestEndpoint, false},
	} {
		endpoint, err := o.Text(e.name)
		if err == nil && (endpoint != "" || e.required) {
			err = outbound.CheckEndpoint(m.Issuer, endpoint)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		*e.to = endpoint
	}
	if endpoint, err := o.Text("introspection_endpoint"); err == nil && outbound.CheckEndpoint(m.Issuer, endpoint) == nil {
		m.IntrospectionEndpoint = endpoint
	}
	return m.readAliases(o)
}

// readAliases reads mtls_endpoint_aliases (RFC 8705 §5), which replace endpoints when a client
// certificate is used.
func (m *Metadata) readAliases(o strictjson.Object) error {
	const name = "mtls_endpoint_aliases"
	if !o.Present(name) {
		return nil
	}
	aliases, err := strictjson.Parse(o.Values[name])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	m.MTLSEndpointAliases = map[string]string{}
	for _, alias := range aliases.Names {
		endpoint, err := aliases.Text(alias)
		if err == nil && endpoint != "" {
			err = outbound.CheckEndpoint(m.Issuer, endpoint)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, logtext.Quote(alias), err)
		}
		m.MTLSEndpointAliases[alias] = endpoint
	}
	return nil
}

// AdviceOnScope says which scopes a request that was refused with invalid_scope asked for, and
// which of them the provider doesn't publish. m may be nil.
func (m *Metadata) AdviceOnScope(asked string) string {
	if asked == "" {
		return "no scope was asked for"
	}
	advice := "asked for scope " + strconv.QuoteToASCII(logtext.Clip(asked, maxFinding))
	if m == nil || len(m.ScopesSupported) == 0 {
		return advice
	}
	unlisted := slices.DeleteFunc(strings.Fields(asked), func(scope string) bool { return slices.Contains(m.ScopesSupported, scope) })
	if len(unlisted) == 0 {
		return advice
	}
	return advice + ", of which the provider's metadata do not list " + strconv.QuoteToASCII(logtext.Clip(strings.Join(unlisted, " "), maxFinding))
}

// Alias returns the endpoint to use with a client certificate: its mTLS alias when there is one
// (RFC 8705 §5).
func (m *Metadata) Alias(name, endpoint string) string {
	if a := m.MTLSEndpointAliases[name]; a != "" && endpoint != "" {
		return a
	}
	return endpoint
}

// LacksAuthMethod reports whether the provider lists its client authentication methods and leaves
// this one out.
func (m *Metadata) LacksAuthMethod(method string) bool {
	return LacksAuthMethod(m.TokenEndpointAuthMethods, method)
}

// LacksAuthMethod reports whether a list of an endpoint's client authentication methods leaves this
// one out. Silence means client_secret_basic (Discovery §3, RFC 8414 §2), but providers forget the
// list: silence is no evidence here.
func LacksAuthMethod(listed []string, method string) bool {
	names := []string{method}
	if method == "tls_client_auth" {
		names = append(names, "self_signed_tls_client_auth") // the same on the wire (RFC 8705 §2.2)
	}
	return len(listed) > 0 && !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(listed, n) })
}
