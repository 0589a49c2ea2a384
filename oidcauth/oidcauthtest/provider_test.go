package oidcauthtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/stretchr/testify/require"
)

func TestMetadata(t *testing.T) {
	for _, issuer := range []string{"", "https://id.test/", "https://id.test/tenant", "https://id.test/tenant/"} {
		t.Run("issuer "+issuer, func(t *testing.T) {
			p := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: issuer})
			status, head, document := get(t, p, oidcauthtest.Discovery)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "application/json", head.Get("Content-Type"))
			require.Equal(t, p.Issuer(), document["issuer"])
			if issuer != "" {
				require.Equal(t, issuer, document["issuer"])
			}
			for member, e := range map[string]oidcauthtest.Endpoint{
				"authorization_endpoint": oidcauthtest.Authorize, "token_endpoint": oidcauthtest.TokenEndpoint,
				"jwks_uri": oidcauthtest.JWKS, "end_session_endpoint": oidcauthtest.EndSession,
			} {
				require.Equal(t, p.URL(e), document[member])
				_, err := p.Client().Get(document[member].(string))
				require.NoError(t, err)
				require.Equal(t, 1, p.Count(e), "the endpoint is where the metadata says")
			}
		})
	}
}

func TestMetadataBends(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendMetadata(func(o *oidcauthtest.Object) {
		o.Delete("end_session_endpoint")
		o.Set("token_endpoint", "http://127.0.0.1:22/")
	})
	_, _, document := get(t, p, oidcauthtest.Discovery)
	require.NotContains(t, document, "end_session_endpoint")
	require.Equal(t, "http://127.0.0.1:22/", document["token_endpoint"])
	p.BendMetadata(nil)
	_, _, document = get(t, p, oidcauthtest.Discovery)
	require.Contains(t, document, "end_session_endpoint")
}

func TestUserInfo(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	bearer := header("Authorization", "Bearer "+signedIn(t, p)["access_token"].(string))
	status, _, claims := get(t, p, oidcauthtest.UserInfo, bearer)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "alice", claims["sub"])
	require.Equal(t, "alice@example.test", claims["email"])
	require.NotContains(t, claims, "iss")

	p.BendUserInfo(func(k *oidcauthtest.Token) { k.Claims.Set("sub", "mallory") })
	_, _, claims = get(t, p, oidcauthtest.UserInfo, bearer)
	require.Equal(t, "mallory", claims["sub"])

	p.Configure(func(s *oidcauthtest.Settings) { s.SignedUserInfo = true })
	r, err := http.NewRequest(http.MethodGet, p.URL(oidcauthtest.UserInfo), nil)
	require.NoError(t, err)
	bearer(r)
	response, err := p.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "application/jwt", response.Header.Get("Content-Type"))
	_, claims = verified(t, p, string(body))
	require.Equal(t, []any{"mallory", p.Issuer(), "app"}, []any{claims["sub"], claims["iss"], claims["aud"]})
}

func TestProtectedResources(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	_, machine := token(t, p, url.Values{"grant_type": {"client_credentials"}})
	for name, test := range map[string]struct {
		endpoint  oidcauthtest.Endpoint
		value     string
		status    int
		challenge string
	}{
		"no token":                    {oidcauthtest.API, "", 401, "Bearer"},
		"an unknown token":            {oidcauthtest.API, "Bearer x", 401, `Bearer error="invalid_token"`},
		"another scheme":              {oidcauthtest.API, "Basic x", 401, `Bearer error="invalid_token"`},
		"a machine's token":           {oidcauthtest.API, "bEaReR " + machine["access_token"].(string), 200, ""},
		"a machine's at userinfo":     {oidcauthtest.UserInfo, "Bearer " + machine["access_token"].(string), 403, `Bearer error="insufficient_scope"`},
		"a refresh token for the API": {oidcauthtest.API, "Bearer " + signedIn(t, p)["refresh_token"].(string), 401, `Bearer error="invalid_token"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, head, answer := get(t, p, test.endpoint, header("Authorization", test.value))
			require.Equal(t, test.status, status, answer)
			require.True(t, strings.HasPrefix(head.Get("WWW-Authenticate"), test.challenge), head)
		})
	}
	r, err := http.NewRequest(http.MethodPut, p.URL(oidcauthtest.API)+"/orders/1?x=y", nil)
	require.NoError(t, err)
	_, _, answer := do(t, p, r, header("Authorization", "Bearer "+machine["access_token"].(string)))
	require.Equal(t, []any{"app", "app", "PUT", "/api/orders/1?x=y"}, []any{answer["sub"], answer["client_id"], answer["method"], answer["path"]})
}

func TestRevocationAndIntrospection(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.Register(oidcauthtest.Client{ID: "other", Secret: "s"})
	app := basic("app", "app-secret")
	answer := signedIn(t, p)
	active := func(value any) any {
		_, _, claims := post(t, p, oidcauthtest.Introspection, url.Values{"token": {value.(string)}}, app)
		return claims["active"]
	}
	require.Equal(t, true, active(answer["access_token"]))
	require.Equal(t, false, active("x"))

	status, _, _ := post(t, p, oidcauthtest.Revocation, url.Values{"token": {answer["access_token"].(string)}}, basic("other", "s"))
	require.Equal(t, http.StatusOK, status, "an unknown token is not an error")
	require.Equal(t, true, active(answer["access_token"]), "another client's token stays")
	_, _, _ = post(t, p, oidcauthtest.Revocation, url.Values{"token": {answer["access_token"].(string)}}, app)
	require.Equal(t, false, active(answer["access_token"]))

	_, second := token(t, p, refreshForm(answer["refresh_token"]))
	require.Equal(t, true, active(second["access_token"]))
	_, _, _ = post(t, p, oidcauthtest.Revocation, url.Values{"token": {second["refresh_token"].(string)}}, app)
	require.Equal(t, false, active(second["access_token"]))
	require.Equal(t, 400, first(post(t, p, oidcauthtest.Revocation, url.Values{}, app)))
	require.Equal(t, 401, first(post(t, p, oidcauthtest.Introspection, url.Values{}, basic("app", "x"))))

	p.BendIntrospection(func(o *oidcauthtest.Object) { o.Set("active", "yes") })
	require.Equal(t, "yes", active("x"))
}

func TestRequestsAreRecorded(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	signedIn(t, p)
	_, err := p.Client().Get(p.Issuer() + "/nowhere?x=1")
	require.NoError(t, err)
	require.Equal(t, []oidcauthtest.Endpoint{oidcauthtest.Authorize, oidcauthtest.TokenEndpoint, oidcauthtest.Unknown},
		[]oidcauthtest.Endpoint{p.Requests()[0].Endpoint, p.Requests()[1].Endpoint, p.Requests(oidcauthtest.Any)[2].Endpoint})
	exchange := p.Last(oidcauthtest.TokenEndpoint)
	require.Equal(t, "authorization_code", exchange.Form.Get("grant_type"))
	require.True(t, strings.HasPrefix(exchange.Header.Get("Authorization"), "Basic "))
	require.Equal(t, http.StatusOK, exchange.Status)
	require.Positive(t, exchange.Sent)
	require.Contains(t, string(exchange.Body), "code_verifier="+verifier)
	require.Equal(t, 404, p.Last(oidcauthtest.Unknown).Status)
	require.Equal(t, "/nowhere?x=1", p.Last(oidcauthtest.Unknown).URL.RequestURI())
	require.Equal(t, 2, p.Count(oidcauthtest.TokenEndpoint, oidcauthtest.Authorize))
	p.Forget()
	require.Zero(t, p.Count())
	require.Zero(t, p.Last(oidcauthtest.TokenEndpoint))
}

func TestProviderIsSafeForConcurrentUse(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	refresh := signedIn(t, p)["refresh_token"]
	var wg sync.WaitGroup
	statuses := make(chan int, 20)
	for i := range 20 {
		wg.Go(func() {
			p.BendIDToken(func(k *oidcauthtest.Token) { k.Claims.Set("n", i) })
			p.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "alice"} })
			p.Intercept(oidcauthtest.Discovery, oidcauthtest.SetHeader("X", "y"))
			status, _ := token(t, p, refreshForm(refresh))
			statuses <- status
			p.Requests()
		})
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	require.Equal(t, map[int]int{200: 1, 400: 19}, count, "one refresh wins")
}

func TestProviderComesBackAtItsAddress(t *testing.T) {
	var issuer string
	t.Run("first", func(t *testing.T) { issuer = oidcauthtest.Start(t, oidcauthtest.Settings{}).Issuer() })
	_, err := http.Get(issuer)
	require.Error(t, err, "it ends with its test")
	p := oidcauthtest.Start(t, oidcauthtest.Settings{Issuer: issuer})
	require.Equal(t, issuer, p.Issuer())
	response, err := http.Get(p.URL(oidcauthtest.Discovery))
	require.NoError(t, err)
	defer response.Body.Close()
	var document map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&document))
	require.Equal(t, issuer, document["issuer"])
}

func TestRegisterLeavesTheTestsSettingsAlone(t *testing.T) {
	clients := []oidcauthtest.Client{oidcauthtest.DefaultClient()}
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{Clients: clients})
	p.Register(oidcauthtest.Client{ID: "app", Secret: "new"})
	require.Equal(t, "app-secret", clients[0].Secret)
	machine := url.Values{"grant_type": {"client_credentials"}}
	require.Equal(t, 401, first(post(t, p, oidcauthtest.TokenEndpoint, machine, basic("app", "app-secret"))))
	require.Equal(t, 200, first(post(t, p, oidcauthtest.TokenEndpoint, machine, basic("app", "new"))))
}

func TestIssuerStays(t *testing.T) {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.Configure(func(s *oidcauthtest.Settings) { s.Issuer = "https://elsewhere.test" })
	require.Equal(t, oidcauthtest.DefaultIssuer, p.Issuer())
	require.Panics(t, func() { oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "no URL"}) })
}
