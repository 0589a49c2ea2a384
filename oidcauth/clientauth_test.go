package oidcauth_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func TestAClientWithoutASecretSaysOnlyWhoItIs(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.ClientSecret = "" })
	w.browser.Get(app + "/me") // the provider may refuse the client: what it was sent counts
	r := w.provider.Last(oidcauthtest.TokenEndpoint)
	require.Equal(t, "app", r.Form.Get("client_id"))
	require.Empty(t, r.Header.Get("Authorization"))
	require.NotContains(t, r.Form, "client_secret")
	require.NotContains(t, r.Form, "client_assertion")
}
