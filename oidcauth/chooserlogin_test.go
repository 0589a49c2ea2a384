package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

func TestWhatWasTypedIsPassedOnToTheProviderThatItPicked(t *testing.T) {
	w := offering(t, byDomain)
	answer := w.post("/auth/login", url.Values{"email": {"ann@cove.example"}}, "same-origin")
	require.Equal(t, http.StatusSeeOther, answer.Code)
	to, err := url.Parse(answer.Header().Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "cove.provider.test", to.Host)
	require.Equal(t, "ann@cove.example", to.Query().Get("login_hint"))

	require.NotContains(t, w.log.String(), "ann@")
}

// TestAChooserBuildsNoProvider: else anybody who looks at it would keep a hundred of them in use.
func TestAChooserBuildsNoProvider(t *testing.T) {
	w := offering(t)
	r := navigation(app + "/auth/login?return_to=/any")
	r.Header.Set("Cookie", "__Host-session-provider=bolt")
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	require.Contains(t, answer.Body.String(), chooserLink("acme", "/any"))
	require.Contains(t, answer.Body.String(), chooserLink("bolt", "/any"))
	require.Zero(t, oidcauth.Built(w.providers))
}
