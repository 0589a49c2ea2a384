package oidcauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestWhatAnExchangeBroughtIsReadable(t *testing.T) {
	w := newExchangeWorld(t)
	w.options = append(w.options, oidcauth.Scopes("read"))
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
		if a.Grant == exchangeGrant {
			a.Set("authorization_details", []map[string]string{{"type": "orders"}})
			a.Set("refresh_token", "never-to-be-seen")
			a.Delete("scope")
		}
	})
	w.signIn()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
	require.Equal(t, "read", w.token.Extra("scope"))
	require.Equal(t, accessType, w.token.Extra("issued_token_type"))
	require.Equal(t, []any{map[string]any{"type": "orders"}}, w.token.Extra("authorization_details"))
	require.Empty(t, w.token.RefreshToken)
	w.provider.BendTokens(nil)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
}

func TestTheTokenOfWhoActsIsNoExchangedOne(t *testing.T) {
	w := newExchangeWorld(t, func(c *oidcauth.Config) { c.Machines = map[string]oidcauth.MachineConfig{"jobs": {}} })
	w.options = append(w.options, oidcauth.Actor(w.auth.Machine("jobs")))
	w.signIn()
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
		if a.Grant == exchangeGrant {
			a.Set("access_token", a.Request.Get("actor_token"))
		}
	})
	require.GreaterOrEqual(t, w.browser.Get(app+"/call").Status, 500)
	require.Equal(t, 1, w.exchanges())
	require.NotContains(t, w.network.Asked(), ordersAPI, "nothing was sent to the API")
	w.provider.BendTokens(nil)
	w.options = append(w.options, oidcauth.Scopes("read"))
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status, "control: the same actor")
}

func TestAnotherTokenThanAskedForIsNone(t *testing.T) {
	for name, bend := range map[string]func(w *exchangeWorld, a *oidcauthtest.TokenAnswer){
		"an ID token": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("issued_token_type", "urn:ietf:params:oauth:token-type:id_token")
		},
		"a refresh token": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("issued_token_type", "urn:ietf:params:oauth:token-type:refresh_token")
		},
		"a type in another case": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("issued_token_type", strings.ToUpper(accessType))
		},
		"a type in a list":       func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("issued_token_type", []string{accessType}) },
		"no type":                func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Delete("issued_token_type") },
		"one that can't be sent": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("token_type", "N_A") },
		"a bound one, unasked":   func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("token_type", "DPoP") },
		"the subject token itself": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) {
			a.Set("access_token", a.Request.Get("subject_token"))
		},
		"no token":           func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Delete("access_token") },
		"an error beside it": func(_ *exchangeWorld, a *oidcauthtest.TokenAnswer) { a.Set("error", "invalid_target") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t)
			w.signIn()
			w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { bend(w, a) })
			page := w.browser.Get(app + "/call")
			require.GreaterOrEqual(t, page.Status, 500, page.Body)
			require.NotErrorIs(t, w.err, oidcauth.ErrLoginRequired)
			require.NotContains(t, w.network.Asked(), ordersAPI, "nothing was sent to the API")
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status, "the session stays")
		})
	}
}

func TestARefusedExchangeNeverFallsBack(t *testing.T) {
	for name, row := range map[string]struct {
		status       int
		body         string
		want         int
		loginAgain   bool
		refused, out bool
	}{
		"invalid_grant":     {400, `{"error":"invalid_grant"}`, 401, true, true, false},
		"invalid_target":    {400, `{"error":"invalid_target"}`, 502, false, true, false},
		"access_denied":     {403, `{"error":"access_denied"}`, 502, false, true, false},
		"unsupported":       {400, `{"error":"unsupported_grant_type"}`, 502, false, true, false},
		"the client":        {401, `{"error":"invalid_client"}`, 502, false, true, false},
		"down":              {500, "", 503, false, false, true},
		"too many requests": {429, "", 503, false, false, true},
		"a page":            {200, "<html>", 503, false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newExchangeWorld(t)
			w.signIn()
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(row.status, "application/json", row.body))
			for range 2 {
				page := w.browser.Get(app + "/call")
				require.Equal(t, row.want, page.Status, page.Body)
			}
			var refused *oidcauth.GrantError
			var down *oidcauth.UnavailableError
			require.Equal(t, row.loginAgain, errors.Is(w.err, oidcauth.ErrLoginRequired))
			require.Equal(t, row.refused, errors.As(w.err, &refused))
			require.Equal(t, row.out, errors.As(w.err, &down))
			require.NotContains(t, w.network.Asked(), ordersAPI)
			require.Equal(t, 2, w.provider.Count(oidcauthtest.TokenEndpoint), "the login's, and one: failures are spaced out")
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status, "the session stays")
		})
	}
}

func TestAnExchangedTokenThatIsGoodBridgesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newExchangeWorld(t)
		w.signIn()
		first := w.browser.Get(app + "/exchange").Body
		time.Sleep(9*time.Minute + 30*time.Second)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", ""))
		require.NotEmpty(t, first)
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
		time.Sleep(time.Minute)
		require.NotEqual(t, http.StatusOK, w.browser.Get(app+"/exchange").Status)
	})
}
