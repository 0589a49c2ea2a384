package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// identityHeaders are those that a guarded service reads.
var identityHeaders = []string{"X-Auth-Issuer", "X-Auth-Subject", "X-Auth-Name", "X-Auth-Roles"}

// asksForward sends what a proxy asks about a page view of /docs?x=1; header says otherwise, and an empty value that there is none.
func (w *world) asksForward(h http.Handler, cookies string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, app+"/forward-auth?role=admin", nil)
	for name, value := range map[string]string{
		"Cookie": cookies, "Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none",
		"X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.test", "X-Forwarded-Uri": "/docs?x=1&y=2", "X-Forwarded-Method": "GET",
	} {
		r.Header.Set(name, value)
	}
	for name, value := range header {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func TestWhoIsSignedInIsToldToAProxy(t *testing.T) {
	for name, row := range map[string]struct {
		change func(u *oidcauth.User)
		want   []string
	}{
		"as it is":       {func(u *oidcauth.User) { u.Name, u.Roles = "Alice", []string{"admin", "staff"} }, []string{"alice", "Alice", "admin,staff"}},
		"nothing":        {func(u *oidcauth.User) { u.Name, u.Roles = "", nil }, []string{"alice", "-", "-"}},
		"a hyphen":       {func(u *oidcauth.User) { u.Name, u.Roles = "-", []string{"-"} }, []string{"alice", "%2D", "%2D"}},
		"an empty role":  {func(u *oidcauth.User) { u.Roles = []string{""} }, []string{"alice", "Alice%20Example", "-"}},
		"tricks":         {func(u *oidcauth.User) { u.Name, u.Roles = "a\r\nX: y", []string{"a,admin", "x y"} }, []string{"alice", "a%0D%0AX%3A%20y", "a%2Cadmin,x%20y"}},
		"beyond ASCII":   {func(u *oidcauth.User) { u.Name = "Zoë/Š" }, []string{"alice", "Zo%C3%AB%2F%C5%A0", ""}},
		"a plus is none": {func(u *oidcauth.User) { u.Name = "a+b%20" }, []string{"alice", "a%2Bb%2520", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			user := &oidcauth.User{Issuer: w.provider.Issuer(), Subject: "alice", Name: "Alice Example"}
			row.change(user)
			r := httptest.NewRequest(http.MethodPost, app+"/forward-auth", nil)
			answer := httptest.NewRecorder()
			w.auth.ForwardAuth().ServeHTTP(answer, r.WithContext(oidcauth.WithUser(r.Context(), user)))
			require.Equal(t, http.StatusOK, answer.Code)
			require.Empty(t, answer.Body.String())
			require.Equal(t, url.QueryEscape(user.Issuer), answer.Header().Get("X-Auth-Issuer"))
			for i, name := range identityHeaders[1:] {
				require.Len(t, answer.Header().Values(name), 1, "each is always there")
				require.NotEmpty(t, answer.Header().Get(name))
				if row.want[i] != "" {
					require.Equal(t, row.want[i], answer.Header().Get(name))
				}
			}
		})
	}
}

func TestWhatAProxyIsToldOfWhoMayNotPass(t *testing.T) {
	const login = "/auth/login?return_to=%2Fdocs%3Fx%3D1%26y%3D2"
	nginx := map[string]string{"X-Original-URL": app + "/docs?x=1&y=2", "X-Forwarded-Proto": "", "X-Forwarded-Uri": "", "X-Forwarded-Host": ""}
	script := map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "application/json"}
	for name, row := range map[string]struct {
		header   map[string]string
		status   int
		location string
		loginURL string
	}{
		"a page view":                   {nil, 303, login, ""},
		"nginx, which takes no 303":     {nginx, 401, login, login},
		"nginx, whatever is asked":      {with(nginx, script), 401, login, login},
		"nginx that says nothing":       {with(nginx, map[string]string{"X-Original-URL": " "}), 401, "/auth/login", "/auth/login"},
		"a script":                      {script, 401, "", login},
		"a script of a page":            {with(script, map[string]string{"Referer": app + "/cart"}), 401, "", "/auth/login?return_to=%2Fcart"},
		"a form":                        {map[string]string{"X-Forwarded-Method": "POST"}, 401, "", login},
		"a frame":                       {map[string]string{"Sec-Fetch-Dest": "iframe"}, 401, "", login},
		"a prefetch":                    {map[string]string{"Sec-Purpose": "prefetch"}, 401, "", login},
		"a page of another site":        {map[string]string{"X-Forwarded-Host": "evil.test"}, 303, "/auth/login", ""},
		"one that begins alike":         {map[string]string{"X-Forwarded-Host": "app.example.test.evil.test"}, 303, "/auth/login", ""},
		"a user in its place":           {map[string]string{"X-Forwarded-Host": "app.example.test@evil.test"}, 303, "/auth/login", ""},
		"another scheme":                {map[string]string{"X-Forwarded-Proto": "http"}, 303, "/auth/login", ""},
		"a path with tricks":            {map[string]string{"X-Forwarded-Uri": "//evil.test/"}, 303, "/auth/login", ""},
		"a route of our own":            {map[string]string{"X-Forwarded-Uri": "/auth/logout"}, 303, "/auth/login", ""},
		"nothing about the page at all": {map[string]string{"X-Forwarded-Proto": "", "X-Forwarded-Uri": "", "X-Forwarded-Host": ""}, 303, "/auth/login", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			answer := w.asksForward(w.auth.ForwardAuth(), "", row.header)
			require.Equal(t, row.status, answer.Code, answer.Body)
			require.Equal(t, row.location, answer.Header().Get("Location"))
			require.Empty(t, answer.Header().Values("Set-Cookie"))
			require.Zero(t, len(w.network.Asked()), "nobody is asked")
			for _, name := range identityHeaders {
				require.Empty(t, answer.Header().Get(name))
			}
			if row.status == http.StatusUnauthorized {
				require.NotEmpty(t, answer.Header().Get("WWW-Authenticate"))
				require.Equal(t, map[string]any{"error": "login_required", "login_url": row.loginURL}, members(t, answer))
			}
		})
	}
}

// with returns a map with what more says over it.
func with(m, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, from := range []map[string]string{m, more} {
		for name, value := range from {
			all[name] = value
		}
	}
	return all
}

func TestForwardAuthJudgesAsGuardsDo(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	admin := w.auth.ForwardAuth(oidcauth.Role("admin"))
	require.Equal(t, http.StatusOK, w.asksForward(w.auth.ForwardAuth(), w.cookies(), nil).Code)
	answer := w.asksForward(admin, w.cookies(), map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"})
	require.Equal(t, http.StatusForbidden, answer.Code, "the query is no option")
	require.Equal(t, "forbidden", members(t, answer)["error"])
	require.Equal(t, http.StatusForbidden, w.asksForward(admin, w.cookies(), nil).Code)

	stepUp := w.auth.ForwardAuth(oidcauth.ACR("gold"))
	answer = w.asksForward(stepUp, w.cookies(), nil)
	require.Equal(t, http.StatusSeeOther, answer.Code)
	w.browser.Get(app + answer.Header().Get("Location"))
	require.Contains(t, w.authenticationRequest().Get("claims")+w.authenticationRequest().Get("acr_values"), "gold", "the login is that one")
}

// A proxy loses cookies. So none is set, no refresh token is spent, and in cookie mode the idle limit stays where it is.
func TestForwardAuthOnlyLooks(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, mode, func(c *oidcauth.Config) { c.Session.IdleTimeout = time.Hour })
				w.signIn()
				cookies, h := w.cookies(), w.auth.ForwardAuth()
				for range 11 {
					time.Sleep(5 * time.Minute)
					answer := w.asksForward(h, cookies, nil)
					require.Equal(t, http.StatusOK, answer.Code)
					require.Empty(t, answer.Header().Values("Set-Cookie"))
				}
				time.Sleep(10 * time.Minute)
				answer := w.asksForward(h, cookies, nil)
				require.Empty(t, answer.Header().Values("Set-Cookie"), "not even one that expires")
				require.Zero(t, w.refreshes())
				if name == "server-side" {
					require.Equal(t, http.StatusOK, answer.Code, "where no cookie is needed for it, it is a use")
					time.Sleep(time.Hour)
				}
				require.Equal(t, http.StatusSeeOther, w.asksForward(h, cookies, nil).Code)
				for _, broken := range []string{"__Host-session=AAAA", "__Host-session=a" + cookies} {
					answer := w.asksForward(h, broken, nil)
					require.Equal(t, http.StatusSeeOther, answer.Code)
					require.Empty(t, answer.Header().Values("Set-Cookie"))
				}
			})
		})
	}
}

// Who is refused keeps no session alive.
func TestARefusalIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, modes["server-side"], func(c *oidcauth.Config) { c.Session.IdleTimeout = time.Hour })
		w.signIn()
		cookies := w.cookies()
		for range 5 {
			time.Sleep(13 * time.Minute)
			w.asksForward(w.auth.ForwardAuth(oidcauth.Role("admin")), cookies, nil)
		}
		require.Equal(t, http.StatusSeeOther, w.asksForward(w.auth.ForwardAuth(), cookies, nil).Code)
	})
}

func TestForwardAuthWithoutItsStore(t *testing.T) {
	store := &moodyStore{Store: session.NewMemoryStore()}
	w := newWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, true })
	w.signIn()
	store.failAfter(0)
	answer := w.asksForward(w.auth.ForwardAuth(), w.cookies(), nil)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.NotEmpty(t, answer.Header().Get("Retry-After"))
	require.Empty(t, answer.Header().Values("Set-Cookie"))
	require.Empty(t, answer.Header().Get("Location"))
}
