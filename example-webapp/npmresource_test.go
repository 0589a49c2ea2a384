package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The audience of /resource at npm's provider, which knows it as a resource (RFC 8707).
const npmAudience = "https://orders.example"

// A user signs in, and the app calls its own /resource with their token, in each of its forms. The provider's tokens are JWTs or
// opaque, bound to a key or not, as its resource is configured; what is for another resource is refused.
func TestNPMProvidersTokensReachOurOwnAPI(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		resource map[string]any
		options  map[string]any
		env      map[string]string
		status   float64
		asked    bool
	}{
		"a JWT":                                  {resource: map[string]any{"accessTokenFormat": "jwt"}, status: 200},
		"a JWT that is signed by ES256":          {resource: map[string]any{"accessTokenFormat": "jwt", "jwt": map[string]any{"sign": map[string]any{"alg": "ES256"}}}, status: 200},
		"opaque, by introspection":               {resource: map[string]any{"accessTokenFormat": "opaque"}, status: 200, asked: true},
		"a JWT, bound to a key":                  {resource: map[string]any{"accessTokenFormat": "jwt"}, env: map[string]string{"OIDC_DPOP": "true"}, status: 200},
		"opaque, bound to a key":                 {resource: map[string]any{"accessTokenFormat": "opaque"}, env: map[string]string{"OIDC_DPOP": "true"}, status: 200, asked: true},
		"a JWT without the scope":                {resource: map[string]any{"accessTokenFormat": "jwt"}, env: map[string]string{"RESOURCE_SCOPE": "write"}, status: 403},
		"a JWT for another audience":             {resource: map[string]any{"accessTokenFormat": "jwt", "audience": "https://other.example"}, status: 401},
		"opaque, for another audience":           {resource: map[string]any{"accessTokenFormat": "opaque", "audience": "https://other.example"}, status: 401, asked: true},
		"the login's own, which is for userinfo": {env: map[string]string{"OIDC_RESOURCE": ""}, status: 401, asked: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := map[string]any{"scope": "read"}
			for key, value := range row.resource {
				info[key] = value
			}
			env := map[string]string{
				"API_URL": "APP/resource", "RESOURCE_AUDIENCE": npmAudience, "RESOURCE_SCOPE": "read", "OIDC_RESOURCE": npmAudience,
				"OIDC_USERINFO": "false", "OIDC_SCOPES": "openid profile read",
			}
			for key, value := range row.env {
				env[key] = value
			}
			c := startNPMClient(t, env, map[string]any{"resources": map[string]any{npmAudience: info}}, nil)
			b := newBrowser(t)
			c.signIn(b, "/profile", "ada")
			c.counts()
			answer := c.apiAnswer(b, "/api/call")
			require.Equal(t, row.status, answer["status"], "%v\n%s", answer, c.log)
			if row.status == 200 {
				require.Equal(t, map[string]any{"sub": "ada", "client_id": "app", "scope": "read"}, answer["body"])
			}
			require.Equal(t, row.asked, c.counts()["introspection"] > 0)
		})
	}
}

// apiAnswer is what a route of the app's says of the API that it has called.
func (c *npmClient) apiAnswer(b *browser, path string) map[string]any {
	c.t.Helper()
	p := b.fetch(http.MethodGet, c.url+path)
	require.Equal(c.t, http.StatusOK, p.status, "%s\n%s", p.body, c.log)
	return p.object(c.t)
}

func TestNPMProviderExchangesTokens(t *testing.T) {
	t.Parallel()
	for name, dpop := range map[string]string{"Bearer": "false", "DPoP": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startNPMClient(t, map[string]string{
				"API_URL": "APP/resource", "RESOURCE_AUDIENCE": npmAudience, "EXCHANGE_AUDIENCE": npmAudience, "OIDC_DPOP": dpop,
			}, map[string]any{"exchange": true, "resources": map[string]any{npmAudience: map[string]any{"scope": "read"}}}, nil)
			b := newBrowser(t)
			require.Equal(t, http.StatusUnauthorized, b.fetch(http.MethodGet, c.url+"/api/exchange").status)
			c.signIn(b, "/profile", "ada")
			require.EqualValues(t, 401, c.apiAnswer(b, "/api/call")["status"], "the user's own token is not for the API")
			c.counts()
			for range 3 {
				answer := c.apiAnswer(b, "/api/exchange")
				require.EqualValues(t, 200, answer["status"], answer)
				require.Equal(t, map[string]any{"sub": "ada", "client_id": "app", "scope": "read"}, answer["body"])
			}
			require.Equal(t, 1, c.counts()["token:urn:ietf:params:oauth:grant-type:token-exchange"])
		})
	}
}

func TestAnExchangeThatIsRefusedIsTold(t *testing.T) {
	t.Parallel()
	c := startNPMClient(t, map[string]string{"EXCHANGE_AUDIENCE": "https://unknown.example"}, map[string]any{"exchange": true}, nil)
	b := newBrowser(t)
	c.signIn(b, "/profile", "ada")
	require.Equal(t, http.StatusBadGateway, b.fetch(http.MethodGet, c.url+"/api/exchange").status)
	status, _ := c.me(b)
	require.Equal(t, http.StatusOK, status)
	plain := startNPMClient(t, nil, nil, nil)
	require.Equal(t, http.StatusNotFound, newBrowser(t).fetch(http.MethodGet, plain.url+"/api/exchange").status)
}
