package oidcauth_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

const app = oidcauthtest.DefaultApp

// A world is an application with an Authenticator, a provider and a browser, all in memory.
type world struct {
	*testing.T
	provider *oidcauthtest.Provider
	network  *oidcauthtest.Network
	auth     *oidcauth.Authenticator
	browser  *oidcauthtest.Browser
	mux      *http.ServeMux
	log      *logBuffer
}

// newWorld makes a world; each of configure may change the Authenticator's configuration.
func newWorld(t *testing.T, configure ...func(*oidcauth.Config)) *world {
	t.Helper()
	w := &world{T: t, provider: oidcauthtest.NewProvider(oidcauthtest.Settings{}), log: new(logBuffer)}
	w.network = oidcauthtest.NewNetwork()
	w.network.Handle(w.provider.Issuer(), w.provider)
	w.auth = newAuthenticator(t, w, configure...)
	w.mux = appMux(w.auth)
	w.network.Handle(app, w.mux)
	w.browser = oidcauthtest.NewBrowser(w.network)
	return w
}

// newAuthenticator makes an Authenticator that reaches w's network.
func newAuthenticator(t *testing.T, w *world, configure ...func(*oidcauth.Config)) *oidcauth.Authenticator {
	t.Helper()
	c := oidcauth.Config{
		Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret",
		RedirectURL: app + "/auth/callback",
		Scopes:      []string{"profile", "email", "offline_access"},
		Session:     session.Config{Keys: []string{testKey}, Store: session.NewMemoryStore()},
		HTTPClient:  w.network.Client(),
		Logger:      slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range configure {
		f(&c)
	}
	auth, err := oidcauth.New(c)
	require.NoError(t, err)
	return auth
}

// testKey is a session key for tests.
const testKey = "c2lnbmV0LXRlc3Qta2V5LW9mLTMyLWJ5dGVzLWxvbmc="

// appMux is a small application around auth.
func appMux(auth *oidcauth.Authenticator) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/{$}", auth.Load(http.HandlerFunc(writeUser)))
	mux.Handle("/me", auth.RequireLogin(http.HandlerFunc(writeUser)))
	mux.Handle("/admin", auth.Require(oidcauth.Role("admin"))(http.HandlerFunc(writeUser)))
	return mux
}

// writeUser answers with the user as JSON.
func writeUser(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(oidcauth.UserFrom(r.Context()))
}

// signIn walks through a whole login and returns the page that it ends on.
func (w *world) signIn() *oidcauthtest.Page {
	w.Helper()
	page := w.browser.Get(app + "/me")
	require.NoError(w, page.Err)
	require.Equal(w, http.StatusOK, page.Status, page.Body)
	return page
}

// user returns who the application says is signed in, nil for nobody.
func (w *world) user() *oidcauth.User {
	w.Helper()
	page := w.browser.NewTab().Get(app + "/")
	require.Equal(w, http.StatusOK, page.Status, page.Body)
	var u *oidcauth.User
	require.NoError(w, json.Unmarshal([]byte(page.Body), &u))
	return u
}

// callbackURL starts a login and returns the callback that the provider answers with, before the browser follows it.
func (w *world) callbackURL() *oidcauthtest.Navigation {
	w.Helper()
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/callback")
	page := tab.Get(app + "/me")
	require.NoError(w, page.Err)
	require.NotNil(w, page.Paused, "no callback came: %d %s", page.Status, page.Body)
	return page.Paused
}

// authenticationRequest returns the parameters of the newest login, pushed or not.
func (w *world) authenticationRequest() url.Values {
	if pushed := w.provider.Last(oidcauthtest.PAR).Form; pushed != nil {
		return pushed
	}
	return w.provider.Last(oidcauthtest.Authorize).Form
}

// hasSession reports whether the browser has a session cookie.
func (w *world) hasSession() bool {
	return w.browser.Cookie(app+"/", "__Host-session") != nil
}

// A logBuffer collects log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// requireProtected asserts the headers that every answer of the own routes carries.
func requireProtected(t *testing.T, h http.Header) {
	t.Helper()
	require.Contains(t, h.Get("Cache-Control"), "no-store")
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
	require.True(t, strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors"))
	require.NotEmpty(t, h.Get("Referrer-Policy"))
}
