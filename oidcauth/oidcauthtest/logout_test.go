package oidcauthtest_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestEndSession(t *testing.T) {
	signedOut := oidcauthtest.DefaultApp + "/auth/signed-out"
	for name, test := range map[string]struct {
		form  func(idToken string) url.Values
		ended bool
		back  string
		page  int
	}{
		"with hint, URI and state": {func(hint string) url.Values {
			return url.Values{"id_token_hint": {hint}, "client_id": {"app"}, "post_logout_redirect_uri": {signedOut}, "state": {"s 1"}}
		}, true, signedOut + "?state=s+1", 0},
		"without state": {func(hint string) url.Values {
			return url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOut}}
		}, true, signedOut, 0},
		"with client_id alone": {func(string) url.Values {
			return url.Values{"client_id": {"app"}, "post_logout_redirect_uri": {signedOut}}
		}, false, signedOut, 0},
		"without a URI": {func(hint string) url.Values { return url.Values{"id_token_hint": {hint}} }, true, "", 200},
		"with a foreign URI": {func(hint string) url.Values {
			return url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.test/"}}
		}, false, "", 400},
		"with a URI and nobody to vouch": {func(string) url.Values { return url.Values{"post_logout_redirect_uri": {signedOut}} }, false, "", 400},
		"with a forged hint": {func(hint string) url.Values {
			k := oidcauthtest.ParseToken(hint)
			k.Key = oidcauthtest.ForeignKey("RS256")
			return url.Values{"id_token_hint": {k.Compact()}}
		}, false, "", 400},
		"with another client's hint": {func(hint string) url.Values {
			return url.Values{"id_token_hint": {hint}, "client_id": {"other"}}
		}, false, "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			idToken := signedIn(t, p)["id_token"].(string)
			p.RotateKey() // hints outlive keys
			b := oidcauthtest.NewBrowser(p)
			b.PauseAt(oidcauthtest.DefaultApp)
			page := b.Post(p.URL(oidcauthtest.EndSession), test.form(idToken))
			if test.back != "" {
				require.Equal(t, test.back, page.Paused.URL)
			}
			require.Equal(t, test.page, page.Status)
			require.Equal(t, test.ended, len(p.Sessions()) == 0)
		})
	}
}

func TestEndSessionEndsTheBrowsersSession(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	b := oidcauthtest.NewBrowser(p)
	b.PauseAt(oidcauthtest.DefaultApp)
	b.Get(p.URL(oidcauthtest.Authorize) + "?" + authorizeQuery().Encode())
	require.Len(t, p.Sessions(), 1)
	require.Equal(t, http.StatusOK, b.Get(p.URL(oidcauthtest.EndSession)).Status)
	require.Empty(t, p.Sessions())
}

func TestLogoutTokens(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	head, claims := verified(t, p, p.LogoutToken("app", "alice", "sid-1"))
	require.Equal(t, "logout+jwt", head["typ"])
	require.Equal(t, map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, claims["events"])
	require.Equal(t, []any{p.Issuer(), "app", "alice", "sid-1"}, []any{claims["iss"], claims["aud"], claims["sub"], claims["sid"]})
	require.NotContains(t, claims, "nonce")
	_, again := verified(t, p, p.LogoutToken("app", "alice", ""))
	require.NotEqual(t, claims["jti"], again["jti"])
	require.NotContains(t, again, "sid")

	bent := p.LogoutToken("app", "", "sid-1",
		func(k *oidcauthtest.Token) { k.Claims.Set("nonce", nil) },
		func(k *oidcauthtest.Token) { k.SignWith(oidcauthtest.ForeignKey("RS256")) })
	require.False(t, accepted(t, p, bent))
	k := oidcauthtest.ParseToken(bent)
	require.True(t, k.Claims.Has("nonce"))
	require.False(t, k.Claims.Has("sub"))
}

func TestFrontChannelLogoutURL(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	u, err := url.Parse(p.FrontChannelLogoutURL("app", "sid 1"))
	require.NoError(t, err)
	require.Equal(t, url.Values{"iss": {p.Issuer()}, "sid": {"sid 1"}}, u.Query())
	require.Equal(t, oidcauthtest.DefaultApp+"/auth/frontchannel-logout", p.FrontChannelLogoutURL("app", ""))
	require.Panics(t, func() { p.FrontChannelLogoutURL("unknown", "") })
}
