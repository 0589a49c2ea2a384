package oidcauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// otherSessions is a session manager of the application's own, which no Authenticator uses.
func otherSessions(t *testing.T) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{Keys: []string{testKey}, CookieName: "cart"})
	require.NoError(t, err)
	return m
}

func TestAnotherManagersSessionsDoNotHideTheUser(t *testing.T) {
	w := newTokenWorld(t)
	other := otherSessions(t)
	seen := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		require.NoError(t, session.From(r.Context()).Set("items", []byte("3")))
		require.Equal(t, "Alice Adams", oidcauth.UserFrom(r.Context()).Name)
		expiry, ok := w.auth.TokenExpiry(r.Context())
		require.True(t, ok)
		require.True(t, expiry.After(time.Now()))
		token, err := w.auth.TokenSource(r.Context()).Token()
		require.NoError(t, err)
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, oidcauthtest.DefaultIssuer+"/api", nil)
		client := w.auth.Client(r.Context())
		client.Transport = withBase(client.Transport, w.network)
		res, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		_, _ = rw.Write([]byte(token.AccessToken))
	})
	w.mux.Handle("/outside", w.auth.RequireLogin(other.Handler(seen)))
	w.mux.Handle("/inside", other.Handler(w.auth.RequireLogin(seen)))
	w.mux.Handle("/twice", w.auth.RequireLogin(other.Handler(w.auth.Require()(seen))))
	w.mux.Handle("/out", other.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.auth.Logout(rw, r) })))
	w.signIn()
	for _, path := range []string{"/outside", "/inside", "/twice"} {
		page := w.browser.Get(app + path)
		require.Equal(t, http.StatusOK, page.Status, path)
		require.NotEmpty(t, page.Body, path)
	}
	w.browser.Get(app + "/out")
	require.Nil(t, w.user())
}

func TestOfTwoManagersWithUsersTheInnermostUserCounts(t *testing.T) {
	w := newWorld(t)
	client := oidcauthtest.DefaultClient()
	client.RedirectURIs = []string{app + "/second/callback"}
	second := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://second.example.test", Clients: []oidcauthtest.Client{client}})
	w.network.Handle(second.Issuer(), second)
	other := newAuthenticator(t, w, func(c *oidcauth.Config) {
		c.Issuer, c.RedirectURL = second.Issuer(), app+"/second/callback"
		c.Session = session.Config{Keys: []string{testKey}, CookieName: "second"}
	})
	issuer := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write([]byte(oidcauth.UserFrom(r.Context()).Issuer))
	})
	w.mux.Handle("/second/", other)
	w.mux.Handle("/first-of-two", w.auth.RequireLogin(other.Load(issuer)))
	w.mux.Handle("/both", w.auth.RequireLogin(other.RequireLogin(issuer)))
	require.Equal(t, w.provider.Issuer(), w.browser.Get(app+"/first-of-two").Body)
	require.Equal(t, second.Issuer(), w.browser.Get(app+"/both").Body)
}

// withBase returns a transport of ours that sends through base.
func withBase(rt, base http.RoundTripper) http.RoundTripper {
	t := *rt.(*access.Transport)
	t.Base = base
	return &t
}
