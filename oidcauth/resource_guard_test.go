package oidcauth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func errorsIs(err, target error) bool { return errors.Is(err, target) }

func TestATokenHasToReachFarEnough(t *testing.T) {
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.Audience = []string{ordersAPI, "https://admin.example.test"} })
	now := time.Now()
	for name, row := range map[string]struct {
		require   []oidcauth.Requirement
		bends     []tokenBend
		status    int
		code      string
		challenge string
	}{
		"a scope that is there":            {[]oidcauth.Requirement{oidcauth.HasScope("read")}, nil, 200, "", ""},
		"all scopes":                       {[]oidcauth.Requirement{oidcauth.HasScope("read", "write")}, nil, 200, "", ""},
		"a scope that is not":              {[]oidcauth.Requirement{oidcauth.HasScope("read", "admin")}, nil, 403, "insufficient_scope", `Bearer error="insufficient_scope", scope="read admin"`},
		"a scope that begins alike":        {[]oidcauth.Requirement{oidcauth.HasScope("rea")}, nil, 403, "insufficient_scope", `scope="rea"`},
		"this audience":                    {[]oidcauth.Requirement{oidcauth.HasAudience(ordersAPI)}, nil, 200, "", ""},
		"another that the API has":         {[]oidcauth.Requirement{oidcauth.HasAudience("https://admin.example.test")}, nil, 403, "forbidden", ""},
		"a role that is there":             {[]oidcauth.Requirement{oidcauth.Role("clerk")}, []tokenBend{claim("roles", []string{"clerk"})}, 200, "", ""},
		"a role that is not":               {[]oidcauth.Requirement{oidcauth.Role("admin")}, []tokenBend{claim("roles", []string{"clerk"})}, 403, "forbidden", ""},
		"a claim":                          {[]oidcauth.Requirement{oidcauth.Claim("tenant", "7")}, []tokenBend{claim("tenant", 7)}, 200, "", ""},
		"a class of login":                 {[]oidcauth.Requirement{oidcauth.ACR("gold")}, []tokenBend{claim("acr", "gold")}, 200, "", ""},
		"a better one":                     {[]oidcauth.Requirement{oidcauth.ACR("gold", "platinum")}, []tokenBend{claim("acr", "silver")}, 401, "insufficient_user_authentication", `acr_values="gold platinum"`},
		"a login that is fresh":            {[]oidcauth.Requirement{oidcauth.MaxAge(time.Minute)}, []tokenBend{claim("auth_time", now.Unix())}, 200, "", ""},
		"a login that is old":              {[]oidcauth.Requirement{oidcauth.MaxAge(time.Minute)}, []tokenBend{claim("auth_time", now.Add(-time.Hour).Unix())}, 401, "insufficient_user_authentication", `max_age="60"`},
		"a login of which nothing is said": {[]oidcauth.Requirement{oidcauth.MaxAge(time.Minute)}, nil, 401, "insufficient_user_authentication", `max_age="60"`},
		"one of the application's own":     {[]oidcauth.Requirement{func(u *oidcauth.User) error { return errors.New(u.Subject) }}, nil, 403, "forbidden", ""},
		"a nil one":                        {[]oidcauth.Requirement{nil}, nil, 403, "forbidden", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := w.resource.Require(row.require...)(http.HandlerFunc(writeCaller))
			answer := askOf(h, http.MethodGet, "/orders", "Authorization", "Bearer "+w.token(row.bends...))
			if row.status == http.StatusOK {
				require.Equal(t, http.StatusOK, answer.Code, answer.Body)
				return
			}
			requireTokenRefused(t, answer, row.status, row.code)
			require.Contains(t, strings.Join(answer.Header().Values("WWW-Authenticate"), "; "), row.challenge)
		})
	}
}

// A session has no scope and no audience: what they are required for is for tokens alone.
func TestASessionMeetsNoRequirementOfTokens(t *testing.T) {
	u := &oidcauth.User{Subject: "alice", Claims: json.RawMessage(`{"scope":"read","aud":"x"}`)}
	for _, r := range []oidcauth.Requirement{oidcauth.HasScope("read"), oidcauth.HasAudience("x")} {
		require.Error(t, r(u))
		require.Error(t, r(nil))
	}
	require.Panics(t, func() { oidcauth.HasScope(`a" b`) })
}

// A sharedWorld is an application whose routes take sessions and tokens.
type sharedWorld struct {
	*world
	resource *oidcauth.ResourceServer
}

func newSharedWorld(t *testing.T, configure ...func(*oidcauth.Config)) *sharedWorld {
	t.Helper()
	w := newWorld(t, configure...)
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}},
	})
	require.NoError(t, err)
	show := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := w.auth.TokenSource(r.Context()).Token()
		_ = json.NewEncoder(rw).Encode(map[string]any{
			"user": oidcauth.UserFrom(r.Context()), "caller": oidcauth.CallerFrom(r.Context()), "token": err == nil,
			"login": errors.Is(err, oidcauth.ErrLoginRequired), "session": session.From(r.Context()) != nil,
		})
	})
	w.mux.Handle("/shared", resource.Beside(w.auth.RequireLogin, oidcauth.HasScope("read"))(show))
	w.mux.Handle("/nested", resource.Beside(w.auth.Load)(w.auth.Load(show)))
	w.mux.Handle("/inside", resource.Beside(w.auth.Load)(w.auth.RequireLogin(show)))
	w.mux.Handle("/wrapped", w.auth.Load(resource.Beside(w.auth.RequireLogin)(show)))
	return &sharedWorld{world: w, resource: resource}
}

// ask sends a request with the browser's cookies, and headers by pairs.
func (w *sharedWorld) ask(method, path string, pairs ...string) (*httptest.ResponseRecorder, map[string]any) {
	w.Helper()
	answer := askOf(w.mux, method, path, append([]string{"Cookie", w.cookies()}, pairs...)...)
	var body map[string]any
	_ = json.Unmarshal(answer.Body.Bytes(), &body)
	return answer, body
}

func TestBesideASessionATokenIsJudgedAlone(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			w := newSharedWorld(t, mode)
			w.signIn()
			bob := "Bearer " + accessToken(w.provider, claim("sub", "bob"))

			_, body := w.ask(http.MethodGet, "/shared")
			require.Equal(t, "alice", body["user"].(map[string]any)["Subject"])
			require.Equal(t, []any{nil, true, true}, []any{body["caller"], body["token"], body["session"]})

			for _, path := range []string{"/shared", "/nested", "/wrapped"} {
				answer, body := w.ask(http.MethodGet, path, "Authorization", bob)
				require.Equal(t, http.StatusOK, answer.Code, path)
				require.Equal(t, "bob", body["caller"].(map[string]any)["Subject"], path)
				require.Equal(t, []any{nil, false, true, false}, []any{body["user"], body["token"], body["login"], body["session"]}, path)
				require.Empty(t, answer.Header().Values("Set-Cookie"))
			}
			answer, _ := w.ask(http.MethodGet, "/inside", "Authorization", bob)
			require.Equal(t, http.StatusUnauthorized, answer.Code, "a session's guard has no session to judge by")
			require.Empty(t, answer.Header().Values("Set-Cookie"))
		})
	}
}

func TestBesideASessionABadTokenIsNoSession(t *testing.T) {
	w := newSharedWorld(t)
	w.signIn()
	for name, row := range map[string]struct {
		headers []string
		status  int
		code    string
	}{
		"a bad token":            {[]string{"Authorization", "Bearer x"}, 401, "invalid_token"},
		"an expired one":         {[]string{"Authorization", "Bearer " + accessToken(w.provider, claim("exp", 1))}, 401, "invalid_token"},
		"one that lacks a scope": {[]string{"Authorization", "Bearer " + accessToken(w.provider, without("scope"))}, 403, "insufficient_scope"},
		"a scheme alone":         {[]string{"Authorization", "Bearer"}, 401, "unauthorized"},
		"DPoP without a proof":   {[]string{"Authorization", "DPoP " + accessToken(w.provider)}, 401, "invalid_token"},
		"two headers":            {[]string{"Authorization", "Basic dTpw", "Authorization", "Basic dTpw"}, 400, "invalid_request"},
	} {
		answer, _ := w.ask(http.MethodGet, "/shared", row.headers...)
		requireTokenRefused(t, answer, row.status, row.code)
		require.NotEmpty(t, name)
	}
	answer, _ := w.ask(http.MethodGet, "/shared?access_token=x")
	requireTokenRefused(t, answer, http.StatusBadRequest, "invalid_request")
	for _, other := range []string{"Basic dTpw", "Digest x", "bearertoken x"} {
		answer, body := w.ask(http.MethodGet, "/shared", "Authorization", other)
		require.Equal(t, http.StatusOK, answer.Code, other)
		require.Equal(t, "alice", body["user"].(map[string]any)["Subject"])
	}
}

// Other sites can make a browser send its cookie, and not a token that they don't have.
func TestWhatIsJudgedByItsCookieKeepsTheCrossOriginCheck(t *testing.T) {
	w := newSharedWorld(t)
	w.signIn()
	from := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
	bob := []string{"Authorization", "Bearer " + accessToken(w.provider)}
	answer, _ := w.ask(http.MethodPost, "/shared", from...)
	requireTokenRefused(t, answer, http.StatusForbidden, "cross_origin")
	answer, _ = w.ask(http.MethodPost, "/shared", append([]string{"Authorization", "Basic dTpw"}, from...)...)
	requireTokenRefused(t, answer, http.StatusForbidden, "cross_origin")
	answer, _ = w.ask(http.MethodPost, "/shared", "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, answer.Code)
	answer, _ = w.ask(http.MethodPost, "/shared", append(bob, from...)...)
	require.Equal(t, http.StatusOK, answer.Code)
}

// A whole application can be wrapped: the Authenticator's own routes check for themselves what comes from the provider.
func TestBesideLeavesTheOwnRoutesAlone(t *testing.T) {
	w := newWorld(t, formPost)
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
	require.NoError(t, err)
	w.network.Handle(app, resource.Beside(w.auth.RequireLogin)(w.mux))
	w.signIn()
}

func TestWithUserIsNobodyBesideACaller(t *testing.T) {
	w := newOrdersWorld(t)
	h := w.resource.Require()(http.HandlerFunc(writeUser))
	r := httptest.NewRequest(http.MethodGet, ordersAPI+"/orders", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+w.token())
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r.WithContext(oidcauth.WithUser(r.Context(), &oidcauth.User{Subject: "root"})))
	require.Equal(t, "null\n", answer.Body.String())
}

// What our guards ask for, our clients understand (RFC 9470).
func TestOurClientUnderstandsWhatOurAPIAsksFor(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.APIs = []string{ordersAPI} })
	w.provider.BendAccessToken(claim("aud", ordersAPI))
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
	require.NoError(t, err)
	guarded := http.NewServeMux()
	guarded.Handle("/plain", resource.Require()(http.HandlerFunc(writeCaller)))
	guarded.Handle("/strong", resource.Require(oidcauth.ACR("gold"), oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeCaller)))
	guarded.Handle("/scope", resource.Require(oidcauth.HasScope("admin"))(http.HandlerFunc(writeCaller)))
	w.network.Handle(ordersAPI, guarded)
	var status int
	var failed error
	w.mux.Handle("/call/{path}", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		client := &http.Client{Transport: w.auth.Transport(w.network)}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/"+r.PathValue("path"), http.NoBody)
		res, err := client.Do(req)
		if failed = err; err == nil {
			status = res.StatusCode
			res.Body.Close()
		}
	})))
	w.browser.Get(app + "/call/plain")
	require.NoError(t, failed)
	require.Equal(t, http.StatusOK, status)
	w.browser.Get(app + "/call/scope")
	require.NoError(t, failed)
	require.Equal(t, http.StatusForbidden, status)
	w.browser.Get(app + "/call/strong")
	var stepUp *oidcauth.StepUpError
	require.ErrorAs(t, failed, &stepUp)
	require.Equal(t, []string{"gold"}, stepUp.ACRValues)
	require.Equal(t, time.Minute, stepUp.MaxAge)
}

// DPoP end to end: our client's proofs at our API, nonces included.
func TestOurClientFollowsOurNonces(t *testing.T) {
	w := newWorld(t, withDPoP, func(c *oidcauth.Config) { c.APIs = []string{ordersAPI} })
	w.provider.BendAccessToken(claim("aud", ordersAPI))
	resource, err := oidcauth.NewResource(oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{ordersAPI}, DPoPNonces: true, Issuers: []oidcauth.TokenIssuer{{Auth: w.auth}}})
	require.NoError(t, err)
	w.network.Handle(ordersAPI, resource.Require()(http.HandlerFunc(writeCaller)))
	w.mux.Handle("/call", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/a%20b?q=1", http.NoBody)
		res, err := (&http.Client{Transport: w.auth.Transport(w.network)}).Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		res.Body.Close()
		rw.WriteHeader(res.StatusCode)
	})))
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/call").Status)
}

func TestTheMetadataOfAnAPISayWhoseTokensItTakes(t *testing.T) {
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) {
		c.URL, c.PublishMetadata, c.ScopesSupported = ordersAPI+"/v1", true, []string{"read"}
	})
	require.Equal(t, "/.well-known/oauth-protected-resource/v1", w.resource.MetadataPath())
	require.Contains(t, w.ask().Header().Get("WWW-Authenticate"), `resource_metadata="`+ordersAPI+`/.well-known/oauth-protected-resource/v1"`)
	answer := askOf(http.HandlerFunc(w.resource.ServeMetadata), http.MethodGet, w.resource.MetadataPath())
	var m map[string]any
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &m))
	require.Equal(t, ordersAPI+"/v1", m["resource"])
	require.Equal(t, []any{oidcauthtest.DefaultIssuer}, m["authorization_servers"])
	require.Equal(t, []any{"header"}, m["bearer_methods_supported"])
	require.Equal(t, []any{"read"}, m["scopes_supported"])
	require.Equal(t, http.StatusMethodNotAllowed, askOf(http.HandlerFunc(w.resource.ServeMetadata), http.MethodPost, "/").Code)
	require.NotContains(t, newOrdersWorld(t).ask().Header().Get("WWW-Authenticate"), "resource_metadata", "nobody is sent where nothing is")
}

func TestMistakesInAResourceConfigAreNamed(t *testing.T) {
	issuer := []oidcauth.TokenIssuer{{Issuer: "https://id.example"}}
	good := oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{"x"}, Issuers: issuer}
	_, err := oidcauth.NewResource(good)
	require.NoError(t, err)
	w := newWorld(t)
	for want, change := range map[string]func(*oidcauth.ResourceConfig){
		"URL: is empty":               func(c *oidcauth.ResourceConfig) { c.URL = "" },
		"must be https":               func(c *oidcauth.ResourceConfig) { c.URL = "http://api.example.test" },
		"has a query":                 func(c *oidcauth.ResourceConfig) { c.URL = ordersAPI + "?x" },
		"clean absolute path":         func(c *oidcauth.ResourceConfig) { c.URL = ordersAPI + "/a/../b" },
		"Audience: is empty":          func(c *oidcauth.ResourceConfig) { c.Audience = nil },
		"Audience: has an empty name": func(c *oidcauth.ResourceConfig) { c.Audience = []string{""} },
		"which of the two counts":     func(c *oidcauth.ResourceConfig) { c.InsecureAnyAudience = true },
		"Issuers: is empty":           func(c *oidcauth.ResourceConfig) { c.Issuers = nil },
		"SigningAlgs: \"HS256\"":      func(c *oidcauth.ResourceConfig) { c.SigningAlgs = []string{"HS256"} },
		"Skew, Timeout":               func(c *oidcauth.ResourceConfig) { c.Skew = time.Hour },
		"without a Store":             func(c *oidcauth.ResourceConfig) { c.Keys = []string{testKey} },
		"oidcauth: Keys: ":            func(c *oidcauth.ResourceConfig) { c.Store = session.NewMemoryStore() },
		"Issuers[0].Issuer":           func(c *oidcauth.ResourceConfig) { c.Issuers = []oidcauth.TokenIssuer{{Issuer: "http://id.example"}} },
		"Issuers[0].Tenants": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example/{tenantid}"}}
		},
		"is Introspect due": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example", ClientID: "x"}}
		},
		"asks in a client's name": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example", Introspect: true}}
		},
		"fields that Auth brings": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Auth: w.auth, Issuer: "https://id.example"}}
		},
		"2 of them introspect": func(c *oidcauth.ResourceConfig) {
			one := oidcauth.TokenIssuer{Issuer: "https://id.example", Introspect: true, ClientID: "x", ClientSecret: "y"}
			c.Issuers = []oidcauth.TokenIssuer{one, one}
		},
	} {
		c := good
		change(&c)
		_, err := oidcauth.NewResource(c)
		require.ErrorContains(t, err, want)
	}
}

// Whoever calls with a token does nothing to the session whose cookie comes along.
func TestACallerCanNotActOnTheSessionBesideTheToken(t *testing.T) {
	for name, act := range map[string]func(a *oidcauth.Authenticator, rw http.ResponseWriter, r *http.Request){
		"Logout": (*oidcauth.Authenticator).Logout,
		"Login": func(a *oidcauth.Authenticator, rw http.ResponseWriter, r *http.Request) {
			a.Login(rw, r, oidcauth.LoginOptions{})
		},
		"StepUp": func(a *oidcauth.Authenticator, rw http.ResponseWriter, r *http.Request) {
			a.StepUp(rw, r, &oidcauth.StepUpError{ACRValues: []string{"gold"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSharedWorld(t)
			w.mux.Handle("/act", w.resource.Beside(w.auth.RequireLogin)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { act(w.auth, rw, r) })))
			w.signIn()
			answer, _ := w.ask(http.MethodPost, "/act", "Authorization", "Bearer "+accessToken(w.provider, claim("sub", "mallory")))
			require.Equal(t, http.StatusUnauthorized, answer.Code)
			require.Empty(t, answer.Header().Values("Set-Cookie"))
			require.Equal(t, "alice", w.user().Subject)
		})
	}
}

func TestRequirementsOfNothingAreMistakes(t *testing.T) {
	require.Panics(t, func() { oidcauth.HasScope() })
	require.Panics(t, func() { oidcauth.HasAudience() })
}
