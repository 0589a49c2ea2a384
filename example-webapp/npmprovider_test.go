package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

func TestNPMProviderSignsIn(t *testing.T) {
	t.Parallel()
	keyFile, keySet := newClientKey(t)
	tests := map[string]struct {
		env      map[string]string
		options  map[string]any
		metadata map[string]any
		counts   map[string]int
	}{
		"with the defaults": {},
		"with the code in a posted form, from another site": {
			env: map[string]string{"OIDC_RESPONSE_MODE": "form_post"},
		},
		"with the secret in the body": {
			env:      map[string]string{"OIDC_CLIENT_AUTH": "client_secret_post"},
			metadata: map[string]any{"token_endpoint_auth_method": "client_secret_post"},
		},
		"as a public client": {
			env:      map[string]string{"OIDC_CLIENT_AUTH": "none", "OIDC_CLIENT_SECRET": ""},
			metadata: map[string]any{"token_endpoint_auth_method": "none", "client_secret": nil},
		},
		"with ES256": {
			env:      map[string]string{"OIDC_SIGNING_ALG": "ES256"},
			metadata: map[string]any{"id_token_signed_response_alg": "ES256"},
		},
		"with private_key_jwt": {
			env: map[string]string{"OIDC_CLIENT_KEY_FILE": keyFile, "OIDC_CLIENT_SECRET": ""},
			metadata: map[string]any{
				"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
				"jwks": keySet, "client_secret": nil,
			},
		},
		"with a pushed authorization request": {
			env:      map[string]string{"OIDC_PAR": "require"},
			metadata: map[string]any{"require_pushed_authorization_requests": true},
			counts:   map[string]int{"pushed_authorization_request": 1},
		},
		"without a pushed authorization request": {
			env:    map[string]string{"OIDC_PAR": "off"},
			counts: map[string]int{"pushed_authorization_request": 0},
		},
		"with signed userinfo": {
			metadata: map[string]any{"userinfo_signed_response_alg": "RS256"},
			counts:   map[string]int{"userinfo": 1},
		},
		"with an issuer that has a path": {
			options: map[string]any{"path": "/tenants/7"},
		},
		"with the claims in the ID token and no userinfo": {
			env:     map[string]string{"OIDC_USERINFO": "false"},
			options: map[string]any{"claimsInIDToken": true},
			counts:  map[string]int{"userinfo": 0},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startNPMClient(t, test.env, test.options, test.metadata)
			b := newBrowser(t)

			got := c.signIn(b, "/profile?tab=keys&name=a%20b", "ada")

			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, c.url+"/profile?tab=keys&name=a%20b", got.url.String())
			status, me := c.me(b)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "ada", me["sub"])
			require.Equal(t, c.Issuer, me["iss"])
			require.Equal(t, "ada@example.com", me["email"])
			require.Equal(t, []any{"user", "admin"}, me["roles"])
			counts := c.counts()
			require.Equal(t, 1, counts["token:authorization_code"])
			for route, want := range test.counts {
				require.Equal(t, want, counts[route], route)
			}
		})
	}
}

func TestNPMProviderDenial(t *testing.T) {
	t.Parallel()
	c := startNPMClient(t, nil, nil, nil)
	b := newBrowser(t)
	b.open(c.url + "/profile")

	got := b.submit("/cancel", nil)

	require.Equal(t, http.StatusForbidden, got.status)
	require.NotContains(t, got.body, "the person declined", "the provider's text stays in the log")
	status, _ := c.me(b)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Zero(t, c.counts()["token:authorization_code"])
}

func TestNPMProviderSignsOut(t *testing.T) {
	t.Parallel()
	c := startNPMClient(t, nil, nil, nil)
	b := newBrowser(t)
	c.signIn(b, "/profile", "alice")

	b.open(c.url + "/auth/logout")
	b.submit("/auth/logout", hidden(b.page.body))
	require.Contains(t, b.page.url.String(), c.Issuer, "the provider is told")
	confirmation := hidden(b.page.body)
	confirmation.Set("logout", "yes")
	got := b.submit("/session/end/confirm", confirmation)

	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "/auth/signed-out", got.url.Path)
	status, _ := c.me(b)
	require.Equal(t, http.StatusUnauthorized, status)
	b.open(c.url + "/profile")
	require.Contains(t, b.page.body, `name="password"`, "the provider has forgotten the person too")
}

func TestNPMProviderRefreshesOnce(t *testing.T) {
	t.Parallel()
	c := startNPMClient(t, map[string]string{"OIDC_PROMPT": "consent"}, nil, nil)
	b := newBrowser(t)
	c.signIn(b, "/profile", "alice")
	c.counts()

	// The provider revokes everything when a refresh token is used twice.
	var wg sync.WaitGroup
	statuses := make([]int, 20)
	for i := range statuses {
		wg.Go(func() { statuses[i] = c.refresh(b) })
	}
	wg.Wait()
	for _, status := range statuses {
		require.Equal(t, http.StatusOK, status)
	}
	require.Equal(t, http.StatusOK, c.refresh(b), "the session has the newest refresh token")

	require.LessOrEqual(t, c.counts()["token:refresh_token"], len(statuses)+1)
	status, me := c.me(b)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "alice", me["sub"])
}

// The provider revokes everything when a refresh token is used twice, and refuses all of a user who is disabled.
func TestNPMProviderConfirmsSessionsAndEndsThoseOfUsersWhoAreGone(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]string{"in the cookie": "cookie", "server-side": "memory"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startNPMClient(t, map[string]string{
				"OIDC_PROMPT": "consent", "OIDC_REVALIDATE_AFTER": "1s", "OIDC_TIMEOUT": "60s", "SESSION_STORE": store,
			}, nil, nil)
			b := newBrowser(t)
			c.signIn(b, "/profile", "alice")

			// A question that gets no answer: whoever asks meanwhile makes no second one.
			c.bend(fault{"hold": true})
			c.profilesUntil(b, http.StatusOK, func() bool { return c.hits() > 0 })
			for _, status := range c.profiles(b, 100) {
				require.Equal(t, http.StatusOK, status)
			}
			require.Equal(t, 1, c.hits())
			c.bend()
			c.profilesUntil(b, http.StatusOK, func() bool { return len(c.refreshAnswers("")) > 1 })

			c.control(http.MethodPost, "disable", map[string]any{"sub": "alice"}, nil)
			c.profilesUntil(b, 0, func() bool { return c.profiles(b, 1)[0] == http.StatusUnauthorized })
			for _, status := range c.profiles(b, 20) {
				require.Equal(t, http.StatusUnauthorized, status)
			}
			require.Len(t, c.refreshAnswers("invalid_grant"), 1)
		})
	}
}

// profilesUntil asks who is signed in until something has come of it; want is what every answer has to be until then, 0 for any.
func (c *npmClient) profilesUntil(b *browser, want int, come func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !come() {
		require.True(c.t, time.Now().Before(deadline), "nothing comes of it")
		status := c.profiles(b, 1)[0]
		require.True(c.t, want == 0 || status == want, "status %d", status)
	}
}

// refreshAnswers are the provider's answers to refreshes with this error, "" for tokens.
func (p *npmProvider) refreshAnswers(code string) []tokenCall {
	return slices.DeleteFunc(p.tokenCalls("refresh_token"), func(c tokenCall) bool { return c.Error != code })
}

// profiles asks so often at once who is signed in, with the browser's cookies, and returns the statuses.
func (c *npmClient) profiles(b *browser, n int) []int {
	statuses := make([]int, n)
	var all sync.WaitGroup
	for i := range statuses {
		all.Go(func() {
			resp, err := b.client.Get(c.url + "/api/me")
			if err != nil {
				return
			}
			resp.Body.Close()
			statuses[i] = resp.StatusCode
		})
	}
	all.Wait()
	return statuses
}

// refresh asks the app for new tokens with the browser's cookies, and returns the status. Unlike the browser it may be used
// by several at once.
func (c *npmClient) refresh(b *browser) int {
	resp, err := b.client.Post(c.url+"/api/refresh", "", nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestNPMProviderEndsSessionsFromBehind(t *testing.T) {
	t.Parallel()
	c := startNPMClient(t, nil, nil, nil)
	ended, other := newBrowser(t), newBrowser(t)
	c.signIn(ended, "/profile", "alice")
	c.signIn(other, "/profile", "alice")
	_, me := c.me(ended)

	c.control(http.MethodPost, "backchannel-logout", map[string]any{"client_id": "app", "sub": "alice", "sid": me["sid"]}, nil)

	status, _ := c.me(ended)
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = c.me(other)
	require.Equal(t, http.StatusOK, status, "another session of the same person lives on")
}

func TestNPMProviderRotatesItsKeys(t *testing.T) {
	t.Parallel()
	c := startNPMClient(t, nil, nil, nil)
	c.signIn(newBrowser(t), "/profile", "alice")
	c.control(http.MethodPost, "rotate-keys", nil, nil)
	c.counts()

	got := c.signIn(newBrowser(t), "/profile", "ada")

	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, 1, c.counts()["jwks"], "one refetch for the unknown key")
}

// newClientKey returns a PEM file with a client's private key, and the JWK set of its public half.
func newClientKey(t *testing.T) (file string, set map[string]any) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "client.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	raw, err := json.Marshal(jose.JSONWebKey{Key: &key.PublicKey, Algorithm: "ES256", Use: "sig"})
	require.NoError(t, err)
	return file, map[string]any{"keys": []json.RawMessage{raw}}
}
