package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// inEachStoredMode runs f where revocations are seen, with alice signed in.
func inEachStoredMode(t *testing.T, f func(t *testing.T, w *world), configure ...func(*oidcauth.Config)) {
	for _, name := range []string{"cookie", "server-side"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, append([]func(*oidcauth.Config){modes[name], noPAR}, configure...)...)
				w.signIn()
				time.Sleep(10 * time.Minute)
				f(t, w)
			})
		})
	}
}

// revokeFresh signs alice out everywhere, and demands a fresh login of who comes back.
func (w *world) revokeFresh(options ...session.RevokeOption) {
	w.Helper()
	tag := w.user().Tag()
	require.NoError(w, w.auth.Sessions().Revoke(w.Context(), tag, append(options, session.DemandFreshLogin)...))
	time.Sleep(time.Second)
}

// maxAges are those of all authentication requests so far.
func (w *world) maxAges() (list []string) {
	for _, r := range w.provider.Requests(oidcauthtest.Authorize) {
		list = append(list, r.Form.Get("max_age"))
	}
	return list
}

func TestSingleSignOnBringsNobodyBackWhereAFreshLoginIsDemanded(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		w.revokeFresh()
		require.Equal(t, "null\n", w.send(old, "/").Body.String())
		before := time.Now()
		w.signIn() // which the provider does not ask about, unless it has to
		require.Equal(t, []string{"", "", "0"}, w.maxAges(), "sent once more")
		require.False(t, w.user().AuthTime.Before(before.Truncate(time.Second)), "the provider asked")
		require.Equal(t, 2, w.provider.Count(oidcauthtest.Revocation), "nobody has the tokens of the first try")
		time.Sleep(time.Minute)
		w.browser.ClearCookies()
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
	})
}

func TestALoginThatIsFreshAlreadyPassesAtOnce(t *testing.T) {
	for name, row := range map[string]struct {
		authTime time.Duration // after the revocation
		login    string
		requests int
	}{
		"authenticated after it, beyond the skew":    {62 * time.Second, "/auth/login?return_to=/me", 1},
		"authenticated after it, within the skew":    {59 * time.Second, "/auth/login?return_to=/me", 2},
		"begun after it, with max_age=0":             {62 * time.Second, "/now", 1},
		"begun after it, max_age=0, within the skew": {time.Second, "/now", 1},
	} {
		t.Run(name, func(t *testing.T) {
			inEachStoredMode(t, func(t *testing.T, w *world) {
				w.mux.Handle("/now", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					w.auth.Login(rw, r, oidcauth.LoginOptions{MaxAge: -1, ReturnTo: "/me"})
				}))
				w.revokeFresh()
				at := time.Now().Add(-time.Second)
				time.Sleep(row.authTime)
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("auth_time", at.Add(row.authTime).Unix()) })
				w.browser.ClearCookies()
				before := len(w.maxAges())
				page := w.browser.Get(app + row.login)
				require.Equal(t, row.requests, len(w.maxAges())-before)
				require.Equal(t, http.StatusOK, page.Status, page.Body)
			})
		})
	}
}

// What was on its way when the others were signed out is one of them.
func TestALoginThatWasBegunBeforeIsSentOnceMore(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		w.mux.Handle("/now", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.auth.Login(rw, r, oidcauth.LoginOptions{MaxAge: -1, ReturnTo: "/me"})
		}))
		other := oidcauthtest.NewBrowser(w.network)
		other.PauseAt(app + "/auth/callback")
		paused := other.Get(app + "/now").Paused
		require.NotNil(t, paused)
		w.revokeFresh()
		other.PauseAt("")
		page := other.Go(paused)
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Equal(t, app+"/me", page.URL, "back where it was going")
		require.Equal(t, []string{"", "0", "0"}, w.maxAges())
	})
}

func TestAProviderThatIgnoresMaxAgeSignsNobodyIn(t *testing.T) {
	for name, bend := range map[string]func(tok *oidcauthtest.Token, first time.Time){
		"auth_time of the old login": func(tok *oidcauthtest.Token, first time.Time) { tok.Claims.Set("auth_time", first.Unix()) },
		"no auth_time":               func(tok *oidcauthtest.Token, _ time.Time) { tok.Claims.Delete("auth_time") },
		"auth_time 0":                func(tok *oidcauthtest.Token, _ time.Time) { tok.Claims.Set("auth_time", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			inEachStoredMode(t, func(t *testing.T, w *world) {
				first := time.Now().Add(-10 * time.Minute)
				w.revokeFresh()
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) { bend(tok, first) })
				page := w.browser.Get(app + "/me")
				require.Equal(t, http.StatusForbidden, page.Status, page.Body)
				require.Equal(t, []string{"", "", "0"}, w.maxAges(), "once more, and not again")
				require.Nil(t, w.user())
				require.Contains(t, w.log.String(), "code=step_up_failed")
				requireProtected(t, page.Header)
				for _, c := range w.browser.Cookies(app + "/") {
					require.Equal(t, "__Host-session", c.Name, "no login is left under way, and of the session only a dead cookie")
				}
			})
		})
	}
}

func TestASilentLoginComesBackSignedOutWhereAFreshOneIsDemanded(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		w.mux.Handle("/silent", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.auth.Login(rw, r, oidcauth.LoginOptions{Prompt: "none", ReturnTo: "/"})
		}))
		w.revokeFresh()
		page := w.browser.Get(app + "/silent")
		require.Equal(t, http.StatusOK, page.Status)
		require.Equal(t, app+"/", page.URL)
		require.Nil(t, w.user())
		require.Len(t, w.maxAges(), 2, "nobody was asked")
	})
}

func TestADemandOfOneUserIsNoneOfAnothers(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		w.revokeFresh()
		w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "bob"} })
		w.signIn()
		require.Equal(t, []string{"", ""}, w.maxAges())
		require.Equal(t, "bob", w.user().Subject)
	})
}

func TestEverywhereElseKeepsThisSessionAndItsTokens(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		other := oidcauthtest.NewBrowser(w.network)
		require.Equal(t, http.StatusOK, other.Get(app+"/me").Status)
		w.mux.Handle("/elsewhere", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			tag := oidcauth.UserFrom(r.Context()).Tag()
			require.NoError(t, w.auth.Sessions().Revoke(r.Context(), tag, session.Except(session.From(r.Context())), session.DemandFreshLogin))
		})))
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/elsewhere").Status)
		time.Sleep(11 * time.Minute)
		require.NotEmpty(t, w.token("").Token, "it is refreshed as ever")
		require.NotNil(t, w.user())
		require.Equal(t, "null\n", other.NewTab().Get(app+"/").Body)
		other.Get(app + "/me")
		ages := w.maxAges()
		require.Equal(t, "0", ages[len(ages)-1], "the other needs a fresh login")
	})
}

// The login that a guard demands keeps its demand when it is sent once more.
func TestWhatAGuardDemandsIsDemandedOfTheFreshLoginToo(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		w.mux.Handle("/gold", w.auth.Require(oidcauth.ACR("gold"))(http.HandlerFunc(writeUser)))
		w.revokeFresh()
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("acr", "gold") })
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/gold").Status)
		requests := w.provider.Requests(oidcauthtest.Authorize)
		require.Equal(t, "0", requests[len(requests)-1].Form.Get("max_age"))
	})
}

// The revocation was made by a replica whose clock is ahead: the login that is begun for its sake came after it all the same.
func TestAFreshLoginCountsWhateverTheClocksSay(t *testing.T) {
	inEachStoredMode(t, func(t *testing.T, w *world) {
		tag := w.user().Tag()
		for range 3000 { // each mark is a millisecond above the one before
			require.NoError(t, w.auth.Sessions().Revoke(t.Context(), tag, session.DemandFreshLogin))
		}
		w.signIn()
		require.Equal(t, []string{"", "", "0"}, w.maxAges())
	})
}

// postedOrNot runs f for both ways in which the browser comes back: a cross-site POST comes without the session's cookie.
func postedOrNot(t *testing.T, f func(t *testing.T, response func(*oidcauth.Config))) {
	t.Run("query", func(t *testing.T) { f(t, func(*oidcauth.Config) {}) })
	t.Run("form_post", func(t *testing.T) { f(t, formPost) })
}

func TestAFreshLoginTakesThePlaceOfTheSessionThatTheFirstTryBeganIn(t *testing.T) {
	postedOrNot(t, func(t *testing.T, response func(*oidcauth.Config)) {
		inEachStoredMode(t, func(t *testing.T, w *world) {
			w.revokeFresh()
			w.signInAs("bob")
			bobs := w.cookies()
			w.provider.Forget()
			page := w.signInAs("alice")
			require.Equal(t, []string{"", "0"}, w.maxAges(), "sent once more")
			require.Equal(t, app+"/me", page.URL, "the login is hers from its beginning")
			require.Equal(t, "alice", w.user().Subject)
			require.Equal(t, "null\n", w.send(bobs, "/").Body.String(), "his session has ended")
			require.Empty(t, w.authenticationRequest().Get("login_hint"), "it is not he who is to come back")
		}, response, func(c *oidcauth.Config) { c.LoginHintClaim = "sub" })
	})
}

func TestSomebodyElsesFreshLoginTakesNoStepUpOver(t *testing.T) {
	postedOrNot(t, func(t *testing.T, response func(*oidcauth.Config)) {
		inEachStoredMode(t, func(t *testing.T, w *world) {
			w.mux.Handle("/fresh", w.auth.Require(oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
			alices := w.cookies()
			bob := &oidcauth.User{Issuer: w.provider.Issuer(), Subject: "bob"}
			require.NoError(t, w.auth.Sessions().Revoke(t.Context(), bob.Tag(), session.DemandFreshLogin))
			w.sitsDown("bob")
			require.Equal(t, app+"/", w.browser.Get(app+"/fresh").URL, "her page is not shown to him")
			require.Equal(t, "bob", w.user().Subject)
			require.Equal(t, "null\n", w.send(alices, "/").Body.String())
		}, response)
	})
}
