package oidcauthtest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestSignInInMemory(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	a := newApp(p, oidcauthtest.DefaultApp)
	b, page, err := oidcauthtest.SignIn(p, a, "/wanted?x=1")
	require.NoError(t, err)
	require.Equal(t, "hello alice", page.Body)
	require.Equal(t, "https://app.example.test/wanted?x=1", page.URL)
	require.Equal(t, "alice", b.Cookie(oidcauthtest.DefaultApp, "__Host-session").Value)
	require.Equal(t, 1, p.Count(oidcauthtest.TokenEndpoint))
	require.Len(t, p.Sessions(), 1)
}

func TestSignInOverSockets(t *testing.T) {
	for _, path := range []string{"", "/", "/tenant", "/tenant/"} {
		t.Run("issuer path "+path, func(t *testing.T) {
			p := oidcauthtest.Start(t, oidcauthtest.Settings{Issuer: path})
			var a *app
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.ServeHTTP(w, r) }))
			defer server.Close()
			a = newApp(p, server.URL)
			a.provider = http.DefaultClient
			page := oidcauthtest.NewBrowser(nil).Get(server.URL + "/wanted")
			require.NoError(t, page.Err)
			require.Equal(t, "hello alice", page.Body)
		})
	}
}

func TestFormPostNeedsSameSiteNone(t *testing.T) {
	for sameSite, status := range map[string]int{"None": 200, "Lax": 400} {
		t.Run(sameSite, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			a := newApp(p, oidcauthtest.DefaultApp)
			a.extra = url.Values{"response_mode": {"form_post"}}
			a.sameSite = sameSite
			_, page, _ := oidcauthtest.SignIn(p, a, "/")
			require.Equal(t, status, page.Status, page.Body)
		})
	}
}
