package oidcauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// An ID token of a refresh may have no nonce, and then nothing but its audience tells it from an
// access token of type JWT.
func TestAnIDTokenForOneOfProvidersIsNoAccessToken(t *testing.T) {
	w := newTown(t)
	idp := w.idps["acme"]
	member, err := w.providers.Get("acme")
	require.NoError(t, err)
	apiOf := func(i oidcauth.TokenIssuer) http.Handler {
		resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{
			URL: ordersAPI, Audience: []string{ordersAPI, "acme-client"}, Issuers: []oidcauth.TokenIssuer{i}, HTTPClient: w.network.Client(),
		})
		require.NoError(t, err)
		return resource.Require()(http.HandlerFunc(writeCaller))
	}
	check := func(name string, api http.Handler) {
		good := accessToken(idp, typed("JWT"))
		require.Equal(t, http.StatusOK, askOf(api, http.MethodGet, "/orders", "Authorization", "Bearer "+good).Code, "control: %s", name)
		idToken := accessToken(idp, typed("JWT"), claim("aud", "acme-client"))
		requireTokenRefused(t, askOf(api, http.MethodGet, "/orders", "Authorization", "Bearer "+idToken), http.StatusUnauthorized, "invalid_token")
	}
	check("of a member", apiOf(oidcauth.TokenIssuer{Auth: member}))
	check("by its issuer", apiOf(oidcauth.TokenIssuer{Issuer: idp.Issuer()}))
	require.NoError(t, w.providers.Remove(t.Context(), "acme"))
	check("after it was removed", apiOf(oidcauth.TokenIssuer{Issuer: idp.Issuer()}))
}
