package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A postedWorld is a world whose callbacks are cross-site POSTs, which come without the session's cookie.
type postedWorld struct {
	*world
	hooked []string // for whom Hooks.Logout was called, and why
}

func inEachPostedMode(t *testing.T, f func(t *testing.T, w *postedWorld), configure ...func(*oidcauth.Config)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := new(postedWorld)
				w.world = newTokenWorld(t, append(configure, mode, formPost, func(c *oidcauth.Config) {
					c.Hooks.Logout = func(_ context.Context, u *oidcauth.User, why oidcauth.LogoutReason) {
						w.hooked = append(w.hooked, u.Subject+" "+string(why))
					}
				})...)
				addNoteRoutes(w.mux, w.auth)
				w.mux.Handle("/fresh", w.auth.Require(oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
				f(t, w)
			})
		})
	}
}

func TestAPostedLoginTakesOverWhatAVisitorHas(t *testing.T) {
	inEachPostedMode(t, func(t *testing.T, w *postedWorld) {
		w.browser.Get(app + "/note?apples")
		w.signInAs("alice")
		require.Equal(t, "apples", w.browser.Get(app+"/note").Body)
		require.Empty(t, w.hooked)
	})
}

func TestAPostedLoginOfTheSameUserKeepsWhatIsHers(t *testing.T) {
	inEachPostedMode(t, func(t *testing.T, w *postedWorld) {
		w.signInAs("alice")
		w.browser.Get(app + "/note?alice's")
		time.Sleep(10 * time.Minute)
		require.Equal(t, app+"/fresh", w.browser.Get(app+"/fresh").URL)
		require.Equal(t, "alice's", w.browser.Get(app+"/note").Body)
		require.Empty(t, w.revokedTokens())
		require.Empty(t, w.hooked)
	})
}

func TestAPostedLoginOfAnotherUserEndsTheFirstOnes(t *testing.T) {
	inEachPostedMode(t, func(t *testing.T, w *postedWorld) {
		w.signInAs("alice")
		w.browser.Get(app + "/note?alice's")
		token, old := w.token("").Token, w.cookies()
		w.signInAs("bob")
		require.Equal(t, "bob", w.user().Subject)
		require.Empty(t, w.browser.Get(app+"/note").Body)
		require.Equal(t, "null\n", w.send(old, "/").Body.String())
		require.Contains(t, w.revokedTokens(), token)
		require.Len(t, w.revokedTokens(), 2, "and her refresh token")
		require.Equal(t, []string{"alice replaced"}, w.hooked)
	})
}

// What has changed since the login began is what counts.
func TestAPostedLoginFindsTheNewestTokens(t *testing.T) {
	inEachPostedMode(t, func(t *testing.T, w *postedWorld) {
		w.signInAs("alice")
		w.sitsDown("bob")
		callback := w.pausedLogin()
		newest := w.token("?force").Token
		w.browser.Get(app + "/note?late")
		w.browser.NewTab().Go(callback)
		require.Equal(t, "bob", w.user().Subject)
		require.Contains(t, w.revokedTokens(), newest)
		require.Empty(t, w.browser.Get(app+"/note").Body)
	})
}

func TestAPostedLoginBringsNoSessionBack(t *testing.T) {
	for name, end := range map[string]func(w *postedWorld){
		"its user has signed out":      func(w *postedWorld) { require.Equal(w, http.StatusSeeOther, w.signOutBeside().Code) },
		"the idle limit has passed":    func(*postedWorld) { time.Sleep(31 * time.Second) },
		"its user was signed out":      func(w *postedWorld) { w.revokeAlice() },
		"another login took its place": func(w *postedWorld) { w.browser.Get(app + "/auth/login"); w.browser.Get(app + "/note?new") },
	} {
		t.Run(name, func(t *testing.T) {
			inEachPostedMode(t, func(t *testing.T, w *postedWorld) {
				if w.auth.Sessions().Config().Store == nil && name == "its user was signed out" {
					t.Skip("there are no marks")
				}
				w.signInAs("alice")
				w.browser.Get(app + "/note?alice's")
				callback := w.pausedLogin()
				end(w)
				page := w.browser.NewTab().Go(callback)
				require.Less(t, page.Status, 500, page.Body)
				note := w.browser.Get(app + "/note").Body
				require.NotEqual(t, "alice's", note)
			}, func(c *oidcauth.Config) { c.Session.IdleTimeout = 30 * time.Second })
		})
	}
}

// revokeAlice signs alice out everywhere.
func (w *postedWorld) revokeAlice() {
	u := &oidcauth.User{Issuer: w.provider.Issuer(), Subject: "alice"}
	require.NoError(w, w.auth.Sessions().Revoke(w.Context(), u.Tag()))
}

// signOutBeside signs out with the browser's cookies, and leaves those as they are.
func (w *postedWorld) signOutBeside() *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", nil)
	r.Header.Set("Cookie", w.cookies())
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

// pausedLogin begins a login in a tab of its own, and returns the callback before the browser sends it.
func (w *postedWorld) pausedLogin() *oidcauthtest.Navigation {
	w.Helper()
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/callback")
	page := tab.Get(app + "/auth/login")
	require.NoError(w, page.Err)
	require.NotNil(w, page.Paused, page.Body)
	return page.Paused
}
