package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// elsewhere is the link of a page to where another provider is chosen, and from there to back.
func elsewhere(back string) string {
	if back == "/" {
		return `href="/auth/login"`
	}
	return `href="/auth/login?return_to=` + url.QueryEscape(back) + `"`
}

// goDown has the provider of a tenant answer nothing but 503.
func (w *town) goDown(name string) {
	w.idps[name].Intercept(oidcauthtest.Any, oidcauthtest.Reply(503, "text/html", "down"))
}

// comeBack is a login at a tenant's that comes back with parameters of the provider's.
func (w *town) comeBack(name, path string, bend func(url.Values)) *oidcauthtest.Page {
	w.Helper()
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/" + name + "/callback")
	paused := tab.Get(app + "/auth/" + name + "/login?return_to=" + url.QueryEscape(path)).Paused
	require.NotNil(w, paused)
	tab.PauseAt("")
	u := mustParsed(w.T, paused.URL)
	q := u.Query()
	bend(q)
	u.RawQuery = q.Encode()
	paused.URL = u.String()
	return tab.Go(paused)
}

// deny answers a login as a provider that says no.
func deny(code string) func(url.Values) {
	return func(q url.Values) { q.Del("code"); q.Set("error", code) }
}

func TestALoginThatFailedLeadsToAnotherProvider(t *testing.T) {
	for name, row := range map[string]struct {
		fail   func(w *town) *oidcauthtest.Page
		status int
		back   string
	}{
		"a provider that is down": {func(w *town) *oidcauthtest.Page {
			w.goDown("acme")
			return w.get("/auth/acme/login?return_to=/any%3Fq=1")
		}, 503, "/any?q=1"},
		"the provider of last time that is down": {func(w *town) *oidcauthtest.Page {
			w.signIn("acme")
			w.browser.DeleteCookie(app, "__Host-session")
			require.NoError(w, w.providers.Replace(w.Context(), "acme", w.config("acme"), oidcauth.Offered("Acme")))
			w.goDown("acme")
			return w.get("/any?q=1")
		}, 503, "/any?q=1"},
		"a provider that goes down before the callback": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", func(url.Values) {
				w.idps["acme"].Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(503, "text/html", "down"))
			})
		}, 502, "/any"},
		"a provider that says it is overloaded": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", deny("temporarily_unavailable"))
		}, 503, "/any"},
		"a provider that refuses the request": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", deny("invalid_scope"))
		}, 400, "/any"},
		"somebody who may not sign in there": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", deny("access_denied"))
		}, 403, "/any"},
		"a response of another provider's": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", func(q url.Values) { q.Set("iss", "https://evil.test") })
		}, 400, "/any"},
		"a response to no login": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", func(q url.Values) { q.Set("state", "of-somebody-else") })
		}, 400, "/"},
		"a response without sense": {func(w *town) *oidcauthtest.Page {
			return w.get("/auth/acme/callback?state=a&state=b")
		}, 400, "/"},
		"a login at a provider that is not there": {func(w *town) *oidcauthtest.Page {
			return w.get("/auth/gone/login?return_to=/any")
		}, 404, "/any"},
		"a provider that was removed before the callback": {func(w *town) *oidcauthtest.Page {
			return w.comeBack("acme", "/any", func(url.Values) { require.NoError(w, w.providers.Remove(w.Context(), "acme")) })
		}, 404, "/any"},
		"a choice that is not there": {func(w *town) *oidcauthtest.Page {
			return w.get("/auth/login?provider=gone&return_to=/any")
		}, 404, "/any"},
	} {
		t.Run(name, func(t *testing.T) {
			w := offering(t)
			page := row.fail(w)
			require.Equal(t, row.status, page.Status, page.Body)
			require.Contains(t, page.Body, elsewhere(row.back), "it keeps the place")
			require.NotContains(t, page.Body, "code=", "and no more")
			require.Nil(t, w.user())

			next := w.get("/auth/login?return_to=" + url.QueryEscape(row.back))
			require.Contains(t, next.Body, strings.Replace(elsewhere(row.back), "/auth/", "/auth/bolt/", 1), "where it is the person who chooses")
		})
	}
}

func TestNoOtherProviderIsOfferedWhereThatWouldNotHelp(t *testing.T) {
	host := func(c *oidcauth.ProvidersConfig) { c.Choose = func(*http.Request) string { return "acme" } }
	for name, row := range map[string]struct {
		world  func(t *testing.T, configure ...func(*oidcauth.ProvidersConfig)) *town
		config []func(*oidcauth.ProvidersConfig)
		path   string
	}{
		"none is offered":                   {newTown, nil, "/auth/acme/login"},
		"the application chooses":           {offering, []func(*oidcauth.ProvidersConfig){host}, "/auth/acme/login"},
		"a guard takes this provider alone": {offering, nil, "/acme/"},
	} {
		t.Run(name, func(t *testing.T) {
			w := row.world(t, row.config...)
			w.goDown("acme")
			page := w.get(row.path)
			require.Equal(t, http.StatusServiceUnavailable, page.Status)
			require.NotContains(t, page.Body, `href="/auth/login`)
		})
	}
	t.Run("a guard takes a provider that is not there", func(t *testing.T) {
		w := offering(t)
		require.NoError(t, w.providers.Remove(t.Context(), "acme"))
		page := w.get("/acme/")
		require.Equal(t, http.StatusNotFound, page.Status)
		require.NotContains(t, page.Body, `href="/auth/login`)
	})
	t.Run("the guard that began the login takes this provider alone", func(t *testing.T) {
		w := offering(t)
		tab := w.browser.NewTab()
		tab.PauseAt(app + "/auth/acme/callback")
		paused := tab.Get(app + "/acme/").Paused
		require.NotNil(t, paused)
		require.NoError(t, w.providers.Retire("acme"))
		w.goDown("acme")
		page := tab.Go(paused)
		require.Equal(t, http.StatusNotFound, page.Status)
		require.NotContains(t, page.Body, `href="/auth/login`)

		require.NoError(t, w.providers.Add("acme", w.config("acme"), oidcauth.Offered("Acme")))
		page = tab.Go(paused)
		require.GreaterOrEqual(t, page.Status, 500)
		require.NotContains(t, page.Body, `href="/auth/login`)
	})
	t.Run("a page wants a stronger login of who is signed in", func(t *testing.T) {
		w := offering(t)
		w.mux.Handle("/gold", w.providers.RequireAny(oidcauth.ACR("gold"))(http.HandlerFunc(writeUser)))
		w.signIn("acme")
		w.goDown("acme")
		require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme"), oidcauth.Offered("Acme")))
		page := w.get("/gold")
		require.Equal(t, http.StatusServiceUnavailable, page.Status)
		require.NotContains(t, page.Body, `href="/auth/login`)
	})
	t.Run("the Store is down", func(t *testing.T) {
		store := &failingStore{Store: session.NewMemoryStore()}
		w := offering(t, func(c *oidcauth.ProvidersConfig) { c.Session.Store = store })
		store.fail(true)
		page := w.get("/auth/acme/login")
		require.NotContains(t, page.Body, `href="/auth/login`)
	})
	t.Run("somebody is signed in already", func(t *testing.T) {
		w := offering(t)
		w.signIn("bolt")
		page := w.comeBack("bolt", "/any", func(q url.Values) { q.Set("state", "of-somebody-else") })
		require.Equal(t, http.StatusBadRequest, page.Status)
		require.NotContains(t, page.Body, `href="/auth/login`)
	})
	t.Run("the only one that is offered is the one that failed", func(t *testing.T) {
		w := offering(t)
		require.NoError(t, w.providers.Replace(t.Context(), "bolt", w.config("bolt")))
		w.goDown("acme")
		require.NotContains(t, w.get("/auth/acme/login").Body, `href="/auth/login`)
		w.goDown("bolt")
		require.Contains(t, w.get("/auth/bolt/login").Body, elsewhere("/"), "acme is offered there")
	})
	t.Run("but where a domain picks one, another may be typed", func(t *testing.T) {
		w := newTown(t, byDomain)
		w.goDown("acme")
		require.Contains(t, w.get("/auth/acme/login").Body, elsewhere("/"))
	})
	t.Run("a script is told nothing of it", func(t *testing.T) {
		w := offering(t)
		w.goDown("acme")
		require.NotContains(t, w.fetch("/auth/acme/login").Body, "/auth/login?")
	})
}

func TestALoginThatFailedKeepsThePlaceForAnotherTry(t *testing.T) {
	t.Run("at a provider that is too slow", func(t *testing.T) {
		w := offering(t)
		w.idps["acme"].BendMetadata(func(o *oidcauthtest.Object) { o.Set("require_pushed_authorization_requests", true) })
		w.idps["acme"].Intercept(oidcauthtest.PAR, oidcauthtest.Reply(500, "text/html", "down"))
		page := w.get("/auth/acme/login?return_to=/any")
		require.Equal(t, http.StatusBadGateway, page.Status, page.Body)
		require.Contains(t, page.Body, `class="button" href="/auth/acme/login?return_to=%2Fany"`)
	})
	t.Run("at a provider that an email address has picked", func(t *testing.T) {
		w := offering(t, byDomain)
		w.goDown("cove")
		answer := w.post("/auth/login", url.Values{"email": {"ann@cove.example"}, "return_to": {"/any"}}, "same-origin")
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.Contains(t, answer.Body.String(), `class="button" href="/auth/cove/login?return_to=%2Fany"`)
		require.Contains(t, answer.Body.String(), elsewhere("/any"))
		require.NotContains(t, answer.Body.String(), "ann@")
	})
}

func TestWhoseProviderCantConfirmTheLoginMaySignInAtAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := offering(t)
		c := w.config("acme")
		c.RevalidateAfter = 5 * time.Minute
		require.NoError(t, w.providers.Replace(t.Context(), "acme", c, oidcauth.Offered("Acme")))
		w.signIn("acme")
		time.Sleep(20 * time.Minute)
		w.goDown("acme")
		page := w.get("/any?q=1")
		require.Equal(t, http.StatusServiceUnavailable, page.Status, page.Body)
		require.Contains(t, page.Body, elsewhere("/any?q=1"))
		require.NotContains(t, w.get("/acme/").Body, `href="/auth/login?`, "a guard of one takes no other")
		require.NotNil(t, w.user(), "nobody is signed out")
	})
}

func TestAnErrorHandlerIsToldWhereAnotherProviderIsChosen(t *testing.T) {
	var told *oidcauth.Problem
	w := offering(t, func(c *oidcauth.ProvidersConfig) {
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			told = err.(*oidcauth.Problem) //nolint:errorlint // it is what the handler is promised
			w.WriteHeader(told.Status)
		}
	})
	w.goDown("acme")
	w.get("/auth/acme/login?return_to=/any")
	require.Equal(t, "/auth/login?return_to=%2Fany", told.ChooseURL)
}

// TestTheChooserSendsItsOrigin: under no-referrer a form's Origin is null, which browsers without
// Fetch Metadata would be refused for.
func TestTheChooserSendsItsOrigin(t *testing.T) {
	page := offering(t, byDomain).get("/auth/login")
	require.Equal(t, "same-origin", page.Header.Get("Referrer-Policy"))
	require.Equal(t, "no-referrer", offering(t).get("/auth/login").Header.Get("Referrer-Policy"), "without a form there is no need")

	w := offering(t, byDomain)
	r := httptest.NewRequest(http.MethodPost, app+"/auth/login", strings.NewReader("email=ann%40cove.example"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", app)
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	require.Equal(t, http.StatusSeeOther, answer.Code)
}
