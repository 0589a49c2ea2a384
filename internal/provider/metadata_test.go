package provider_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/providertest"
	"github.com/signet-go/signet/internal/strictjson"
)

func goodMetadata() m { return providertest.New(nil).Metadata }

func TestMetadata(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, row := range []struct {
		name   string
		change m
		ok     bool
	}{
		{"a good document is accepted", m{}, true},
		{"an issuer with a digit more is refused", m{"issuer": issuer + "1"}, false},
		{"an issuer with a slash more is refused", m{"issuer": issuer + "/"}, false},
		{"an issuer in another case is refused", m{"issuer": "https://OP.example"}, false},
		{"an issuer with its default port is refused", m{"issuer": "https://op.example:443"}, false},
		{"a missing issuer is refused", m{"issuer": nil}, false},
		{"Issuer instead of issuer is refused", m{"issuer": nil, "Issuer": issuer}, false},
		{"an issuer in a list is refused", m{"issuer": []string{issuer}}, false},
		{"a token endpoint without TLS is refused", m{"token_endpoint": "http://op.example/token"}, false},
		{"a token endpoint on http loopback is refused", m{"token_endpoint": "http://127.0.0.1/token"}, false},
		{"a missing token endpoint is refused", m{"token_endpoint": nil}, false},
		{"a missing authorization endpoint is refused", m{"authorization_endpoint": nil}, false},
		{"a script as authorization endpoint is refused", m{"authorization_endpoint": "javascript:alert(1)"}, false},
		{"a missing jwks_uri is refused", m{"jwks_uri": nil}, false},
		{"a file as jwks_uri is refused", m{"jwks_uri": "file:///etc/passwd"}, false},
		{"gopher as jwks_uri is refused", m{"jwks_uri": "gopher://op.example/"}, false},
		{"a host and port as userinfo endpoint is refused", m{"userinfo_endpoint": "127.0.0.1:22"}, false},
		{"loopback as userinfo endpoint is refused", m{"userinfo_endpoint": "https://127.0.0.1:22/"}, false},
		{"localhost as userinfo endpoint is refused", m{"userinfo_endpoint": "https://LOCALHOST/"}, false},
		{"localhost with a dot as userinfo endpoint is refused", m{"userinfo_endpoint": "https://localhost./"}, false},
		{"a name under localhost as userinfo endpoint is refused", m{"userinfo_endpoint": "https://op.localhost/"}, false},
		{"a link-local address with a zone is refused", m{"userinfo_endpoint": "https://[fe80::1%25eth0]/"}, false},
		{"mapped loopback as userinfo endpoint is refused", m{"userinfo_endpoint": "https://[::ffff:127.0.0.1]/"}, false},
		{"a cloud's metadata service is refused", m{"userinfo_endpoint": "https://169.254.169.254/latest"}, false},
		{"localhost with a dot behind it is refused", m{"userinfo_endpoint": "https://localhost./"}, false},
		{"a name below localhost is refused", m{"userinfo_endpoint": "https://op.localhost/"}, false},
		{"loopback in short is refused", m{"userinfo_endpoint": "https://127.1/"}, false},
		{"loopback as one number is refused", m{"userinfo_endpoint": "https://2130706433/"}, false},
		{"loopback in hexadecimal is refused", m{"userinfo_endpoint": "https://0x7f.1/"}, false},
		{"loopback in octal is refused", m{"userinfo_endpoint": "https://0177.0.0.1/"}, false},
		{"a host that begins with a digit is accepted", m{"userinfo_endpoint": "https://3scale/"}, true},
		{"an address with a zone is refused", m{"userinfo_endpoint": "https://[fe80::1%25lo]/"}, false},
		{"a wildcard as host is refused", m{"end_session_endpoint": "https://*/"}, false},
		{"a host with a semicolon is refused", m{"end_session_endpoint": "https://a;b.example/"}, false},
		{"a host outside ASCII is refused", m{"end_session_endpoint": "https://оp.example/"}, false},
		{"an IDN in ASCII is accepted", m{"end_session_endpoint": "https://xn--bcher-kva.example/"}, true},
		{"a host with a number before is accepted", m{"end_session_endpoint": "https://1.op.example:8443/"}, true},
		{"2 kB are accepted", m{"end_session_endpoint": "https://op.example/" + strings.Repeat("x", 2048-19)}, true},
		{"a byte more is refused", m{"end_session_endpoint": "https://op.example/" + strings.Repeat("x", 2048-18)}, false},
		{"the unspecified address is refused", m{"userinfo_endpoint": "https://0.0.0.0/"}, false},
		{"a private network is accepted", m{"userinfo_endpoint": "https://10.1.2.3/userinfo"}, true},
		{"another host is accepted", m{"token_endpoint": "https://oauth.example/token"}, true},
		{"a scheme alone is refused", m{"end_session_endpoint": "https:"}, false},
		{"a path alone is refused", m{"end_session_endpoint": "/logout"}, false},
		{"no scheme is refused", m{"end_session_endpoint": "//op.example/logout"}, false},
		{"a port without a host is refused", m{"end_session_endpoint": "https://:443/"}, false},
		{"a user in a URL is refused", m{"revocation_endpoint": "https://op.example@evil.example/"}, false},
		{"a fragment is refused", m{"revocation_endpoint": "https://op.example/#x"}, false},
		{"an empty fragment is refused", m{"revocation_endpoint": "https://op.example/#"}, false},
		{"an endpoint that nothing uses may be anything", m{"introspection_endpoint": "http://op.internal/introspect"}, true},
		{"a query is accepted", m{"authorization_endpoint": issuer + "/authorize?tenant=1"}, true},
		{"an endpoint with a line end is refused", m{"revocation_endpoint": "https://op.example/\n"}, false},
		{"an endpoint that is a number is refused", m{"revocation_endpoint": 7}, false},
		{"an endpoint that is null is absent", m{"revocation_endpoint": raw("null")}, true},
		{"a PAR endpoint without TLS is refused", m{"pushed_authorization_request_endpoint": "http://op.example/par"}, false},
		{"an mTLS alias without TLS is refused", m{"mtls_endpoint_aliases": m{"token_endpoint": "http://op.example/token"}}, false},
		{"mTLS aliases in a list are refused", m{"mtls_endpoint_aliases": []string{}}, false},
		{"a promise of iss that is no boolean is refused", m{"authorization_response_iss_parameter_supported": "true"}, false},
		{"a demand for PAR that is no boolean is refused", m{"require_pushed_authorization_requests": 1}, false},
		{"an odd list of methods is ignored", m{"token_endpoint_auth_methods_supported": 7}, true},
		{"unknown members are accepted", m{"x": m{"y": 1}}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := parseMetadata(must(json.Marshal(with(goodMetadata(), row.change))), issuer)
			if row.ok {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for name := range row.change {
				require.Contains(t, err.Error(), strings.ToLower(name), "the error names the member")
			}
		})
	}
}

func TestMetadataWithAMemberTwiceAreRefused(t *testing.T) {
	good := string(must(json.Marshal(goodMetadata())))
	_, err := parseMetadata([]byte(strings.Replace(good, "{", `{"token_endpoint":"https://evil.example/",`, 1)), issuer)
	require.ErrorContains(t, err, "twice")
}

func TestMetadataAreReadWhole(t *testing.T) {
	document := with(goodMetadata(), m{
		"end_session_endpoint":                  issuer + "/end",
		"require_pushed_authorization_requests": true, "authorization_response_iss_parameter_supported": true,
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "dpop_signing_alg_values_supported": []string{"ES256"},
		"mtls_endpoint_aliases": m{"token_endpoint": "https://mtls.op.example/token"},
		"scopes_supported":      []string{"openid"}, "response_modes_supported": []string{"form_post"},
	})
	got, err := parseMetadata(must(json.Marshal(document)), issuer)
	require.NoError(t, err)
	require.Equal(t, &provider.Metadata{
		Issuer: issuer, AuthorizationEndpoint: issuer + "/authorize", TokenEndpoint: issuer + "/token", UserinfoEndpoint: issuer + "/userinfo",
		JWKSURI: issuer + "/jwks", EndSessionEndpoint: issuer + "/end", RevocationEndpoint: issuer + "/revoke",
		PushedAuthorizationRequestEndpoint: issuer + "/par",
		RequirePAR:                         true, IssParameterSupported: true, TokenEndpointAuthMethods: []string{"private_key_jwt"},
		SigningAlgs: []string{"RS256"}, DPoPSigningAlgs: []string{"ES256"},
		ScopesSupported: []string{"openid"}, ResponseModes: []string{"form_post"},
		MTLSEndpointAliases: map[string]string{"token_endpoint": "https://mtls.op.example/token"},
	}, got)
}

func TestPlainHTTPIsForLoopbackOnBothSides(t *testing.T) {
	for _, row := range []struct {
		name, issuer, endpoint string
		ok                     bool
	}{
		{"an http issuer on loopback may name http on loopback", "http://127.0.0.1:9000", "http://127.0.0.1:9000/token", true},
		{"localhost counts as loopback", "http://localhost:9000", "http://127.0.0.1:9001/token", true},
		{"so does ::1", "http://[::1]:9000", "http://[::1]:9000/token", true},
		{"an http issuer on loopback may name https", "http://localhost:9000", "https://op.example/token", true},
		{"an http issuer on loopback may not name http elsewhere", "http://localhost:9000", "http://op.example/token", false},
		{"nor a host that only begins like loopback", "http://localhost:9000", "http://127.0.0.1.evil.example/token", false},
		{"nor one with localhost in front", "http://localhost:9000", "http://localhost.evil.example/token", false},
		{"an https issuer on loopback may name https on loopback", "https://localhost:9000", "https://localhost:9000/token", true},
		{"an https issuer on loopback may not name http", "https://localhost:9000", "http://localhost:9000/token", false},
		{"an https issuer elsewhere may not name http", "https://op.example", "http://op.example/token", false},
		{"case of the scheme doesn't matter", "https://op.example", "HTTPS://op.example/token", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, row.ok, outbound.CheckEndpoint(row.issuer, row.endpoint) == nil)
		})
	}
}

// parseMetadata reads metadata as those of a provider at which people sign in.
func parseMetadata(document []byte, issuer string) (*provider.Metadata, error) {
	o, err := strictjson.Parse(document)
	if err != nil {
		return nil, err
	}
	m, err := provider.ParseMetadata(o, issuer)
	if err == nil {
		err = m.ServesLogins()
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}
