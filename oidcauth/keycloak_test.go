//go:build providers

package oidcauth_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// A keycloak is a realm at a real server, whose administrator is called admin with the password admin:
//
//	KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin bin/kc.sh start-dev --http-host=127.0.0.1 --http-port=18080
//	SIGNET_TEST_KEYCLOAK=http://127.0.0.1:18080 go test -tags providers ./oidcauth -run Keycloak
//
// Its user alice has the password "pw". Its clients are the application "app", the API "orders", to which the scope orders:read leads,
// and "spa", whose tokens are for app.
type keycloak struct {
	*testing.T
	url, realm string
}

func newKeycloak(t *testing.T) *keycloak {
	t.Helper()
	k := &keycloak{t, strings.TrimSuffix(os.Getenv("SIGNET_TEST_KEYCLOAK"), "/"), "signet-" + strings.ToLower(rand.Text()[:8])}
	if k.url == "" {
		t.Skip("SIGNET_TEST_KEYCLOAK does not say where a Keycloak is")
	}
	k.admin(http.MethodPost, "", map[string]any{
		"realm": k.realm, "enabled": true, "sslRequired": "none",
		"roles": map[string]any{"realm": []any{map[string]string{"name": "clerk"}}},
		"users": []any{map[string]any{
			"username": "alice", "enabled": true, "email": "alice@example.test", "emailVerified": true, "firstName": "Alice", "lastName": "Liddell",
			"realmRoles":  []string{"clerk"},
			"credentials": []any{map[string]any{"type": "password", "value": "pw"}},
		}},
	})
	t.Cleanup(func() { k.admin(http.MethodDelete, "/"+k.realm, nil) })
	k.admin(http.MethodPost, "/"+k.realm+"/client-scopes", map[string]any{
		"name": "orders:read", "protocol": "openid-connect", "attributes": map[string]string{"include.in.token.scope": "true"},
		"protocolMappers": []any{audienceMapper("orders")},
	})
	k.client("orders", nil)
	return k
}

// audienceMapper writes a client into aud.
func audienceMapper(name string) any {
	return map[string]any{
		"name": "for " + name, "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
		"config": map[string]string{"included.client.audience": name, "access.token.claim": "true"},
	}
}

// client registers a confidential client, whose secret is its name.
func (k *keycloak) client(id string, attributes map[string]string, mappers ...any) {
	k.Helper()
	k.admin(http.MethodPost, "/"+k.realm+"/clients", map[string]any{
		"clientId": id, "secret": id, "enabled": true, "protocol": "openid-connect", "redirectUris": []string{"https://127.0.0.1/*", "https://127.0.0.1:*"},
		"publicClient": false, "serviceAccountsEnabled": true, "directAccessGrantsEnabled": true, "attributes": attributes,
		"defaultClientScopes":  []string{"basic", "roles", "profile", "email"},
		"optionalClientScopes": []string{"orders:read"}, "protocolMappers": append([]any{}, mappers...),
	})
}

// admin calls the administrators' API.
func (k *keycloak) admin(method, path string, body any) {
	k.Helper()
	token := k.token("master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}}, "access_token")
	text, err := json.Marshal(body)
	require.NoError(k, err)
	req, err := http.NewRequest(method, k.url+"/admin/realms"+path, bytes.NewReader(text))
	require.NoError(k, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(k, err)
	defer res.Body.Close()
	said, _ := io.ReadAll(res.Body)
	require.Less(k, res.StatusCode, 300, "%s %s: %s", method, path, said)
}

// token asks the token endpoint of a realm, and returns a member of the answer. Headers are names and values in turn.
func (k *keycloak) token(realm string, form url.Values, member string, headers ...string) string {
	k.Helper()
	req, err := http.NewRequest(http.MethodPost, k.url+"/realms/"+realm+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	require.NoError(k, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(k, err)
	defer res.Body.Close()
	var answer map[string]any
	require.NoError(k, json.NewDecoder(res.Body).Decode(&answer))
	require.Equal(k, http.StatusOK, res.StatusCode, answer)
	token, _ := answer[member].(string)
	require.NotEmpty(k, token, answer)
	return token
}

// alices is a member of an answer to client, in which alice's tokens are.
func (k *keycloak) alices(client, scope, member string, headers ...string) string {
	k.Helper()
	return k.token(k.realm, url.Values{
		"grant_type": {"password"}, "client_id": {client}, "client_secret": {client}, "username": {"alice"}, "password": {"pw"}, "scope": {"openid " + scope},
	}, member, headers...)
}

// issuer is the realm's.
func (k *keycloak) issuer() string { return k.url + "/realms/" + k.realm }

// orders is the API: its guard demands a scope, and its issuer is asked in the name of the client "orders" through transport.
func (k *keycloak) orders(url string, transport http.RoundTripper) http.Handler {
	k.Helper()
	api, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: url, Audience: []string{"orders"}, RolesClaim: "realm_access.roles", HTTPClient: &http.Client{Transport: transport},
		Issuers: []oidcauth.TokenIssuer{{Issuer: k.issuer(), Introspect: true, ClientID: "orders", ClientSecret: "orders"}},
	})
	require.NoError(k, err)
	return api.Require(oidcauth.HasScope("orders:read"))(http.HandlerFunc(writeCaller))
}

func TestKeycloaksTokensAtAnAPI(t *testing.T) {
	k := newKeycloak(t)
	k.client("spa", nil)
	h := k.orders(ordersAPI, http.DefaultTransport)
	answer := askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+k.alices("spa", "orders:read", "access_token"))
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var c oidcauth.Caller
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &c))
	require.Equal(t, []string{k.issuer(), "spa"}, []string{c.Issuer, c.ClientID})
	require.Equal(t, []string{"clerk"}, c.Roles)
	require.False(t, c.IsClient())
	for name, token := range map[string]string{
		"for nobody":                 k.alices("spa", "", "access_token"),
		"an ID token":                k.alices("spa", "orders:read", "id_token"),
		"a refresh token":            k.alices("spa", "orders:read", "refresh_token"),
		"an ID token for the API":    k.alices("orders", "orders:read", "id_token"),
		"an administrator's, master": k.token("master", url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {"admin"}, "password": {"admin"}}, "access_token"),
	} {
		require.Equal(t, http.StatusUnauthorized, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+token).Code, name)
	}
}

// A reference stands for a token: Keycloak has only JWTs, which nobody is asked about, and a gateway that gives references for them asks
// about the token itself.
type reference struct{ token string }

// RoundTrip puts the token in place of the reference.
func (f *reference) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, _ := url.ParseQuery(string(body))
		if form.Has("token") {
			form.Set("token", f.token)
		}
		r = r.Clone(r.Context())
		body = []byte(form.Encode())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestKeycloakIsAskedAboutTokens(t *testing.T) {
	k := newKeycloak(t)
	k.client("spa", nil)
	ask := func(token string) *httptest.ResponseRecorder {
		return askOf(k.orders(ordersAPI, &reference{token}), http.MethodGet, "/", "Authorization", "Bearer reference")
	}
	answer := ask(k.alices("spa", "orders:read", "access_token"))
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var c oidcauth.Caller
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &c))
	require.Equal(t, []string{k.issuer(), "spa"}, []string{c.Issuer, c.ClientID})
	require.Contains(t, c.Scopes, "orders:read")
	revoked := k.alices("spa", "orders:read", "access_token")
	res, err := http.PostForm(k.issuer()+"/protocol/openid-connect/revoke", url.Values{"client_id": {"spa"}, "client_secret": {"spa"}, "token": {revoked}})
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	for name, token := range map[string]string{
		"revoked":                 revoked,
		"unknown":                 "unknown",
		"for nobody":              k.alices("spa", "", "access_token"),
		"an ID token":             k.alices("spa", "orders:read", "id_token"),
		"a refresh token":         k.alices("spa", "orders:read", "refresh_token"),
		"the API's refresh token": k.alices("orders", "orders:read", "refresh_token"),
	} {
		answer := ask(token)
		require.Equal(t, http.StatusUnauthorized, answer.Code, name)
	}
}

// What is told of a token binds it as a JWT's own claim does.
func TestKeycloakIsAskedAboutBoundTokens(t *testing.T) {
	k := newKeycloak(t)
	k.client("spa", map[string]string{"dpop.bound.access.tokens": "true"})
	holder, thief := newKeyHolder(t, "ES256"), newKeyHolder(t, "ES256")
	forToken := holder.proof("", claim("htm", "POST"), claim("htu", k.issuer()+"/protocol/openid-connect/token"))
	token := k.alices("spa", "orders:read", "access_token", "DPoP", forToken)
	h := k.orders(ordersAPI, &reference{token})
	answer := askOf(h, http.MethodGet, "/orders", "Authorization", "DPoP reference", "DPoP", holder.proof("reference"))
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var c oidcauth.Caller
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &c))
	require.True(t, c.SenderConstrained)
	for name, headers := range map[string][]string{
		"as Bearer":                  {"Authorization", "Bearer reference"},
		"without a proof":            {"Authorization", "DPoP reference"},
		"with somebody else's proof": {"Authorization", "DPoP reference", "DPoP", thief.proof("reference")},
	} {
		require.Equal(t, http.StatusUnauthorized, askOf(h, http.MethodGet, "/orders", headers...).Code, name)
	}
}
