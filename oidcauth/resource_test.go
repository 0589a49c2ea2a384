package oidcauth_test

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// ordersAPI is where the API of these tests is, and what tokens for it have as aud.
const ordersAPI = "https://api.example.test"

// An ordersWorld is an API that takes access tokens, and the issuer of these.
type ordersWorld struct {
	*testing.T
	provider *oidcauthtest.Provider
	resource *oidcauth.ResourceServer
	handler  http.Handler // that of the last guard
	log      *logBuffer
}

// newOrdersWorld makes an API whose callers need a token and nothing else.
func newOrdersWorld(t *testing.T, configure ...func(*oidcauth.ResourceConfig)) *ordersWorld {
	t.Helper()
	w := &ordersWorld{T: t, provider: oidcauthtest.NewProvider(oidcauthtest.Settings{}), log: new(logBuffer)}
	c := oidcauth.ResourceConfig{
		URL: ordersAPI, Audience: []string{ordersAPI}, Issuers: []oidcauth.TokenIssuer{{Issuer: w.provider.Issuer()}},
		HTTPClient: w.provider.Client(), Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range configure {
		f(&c)
	}
	var err error
	w.resource, err = oidcauth.NewResource(c)
	require.NoError(t, err)
	w.handler = w.resource.Require()(http.HandlerFunc(writeCaller))
	return w
}

// introspecting has the API ask about tokens, as the client "app".
func introspecting(c *oidcauth.ResourceConfig) {
	c.Issuers[0].Introspect, c.Issuers[0].ClientID, c.Issuers[0].ClientSecret = true, "app", "app-secret"
}

// writeCaller answers with who calls.
func writeCaller(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(oidcauth.CallerFrom(r.Context()))
}

// A tokenBend changes a token that is good before it is signed.
type tokenBend = func(*oidcauthtest.Token)

// token returns an access token as RFC 9068 has it, bent.
func (w *ordersWorld) token(bends ...tokenBend) string { return accessToken(w.provider, bends...) }

func accessToken(p *oidcauthtest.Provider, bends ...tokenBend) string {
	t := new(oidcauthtest.Token)
	t.Header.Set("typ", "at+jwt")
	now := time.Now()
	for _, claim := range []struct {
		name  string
		value any
	}{
		{"iss", p.Issuer()}, {"sub", "alice"}, {"client_id", "spa"}, {"aud", ordersAPI}, {"scope", "read write"},
		{"iat", now.Unix()}, {"exp", now.Add(time.Minute).Unix()}, {"jti", rand.Text()},
	} {
		t.Claims.Set(claim.name, claim.value)
	}
	t.SignWith(p.Key())
	for _, bend := range bends {
		bend(t)
	}
	return t.Compact()
}

// typed bends the header's typ.
func typed(typ string) tokenBend {
	return func(t *oidcauthtest.Token) {
		if t.Header.Delete("typ"); typ != "" {
			t.Header.Set("typ", typ)
		}
	}
}

// ask sends a request with these headers, by pairs, to the guarded handler.
func (w *ordersWorld) ask(pairs ...string) *httptest.ResponseRecorder {
	w.Helper()
	return askOf(w.handler, http.MethodGet, "/orders", pairs...)
}

func askOf(h http.Handler, method, target string, pairs ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, ordersAPI+target, http.NoBody)
	for i := 0; i < len(pairs); i += 2 {
		r.Header.Add(pairs[i], pairs[i+1])
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// bearer asks with a token.
func (w *ordersWorld) bearer(token string) *httptest.ResponseRecorder {
	w.Helper()
	return w.ask("Authorization", "Bearer "+token)
}

// caller returns whom the API has answered.
func (w *ordersWorld) caller(answer *httptest.ResponseRecorder) (c oidcauth.Caller) {
	w.Helper()
	require.Equal(w, http.StatusOK, answer.Code, "%s\n%s", answer.Body, w.log)
	require.NoError(w, json.Unmarshal(answer.Body.Bytes(), &c))
	return c
}

// requireTokenRefused asserts a refusal: its status and code, the headers that protect it, and no cookie.
func requireTokenRefused(t *testing.T, answer *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	require.Equal(t, status, answer.Code, answer.Body)
	var body map[string]string
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &body), answer.Body)
	require.Equal(t, code, body["error"])
	requireProtected(t, answer.Header())
	require.Empty(t, answer.Header().Values("Set-Cookie"))
	challenge := strings.Join(answer.Header().Values("WWW-Authenticate"), "; ")
	switch code {
	case "unauthorized":
		require.Contains(t, challenge, "Bearer")
		require.NotContains(t, challenge, "error")
	case "invalid_token", "invalid_request", "insufficient_scope", "invalid_dpop_proof", "use_dpop_nonce", "insufficient_user_authentication":
		require.Contains(t, challenge, `error="`+code+`"`)
	}
	if status == http.StatusServiceUnavailable {
		require.NotEmpty(t, answer.Header().Get("Retry-After"))
	}
}

func TestACallerIsWhomTheTokenNames(t *testing.T) {
	w := newOrdersWorld(t)
	c := w.caller(w.bearer(w.token(claim("roles", []string{"clerk"}), claim("acr", "gold"), claim("auth_time", time.Now().Unix()), claim("act", map[string]string{"sub": "shop"}))))
	require.Equal(t, w.provider.Issuer(), c.Issuer)
	require.Equal(t, "alice", c.Subject)
	require.Equal(t, "spa", c.ClientID)
	require.Equal(t, "shop", c.Actor)
	require.Equal(t, []string{"read", "write"}, c.Scopes)
	require.Equal(t, []string{ordersAPI}, c.Audience)
	require.Equal(t, []string{"clerk"}, c.Roles)
	require.Equal(t, "gold", c.ACR)
	require.WithinDuration(t, time.Now(), c.AuthTime, 2*time.Second)
	require.WithinDuration(t, time.Now().Add(time.Minute), c.Expiry, 2*time.Second)
	require.False(t, c.IsClient())
	require.False(t, c.SenderConstrained)
}

func TestAClientThatCallsForItselfIsToldApart(t *testing.T) {
	w := newOrdersWorld(t)
	for name, row := range map[string]struct {
		bend tokenBend
		is   bool
	}{
		"sub is the client":       {claim("sub", "spa"), true},
		"there is no sub":         {without("sub"), true},
		"Entra ID says so":        {claim("idtyp", "app"), true},
		"Entra ID says otherwise": {claim("idtyp", "user"), false},
		"a user":                  {claim("sub", "bob"), false},
	} {
		c := w.caller(w.bearer(w.token(row.bend)))
		require.Equal(t, row.is, c.IsClient(), name)
	}
}

func TestWhatRealProvidersWriteIsRead(t *testing.T) {
	w := newOrdersWorld(t)
	for name, row := range map[string]struct {
		bends  []tokenBend
		scopes []string
		client string
	}{
		"aud in a list":                {[]tokenBend{claim("aud", []string{"other", ordersAPI})}, []string{"read", "write"}, "spa"},
		"scope in a list":              {[]tokenBend{claim("scope", []string{"a", "b"})}, []string{"a", "b"}, "spa"},
		"scp as a text":                {[]tokenBend{without("scope"), claim("scp", "a b")}, []string{"a", "b"}, "spa"},
		"scp in a list":                {[]tokenBend{without("scope"), claim("scp", []string{"a", "b"})}, []string{"a", "b"}, "spa"},
		"azp for client_id":            {[]tokenBend{without("client_id"), claim("azp", "web")}, []string{"read", "write"}, "web"},
		"the long form of the type":    {[]tokenBend{typed("application/AT+JWT")}, []string{"read", "write"}, "spa"},
		"typ JWT":                      {[]tokenBend{typed("JWT")}, []string{"read", "write"}, "spa"},
		"no typ":                       {[]tokenBend{typed("")}, []string{"read", "write"}, "spa"},
		"Keycloak's own typ":           {[]tokenBend{typed("JWT"), claim("typ", "Bearer")}, []string{"read", "write"}, "spa"},
		"no iat":                       {[]tokenBend{without("iat")}, []string{"read", "write"}, "spa"},
		"nbf a little ahead":           {[]tokenBend{claim("nbf", time.Now().Add(30*time.Second).Unix())}, []string{"read", "write"}, "spa"},
		"no scope":                     {[]tokenBend{without("scope")}, nil, "spa"},
		"a type of token that we know": {[]tokenBend{claim("token_use", "access")}, []string{"read", "write"}, "spa"},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.caller(w.bearer(w.token(row.bends...)))
			require.Equal(t, row.scopes, c.Scopes)
			require.Equal(t, row.client, c.ClientID)
		})
	}
}

func TestRequestsWithoutOneTokenAreRefused(t *testing.T) {
	w := newOrdersWorld(t)
	good := w.token()
	for name, row := range map[string]struct {
		target  string
		headers []string
		status  int
		code    string
	}{
		"no header":                      {"/orders", nil, 401, "unauthorized"},
		"an empty header":                {"/orders", []string{"Authorization", ""}, 401, "unauthorized"},
		"a scheme alone":                 {"/orders", []string{"Authorization", "Bearer"}, 401, "unauthorized"},
		"Basic":                          {"/orders", []string{"Authorization", "Basic dTpw"}, 401, "unauthorized"},
		"a cookie alone":                 {"/orders", []string{"Cookie", "__Host-session=x"}, 401, "unauthorized"},
		"two headers":                    {"/orders", []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, 400, "invalid_request"},
		"Basic beside it":                {"/orders", []string{"Authorization", "Basic dTpw", "Authorization", "Bearer " + good}, 400, "invalid_request"},
		"two in one header":              {"/orders", []string{"Authorization", "Bearer " + good + ", Bearer " + good}, 400, "invalid_request"},
		"a blank in it":                  {"/orders", []string{"Authorization", "Bearer a b"}, 400, "invalid_request"},
		"in the query":                   {"/orders?access_token=" + good, nil, 400, "invalid_request"},
		"in the query, escaped":          {"/orders?x=1&%61ccess_token=" + good, nil, 400, "invalid_request"},
		"in the query, empty":            {"/orders?access_token", nil, 400, "invalid_request"},
		"in the query and in the header": {"/orders?access_token=" + good, []string{"Authorization", "Bearer " + good}, 400, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			requireTokenRefused(t, askOf(w.handler, http.MethodGet, row.target, row.headers...), row.status, row.code)
		})
	}
	for name, header := range map[string]string{"the scheme has no case": "bEARER " + good, "two blanks": "Bearer  " + good} {
		require.Equal(t, http.StatusOK, w.ask("Authorization", header).Code, name)
	}
	require.Equal(t, http.StatusOK, askOf(w.handler, http.MethodGet, "/orders?access_tokens=1&my_access_token=2", "Authorization", "Bearer "+good).Code)
}
