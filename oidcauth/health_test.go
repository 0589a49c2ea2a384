package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func probe(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://10.0.0.1/readyz", http.NoBody))
	return w
}

func TestLivenessAsksNobody(t *testing.T) {
	answer := probe(http.HandlerFunc(oidcauth.Live))
	require.Equal(t, http.StatusOK, answer.Code)
	require.JSONEq(t, `{"status":"live"}`, answer.Body.String())
}

func TestReadinessNeedsProviderAndStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &moodyStore{Store: session.NewMemoryStore()}
		w := newWorld(t, func(c *oidcauth.Config) { c.Session.Store = store })
		other := newWorld(t)
		ready := oidcauth.Ready(w.auth, other.auth)
		answer := probe(ready)
		require.Equal(t, http.StatusOK, answer.Code)
		require.JSONEq(t, `{"status":"ready"}`, answer.Body.String())
		require.Empty(t, answer.Header().Get("Set-Cookie"))

		store.failAfter(0)
		answer = probe(ready)
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.JSONEq(t, `{"status":"not ready"}`, answer.Body.String())
		require.NotEmpty(t, answer.Header().Get("Retry-After"))
		require.Contains(t, w.log.String(), "not ready")
		store.failAfter(-1)
		require.Equal(t, http.StatusOK, probe(ready).Code)

		down := newWorld(t)
		down.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Reply(http.StatusBadGateway, "text/plain", "secret-host is down"))
		ready = oidcauth.Ready(w.auth, down.auth)
		answer = probe(ready)
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.NotContains(t, answer.Body.String(), "secret-host")
		down.provider.Intercept(oidcauthtest.Discovery)
		time.Sleep(time.Minute) // the back-off
		require.Equal(t, http.StatusOK, probe(ready).Code)
	})
}
