package oidcauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// What our guards ask for, our clients understand (RFC 9470).
func TestOurClientUnderstandsWhatOurAPIAsksFor(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.APIs = []string{ordersAPI} })
	w.provider.BendAccessToken(claim("aud", ordersAPI))
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
	require.NoError(t, err)
	guarded := http.NewServeMux()
	guarded.Handle("/plain", resource.Require()(http.HandlerFunc(writeCaller)))
	guarded.Handle("/strong", resource.Require(oidcauth.ACR("gold"), oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeCaller)))
	guarded.Handle("/scope", resource.Require(oidcauth.HasScope("admin"))(http.HandlerFunc(writeCaller)))
	w.network.Handle(ordersAPI, guarded)
	var status int
	var failed error
	w.mux.Handle("/call/{path}", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		client := &http.Client{Transport: w.auth.Transport(w.network)}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/"+r.PathValue("path"), http.NoBody)
		res, err := client.Do(req)
		if failed = err; err == nil {
			status = res.StatusCode
			res.Body.Close()
		}
	})))
	w.browser.Get(app + "/call/plain")
	require.NoError(t, failed)
	require.Equal(t, http.StatusOK, status)
	w.browser.Get(app + "/call/scope")
	require.NoError(t, failed)
	require.Equal(t, http.StatusForbidden, status)
	w.browser.Get(app + "/call/strong")
	var stepUp *oidcauth.StepUpError
	require.ErrorAs(t, failed, &stepUp)
	require.Equal(t, []string{"gold"}, stepUp.ACRValues)
	require.Equal(t, time.Minute, stepUp.MaxAge)
}

// DPoP end to end: our client's proofs at our API, nonces included.
func TestOurClientFollowsOurNonces(t *testing.T) {
	w := newWorld(t, withDPoP, func(c *oidcauth.Config) { c.APIs = []string{ordersAPI} })
	w.provider.BendAccessToken(claim("aud", ordersAPI))
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{ordersAPI}, DPoPNonces: true, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
	require.NoError(t, err)
	w.network.Handle(ordersAPI, resource.Require()(http.HandlerFunc(writeCaller)))
	w.mux.Handle("/call", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/a%20b?q=1", http.NoBody)
		res, err := (&http.Client{Transport: w.auth.Transport(w.network)}).Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
		rw.WriteHeader(res.StatusCode)
	})))
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
}
