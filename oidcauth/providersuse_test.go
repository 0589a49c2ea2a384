package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// bySegment has the first segment of a path below /of/ name the provider.
func bySegment(c *oidcauth.ProvidersConfig) {
	c.Choose = func(r *http.Request) string {
		rest, _ := strings.CutPrefix(r.URL.Path, "/of/")
		name, _, found := strings.Cut(rest, "/")
		if !found {
			return ""
		}
		return name
	}
}

func TestRequireAnyTakesUsersOfTheChosenProviderAlone(t *testing.T) {
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w := offering(t, mode, bySegment)
			w.mux.Handle("/of/", w.providers.RequireAny()(http.HandlerFunc(writeUser)))
			w.signIn("bolt")
			require.Equal(t, http.StatusOK, w.fetch("/of/bolt/").Status)
			require.Equal(t, http.StatusUnauthorized, w.fetch("/of/acme/").Status, "a user of bolt is a stranger there")
			require.Equal(t, http.StatusOK, w.fetch("/any").Status, "where nothing is chosen, each passes")
			require.Equal(t, http.StatusUnauthorized, w.fetch("/of/cove/").Status)

			page := w.get("/of/acme/x")
			require.Equal(t, http.StatusOK, page.Status, "no page asks, and the provider of last time is no matter")
			require.Equal(t, app+"/of/acme/x", page.URL)
			require.Equal(t, "acme", w.user().Provider)

			require.Equal(t, http.StatusNotFound, w.fetch("/of/gone/").Status)
			require.Equal(t, http.StatusNotFound, w.get("/of/gone/").Status)
			require.NotNil(t, w.user())
		})
	}
}

// inPlaceOf sets a variable for the time of a test.
func inPlaceOf[T any](t *testing.T, variable *T, value T) {
	before := *variable
	*variable = value
	t.Cleanup(func() { *variable = before })
}

// probe serves what the methods of w's Providers say of whoever asks.
func (w *town) probe(api string) (source, client, from *error, by **oidcauth.Authenticator) {
	source, client, from, by = new(error), new(error), new(error), new(*oidcauth.Authenticator)
	w.mux.Handle("/probe", w.providers.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		*by, *from = w.providers.From(r.Context())
		_, *source = w.providers.TokenSource(r.Context()).Token()
		res, err := w.providers.Client(r.Context()).Get(api)
		if *client = err; err == nil {
			_ = res.Body.Close()
		}
	})))
	return source, client, from, by
}

func TestTokensAreThoseOfTheProviderThatMadeTheSession(t *testing.T) {
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, mode)
			inPlaceOf(t, &http.DefaultTransport, http.RoundTripper(w.network))
			var sent []string
			w.network.Handle("https://api.test", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = append(sent, r.Header.Get("Authorization")) }))
			for _, name := range []string{"acme", "bolt"} {
				c := w.config(name)
				c.APIs = []string{"https://api.test"}
				require.NoError(t, w.providers.Replace(t.Context(), name, c))
			}
			source, client, from, by := w.probe("https://api.test/x")
			w.get("/probe")
			for _, err := range []*error{source, client, from} {
				require.ErrorIs(t, *err, oidcauth.ErrLoginRequired, "nobody is signed in")
			}
			for i, name := range []string{"acme", "bolt"} {
				w.signIn(name)
				w.get("/probe")
				require.NoError(t, *source)
				require.NoError(t, *client)
				require.NoError(t, *from)
				want, err := w.providers.Get(name)
				require.NoError(t, err)
				require.Same(t, want, *by)
				require.Len(t, sent, i+1)
			}
			require.NotEqual(t, sent[0], sent[1])
			require.NoError(t, w.providers.Remove(t.Context(), "bolt"))
			w.get("/probe")
			for _, err := range []*error{source, client, from} {
				require.ErrorIs(t, *err, oidcauth.ErrLoginRequired)
			}
			require.Len(t, sent, 2)
		})
	}
}

func TestTheSessionEndpointOfProvidersKnowsEveryUser(t *testing.T) {
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, mode, func(c *oidcauth.ProvidersConfig) { c.SessionEndpoint = true })
			require.Equal(t, http.StatusUnauthorized, w.fetch("/auth/session").Status)
			w.signIn("bolt")
			answer := w.fetch("/auth/session")
			require.Equal(t, http.StatusOK, answer.Status)
			require.Contains(t, answer.Body, `"sub":"user-of-bolt"`)
			require.Contains(t, answer.Body, `"logout_url":"/auth/logout"`)
			require.NoError(t, w.providers.Remove(t.Context(), "bolt"))
			require.Equal(t, http.StatusUnauthorized, w.fetch("/auth/session").Status)
		})
	}
}

func TestUsersOfTestsPassTheGuardsOfTheirProvider(t *testing.T) {
	w := newTown(t)
	for _, row := range []struct {
		name, provider string
		guard          func(http.Handler) http.Handler
		passes         bool
	}{
		{"a user of the guard's provider", "acme", w.providers.Require("acme"), true},
		{"a user of another", "bolt", w.providers.Require("acme"), false},
		{"a user of none", "", w.providers.Require("acme"), false},
		{"a user of one that is not there", "gone", w.providers.Require("gone"), false},
		{"a user of any, where all are taken", "bolt", w.providers.RequireAny(), true},
		{"a user of none, where all are taken", "", w.providers.RequireAny(), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, app+"/x", nil)
			answer := httptest.NewRecorder()
			passed := false
			row.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })).ServeHTTP(answer,
				r.WithContext(oidcauth.WithUser(r.Context(), &oidcauth.User{Subject: "ann", Provider: row.provider})))
			require.Equal(t, row.passes, passed)
		})
	}
	ctx := oidcauth.WithUser(t.Context(), &oidcauth.User{Subject: "ann", Provider: "acme"})
	_, err := w.providers.From(ctx)
	require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
	_, err = w.providers.TokenSource(ctx).Token()
	require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
}

// TestATenantWithAHostOfItsOwn signs its users in at that host, whose cookies are no other's.
func TestATenantWithAHostOfItsOwn(t *testing.T) {
	const host = "https://hosted.example.test"
	for name, mode := range townModes {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, mode, func(c *oidcauth.ProvidersConfig) {
				c.Choose = func(r *http.Request) string { return map[string]string{"hosted.example.test": "hosted"}[r.Host] }
			})
			idp := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://hosted.provider.test", Clients: []oidcauthtest.Client{{
				ID: "c", Secret: "s", RedirectURIs: []string{host + "/auth/hosted/callback"},
			}}})
			w.network.Handle(idp.Issuer(), idp)
			w.network.Handle(host, w.mux)
			require.NoError(t, w.providers.Add("hosted", oidcauth.Config{
				Issuer: idp.Issuer(), ClientID: "c", ClientSecret: "s", RedirectURL: host + "/auth/hosted/callback",
			}))
			page := w.browser.NewTab().Get(host + "/any?x")
			require.NoError(t, page.Err)
			require.Equal(t, http.StatusOK, page.Status, page.Body)
			require.Equal(t, host+"/any?x", page.URL)
			require.Nil(t, w.user(), "at the other host nobody is signed in")
			require.NoError(t, w.browser.NewTab().Get(host+"/").Err)
			require.NoError(t, w.providers.Remove(t.Context(), "hosted"))
			require.Equal(t, http.StatusNotFound, w.browser.NewTab().Get(host+"/any").Status)
		})
	}
}

// A boundTown's sessions are bound to the device, which can.
func boundTown(t *testing.T, mode func(*oidcauth.ProvidersConfig)) *town {
	w := newTown(t, mode, func(c *oidcauth.ProvidersConfig) { c.Session.DeviceBound = session.DeviceOn })
	w.browser.DeviceAlg = "ES256"
	w.signIn("acme")
	bound := w.browser.DeviceSessions()
	require.Len(t, bound, 1)
	require.Equal(t, []string{"acme.provider.test"}, bound[0].Initiators, "no other tenant's provider has a say")
	require.Subset(t, bound[0].Excluded, []string{"/auth/logout", "/auth/login", "/auth/acme/callback"})
	w.browser.DeleteCookie(app+"/", boundCookie)
	require.Equal(t, "acme", w.user().Provider, "the device renewed it")
	return w
}

func TestBoundSessionsOfAProviderThatGoes(t *testing.T) {
	for name, mode := range townModes {
		t.Run(name+", removed", func(t *testing.T) {
			w := boundTown(t, mode)
			require.NoError(t, w.providers.Remove(t.Context(), "acme"))
			require.Nil(t, w.user())
			w.browser.DeleteCookie(app+"/", boundCookie)
			require.Nil(t, w.user())
			w.signIn("bolt")
			require.Len(t, w.browser.DeviceSessions(), 1, "the next one is bound in its turn")
		})
		t.Run(name+", retired", func(t *testing.T) {
			w := boundTown(t, mode)
			require.NoError(t, w.providers.Retire("acme"))
			w.browser.DeleteCookie(app+"/", boundCookie)
			require.Equal(t, "acme", w.user().Provider, "its sessions live on")
			require.Equal(t, http.StatusOK, w.get("/acme/").Status)
		})
		t.Run(name+", replaced", func(t *testing.T) {
			w := boundTown(t, mode)
			require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
			w.browser.DeleteCookie(app+"/", boundCookie)
			require.Equal(t, "acme", w.user().Provider)
		})
	}
}
