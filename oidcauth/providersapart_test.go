package oidcauth_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// TestABadProviderCostsNobodyElseAnything: neither time nor calls, and what it costs itself is bounded.
func TestABadProviderCostsNobodyElseAnything(t *testing.T) {
	const json = "application/json"
	endpoints := map[string]oidcauthtest.Endpoint{"metadata": oidcauthtest.Discovery, "keys": oidcauthtest.JWKS, "tokens": oidcauthtest.TokenEndpoint}
	for how, layer := range map[string]oidcauthtest.Middleware{
		"never answers":        oidcauthtest.Hang(nil),
		"stalls":               oidcauthtest.Stall(json, `{"issuer":"`),
		"never ends":           oidcauthtest.Endless(json, `{"issuer":"`, "a"),
		"breaks off":           oidcauthtest.Cut(20),
		"answers with rubbish": oidcauthtest.Reply(200, json, "<html>"),
	} {
		for which, endpoint := range endpoints {
			t.Run(which+" "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { besideABadProvider(t, endpoint, layer) })
			})
		}
	}
}

// besideABadProvider has ten users wait for acme while one of bolt signs in.
func besideABadProvider(t *testing.T, endpoint oidcauthtest.Endpoint, layer oidcauthtest.Middleware) {
	const crowd = 10
	w := newTown(t)
	w.idps["acme"].Intercept(endpoint, layer)
	var waiting sync.WaitGroup
	began := time.Now()
	for range crowd {
		waiting.Go(func() {
			page := oidcauthtest.NewBrowser(w.network).NewTab().Get(app + "/acme/")
			if page.Status < http.StatusBadGateway || page.Status > http.StatusGatewayTimeout {
				t.Errorf("a user of acme got %d", page.Status)
			}
		})
	}
	synctest.Wait()
	w.signIn("bolt")
	require.Zero(t, time.Since(began), "whoever signs in elsewhere waits for nobody")
	require.Equal(t, 1, w.idps["bolt"].Count(oidcauthtest.TokenEndpoint))
	waiting.Wait()
	require.Less(t, time.Since(began), time.Minute, "who waits for it is told in time")
	require.LessOrEqual(t, w.idps["acme"].Count(endpoint), 3*crowd)
	require.Equal(t, http.StatusOK, w.get("/bolt/").Status)
}

// TestTheLogNamesTheProviderThatFailed: whoever is called at night looks there first.
func TestTheLogNamesTheProviderThatFailed(t *testing.T) {
	w := newTown(t)
	w.idps["acme"].Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", "bolt"))
	require.GreaterOrEqual(t, w.get("/acme/").Status, 500)
	require.Contains(t, w.log.String(), "provider=acme")
	require.NotContains(t, w.log.String(), "provider=bolt")
}
