package oidcauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A chain: a caller's token is exchanged for the next API.
func TestACallersTokenIsExchangedForTheNextAPI(t *testing.T) {
	for name, configure := range map[string][]func(*oidcauth.Config){"Bearer": nil, "DPoP": {withDPoP}} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t, configure...)
			first, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: app, Audience: []string{"first"}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
			require.NoError(t, err)
			chain := first.Require()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.call(rw, r, w.auth.Exchange(r.Context(), oidcauth.Audience(ordersAPI)).Transport(w.network))
			}))
			token := w.issued("first")
			answer := askOf(chain, http.MethodGet, "/", "Authorization", "Bearer "+token)
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			var c oidcauth.Caller
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &c))
			require.Equal(t, []string{ordersAPI}, c.Audience)
			require.Equal(t, "app", c.ClientID)
			require.Equal(t, name == "DPoP", c.SenderConstrained)
			require.Equal(t, token, w.provider.Last(oidcauthtest.TokenEndpoint).Form.Get("subject_token"))
		})
	}
}

// issued returns an access token that the provider knows, for this audience.
func (w *exchangeWorld) issued(audience string) string {
	w.Helper()
	m, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", Resource: []string{"urn:" + audience}, HTTPClient: w.network.Client(),
	})
	require.NoError(w, err)
	w.provider.BendAccessToken(func(t *oidcauthtest.Token) {
		if t.Grant == "client_credentials" {
			t.Claims.Set("aud", audience)
		}
	})
	token, err := m.TokenSource(w.Context()).Token()
	require.NoError(w, err)
	return token.AccessToken
}

// The exchanged token lives for an hour and the caller's for ten minutes: a handler that works for
// longer, and has the former in memory, no longer acts for a caller.
func TestAnExchangeEndsWithItsCallersToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newExchangeWorld(t)
		token := w.issued(ordersAPI)
		w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("expires_in", 3600) })
		h := w.resource.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			source := w.auth.Exchange(r.Context(), oidcauth.Audience("x")).TokenSource()
			_, err := source.Token()
			require.NoError(t, err)
			time.Sleep(10*time.Minute - time.Second)
			_, err = source.Token()
			require.NoError(t, err)
			time.Sleep(time.Second)
			_, err = source.Token()
			require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
		}))
		require.Equal(t, http.StatusOK, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+token).Code)
		require.Equal(t, 1, w.exchanges())
	})
}

func TestACallerOfAnotherIssuerIsNotExchanged(t *testing.T) {
	w := newExchangeWorld(t)
	other := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://second.provider.test"})
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: app, Audience: []string{ordersAPI}, HTTPClient: other.Client(), Issuers: []oidcauth.TokenIssuer{{Issuer: other.Issuer()}}})
	require.NoError(t, err)
	h := resource.Require()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := w.auth.Exchange(r.Context(), oidcauth.Audience("x")).TokenSource().Token()
		require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
		rw.WriteHeader(http.StatusNoContent)
	}))
	require.Equal(t, http.StatusNoContent, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+accessToken(other)).Code)
	require.Zero(t, w.exchanges())
}

// One caller's client sends nothing for another.
func TestAnExchangeIsBoundToItsCaller(t *testing.T) {
	w := newExchangeWorld(t)
	var first context.Context
	h := w.resource.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if first == nil {
			first = r.Context()
			return
		}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/", http.NoBody)
		_, err := w.auth.Exchange(first, oidcauth.Audience(ordersAPI)).Client().Do(req)
		require.ErrorIs(t, err, oidcauth.ErrOtherSession)
	}))
	for range 2 {
		require.Equal(t, http.StatusOK, askOf(h, http.MethodGet, "/", "Authorization", "Bearer "+accessToken(w.provider)).Code)
	}
	require.Zero(t, w.exchanges())
}

func TestAMachinesTokenIsExchanged(t *testing.T) {
	w := newExchangeWorld(t, func(c *oidcauth.Config) { c.Machines = map[string]oidcauth.MachineConfig{"jobs": {}} })
	token, err := w.auth.Machine("jobs").Exchange(t.Context(), oidcauth.Audience(ordersAPI)).TokenSource().Token()
	require.NoError(t, err)
	require.Equal(t, ordersAPI, oidcauthtest.ParseToken(token.AccessToken).Claims.Text("aud"))
	_, err = w.auth.Machine("nobody").Exchange(t.Context()).TokenSource().Token()
	require.ErrorContains(t, err, "Config.Machines has no")
	_, err = w.auth.Machine("jobs").Exchange(t.Context(), oidcauth.SubjectIDToken()).TokenSource().Token()
	require.ErrorContains(t, err, "no ID token")
}

func TestNobodysTokenIsNotExchanged(t *testing.T) {
	w := newExchangeWorld(t)
	require.Equal(t, http.StatusUnauthorized, w.browser.Get(app+"/exchange").Status)
	require.ErrorIs(t, w.err, oidcauth.ErrLoginRequired)
	_, err := w.auth.Exchange(oidcauth.WithUser(t.Context(), &oidcauth.User{Subject: "alice"}), oidcauth.Audience("x")).TokenSource().Token()
	require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}
