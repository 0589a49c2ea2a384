package oidcauth

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// metadata is what a provider publishes about itself (OpenID Connect Discovery
// §3, RFC 8414 §2), checked: every endpoint that is not empty is an absolute
// URL that we may call. It is never changed after it was built.
type metadata struct {
	// Issuer is the configured one, to which the published one is equal.
	Issuer string

	// AuthorizationEndpoint is where a browser is sent to log in (RFC 6749
	// §3.1). It may have a query. Never empty.
	AuthorizationEndpoint string

	// TokenEndpoint answers grants (RFC 6749 §3.2). Never empty.
	TokenEndpoint string

	// JWKSURI has the signature keys (RFC 7517). Never empty.
	JWKSURI string

	// UserinfoEndpoint answers who the owner of an access token is (Core §5.3).
	UserinfoEndpoint string

	// EndSessionEndpoint is where a browser is sent to log out (RP-Initiated
	// Logout §2.1).
	EndSessionEndpoint string

	// RevocationEndpoint ends tokens (RFC 7009 §2).
	RevocationEndpoint string

	// PushedAuthorizationRequestEndpoint takes authorization requests before the
	// browser is sent (RFC 9126 §2).
	PushedAuthorizationRequestEndpoint string

	// RequirePAR is require_pushed_authorization_requests (RFC 9126 §5).
	RequirePAR bool

	// IssParameterSupported is the promise that every authorization response
	// has an iss parameter (RFC 9207 §3): one without is then an attack.
	IssParameterSupported bool

	// TokenEndpointAuthMethods are the client authentication methods that the
	// provider lists; nil when it lists none. They serve messages only: what the
	// client does is configured, so that nobody can talk it into less.
	TokenEndpointAuthMethods []string

	// SigningAlgs is id_token_signing_alg_values_supported, for messages only.
	SigningAlgs []string

	// DPoPSigningAlgs is dpop_signing_alg_values_supported (RFC 9449 §5.1).
	DPoPSigningAlgs []string

	// MTLSEndpointAliases are the endpoints for clients with a certificate, by
	// the metadata name of the endpoint that they replace (RFC 8705 §5).
	MTLSEndpointAliases map[string]string
}

// adviceOnIssuer says what to do about a published issuer that is not the configured one.
func adviceOnIssuer(configured, published string) string {
	if strings.TrimSuffix(configured, "/") == strings.TrimSuffix(published, "/") {
		return ": they differ in the slash at the end; write Config.Issuer as the provider does"
	}
	return "; if that is your provider, write Config.Issuer as it does"
}

// parseMetadata checks a discovery document against the configured issuer,
// which must be equal to the published one, character by character (Discovery
// §4.3). One endpoint that we may not call refuses the whole document, because
// a document with such an endpoint was tampered with or is a mistake that would
// otherwise show much later.
func parseMetadata(o object, issuer string) (*metadata, error) {
	published, err := o.text("issuer")
	if err != nil {
		return nil, err
	}
	if published != issuer {
		return nil, fmt.Errorf("issuer: expected exactly %q, got %s%s", issuer, quoteShort(published), adviceOnIssuer(issuer, published))
	}
	m := &metadata{Issuer: issuer}
	if err := m.readEndpoints(o); err != nil {
		return nil, err
	}
	m.RequirePAR, err = o.flag("require_pushed_authorization_requests")
	if err != nil {
		return nil, err
	}
	m.IssParameterSupported, err = o.flag("authorization_response_iss_parameter_supported")
	if err != nil {
		return nil, err
	}
	// These only make messages better: a wrong type is as good as silence.
	m.TokenEndpointAuthMethods, _ = o.texts("token_endpoint_auth_methods_supported")
	m.SigningAlgs, _ = o.texts("id_token_signing_alg_values_supported")
	m.DPoPSigningAlgs, _ = o.texts("dpop_signing_alg_values_supported")
	return m, nil
}

// readEndpoints reads the endpoints that the package uses. Three of them a
// login can not do without; the rest switch features on by being there.
func (m *metadata) readEndpoints(o object) error {
	for _, e := range []struct {
		name     string
		to       *string
		required bool
	}{
		{"authorization_endpoint", &m.AuthorizationEndpoint, true},
		{"token_endpoint", &m.TokenEndpoint, true},
		{"jwks_uri", &m.JWKSURI, true},
		{"userinfo_endpoint", &m.UserinfoEndpoint, false},
		{"end_session_endpoint", &m.EndSessionEndpoint, false},
		{"revocation_endpoint", &m.RevocationEndpoint, false},
		{"pushed_authorization_request_endpoint", &m.PushedAuthorizationRequestEndpoint, false},
	} {
		endpoint, err := o.text(e.name)
		if err == nil && (endpoint != "" || e.required) {
			err = checkEndpoint(m.Issuer, endpoint)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		*e.to = endpoint
	}
	return m.readAliases(o)
}

// readAliases reads mtls_endpoint_aliases (RFC 8705 §5), which replace
// endpoints when a client certificate is used.
func (m *metadata) readAliases(o object) error {
	const name = "mtls_endpoint_aliases"
	if !o.present(name) {
		return nil
	}
	aliases, err := parseObject(o.values[name])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	m.MTLSEndpointAliases = map[string]string{}
	for _, alias := range aliases.names {
		endpoint, err := aliases.text(alias)
		if err == nil && endpoint != "" {
			err = checkEndpoint(m.Issuer, endpoint)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, quoteShort(alias), err)
		}
		m.MTLSEndpointAliases[alias] = endpoint
	}
	return nil
}

// checkEndpoint decides which URLs an issuer may name. An https issuer may name
// https URLs only; plain http is for development, where issuer and endpoint are
// both on loopback. An issuer out in the world may not point at this machine or
// its link-local neighbourhood, where cloud metadata services answer.
func checkEndpoint(issuer, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return errors.New("expected an absolute URL, got one that can't be parsed")
	}
	if u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return fmt.Errorf("expected an absolute URL, got %s", quoteShort(endpoint))
	}
	if u.User != nil || u.Fragment != "" || strings.HasSuffix(endpoint, "#") {
		return errors.New("expected a URL without user and fragment")
	}
	if len(endpoint) > maxEndpoint {
		return fmt.Errorf("expected at most %d bytes, got %d", maxEndpoint, len(endpoint))
	}
	if !plainHost(u.Hostname()) {
		return fmt.Errorf("expected a host name or an IP address as usually written, got %s", quoteShort(endpoint))
	}
	return checkReach(issuer, u)
}

// maxEndpoint bounds a URL of the provider's: it goes into Location headers and log lines.
const maxEndpoint = 2 << 10

// checkReach decides whether an issuer may name this scheme and host. https is not enough: an issuer out in the world that
// names this machine or its network segment makes us a proxy for somebody (SSRF).
func checkReach(issuer string, u *url.URL) error {
	local := loopbackHost(issuerHost(issuer))
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && strings.HasPrefix(issuer, "http:") && local && loopbackHost(u.Hostname()):
	default:
		return fmt.Errorf("expected https, got %s", quoteShort(u.String()))
	}
	if !local && closeBy(u.Hostname()) {
		return fmt.Errorf("expected a host that is not this machine's own, got %s", quoteShort(u.String()))
	}
	return nil
}

// plainHost reports whether a host means one thing to every reader. A URL's host may hold quotes, commas, semicolons and
// asterisks, which a Content-Security-Policy reads otherwise; and resolvers take "127.1" and "0x7f000001" for addresses
// that net/netip doesn't see.
func plainHost(host string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if _, err := netip.ParseAddr(host); err == nil {
		return !strings.Contains(host, "%")
	}
	name := strings.TrimSuffix(host, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		return false // also "", and what is too long for a number
	}
	return strings.Trim(name, plain) == ""
}

// issuerHost returns the host of an issuer, which configuration has checked
// before.
func issuerHost(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// closeBy reports whether a host can only be this machine or its own network
// segment: no provider out in the world has an endpoint there.
func closeBy(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if loopbackHost(host) || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	ip = ip.Unmap()
	return err == nil && (ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast())
}

// alias returns the endpoint to use with a client certificate: its mTLS alias
// when there is one (RFC 8705 §5).
func (m *metadata) alias(name, endpoint string) string {
	if a := m.MTLSEndpointAliases[name]; a != "" && endpoint != "" {
		return a
	}
	return endpoint
}

// lacksAuthMethod reports whether the provider lists its client authentication
// methods and leaves this one out. Silence means client_secret_basic (Discovery
// §3), but providers forget the list: silence is no evidence here.
func (m *metadata) lacksAuthMethod(method AuthMethod) bool {
	names := []string{string(method)}
	if method == TLSClientAuth {
		names = append(names, "self_signed_tls_client_auth") // the same on the wire (RFC 8705 §2.2)
	}
	return len(m.TokenEndpointAuthMethods) > 0 &&
		!slices.ContainsFunc(names, func(n string) bool { return slices.Contains(m.TokenEndpointAuthMethods, n) })
}
