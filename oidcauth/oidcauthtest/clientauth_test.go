package oidcauthtest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestClientAuthentication(t *testing.T) {
	secret := "p+a s%:ß"
	encoded := basic(url.QueryEscape("app"), url.QueryEscape(secret))
	both := codeForm("", "client_id", "app", "client_secret", secret)
	for name, test := range map[string]struct {
		method string
		form   url.Values
		change request
		want   string
	}{
		"basic, form-encoded":            {"", codeForm(""), encoded, ""},
		"basic, not encoded":             {"", codeForm(""), basic("app", secret), "invalid_client"},
		"basic with another client_id":   {"", codeForm("", "client_id", "x"), encoded, "invalid_client"},
		"basic with a wrong secret":      {"", codeForm(""), basic("app", "x"), "invalid_client"},
		"an unknown client":              {"", codeForm(""), basic("x", "x"), "invalid_client"},
		"post where basic is registered": {"", both, nil, "invalid_client"},
		"post":                           {"client_secret_post", both, nil, ""},
		"post with a wrong secret":       {"client_secret_post", codeForm("", "client_id", "app", "client_secret", "x"), nil, "invalid_client"},
		"two ways at once":               {"client_secret_post", both, encoded, "invalid_request"},
		"none":                           {"none", codeForm("", "client_id", "app"), nil, ""},
		"none where a secret is due":     {"", codeForm("", "client_id", "app"), nil, "invalid_client"},
		"nobody at all":                  {"", codeForm(""), nil, "invalid_client"},
		"a doubled parameter":            {"", url.Values{"grant_type": {"a", "b"}}, encoded, "invalid_request"},
		"a query":                        {"", codeForm(""), func(r *http.Request) { encoded(r); r.URL.RawQuery = "x=1" }, "invalid_request"},
		"GET":                            {"", codeForm(""), func(r *http.Request) { encoded(r); r.Method = "GET" }, "invalid_request"},
		"JSON":                           {"", codeForm(""), func(r *http.Request) { encoded(r); r.Header.Set("Content-Type", "application/json") }, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			client := oidcauthtest.DefaultClient()
			client.Secret, client.AuthMethod = secret, test.method
			p.Register(client)
			test.form.Set("code", newCode(t, p))
			changes := []request{func(*http.Request) {}}
			if test.change != nil {
				changes[0] = test.change
			}
			status, head, answer := post(t, p, oidcauthtest.TokenEndpoint, test.form, changes...)
			if test.want == "" {
				require.Equal(t, http.StatusOK, status, answer)
				return
			}
			require.Equal(t, test.want, answer["error"])
			require.Equal(t, test.want == "invalid_client", head.Get("WWW-Authenticate") != "")
		})
	}
}

func TestClientAssertions(t *testing.T) {
	key, other := oidcauthtest.NewKey("ES256", "k1"), oidcauthtest.NewKey("ES256", "k1")
	now := time.Now()
	sound := func(changes map[string]any) map[string]any {
		return merge(map[string]any{"iss": "app", "sub": "app", "aud": oidcauthtest.DefaultIssuer, "jti": unique(),
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}, changes)
	}
	for name, test := range map[string]struct {
		key    *oidcauthtest.Key
		claims map[string]any
		form   []string
		ok     bool
	}{
		"a sound one":                {key, sound(nil), nil, true},
		"without client_id":          {key, sound(nil), []string{"client_id", ""}, true},
		"with a kid of nobody":       {oidcauthtest.SignerKey(key.Signer(), "ES256", "k2"), sound(nil), nil, false},
		"signed by another key":      {other, sound(nil), nil, false},
		"aud as a list":              {key, sound(map[string]any{"aud": []string{oidcauthtest.DefaultIssuer}}), nil, false},
		"aud the token endpoint":     {key, sound(map[string]any{"aud": oidcauthtest.DefaultIssuer + "/token"}), nil, false},
		"another iss":                {key, sound(map[string]any{"iss": "x"}), nil, false},
		"another sub":                {key, sound(map[string]any{"sub": "x"}), nil, false},
		"no jti":                     {key, sound(map[string]any{"jti": nil}), nil, false},
		"no exp":                     {key, sound(map[string]any{"exp": nil}), nil, false},
		"expired":                    {key, sound(map[string]any{"exp": now.Add(-time.Minute).Unix()}), nil, false},
		"an hour long":               {key, sound(map[string]any{"exp": now.Add(time.Hour).Unix()}), nil, false},
		"from the future":            {key, sound(map[string]any{"iat": now.Add(time.Minute).Unix()}), nil, false},
		"another assertion type":     {key, sound(nil), []string{"client_assertion_type", "x"}, false},
		"beside a client_secret":     {key, sound(nil), []string{"client_secret", "app-secret"}, false},
		"of a client_id not its own": {key, sound(nil), []string{"client_id", "x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			client := oidcauthtest.DefaultClient()
			client.Keys = keySet(key)
			p.Register(client)
			form := codeForm(newCode(t, p), "client_id", "app", "client_assertion", signed(test.key, nil, test.claims),
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			override(form, test.form)
			status, _, answer := post(t, p, oidcauthtest.TokenEndpoint, form)
			require.Equal(t, test.ok, status == http.StatusOK, answer)
			if test.ok {
				_, _, answer = post(t, p, oidcauthtest.TokenEndpoint, form)
				require.Contains(t, answer["error_description"], "jti", "an assertion serves once")
			}
		})
	}
}

func TestAssertionAudience(t *testing.T) {
	key := oidcauthtest.NewKey("EdDSA", "k1")
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	client := oidcauthtest.DefaultClient()
	client.Keys, client.AssertionAudience = keySet(key), p.URL(oidcauthtest.TokenEndpoint)
	p.Register(client)
	status, _, answer := post(t, p, oidcauthtest.TokenEndpoint, codeForm(newCode(t, p),
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", signed(key, nil, map[string]any{"iss": "app", "sub": "app", "aud": client.AssertionAudience, "jti": unique(), "exp": time.Now().Add(time.Minute).Unix()})))
	require.Equal(t, http.StatusOK, status, answer)
}
