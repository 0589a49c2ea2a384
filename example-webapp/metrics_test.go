package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFiguresAreOnAListenerOfTheirOwn(t *testing.T) {
	port := freePort(t)
	a, b := startApp(t, "ADMIN_ADDR", ":"+port), newBrowser(t)
	admin := "http://127.0.0.1:" + port
	b.open(a.base + "/profile")
	require.Equal(t, http.StatusOK, b.signIn("bob", devUsers()["bob"]).status)
	require.Equal(t, http.StatusForbidden, b.open(a.base+"/admin").status)

	machinery := newBrowser(t)
	figures := machinery.fetch(http.MethodGet, admin+"/metrics")
	require.Equal(t, http.StatusOK, figures.status)
	for _, line := range []string{
		`signet_operation_duration_seconds_count{signet_operation="callback",signet_outcome="ok"} 1`,
		`signet_requests_denied_total{signet_reason="denied"} 1`,
		`signet_store_duration_seconds_count{`,
		"go_goroutines ",
	} {
		require.Contains(t, figures.body, line)
	}
	require.NotContains(t, figures.body, "bob")
	require.Equal(t, http.StatusOK, machinery.fetch(http.MethodGet, admin+"/healthz").status)
	require.Equal(t, http.StatusOK, machinery.fetch(http.MethodGet, admin+"/readyz").status)
	require.Equal(t, http.StatusNotFound, machinery.fetch(http.MethodGet, admin+"/profile").status)
	require.Equal(t, http.StatusNotFound, b.open(a.base+"/metrics").status, "strangers have no figures")
}
