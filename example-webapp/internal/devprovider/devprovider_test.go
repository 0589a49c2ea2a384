package devprovider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/devprovider"
	"github.com/signet-go/signet/oidcauth"
)

func TestDevProviderSignsIn(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	require.Equal(t, http.StatusOK, b.open(rp.authorizeURL()).Status)
	for _, user := range devprovider.Users {
		require.Contains(t, b.page.Body, user.Username, "the form shows who can sign in")
		require.Contains(t, b.page.Body, user.Password, "and with which password")
	}
	query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
	require.Equal(t, "the-state", query.Get("state"))
	require.Equal(t, rp.Issuer, query.Get("iss"), "RFC 9207")

	status, answer := rp.redeem(query.Get("code"))
	require.Equal(t, http.StatusOK, status)
	require.LessOrEqual(t, answer.ExpiresIn, 300, "short, so that a refresh can be watched")
	id := rp.claims(answer.IDToken, jose.RS256)
	require.Equal(t, rp.Issuer, id["iss"])
	require.Equal(t, rp.ClientID, id["aud"])
	require.Equal(t, "the-nonce", id["nonce"])
	require.Equal(t, "Alice Adams", id["name"])
	require.Equal(t, []any{"admin", "user"}, id["roles"])
	require.InDelta(t, time.Now().Unix(), id["auth_time"], 60)
	require.NotEmpty(t, id["sid"])

	access := rp.claims(answer.AccessToken, jose.RS256)
	require.Equal(t, nowhere+"/demo/api", access["aud"])
	require.Equal(t, id["sub"], access["sub"])
	var info map[string]any
	require.Equal(t, http.StatusOK, rp.get("/userinfo", answer.AccessToken, &info))
	require.Equal(t, "alice@example.com", info["email"])
	require.Equal(t, id["sub"], info["sub"])

	status, _ = rp.redeem(query.Get("code"))
	require.Equal(t, http.StatusBadRequest, status, "a code is good for once")
}

func TestDevProviderGivesWhatScopesSay(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	b.open(rp.authorizeURL("scope", "openid email"))
	query := rp.answer(b, func() { b.signIn("bob", "builder") })
	_, answer := rp.redeem(query.Get("code"))
	require.Empty(t, answer.RefreshToken, "no offline_access, no refresh token")
	id := rp.claims(answer.IDToken, jose.RS256)
	require.Equal(t, "bob@example.com", id["email"])
	require.NotContains(t, id, "name")
	require.Equal(t, []any{"user"}, id["roles"])
}

func TestDevProviderRotatesRefreshTokens(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	first := rp.login(b)
	require.NotEmpty(t, first.RefreshToken)
	status, second := rp.refresh(first.RefreshToken)
	require.Equal(t, http.StatusOK, status)
	require.NotEmpty(t, second.RefreshToken)
	require.NotEqual(t, first.RefreshToken, second.RefreshToken)
	require.Equal(t, rp.claims(first.IDToken, jose.RS256)["auth_time"], rp.claims(second.IDToken, jose.RS256)["auth_time"])

	status, spent := rp.refresh(first.RefreshToken)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_grant", spent.Error)
}

func TestDevProviderRefusals(t *testing.T) {
	tests := []struct {
		name  string
		extra []string
		error string
	}{
		{"a request without PKCE is refused", []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"plain PKCE is refused", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"prompt=none without a login says login_required", []string{"prompt", "none"}, "login_required"},
		{"an unknown scope is refused", []string{"scope", "openid root"}, "invalid_scope"},
	}
	rp := startProvider(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBrowser(t)
			query := rp.answer(b, func() { b.open(rp.authorizeURL(tt.extra...)) })
			require.Equal(t, tt.error, query.Get("error"))
			require.Empty(t, query.Get("code"))
		})
	}
	t.Run("an unregistered redirect URI is not followed", func(t *testing.T) {
		p := newBrowser(t).open(rp.authorizeURL("redirect_uri", "https://evil.example/"))
		require.Equal(t, http.StatusBadRequest, p.Status)
		require.Len(t, p.Exchanges, 1, "no redirect")
		require.NotContains(t, p.Body, "evil.example")
	})
	t.Run("a wrong password asks again", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		require.Equal(t, http.StatusUnauthorized, b.signIn("alice", "builder").Status)
		require.Contains(t, b.page.Body, `role="alert"`)
		query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
		require.NotEmpty(t, query.Get("code"))
	})
	t.Run("declining says access_denied", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		query := rp.answer(b, func() { b.submit("/authorize/", url.Values{"action": {"deny"}}) })
		require.Equal(t, "access_denied", query.Get("error"))
	})
	t.Run("a finished form gives no second code", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		form := b.page
		require.NotEmpty(t, rp.answer(b, func() { b.signIn("alice", "wonderland") }).Get("code"))
		b.page = form
		require.Empty(t, rp.answer(b, func() { b.signIn("alice", "wonderland") }).Get("code"))
	})
	t.Run("another site can't post the form", func(t *testing.T) {
		b := newBrowser(t)
		b.open(rp.authorizeURL())
		b.page = b.Show("https://evil.example/", strings.ReplaceAll(b.page.Body, `action="/`, `action="`+rp.Issuer+`/`))
		require.Equal(t, http.StatusForbidden, b.signIn("alice", "wonderland").Status)
	})
}

func TestDevProviderSingleSignOn(t *testing.T) {
	rp, b := startProvider(t, nil), newBrowser(t)
	first := rp.claims(rp.login(b).IDToken, jose.RS256)

	t.Run("a second login asks no password, nor does prompt=none", func(t *testing.T) {
		query := rp.answer(b, func() { b.open(rp.authorizeURL("prompt", "none")) })
		_, answer := rp.redeem(query.Get("code"))
		second := rp.claims(answer.IDToken, jose.RS256)
		require.Equal(t, first["auth_time"], second["auth_time"])
		require.Equal(t, first["sid"], second["sid"])
	})
	t.Run("a max_age that is not reached asks no password", func(t *testing.T) {
		rp.answer(b, func() { b.open(rp.authorizeURL("max_age", "3600")) })
	})
	for _, extra := range [][]string{{"prompt", "login"}, {"max_age", "0"}} {
		t.Run(strings.Join(extra, "=")+" asks for the password", func(t *testing.T) {
			require.Contains(t, b.open(rp.authorizeURL(extra...)).Body, `name="password"`)
			query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
			require.NotEmpty(t, query.Get("code"))
		})
	}
}

func TestDevProviderSignsOut(t *testing.T) {
	logout := func(rp *relyingParty, hint string) string {
		q := url.Values{"client_id": {rp.ClientID}, "post_logout_redirect_uri": {rp.PostLogoutURI}, "state": {"bye"}}
		if hint != "" {
			q.Set("id_token_hint", hint)
		}
		return rp.Issuer + "/logout?" + q.Encode()
	}
	signedIn := func(rp *relyingParty, b *browser) bool {
		return rp.answer(b, func() { b.open(rp.authorizeURL("prompt", "none")) }).Get("code") != ""
	}
	t.Run("at once with an id_token_hint", func(t *testing.T) {
		rp, b := startProvider(t, nil), newBrowser(t)
		hint := rp.login(b).IDToken
		require.True(t, signedIn(rp, b))
		query := rp.answer(b, func() { b.open(logout(rp, hint)) })
		require.Equal(t, "bye", query.Get("state"))
		require.False(t, signedIn(rp, b))
	})
	t.Run("without a hint only after asking", func(t *testing.T) {
		rp, b := startProvider(t, nil), newBrowser(t)
		rp.login(b)
		require.Contains(t, b.open(logout(rp, "")).Body, "Sign out?")
		form := b.page
		require.True(t, signedIn(rp, b), "asking ends nothing")
		b.page = form
		require.Equal(t, "bye", rp.answer(b, func() { b.submit("/logout/", nil) }).Get("state"))
		require.False(t, signedIn(rp, b))
	})
	t.Run("a foreign post-logout address is not followed", func(t *testing.T) {
		rp, b := startProvider(t, nil), newBrowser(t)
		hint := rp.login(b).IDToken
		p := b.open(rp.Issuer + "/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://evil.example"}}.Encode())
		require.Equal(t, http.StatusBadRequest, p.Status)
		require.Len(t, p.Exchanges, 1, "no redirect")
	})
}

func TestDevProviderMachineClient(t *testing.T) {
	rp := startProvider(t, nil)
	status, answer := rp.token(url.Values{"grant_type": {"client_credentials"}})
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, answer.RefreshToken)
	require.Equal(t, rp.ClientID, rp.claims(answer.AccessToken, jose.RS256)["sub"])
}

func TestDevProviderFollowsTheConfiguration(t *testing.T) {
	for _, alg := range []jose.SignatureAlgorithm{jose.PS256, jose.ES256, jose.EdDSA} {
		t.Run("tokens are signed with "+string(alg), func(t *testing.T) {
			rp, b := startProvider(t, func(c *oidcauth.Config) { c.SigningAlg = string(alg) }), newBrowser(t)
			require.Equal(t, "Alice Adams", rp.claims(rp.login(b).IDToken, alg)["name"])
		})
	}
	t.Run("a client key authenticates by private_key_jwt", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		rp := startProvider(t, func(c *oidcauth.Config) {
			c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: key}
		})
		assertion := sign(t, key, map[string]any{
			"iss": rp.ClientID, "sub": rp.ClientID, "aud": rp.Issuer, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix(),
		})
		form := url.Values{
			"grant_type":            {"client_credentials"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
		}
		status, _ := rp.token(form)
		require.Equal(t, http.StatusOK, status)
		status, again := rp.token(form)
		require.Equal(t, http.StatusUnauthorized, status, "an assertion is good for once")
		require.Equal(t, "invalid_client", again.Error)
	})
	t.Run("an acr that logins ask for is granted", func(t *testing.T) {
		rp, b := startProvider(t, func(c *oidcauth.Config) { c.Login.ACRValues = []string{"gold", "silver"} }), newBrowser(t)
		b.open(rp.authorizeURL("acr_values", "gold silver"))
		query := rp.answer(b, func() { b.signIn("alice", "wonderland") })
		_, answer := rp.redeem(query.Get("code"))
		require.Equal(t, "gold", rp.claims(answer.IDToken, jose.RS256)["acr"])
	})
}

func TestDevProviderListensOnLoopbackOnly(t *testing.T) {
	rp := startProvider(t, nil)
	u, err := url.Parse(rp.Issuer)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", u.Hostname())
}

func TestDevProviderForgetsTheOldestLogins(t *testing.T) {
	rp := startProvider(t, nil)
	first := newBrowser(t)
	rp.login(first)
	for i := range 110 { // more than the provider's library keeps
		b := newBrowser(t)
		b.open(rp.authorizeURL("state", strconv.Itoa(i)))
		require.Equal(t, http.StatusOK, b.page.Status)
	}
	last := newBrowser(t)
	require.NotEmpty(t, rp.login(last).IDToken, "a crowd of unfinished logins locks nobody out")
}
