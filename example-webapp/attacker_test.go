package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAttackerTheDemoAPITakesNoIDToken(t *testing.T) {
	op := startAuthority(t, nil)
	a := op.app()
	p := a.demo("Authorization", "Bearer "+op.token(map[string]any{"aud": "client", "nonce": "n", "client_id": nil, "scope": nil}))
	require.Equal(t, http.StatusUnauthorized, p.status, "an ID token passes for an access token")
}

func TestAttackerTheDemoAPITakesNoLogoutToken(t *testing.T) {
	op := startAuthority(t, nil)
	a := op.app()
	p := a.demo("Authorization", "Bearer "+op.token(map[string]any{"aud": "client", "client_id": nil, "scope": nil,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}))
	require.Equal(t, http.StatusUnauthorized, p.status, "a logout token passes for an access token")
}
