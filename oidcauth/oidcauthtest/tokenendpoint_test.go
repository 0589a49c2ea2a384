package oidcauthtest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestCodeIsRedeemedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		overrides []string
		want      string
	}{
		"a sound request is answered":        {},
		"a wrong code_verifier is refused":   {[]string{"code_verifier", verifier + "x"}, "invalid_grant"},
		"a missing code_verifier is refused": {[]string{"code_verifier", ""}, "invalid_grant"},
		"a wrong redirect_uri is refused":    {[]string{"redirect_uri", callback + "?x"}, "invalid_grant"},
		"a missing redirect_uri is refused":  {[]string{"redirect_uri", ""}, "invalid_grant"},
		"an unknown code is refused":         {[]string{"code", "guessed"}, "invalid_grant"},
		"a grant_type of its own is refused": {[]string{"grant_type", "password"}, "unsupported_grant_type"},
		"more scope than granted is refused": {[]string{"scope", "openid admin"}, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			status, answer := token(t, p, codeForm(newCode(t, p), test.overrides...))
			if test.want != "" {
				require.Equal(t, http.StatusBadRequest, status)
				require.Equal(t, test.want, answer["error"])
				return
			}
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "Bearer", answer["token_type"])
			require.Equal(t, 600.0, answer["expires_in"])
			_, claims := verified(t, p, answer["id_token"])
			require.Equal(t, "the-nonce", claims["nonce"])
		})
	}
}

func TestSecondUseOfACodeRevokesItsTokens(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	code := newCode(t, p)
	_, answer := token(t, p, codeForm(code))
	status, again := token(t, p, codeForm(code))
	require.Equal(t, http.StatusBadRequest, status, again)
	status, _ = token(t, p, refreshForm(answer["refresh_token"]))
	require.Equal(t, http.StatusBadRequest, status)
	status, _, _ = get(t, p, oidcauthtest.API, header("Authorization", "Bearer "+answer["access_token"].(string)))
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestCodeExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		early, late := newCode(t, p), newCode(t, p)
		time.Sleep(time.Minute)
		status, _ := token(t, p, codeForm(early))
		require.Equal(t, http.StatusOK, status)
		time.Sleep(time.Nanosecond)
		status, answer := token(t, p, codeForm(late))
		require.Equal(t, http.StatusBadRequest, status, answer)
	})
}

func TestRefreshTokenIsForOfflineAccess(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	_, answer := token(t, p, codeForm(newCode(t, p, "scope", "openid")))
	require.NotContains(t, answer, "refresh_token")
	require.Contains(t, signedIn(t, p), "refresh_token")
}

func TestRefreshRotates(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	first := signedIn(t, p)
	status, second := token(t, p, refreshForm(first["refresh_token"]))
	require.Equal(t, http.StatusOK, status, second)
	require.NotEqual(t, first["refresh_token"], second["refresh_token"])
	require.NotEqual(t, first["access_token"], second["access_token"])
	_, before := verified(t, p, first["id_token"])
	_, after := verified(t, p, second["id_token"])
	for _, name := range []string{"iss", "sub", "aud", "sid", "nonce", "auth_time"} {
		require.Equal(t, before[name], after[name], name)
	}

	status, answer := token(t, p, refreshForm(first["refresh_token"]))
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_grant", answer["error"])
	status, _ = token(t, p, refreshForm(second["refresh_token"]))
	require.Equal(t, http.StatusBadRequest, status, "reuse revokes the family")
	status, _, _ = get(t, p, oidcauthtest.API, header("Authorization", "Bearer "+second["access_token"].(string)))
	require.Equal(t, http.StatusUnauthorized, status, "and its access tokens")
}

func TestReuseGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{ReuseGrace: 10 * time.Second})
		first := signedIn(t, p)
		for range 2 {
			status, answer := token(t, p, refreshForm(first["refresh_token"]))
			require.Equal(t, http.StatusOK, status, answer)
			time.Sleep(10 * time.Second)
		}
		status, _ := token(t, p, refreshForm(first["refresh_token"]))
		require.Equal(t, http.StatusBadRequest, status, "after the grace it is a reuse")
	})
}

func TestStaticRefreshTokens(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{StaticRefreshTokens: true})
	first := signedIn(t, p)
	for range 2 {
		status, answer := token(t, p, refreshForm(first["refresh_token"]))
		require.Equal(t, http.StatusOK, status, answer)
		require.NotContains(t, answer, "refresh_token")
	}
}

func TestGrantsAreTheirClients(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.Register(oidcauthtest.Client{ID: "other", Secret: "s"})
	code := newCode(t, p)
	require.Equal(t, http.StatusBadRequest, first(post(t, p, oidcauthtest.TokenEndpoint, codeForm(code), basic("other", "s"))))
	require.Equal(t, http.StatusOK, first(post(t, p, oidcauthtest.TokenEndpoint, codeForm(code), basic("app", "app-secret"))), "the stranger did not spend it")
	answer := signedIn(t, p)
	status, _, _ := post(t, p, oidcauthtest.TokenEndpoint, refreshForm(answer["refresh_token"]), basic("other", "s"))
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = token(t, p, refreshForm(answer["refresh_token"]))
	require.Equal(t, http.StatusOK, status)
}

func TestRevokedGrants(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	answer := signedIn(t, p)
	p.ExpireAccessTokens()
	bearer := header("Authorization", "Bearer "+answer["access_token"].(string))
	status, _, _ := get(t, p, oidcauthtest.API, bearer)
	require.Equal(t, http.StatusUnauthorized, status)
	p.RevokeTokens("somebody else")
	status, answer = token(t, p, refreshForm(answer["refresh_token"]))
	require.Equal(t, http.StatusOK, status)
	p.RevokeTokens("alice")
	status, answer = token(t, p, refreshForm(answer["refresh_token"]))
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_grant", answer["error"])
}

func TestClientCredentials(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	status, answer := token(t, p, url.Values{"grant_type": {"client_credentials"}, "scope": {"reports"}, "resource": {"https://r.test", "https://s.test"}})
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, answer, "id_token")
	require.NotContains(t, answer, "refresh_token")
	head, claims := verified(t, p, answer["access_token"])
	require.Equal(t, "at+jwt", head["typ"])
	require.Equal(t, []any{"app", "reports", []any{"https://r.test", "https://s.test"}}, []any{claims["sub"], claims["scope"], claims["aud"]})

	p.Register(oidcauthtest.Client{ID: "public"})
	status, _, answer = post(t, p, oidcauthtest.TokenEndpoint, url.Values{"grant_type": {"client_credentials"}, "client_id": {"public"}})
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "unauthorized_client", answer["error"])
}

func TestTokenAnswersBend(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendTokens(func(a *oidcauthtest.TokenAnswer) {
		if a.Grant != "refresh_token" {
			return
		}
		a.Delete("id_token", "refresh_token")
		a.Set("expires_in", json.RawMessage("1.5"))
		a.Set("token_type", a.ClientID+a.Request.Get("grant_type"))
	})
	first := signedIn(t, p)
	require.Equal(t, "Bearer", first["token_type"])
	_, second := token(t, p, refreshForm(first["refresh_token"]))
	require.Equal(t, 1.5, second["expires_in"])
	require.Equal(t, "apprefresh_token", second["token_type"])
	require.NotContains(t, second, "id_token")
	require.NotContains(t, second, "refresh_token")
}
