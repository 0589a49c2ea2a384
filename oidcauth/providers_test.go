package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// townModes are the ways in which a town keeps its sessions.
var townModes = map[string]func(*oidcauth.ProvidersConfig){
	"cookie":           func(c *oidcauth.ProvidersConfig) { c.Session.Store = nil },
	"cookie and store": func(*oidcauth.ProvidersConfig) {},
	"server side":      func(c *oidcauth.ProvidersConfig) { c.Session.ServerSide = true },
}

// inEachTown runs f in each mode, in a bubble of its own.
func inEachTown(t *testing.T, f func(t *testing.T, w *town)) {
	t.Helper()
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, newTown(t, mode)) })
		})
	}
}

func TestUsersAreThoseOfTheProviderTheySignedInAt(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		w.signIn("acme")
		require.Equal(t, "user-of-acme", w.user().Subject)
		require.Equal(t, "acme", w.user().Provider)
		w.signIn("bolt")
		require.Equal(t, "user-of-bolt", w.user().Subject, "a session of acme is nobody's at a guard of bolt")
	})
}

func TestAGuardOfOneProviderTakesThatNameAlone(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		c := w.config("acme")
		c.ClientID = "other-client"
		require.NoError(t, w.providers.Add("twin", c), "another client at the same issuer")
		w.signIn("acme")
		w.mux.Handle("/twin", w.providers.Require("twin")(http.HandlerFunc(writeUser)))
		require.Equal(t, http.StatusUnauthorized, w.fetch("/twin").Status)
		require.Equal(t, http.StatusOK, w.fetch("/acme/").Status, "its own guard takes it")
	})
}

func TestWhatAddRefuses(t *testing.T) {
	w := newTown(t)
	for _, row := range []struct {
		name   string
		as     string
		change func(*oidcauth.Config)
		says   string
	}{
		{"a name that is there", "acme", func(c *oidcauth.Config) { c.ClientID = "x" }, "Replace"},
		{"an issuer and client that are there under another name", "acme2", func(*oidcauth.Config) {}, `"acme"`},
		{"an empty name", "", func(c *oidcauth.Config) { c.ClientID = "x" }, "lower-case"},
		{"a name with a capital letter", "Acme", func(c *oidcauth.Config) { c.ClientID = "x" }, "lower-case"},
		{"a name with a slash", "a/b", func(c *oidcauth.Config) { c.ClientID = "x" }, "lower-case"},
		{"a name of dots", "..", func(c *oidcauth.Config) { c.ClientID = "x" }, "lower-case"},
		{"a name that ends with a dash", "a-", func(c *oidcauth.Config) { c.ClientID = "x" }, "lower-case"},
		{"a name of 64 bytes", strings.Repeat("a", 64), func(c *oidcauth.Config) { c.ClientID = "x" }, "63"},
		{"the name of a route", "login", func(c *oidcauth.Config) { c.ClientID = "x" }, "route"},
		{"an issuer on loopback", "own", func(c *oidcauth.Config) { c.Issuer = "http://127.0.0.1:8080" }, "InsecureAnyAddress"},
		{"an issuer at localhost", "own", func(c *oidcauth.Config) { c.Issuer = "http://localhost:8080" }, "InsecureAnyAddress"},
		{"an issuer at a private address", "own", func(c *oidcauth.Config) { c.Issuer = "https://10.0.0.7" }, "InsecureAnyAddress"},
		{"an issuer at the metadata address of clouds", "own", func(c *oidcauth.Config) { c.Issuer = "https://169.254.169.254" }, "InsecureAnyAddress"},
		{"sessions of its own", "own", func(c *oidcauth.Config) { c.ClientID, c.Session.Keys = "x", []string{testKey} }, "Session"},
		{"a callback elsewhere", "own", func(c *oidcauth.Config) { c.ClientID, c.RedirectURL = "x", app+"/auth/acme/callback" }, "/auth/own/callback"},
		{"a configuration with a mistake", "own", func(c *oidcauth.Config) { c.ClientID = "" }, "ClientID"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := w.config("acme")
			row.change(&c)
			require.ErrorContains(t, w.providers.Add(row.as, c), row.says)
			require.Len(t, w.providers.List(), 2)
		})
	}
	own := w.config("acme")
	own.Issuer = "http://127.0.0.1:8080"
	require.NoError(t, w.providers.Add("own", own, oidcauth.InsecureAnyAddress()), "what is allowed by name")
	at := w.config("acme")
	at.ClientID, at.RedirectURL = "x", "https://acme.example.test/auth/hosted/callback"
	require.NoError(t, w.providers.Add(strings.Repeat("a", 63), oidcauth.Config{Issuer: at.Issuer, ClientID: "y"}))
	require.NoError(t, w.providers.Add("hosted", at), "a host of its own")
}

func TestProvidersReportTheirMistakes(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*oidcauth.ProvidersConfig)
		says   string
	}{
		{"no URL", func(c *oidcauth.ProvidersConfig) { c.URL = "" }, "ProvidersConfig.URL"},
		{"a URL without a path", func(c *oidcauth.ProvidersConfig) { c.URL = app + "/" }, "ProvidersConfig.URL"},
		{"plain http", func(c *oidcauth.ProvidersConfig) { c.URL = "http://app.example.com/auth/" }, "ProvidersConfig.URL"},
		{"no keys", func(c *oidcauth.ProvidersConfig) { c.Session.Keys = nil }, "Keys"},
		{"cookies that don't reach", func(c *oidcauth.ProvidersConfig) { c.Session.CookiePath = "/elsewhere" }, "CookiePath"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := oidcauth.ProvidersConfig{URL: app + "/auth/", Session: session.Config{Keys: []string{testKey}}}
			row.change(&c)
			_, err := oidcauth.NewProviders(c)
			require.ErrorContains(t, err, row.says)
		})
	}
}

func TestProvidersAndAuthenticatorsHaveDistinctRoutes(t *testing.T) {
	w := newTown(t)
	c := w.config("acme")
	c.ClientID, c.Sessions, c.RedirectURL = "x", w.providers.Sessions(), app+"/auth/alone/callback"
	_, err := oidcauth.New(c)
	require.ErrorContains(t, err, "Providers")
	c.RedirectURL = app + "/alone/callback"
	alone, err := oidcauth.New(c)
	require.NoError(t, err)
	require.ErrorContains(t, w.providers.Add("x", oidcauth.Config{Issuer: c.Issuer, ClientID: "x"}), "Authenticator")
	w.signIn("acme")
	w.mux.Handle("/alone", alone.RequireLogin(http.HandlerFunc(writeUser)))
	require.Equal(t, http.StatusUnauthorized, w.fetch("/alone").Status, "a user of Providers is a stranger to it")
	_, err = oidcauth.NewProviders(oidcauth.ProvidersConfig{URL: app + "/b/", Sessions: w.providers.Sessions()})
	require.ErrorContains(t, err, "already")
}

func TestListTellsWhatIsThere(t *testing.T) {
	w := newTown(t)
	require.Equal(t, []oidcauth.ProviderInfo{
		{Name: "acme", Issuer: "https://acme.provider.test", ClientID: "acme-client"}, {Name: "bolt", Issuer: "https://bolt.provider.test", ClientID: "bolt-client"},
	}, w.providers.List())
	_, err := w.providers.Get("acme")
	require.NoError(t, err)
	_, err = w.providers.Get("nobody")
	require.ErrorIs(t, err, oidcauth.ErrUnknownProvider)
}

func TestAProviderThatIsNotThereIsAnswered404(t *testing.T) {
	w := newTown(t)
	for _, path := range []string{"/auth/nobody/login", "/auth/nobody/callback?code=x&state=y", "/auth/ACME/login", "/auth/%2e%2e/login"} {
		page := w.get(path)
		require.Equal(t, http.StatusNotFound, page.Status, path)
	}
	require.Contains(t, w.log.String(), "code=unknown_provider")
	require.Equal(t, http.StatusNotFound, w.get("/auth/acme/nothing").Status)
	require.Equal(t, http.StatusNotFound, w.get("/auth/acme").Status)
}

func TestEachProviderSignsOutItsOwn(t *testing.T) {
	inEachTown(t, func(t *testing.T, w *town) {
		w.signIn("acme")
		tab := w.browser.NewTab()
		tab.Get(app + "/")
		page := tab.Post(app+"/auth/logout", nil)
		require.NoError(t, page.Err)
		require.Nil(t, w.user())
		require.NotZero(t, w.idps["acme"].Count("end_session"))
		require.Contains(t, w.log.String(), "msg=logout provider=acme issuer=https://acme.provider.test")
		require.NotContains(t, w.log.String(), "msg=logout provider=bolt")
	})
}
