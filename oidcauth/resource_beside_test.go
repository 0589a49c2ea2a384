package oidcauth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

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
