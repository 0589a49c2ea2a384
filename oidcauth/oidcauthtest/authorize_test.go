package oidcauthtest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestAuthorizationRequests(t *testing.T) {
	for name, test := range map[string]struct {
		overrides []string
		extra     string // appended to the query
		want      string // error of the redirect, or "page": 400 without a redirect
	}{
		"a sound request is approved":            {},
		"an unknown client gets a page":          {overrides: []string{"client_id", "stranger"}, want: "page"},
		"a foreign redirect_uri gets a page":     {overrides: []string{"redirect_uri", "https://evil.test/"}, want: "page"},
		"a longer redirect_uri gets a page":      {overrides: []string{"redirect_uri", callback + "/"}, want: "page"},
		"a missing redirect_uri gets a page":     {overrides: []string{"redirect_uri", ""}, want: "page"},
		"a doubled parameter gets a page":        {extra: "&state=again", want: "page"},
		"resource may be doubled":                {extra: "&resource=https://a.test&resource=https://b.test"},
		"an unknown request_uri gets a page":     {overrides: []string{"request_uri", "urn:x"}, want: "page"},
		"a missing code_challenge is refused":    {overrides: []string{"code_challenge", ""}, want: "invalid_request"},
		"a short code_challenge is refused":      {overrides: []string{"code_challenge", "short"}, want: "invalid_request"},
		"plain PKCE is refused":                  {overrides: []string{"code_challenge_method", "plain"}, want: "invalid_request"},
		"an implied plain PKCE is refused":       {overrides: []string{"code_challenge_method", ""}, want: "invalid_request"},
		"another response_type is refused":       {overrides: []string{"response_type", "id_token"}, want: "unsupported_response_type"},
		"another response_mode is refused":       {overrides: []string{"response_mode", "fragment"}, want: "invalid_request"},
		"a scope without openid is refused":      {overrides: []string{"scope", "profile"}, want: "invalid_scope"},
		"prompt=none does not go with others":    {overrides: []string{"prompt", "none login"}, want: "invalid_request"},
		"prompt=none without a session":          {overrides: []string{"prompt", "none"}, want: "login_required"},
		"prompt=login without a session":         {overrides: []string{"prompt", "login"}},
		"an unsigned request object gets a page": {overrides: []string{"request", "eyJhbGciOiJub25lIn0.e30."}, want: "page"},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			q, err := url.ParseQuery(authorizeQuery(test.overrides...).Encode() + test.extra)
			require.NoError(t, err)
			params, status := authorize(t, p, q)
			if test.want == "page" {
				require.Equal(t, http.StatusBadRequest, status)
				return
			}
			require.Equal(t, test.want, params.Get("error"), params)
			require.Equal(t, test.want == "", params.Has("code"))
			require.Equal(t, "the-state", params.Get("state"))
			require.Equal(t, p.Issuer(), params.Get("iss"))
		})
	}
}

func TestSingleSignOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		b := oidcauthtest.NewBrowser(p)
		b.PauseAt(oidcauthtest.DefaultApp)
		ask := func(overrides ...string) url.Values {
			u, err := url.Parse(b.Get(p.URL(oidcauthtest.Authorize) + "?" + authorizeQuery(overrides...).Encode()).Paused.URL)
			require.NoError(t, err)
			return u.Query()
		}
		claims := func(params url.Values) map[string]any {
			_, answer := token(t, p, codeForm(params.Get("code")))
			_, claims := verified(t, p, answer["id_token"])
			return claims
		}
		first := claims(ask())
		time.Sleep(time.Minute)
		silent := claims(ask("prompt", "none"))
		require.Equal(t, first["sid"], silent["sid"])
		require.Equal(t, first["auth_time"], silent["auth_time"])
		require.Equal(t, first["auth_time"], claims(ask("max_age", "61"))["auth_time"])
		require.Equal(t, "login_required", ask("prompt", "none", "max_age", "60").Get("error"))

		stepUp := claims(ask("max_age", "60", "acr_values", "gold silver"))
		require.Equal(t, first["auth_time"].(float64)+60, stepUp["auth_time"])
		require.NotEqual(t, first["sid"], stepUp["sid"])
		require.Equal(t, "gold", stepUp["acr"])

		p.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "bob"} })
		require.Equal(t, "login_required", ask("prompt", "none").Get("error"))
		require.Equal(t, "bob", claims(ask())["sub"])
		p.Configure(func(s *oidcauthtest.Settings) { s.Nobody = true })
		require.Equal(t, "access_denied", ask().Get("error"))
		require.Len(t, p.Sessions(), 3)
	})
}

func TestAuthorizationHookDecides(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendAuthorization(func(a *oidcauthtest.Authorization) {
		require.Equal(t, "me", a.Request.Get("login_hint"))
		a.User, a.ACR, a.Session = &oidcauthtest.User{Subject: "carol"}, "silver", "the-sid"
	})
	_, answer := token(t, p, codeForm(newCode(t, p, "login_hint", "me")))
	_, claims := verified(t, p, answer["id_token"])
	require.Equal(t, []any{"carol", "silver", "the-sid"}, []any{claims["sub"], claims["acr"], claims["sid"]})

	p.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error, a.ErrorDescription = "temporarily_unavailable", "<b>" })
	params, _ := authorize(t, p, authorizeQuery())
	require.Equal(t, "temporarily_unavailable", params.Get("error"))
	require.Equal(t, "<b>", params.Get("error_description"))
	require.False(t, params.Has("code"))

	p.BendAuthorization(nil)
	require.NotEmpty(t, newCode(t, p))
}

func TestAuthorizationResponseHook(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) {
		r.Params.Add("code", "second")
		r.Params.Del("iss")
		r.Params.Set("state", r.Params.Get("state")+"1")
	})
	params, _ := authorize(t, p, authorizeQuery())
	require.Len(t, params["code"], 2)
	require.False(t, params.Has("iss"))
	require.Equal(t, "the-state1", params.Get("state"))

	p.BendAuthorizationResponse(func(r *oidcauthtest.AuthorizationResponse) { r.Mode = "form_post" })
	b := oidcauthtest.NewBrowser(p)
	b.PauseAt(oidcauthtest.DefaultApp)
	page := b.Get(p.URL(oidcauthtest.Authorize) + "?" + authorizeQuery().Encode())
	require.Equal(t, http.MethodPost, page.Paused.Method)
	require.Equal(t, "the-state", page.Paused.Form.Get("state"))
}

func TestPushedAuthorizationRequests(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{RequirePAR: true})
	_, status := authorize(t, p, authorizeQuery())
	require.Equal(t, http.StatusBadRequest, status, "a request that was not pushed")

	status, _, _ = post(t, p, oidcauthtest.PAR, authorizeQuery(), basic("app", "wrong"))
	require.Equal(t, http.StatusUnauthorized, status)
	status, _, answer := post(t, p, oidcauthtest.PAR, authorizeQuery("redirect_uri", "https://evil.test/"), basic("app", "app-secret"))
	require.Equal(t, http.StatusBadRequest, status, answer)
	status, _, answer = post(t, p, oidcauthtest.PAR, authorizeQuery("request_uri", "urn:x"), basic("app", "app-secret"))
	require.Equal(t, http.StatusBadRequest, status, answer)

	status, _, answer = post(t, p, oidcauthtest.PAR, authorizeQuery(), basic("app", "app-secret"))
	require.Equal(t, http.StatusCreated, status, answer)
	uri := answer["request_uri"].(string)
	require.True(t, strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:"))
	_, status = authorize(t, p, url.Values{"client_id": {"other"}, "request_uri": {uri}})
	require.Equal(t, http.StatusBadRequest, status, "another client's request_uri")
	params, _ := authorize(t, p, url.Values{"client_id": {"app"}, "request_uri": {uri}, "state": {"outside"}})
	require.NotEmpty(t, params.Get("code"))
	require.Equal(t, "the-state", params.Get("state"), "what is outside does not count")
	_, status = authorize(t, p, url.Values{"client_id": {"app"}, "request_uri": {uri}})
	require.Equal(t, http.StatusBadRequest, status, "a request_uri serves once")
}

func TestPushedRequestsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		_, _, answer := post(t, p, oidcauthtest.PAR, authorizeQuery(), basic("app", "app-secret"))
		time.Sleep(time.Minute + time.Nanosecond)
		_, status := authorize(t, p, url.Values{"client_id": {"app"}, "request_uri": {answer["request_uri"].(string)}})
		require.Equal(t, http.StatusBadRequest, status)
	})
}

func TestRequestedACR(t *testing.T) {
	for request, want := range map[[2]string]any{
		{"", ""}:            nil,
		{"gold silver", ""}: "gold",
		{"gold", `{"id_token":{"acr":{"essential":true,"value":"platinum"}}}`}:       "platinum",
		{"gold", `{"id_token":{"acr":{"essential":true,"values":["iron","gold"]}}}`}: "iron",
		{"gold", `no JSON`}: "gold",
	} {
		p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
		_, answer := token(t, p, codeForm(newCode(t, p, "acr_values", request[0], "claims", request[1])))
		_, claims := verified(t, p, answer["id_token"])
		require.Equal(t, want, claims["acr"], request)
	}
}

func TestRequestObjects(t *testing.T) {
	key := oidcauthtest.NewKey("ES256", "client-key")
	claims := map[string]any{
		"max_age": 60, "claims": map[string]any{"id_token": map[string]any{}}, "resource": []string{"urn:a", "urn:b"},
		"iss": "app", "aud": oidcauthtest.DefaultIssuer, "exp": time.Now().Add(time.Minute).Unix(),
	}
	for name, values := range authorizeQuery() {
		claims[name] = values[0]
	}
	for name, test := range map[string]struct {
		key     *oidcauthtest.Key
		outside string
		claims  map[string]any
		ok      bool
	}{
		"signed by the client's key":   {key, "app", claims, true},
		"signed by another key":        {oidcauthtest.NewKey("ES256", "client-key"), "app", claims, false},
		"with another client_id":       {key, "app", merge(claims, map[string]any{"client_id": "other"}), false},
		"with another client's inside": {key, "app", merge(claims, map[string]any{"client_id": nil}), false},
		"by another issuer":            {key, "app", merge(claims, map[string]any{"iss": "other"}), false},
		"for another provider":         {key, "app", merge(claims, map[string]any{"aud": "https://other.test"}), false},
		"without an end":               {key, "app", merge(claims, map[string]any{"exp": nil}), false},
		"that has expired":             {key, "app", merge(claims, map[string]any{"exp": time.Now().Add(-time.Second).Unix()}), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			client := oidcauthtest.DefaultClient()
			client.Keys = keySet(key)
			p.Register(client)
			seen := url.Values{}
			p.BendAuthorization(func(a *oidcauthtest.Authorization) { seen = a.Request })
			params, _ := authorize(t, p, url.Values{"client_id": {test.outside}, "request": {signed(test.key, nil, test.claims)}, "state": {"outside"}})
			require.Equal(t, test.ok, params.Has("code"))
			if test.ok {
				require.Equal(t, "the-state", params.Get("state"))
				require.Equal(t, "60", seen.Get("max_age"))
				require.JSONEq(t, `{"id_token":{}}`, seen.Get("claims"))
				require.Equal(t, []string{"urn:a", "urn:b"}, seen["resource"])
				require.False(t, seen.Has("aud"), "what is about the object is no parameter")
			}
		})
	}
}

func TestResponsesAsJWTs(t *testing.T) {
	for mode, carried := range map[string]string{"query.jwt": "query", "form_post.jwt": "form"} {
		t.Run(mode, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
			b := oidcauthtest.NewBrowser(p)
			b.PauseAt(oidcauthtest.DefaultApp)
			page := b.Get(p.URL(oidcauthtest.Authorize) + "?" + authorizeQuery("response_mode", mode).Encode())
			require.NotNil(t, page.Paused)
			params := page.Paused.Form
			if carried == "query" {
				u, err := url.Parse(page.Paused.URL)
				require.NoError(t, err)
				params = u.Query()
			}
			require.Len(t, params, 1, "nothing stands beside the JWT")
			_, claims := verified(t, p, params.Get("response"))
			require.Equal(t, p.Issuer(), claims["iss"])
			require.Equal(t, "app", claims["aud"])
			require.Equal(t, "the-state", claims["state"])
			require.NotEmpty(t, claims["code"])
			require.InDelta(t, time.Now().Add(time.Minute).Unix(), claims["exp"], 5)
		})
	}
}

func TestResponseJWTHook(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendResponseJWT(func(t *oidcauthtest.Token) { t.Claims.Set("state", "bent") })
	params, _ := authorize(t, p, authorizeQuery("response_mode", "query.jwt"))
	require.Equal(t, "bent", oidcauthtest.ParseToken(params.Get("response")).Claims.Text("state"))
}
