package oidcauth_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A town is an application with Providers below /auth/, providers, and a browser, all in memory.
type town struct {
	*testing.T
	network   *oidcauthtest.Network
	providers *oidcauth.Providers
	idps      map[string]*oidcauthtest.Provider
	browser   *oidcauthtest.Browser
	mux       *http.ServeMux
	log       *logBuffer
}

// newTown makes a town with the providers acme and bolt, of which each has its own user.
func newTown(t *testing.T, configure ...func(*oidcauth.ProvidersConfig)) *town {
	t.Helper()
	w := &town{T: t, network: oidcauthtest.NewNetwork(), idps: map[string]*oidcauthtest.Provider{}, log: new(logBuffer)}
	w.providers = w.replica(configure...)
	w.mux = townMux(w.providers)
	w.network.Handle(app, w.mux)
	w.browser = oidcauthtest.NewBrowser(w.network)
	for _, name := range []string{"acme", "bolt"} {
		w.open(name)
		require.NoError(t, w.providers.Add(name, w.config(name)))
	}
	return w
}

// replica makes Providers of w's network without any provider.
func (w *town) replica(configure ...func(*oidcauth.ProvidersConfig)) *oidcauth.Providers {
	w.Helper()
	c := oidcauth.ProvidersConfig{
		URL: app + "/auth/", Session: session.Config{Keys: []string{testKey}, Store: session.NewMemoryStore()}, HTTPClient: w.network.Client(),
		Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range configure {
		f(&c)
	}
	p, err := oidcauth.NewProviders(c)
	require.NoError(w, err)
	return p
}

// townMux is a small application around p.
func townMux(p *oidcauth.Providers) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/auth/", p)
	mux.Handle("/{$}", p.Load(http.HandlerFunc(writeUser)))
	mux.Handle("/any", p.RequireAny()(http.HandlerFunc(writeUser)))
	for _, name := range []string{"acme", "bolt"} {
		mux.Handle("/"+name+"/", p.Require(name)(http.HandlerFunc(writeUser)))
	}
	return mux
}

// open makes an identity provider for a tenant, whose user is called as the tenant is.
func (w *town) open(name string) *oidcauthtest.Provider {
	w.Helper()
	return w.openAt(name, "https://"+name+".provider.test")
}

// openAt is open at an issuer.
func (w *town) openAt(name, issuer string) *oidcauthtest.Provider {
	w.Helper()
	idp := oidcauthtest.NewProvider(oidcauthtest.Settings{
		Issuer: issuer, User: &oidcauthtest.User{Subject: "user-of-" + name},
		Clients: []oidcauthtest.Client{{
			ID: name + "-client", Secret: name + "-secret", RedirectURIs: []string{app + "/auth/" + name + "/callback"},
			PostLogoutRedirectURIs: []string{app + "/auth/" + name + "/signed-out"},
		}},
	})
	w.network.Handle(issuer, idp)
	w.idps[name] = idp
	return idp
}

// config is that of the tenant called name.
func (w *town) config(name string) oidcauth.Config {
	w.Helper()
	require.NotNil(w, w.idps[name])
	return oidcauth.Config{Issuer: w.idps[name].Issuer(), ClientID: name + "-client", ClientSecret: name + "-secret", Scopes: []string{"offline_access"}}
}

// signIn signs the user of a tenant in.
func (w *town) signIn(name string) {
	w.Helper()
	page := w.browser.NewTab().Get(app + "/" + name + "/")
	require.NoError(w, page.Err)
	require.Equal(w, http.StatusOK, page.Status, page.Body)
	require.Equal(w, name, w.user().Provider)
}

// user returns who the application says is signed in, nil for nobody.
func (w *town) user() *oidcauth.User {
	w.Helper()
	page := w.browser.NewTab().Get(app + "/")
	require.Equal(w, http.StatusOK, page.Status, page.Body)
	var u *oidcauth.User
	require.NoError(w, json.Unmarshal([]byte(page.Body), &u))
	return u
}

// get is the answer to a page view, without following redirects.
func (w *town) get(target string) *oidcauthtest.Page {
	w.Helper()
	page := w.browser.NewTab().Get(app + target)
	require.NoError(w, page.Err)
	return page
}

// fetch is the answer to a script of the application's start page.
func (w *town) fetch(target string) *oidcauthtest.Page {
	w.Helper()
	tab := w.browser.NewTab()
	require.NoError(w, tab.Get(app+"/").Err)
	return tab.Fetch(app+target, oidcauthtest.FetchOptions{})
}
