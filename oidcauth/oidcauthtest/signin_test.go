package oidcauthtest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

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

func TestSignInInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		p.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(5*time.Second))
		start := time.Now()
		_, _, err := oidcauthtest.SignIn(p, newApp(p, oidcauthtest.DefaultApp), "/")
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(start))
	})
}

func TestSignInThatFails(t *testing.T) {
	for name, test := range map[string]struct {
		bend func(p *oidcauthtest.Provider)
		want string
	}{
		"a refusal": {func(p *oidcauthtest.Provider) {
			p.Configure(func(s *oidcauthtest.Settings) { s.Nobody = true })
		}, "ended with 400 at https://app.example.test/auth/callback: refused: access_denied"},
		"a dropped connection": {func(p *oidcauthtest.Provider) {
			p.Intercept(oidcauthtest.Authorize, oidcauthtest.Drop())
		}, "stopped at https://id.provider.test/authorize: oidcauthtest: the server dropped the connection"},
		"another end": {func(p *oidcauthtest.Provider) {
			p.Intercept(oidcauthtest.Authorize, oidcauthtest.Redirect(303, oidcauthtest.DefaultApp+"/public"))
		}, "ended at https://app.example.test/public, not at https://app.example.test/wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			a := newApp(p, oidcauthtest.DefaultApp)
			test.bend(p)
			_, page, err := oidcauthtest.SignIn(p, a, "/wanted")
			require.ErrorContains(t, err, test.want)
			require.NotNil(t, page)
		})
	}
}

func TestTabsFinishInAnyOrder(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.Network().Handle(oidcauthtest.DefaultApp, newApp(p, oidcauthtest.DefaultApp))
	b := oidcauthtest.NewBrowser(p.Network())
	b.PauseAt(callback)
	other := b.NewTab()
	held := b.Get(oidcauthtest.DefaultApp + "/one").Paused
	require.Equal(t, "hello alice", other.Get(oidcauthtest.DefaultApp+"/two").Body)
	require.Equal(t, http.StatusBadRequest, b.Go(held).Status, "this app has one transaction cookie; the second tab took its place")
	require.Len(t, p.Sessions(), 1, "the tabs share the provider's session")
}
