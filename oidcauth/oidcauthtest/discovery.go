package oidcauthtest

import "net/http"

// algs are the algorithms that the metadata offers, for every purpose.
var algs = []string{"RS256", "PS256", "ES256", "EdDSA"}

// serveDiscovery publishes the metadata as it is bent at the moment; nothing is cached.
func (p *Provider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	document := p.metadata()
	apply(p.hook().metadata, document)
	writeJSON(w, http.StatusOK, document.Bytes())
}

// metadata returns the discovery document (OpenID Connect Discovery §3, RFC 8414 §2).
func (p *Provider) metadata() *Object {
	s := p.current()
	return object(
		"issuer", s.Issuer,
		"authorization_endpoint", p.URL(Authorize),
		"pushed_authorization_request_endpoint", p.URL(PAR),
		"token_endpoint", p.URL(TokenEndpoint),
		"userinfo_endpoint", p.URL(UserInfo),
		"jwks_uri", p.URL(JWKS),
		"revocation_endpoint", p.URL(Revocation),
		"introspection_endpoint", p.URL(Introspection),
		"end_session_endpoint", p.URL(EndSession),
		"require_pushed_authorization_requests", s.RequirePAR,
		"scopes_supported", []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported", []string{"code"},
		"response_modes_supported", responseModes,
		"authorization_signing_alg_values_supported", []string{s.Alg},
		"grant_types_supported", []string{"authorization_code", "refresh_token", "client_credentials", grantExchange, grantAssertion},
		"claim_types_supported", []string{"normal", "aggregated", "distributed"},
		"subject_types_supported", []string{"public"},
		"id_token_signing_alg_values_supported", []string{s.Alg},
		"userinfo_signing_alg_values_supported", []string{s.Alg},
		"request_object_signing_alg_values_supported", algs,
		"token_endpoint_auth_methods_supported", []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "none"},
		"tls_client_certificate_bound_access_tokens", true,
		"token_endpoint_auth_signing_alg_values_supported", algs,
		"dpop_signing_alg_values_supported", algs,
		"code_challenge_methods_supported", []string{"S256"},
		"authorization_response_iss_parameter_supported", true,
		"backchannel_logout_supported", true,
		"backchannel_logout_session_supported", true,
		"frontchannel_logout_supported", true,
		"frontchannel_logout_session_supported", true,
	)
}

// serveKeys publishes the key set (RFC 7517 §5). It is put together by hand, since a hook may have
// made a key of anything.
func (p *Provider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	keys := []*Object{p.Key().JWK()}
	if f := p.hook().keys; f != nil {
		keys = f(keys)
	}
	list := []byte{'['}
	for i, k := range keys {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, k.Bytes()...)
	}
	writeJSON(w, http.StatusOK, append(append([]byte(`{"keys":`), append(list, ']')...), '}'))
}
