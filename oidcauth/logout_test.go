package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// keepCookie returns a function that puts the session cookie of now back.
func (w *world) keepCookie() func() {
	old := w.browser.Cookie(app, "__Host-session")
	require.NotNil(w, old)
	return func() {
		w.browser.SetCookie(app, &http.Cookie{Name: old.Name, Value: old.Value, Path: "/", Secure: true, HttpOnly: true})
	}
}

func TestLogoutEndsTheSessionHereAndAtTheProvider(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	replay := w.keepCookie()
	w.browser.Get(app + "/auth/logout")
	require.NotNil(t, w.user(), "GET only asks")
	page := w.browser.Submit("/auth/logout", nil)
	require.Equal(t, app+"/auth/signed-out", strings.Split(page.URL, "?")[0])
	require.Equal(t, http.StatusOK, page.Status)
	require.Nil(t, w.user())
	end := w.provider.Last(oidcauthtest.EndSession).Form
	require.NotEmpty(t, end.Get("id_token_hint"))
	require.Equal(t, "app", end.Get("client_id"))
	require.Equal(t, app+"/auth/signed-out", end.Get("post_logout_redirect_uri"))
	require.NotEmpty(t, end.Get("state"))
	require.Empty(t, w.provider.Sessions(), "the provider's session is over")
	replay()
	require.Nil(t, w.user(), "the old cookie is dead")
}

func TestLogoutComesBackToWhereItWasAsked(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.browser.Get(app + "/auth/logout?return_to=/%3Fbye%3D1")
	page := w.browser.Submit("/auth/logout", nil)
	require.Equal(t, app+"/?bye=1", page.URL)
}

func TestALogoutReturnThatLeavesTheSiteIsDropped(t *testing.T) {
	for name, raw := range waysOut {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signIn()
			w.browser.Get(app + "/")
			page := w.browser.Post("/auth/logout", url.Values{"return_to": {raw}})
			require.True(t, strings.HasPrefix(page.URL, app+"/auth/signed-out"), page.URL)
			require.Nil(t, w.user())
		})
	}
}

func TestTheSignedOutPageIgnoresAStateThatIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	tab := w.browser.NewTab()
	tab.Get(app + "/")
	tab.PauseAt(app + "/auth/signed-out")
	page := tab.Post("/auth/logout", url.Values{"return_to": {"/?bye=1"}})
	require.NotNil(t, page.Paused)
	for _, query := range []string{"", "?state=evil", "?state=a&state=b", "?state=" + strings.Repeat("x", 5000)} {
		other := w.browser.Get(app + "/auth/signed-out" + query)
		require.Equal(t, http.StatusOK, other.Status)
		require.Equal(t, app+"/auth/signed-out"+query, other.URL)
		requireProtected(t, other.Header)
	}
	tab.PauseAt("")
	require.Equal(t, app+"/?bye=1", tab.Go(page.Paused).URL)
}

func TestAnotherSiteCantSignTheUserOut(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	w.network.Handle("https://evil.example", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
	}))
	tab := w.browser.NewTab()
	tab.Get("https://evil.example/")
	page := tab.Post(app+"/auth/logout", url.Values{})
	require.Equal(t, http.StatusForbidden, page.Status)
	requireProtected(t, page.Header)
	require.NotNil(t, w.user())
}

func TestLogoutCompletesWhateverFailsAtTheProvider(t *testing.T) {
	for name, bend := range map[string]func(*oidcauthtest.Provider){
		"no end_session_endpoint": func(p *oidcauthtest.Provider) {
			p.BendMetadata(func(doc *oidcauthtest.Object) { doc.Delete("end_session_endpoint") })
		},
		"revocation fails": func(p *oidcauthtest.Provider) {
			p.Intercept(oidcauthtest.Revocation, oidcauthtest.Reply(503, "text/plain", "down"))
		},
		"everything is down": func(p *oidcauthtest.Provider) { p.Intercept(oidcauthtest.Revocation, oidcauthtest.Drop()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bend(w.provider)
			w.signIn()
			replay := w.keepCookie()
			w.browser.Get(app + "/auth/logout")
			page := w.browser.Submit("/auth/logout", nil)
			require.NoError(t, page.Err)
			require.Nil(t, w.user())
			replay()
			require.Nil(t, w.user())
		})
	}
}

func TestAScriptIsToldWhereToSignOut(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	r, err := http.NewRequest(http.MethodPost, app+"/auth/logout", http.NoBody)
	require.NoError(t, err)
	for name, value := range map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"} {
		r.Header.Set(name, value)
	}
	answer, err := w.network.Client().Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
}

// A long ID token makes the URL of the provider's logout longer than some servers on the way take.
func TestALongLogoutRequestGoesAsAForm(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.Session.ServerSide = true })
	w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("groups", incompressible(6000)) })
	// Some providers choose the user's policy by a query of the endpoint's own, which has to stay where it is.
	w.provider.BendMetadata(func(d *oidcauthtest.Object) {
		d.Set("end_session_endpoint", w.provider.URL(oidcauthtest.EndSession)+"?p=policy_1")
	})
	w.signIn()
	w.browser.Get(app + "/auth/logout?return_to=/%3Fbye")
	page := w.browser.Submit("/auth/logout", nil)
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, app+"/auth/logout", page.URL)
	requireProtected(t, page.Header)
	require.Equal(t, "same-origin", page.Header.Get("Referrer-Policy"), "pages with a form")
	require.Nil(t, w.user(), "signed out here already")
	require.Zero(t, w.provider.Count(oidcauthtest.EndSession))
	page = w.browser.Submit("id_token_hint", nil)
	require.NoError(t, page.Err, "the policy of the page lets its form go to the provider and back")
	require.Equal(t, app+"/?bye", page.URL)
	end := w.provider.Last(oidcauthtest.EndSession)
	require.Equal(t, http.MethodPost, end.Method)
	require.Equal(t, "p=policy_1", end.URL.RawQuery)
	require.Greater(t, len(end.Form.Get("id_token_hint")), 6000)
	require.NotEmpty(t, end.Form.Get("state"))
	require.Empty(t, w.provider.Sessions())
}

func TestAShortLogoutRequestKeepsTheQueryOfTheEndpoint(t *testing.T) {
	w := newWorld(t)
	w.provider.BendMetadata(func(d *oidcauthtest.Object) {
		d.Set("end_session_endpoint", w.provider.URL(oidcauthtest.EndSession)+"?p=policy_1")
	})
	w.signIn()
	w.browser.Get(app + "/auth/logout")
	page := w.browser.Submit("/auth/logout", nil)
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, "policy_1", w.provider.Last(oidcauthtest.EndSession).Form.Get("p"))
}

func TestLogoutTakesAllOfTheLibrarysCookies(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		for range 3 { // logins under way in other tabs
			tab := w.browser.NewTab()
			tab.PauseAt(w.provider.URL(oidcauthtest.Authorize))
			require.NotNil(t, tab.Get(app+"/auth/login").Paused)
		}
		require.Greater(t, len(w.browser.Cookies(app+"/auth/callback")), 3)
		w.browser.Get(app + "/auth/logout")
		w.browser.Submit("/auth/logout", nil)
		require.Empty(t, w.browser.Cookies(app+"/"))
		require.Empty(t, w.browser.Cookies(app+"/auth/callback"))
	})
}

func TestTheBackButtonShowsNothingAfterLogout(t *testing.T) {
	w := newWorld(t)
	page := w.signIn()
	require.Contains(t, page.Header.Get("Cache-Control"), "no-store")
	w.browser.Get(app + "/auth/logout")
	w.browser.Submit("/auth/logout", nil)
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Nobody = true })
	w.browser.Back()
	page = w.browser.Back()
	require.NotContains(t, page.Body, "alice@example.test")
}

// The browser is signed out whatever the Store says; the kept cookie is dead in this process too.
func TestLogoutCompletesWhileTheStoreIsDown(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		store := &moodyStore{Store: session.NewMemoryStore()}
		w := newWorld(t, mode, func(c *oidcauth.Config) { c.Session.Store = store })
		w.signIn()
		old := w.cookies()
		w.browser.Get(app + "/auth/logout")
		store.failAfter(0)
		page := w.browser.Submit("/auth/logout", nil)
		require.Less(t, page.Status, 500, page.Body)
		require.False(t, w.hasSession())
		require.Equal(t, 1, w.provider.Count(oidcauthtest.EndSession))
		store.failAfter(-1)
		require.Equal(t, "null\n", w.send(old, "/").Body.String())
		require.Contains(t, w.log.String(), "store unavailable")
	})
}

func TestSignOutEverywhereEndsEachOfTheUsersSessions(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	other := oidcauthtest.NewBrowser(w.network)
	require.Equal(t, http.StatusOK, other.Get(app+"/me").Status)
	require.NoError(t, w.auth.Sessions().Revoke(t.Context(), w.user().Tag()))
	require.Nil(t, w.user())
	require.Equal(t, "null\n", other.Get(app+"/").Body)
	w.signIn()
	require.NotNil(t, w.user(), "a login after that counts")
}

func backChannel(c *oidcauth.Config) { c.BackChannelLogout = true }

// postLogoutToken sends a logout token as the provider does, from no browser.
func (w *world) postLogoutToken(token string) *http.Response {
	w.Helper()
	answer, err := w.network.Client().PostForm(app+"/auth/backchannel-logout", url.Values{"logout_token": {token}, "foo": {"bar"}})
	require.NoError(w, err)
	_ = answer.Body.Close()
	require.Contains(w, answer.Header.Get("Cache-Control"), "no-store")
	return answer
}

func TestABackChannelLogoutEndsTheSession(t *testing.T) {
	w := newWorld(t, backChannel)
	w.signIn()
	user := w.user()
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", user.SessionID)).StatusCode)
	require.Nil(t, w.user())
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", "unknown sid")).StatusCode)
}

func TestABackChannelLogoutOfTheUserEndsAllSessions(t *testing.T) {
	w := newWorld(t, backChannel)
	w.signIn()
	other := oidcauthtest.NewBrowser(w.network)
	require.Equal(t, http.StatusOK, other.Get(app+"/me").Status)
	require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", "")).StatusCode)
	require.Nil(t, w.user())
	require.Equal(t, "null\n", other.Get(app+"/").Body)
}

func TestAReplayedLogoutTokenLeavesTheNewSession(t *testing.T) {
	w := newWorld(t, backChannel)
	w.signIn()
	token := w.provider.LogoutToken("app", "alice", "", func(tok *oidcauthtest.Token) {
		tok.Claims.Set("iat", time.Now().Add(-2*time.Second).Unix())
	})
	w.postLogoutToken(token)
	w.browser.ClearCookies()
	w.signIn()
	w.postLogoutToken(token)
	require.NotNil(t, w.user())
}

func TestBackChannelLogoutIsOffUnlessAsked(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	require.Equal(t, http.StatusNotFound, w.postLogoutToken(w.provider.LogoutToken("app", "alice", "")).StatusCode)
	require.NotNil(t, w.user())
}

func TestFrontChannelLogoutEndsARecordedSID(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.FrontChannelLogout = true })
	w.signIn()
	user := w.user()
	for _, wrong := range []string{"", "?iss=" + url.QueryEscape(user.Issuer), "?sid=" + user.SessionID,
		"?iss=https%3A%2F%2Fevil.example&sid=" + user.SessionID, "?iss=" + url.QueryEscape(user.Issuer) + "&sid=unknown"} {
		page := oidcauthtest.NewBrowser(w.network).Get(app + "/auth/frontchannel-logout" + wrong)
		require.Equal(t, http.StatusOK, page.Status)
		require.NotNil(t, w.user(), wrong)
	}
	page := oidcauthtest.NewBrowser(w.network).Get(w.provider.FrontChannelLogoutURL("app", user.SessionID))
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "frame-ancestors "+w.provider.Issuer())
	require.Nil(t, w.user())
}
