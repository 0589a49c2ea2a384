package oidcauth_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/signet-go/signet/oidcauth"
	"github.com/stretchr/testify/require"
)

const goodAnswer = `{"access_token":"at-1","token_type":"Bearer","expires_in":300,"refresh_token":"rt-1","id_token":"a.b.c","scope":"openid"}`

func grant() url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {"code-4711-of-alice"}, "code_verifier": {"verifier-0815-of-alice"}}
}

func TestATokenRequestIsOnePost(t *testing.T) {
	op := newFakeOP(t)
	op.handle("/token", 200, "application/json", goodAnswer)
	answer, err := op.endpoint().Token(background(), grant())
	require.NoError(t, err)
	require.Equal(t, "at-1", answer.AccessToken)
	require.Equal(t, "Bearer", answer.TokenType)
	require.Equal(t, "rt-1", answer.RefreshToken)
	require.Equal(t, "a.b.c", answer.IDToken)
	require.Equal(t, "openid", answer.Scope)
	require.False(t, answer.Expiry.IsZero())
	r := op.last("/token")
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, "code-4711-of-alice", r.PostForm.Get("code"))
	require.Empty(t, r.URL.RawQuery)
	require.Equal(t, 1, op.hits("/token"))
}

func TestBasicCredentialsAreFormEncodedFirst(t *testing.T) {
	op := newFakeOP(t)
	op.handle("/token", 200, "application/json", goodAnswer)
	_, err := op.endpoint(func(c *oidcauth.Config) { c.ClientID, c.ClientSecret = "shop:1 ü", "a b+c%d:é" }).Token(background(), grant())
	require.NoError(t, err)
	user, password, ok := op.last("/token").BasicAuth()
	require.True(t, ok)
	require.Equal(t, "shop%3A1+%C3%BC", user)
	require.Equal(t, "a+b%2Bc%25d%3A%C3%A9", password)
	require.NotContains(t, op.last("/token").PostForm, "client_secret")
}
