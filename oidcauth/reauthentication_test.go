package oidcauth_test

import (
	"encoding/json"
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

// loginURLOf returns the login_url of a 401.
func loginURLOf(t *testing.T, page *oidcauthtest.Page) string {
	t.Helper()
	var body struct {
		LoginURL string `json:"login_url"`
	}
	require.NoError(t, json.Unmarshal([]byte(page.Body), &body), page.Body)
	return body.LoginURL
}

// newHintWorld makes a world with alice signed in, a note of hers, and a page that wants a fresh login.
func newHintWorld(t *testing.T, configure ...func(*oidcauth.Config)) *world {
	w := newTokenWorld(t, configure...)
	addNoteRoutes(w.mux, w.auth)
	w.mux.Handle("/fresh", w.auth.Require(oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
	w.mux.Handle("/silent", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.auth.Login(rw, r, oidcauth.LoginOptions{Prompt: "none", ReturnTo: "/note"})
	})))
	w.mux.Handle("/other", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.auth.Login(rw, r, oidcauth.LoginOptions{Prompt: "select_account", ReturnTo: "/note"})
	})))
	w.signIn()
	w.browser.Get(app + "/note?alice's")
	time.Sleep(5 * time.Minute)
	w.provider.Forget()
	return w
}

func TestTheProviderIsToldWhoIsToAuthenticateOnceMore(t *testing.T) {
	byEmail := func(c *oidcauth.Config) { c.LoginHintClaim = "email" }
	off := func(c *oidcauth.Config) { c.PAR = oidcauth.PAROff }
	for name, row := range map[string]struct {
		path      string
		configure []func(*oidcauth.Config)
		token     bool
		hint      string
	}{
		"a step-up, by the ID token where it is pushed":          {"/fresh", []func(*oidcauth.Config){byEmail}, true, ""},
		"a silent login, by the ID token where it is pushed":     {"/silent", nil, true, ""},
		"a step-up that can't be pushed, by the named claim":     {"/fresh", []func(*oidcauth.Config){off, byEmail}, false, "alice@example.test"},
		"a silent login, by the named claim":                     {"/silent", []func(*oidcauth.Config){off, byEmail}, false, "alice@example.test"},
		"nothing, where no claim is named":                       {"/fresh", []func(*oidcauth.Config){off}, false, ""},
		"nothing, where the user has no such claim":              {"/fresh", []func(*oidcauth.Config){off, func(c *oidcauth.Config) { c.LoginHintClaim = "upn" }}, false, ""},
		"nothing of a claim that is no text":                     {"/fresh", []func(*oidcauth.Config){off, func(c *oidcauth.Config) { c.LoginHintClaim = "roles" }}, false, ""},
		"the application's own hint, which is not replaced":      {"/fresh", []func(*oidcauth.Config){byEmail, func(c *oidcauth.Config) { c.Login.LoginHint = "carol" }}, false, "carol"},
		"nothing to a choice of another account":                 {"/other", []func(*oidcauth.Config){byEmail}, false, ""},
		"nothing to a plain login, which anybody may go through": {"/auth/login", []func(*oidcauth.Config){byEmail}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newHintWorld(t, row.configure...)
				page := w.browser.Get(app + row.path)
				require.Equal(t, http.StatusOK, page.Status, page.Body)
				request := w.authenticationRequest()
				require.Equal(t, row.hint, request.Get("login_hint"))
				require.Equal(t, row.token, request.Has("id_token_hint"))
				for _, seen := range w.provider.Requests(oidcauthtest.Authorize) {
					require.False(t, seen.Form.Has("id_token_hint"), "no ID token in a URL")
				}
			})
		})
	}
}

func TestSomebodyElseWhoFinishesAStepUpTakesNothingOver(t *testing.T) {
	for name, path := range map[string]string{"a step-up": "/fresh", "a silent login": "/silent"} {
		t.Run(name, func(t *testing.T) {
			for mode, configure := range modes {
				for posted, response := range map[string]func(*oidcauth.Config){"query": func(*oidcauth.Config) {}, "form_post": formPost} {
					t.Run(mode+", "+posted, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							w := newHintWorld(t, configure, response)
							alices, token := w.cookies(), w.token("").Token
							w.sitsDown("bob")
							page := w.browser.Get(app + path)
							require.Equal(t, app+"/", page.URL)
							require.Equal(t, "bob", w.user().Subject)
							require.Empty(t, w.browser.Get(app+"/note").Body)
							require.Equal(t, "null\n", w.send(alices, "/").Body.String(), "her session has ended")
							if posted == "query" {
								require.Contains(t, w.revokedTokens(), token)
							}
							require.Equal(t, 1, strings.Count(w.log.String(), "level=INFO msg=\"another user took the session's place\""))
						})
					})
				}
			}
		})
	}
}

func TestTheSameUserComesBackFromAStepUpWithAllThatIsHers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHintWorld(t)
		require.Equal(t, app+"/fresh", w.browser.Get(app+"/fresh").URL)
		require.Equal(t, "alice's", w.browser.Get(app+"/note").Body)
		require.NotContains(t, w.log.String(), "another user")
		w.sitsDown("bob")
		require.Equal(t, app+"/note", w.browser.Get(app+"/other").URL, "another account that was asked for comes back to its page")
		require.NotContains(t, w.log.String(), "another user")
	})
}

func TestAStepUpThatTheProviderDoesNotGiveLeavesTheSession(t *testing.T) {
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"it ignores max_age":    func(tok *oidcauthtest.Token) { tok.Claims.Set("auth_time", time.Now().Add(-time.Hour).Unix()) },
		"it sends no auth_time": func(tok *oidcauthtest.Token) { tok.Claims.Delete("auth_time") },
	} {
		t.Run(name, func(t *testing.T) {
			withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				synctest.Test(t, func(t *testing.T) {
					w := newHintWorld(t, mode)
					token := w.token("").Token
					w.provider.BendIDToken(bend)
					page := w.browser.Get(app + "/fresh")
					require.Equal(t, http.StatusForbidden, page.Status)
					require.Contains(t, w.log.String(), "code=step_up_failed")
					require.Contains(t, w.log.String(), "took no notice of max_age")
					require.Empty(t, w.revokedTokens())
					w.requireUntouched(token)
				})
			})
		})
	}
}

func TestWhatTheConfigurationDemandsOfEveryLoginStaysTheProvidersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *oidcauth.Config) { c.Login.MaxAge = time.Minute })
		w.mux.Handle("/gold", w.auth.Require(oidcauth.ACR("gold"))(http.HandlerFunc(writeUser)))
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Delete("auth_time") })
		require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/me").Status)
		w.provider.BendIDToken(nil)
		w.signIn()
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Delete("auth_time") })
		require.Equal(t, http.StatusBadGateway, w.browser.Get(app+"/gold").Status, "a guard that did not ask for max_age")
	})
}

func TestAScriptIsSentToTheVeryStepUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHintWorld(t)
		w.mux.Handle("/gold", w.auth.Require(oidcauth.ACR("gold"), oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
		tab := w.browser.NewTab()
		tab.Get(app + "/note")
		refused := tab.Fetch(app+"/gold", oidcauthtest.FetchOptions{})
		require.Equal(t, http.StatusUnauthorized, refused.Status)
		page := tab.Get(app + loginURLOf(t, refused))
		require.Equal(t, app+"/note", page.URL, "it comes back to the script's page")
		request := w.authenticationRequest()
		require.Equal(t, "60", request.Get("max_age"))
		require.Contains(t, request.Get("claims"), "gold")
		require.Equal(t, http.StatusOK, tab.Fetch(app+"/gold", oidcauthtest.FetchOptions{}).Status)
	})
}

func TestAScriptsStepUpIsBraked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHintWorld(t)
		never := func(*oidcauth.User) error { return &oidcauth.StepUpError{MaxAge: time.Minute} }
		w.mux.Handle("/never", w.auth.Require(never)(http.HandlerFunc(writeUser)))
		asked := w.authorizations()
		for range 2 {
			refused := w.browser.Fetch(app+"/never", oidcauthtest.FetchOptions{})
			require.Equal(t, http.StatusUnauthorized, refused.Status)
			w.browser.Get(app + loginURLOf(t, refused))
		}
		require.Equal(t, http.StatusForbidden, w.browser.Page().Status)
		require.Equal(t, asked+1, w.authorizations())
	})
}

func TestAStepUpLinkThatNobodySealedIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, query := range []string{"step_up=x", "step_up=", "step_up=a&step_up=b"} {
		require.Equal(t, http.StatusBadRequest, w.browser.Get(app+"/auth/login?"+query).Status, query)
	}
	require.Zero(t, w.authorizations())
	w.browser.Get(app + "/auth/login?max_age=0&acr_values=gold")
	require.False(t, w.authenticationRequest().Has("max_age"), "the query is no option")
}

func TestALoginMayAskForScopesOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHintWorld(t)
		w.mux.HandleFunc("/pay", func(rw http.ResponseWriter, r *http.Request) {
			w.auth.Login(rw, r, oidcauth.LoginOptions{Scopes: []string{"payments", "offline_access"}, ReturnTo: "/granted"})
		})
		addGrantRoute(w)
		require.Equal(t, "openid profile email offline_access", w.browser.Get(app+"/granted").Body)
		require.Equal(t, "openid payments offline_access", w.browser.Get(app+"/pay").Body)
		w.browser.Get(app + "/token?force")
		require.Equal(t, "openid payments offline_access", w.browser.Get(app+"/granted").Body, "a refresh keeps them")
		time.Sleep(5 * time.Minute)
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/fresh").Status)
		require.Equal(t, "openid payments offline_access", w.authenticationRequest().Get("scope"), "a step-up loses none")
		w.provider.Forget()
		w.browser.Get(app + "/auth/login")
		require.Equal(t, "openid profile email offline_access", w.authenticationRequest().Get("scope"), "the next plain login asks for the usual")
	})
}

// addGrantRoute answers with the scope of the user's token.
func addGrantRoute(w *world) {
	w.mux.Handle("/granted", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		token, err := w.auth.TokenSource(r.Context()).Token()
		require.NoError(w, err)
		scope, _ := token.Extra("scope").(string)
		_, _ = rw.Write([]byte(scope))
	})))
}

func TestTheGrantCanBeRead(t *testing.T) {
	for name, row := range map[string]struct {
		bend    func(*oidcauthtest.TokenAnswer)
		scope   any
		details any
	}{
		"less than was asked": {
			func(a *oidcauthtest.TokenAnswer) { a.Set("scope", "openid email") }, "openid email", nil,
		},
		"what was asked, where the provider does not say": {
			func(a *oidcauthtest.TokenAnswer) { a.Delete("scope") }, "openid profile email offline_access", nil,
		},
		"authorization_details": {
			func(a *oidcauthtest.TokenAnswer) {
				a.Delete("scope")
				a.Set("authorization_details", []any{map[string]any{"type": "payment", "amount": 12}})
			}, "openid profile email offline_access", []any{map[string]any{"type": "payment", "amount": 12.0}},
		},
		"authorization_details that are no list": {
			func(a *oidcauthtest.TokenAnswer) { a.Set("authorization_details", "payment") }, "openid profile email offline_access", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				w := newTokenWorld(t, mode)
				w.provider.BendTokens(row.bend)
				var scope, details any
				w.mux.Handle("/grant", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					token, err := w.auth.TokenSource(r.Context()).Token()
					require.NoError(t, err)
					scope, details = token.Extra("scope"), token.Extra("authorization_details")
				})))
				w.signIn()
				w.browser.Get(app + "/grant")
				require.Equal(t, row.scope, scope)
				require.Equal(t, row.details, details)
				w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Delete("scope", "authorization_details") })
				w.token("?force")
				w.browser.Get(app + "/grant")
				require.Equal(t, row.scope, scope, "a refresh that says nothing changes nothing")
				require.Equal(t, row.details, details)
			})
		})
	}
}

func TestAnAPIsWishForAScopeIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newResourceWorld(t)
		w.provider.Intercept(oidcauthtest.API, oidcauthtest.Times(1, oidcauthtest.Challenge(`Bearer error="insufficient_user_authentication", max_age="0", scope="openid payments"`)))
		page := w.browser.Get(app + "/call")
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Equal(t, "openid profile email offline_access payments", w.authenticationRequest().Get("scope"))
	})
}

func TestParametersThatThePackageOwnsAreRefused(t *testing.T) {
	w := newWorld(t)
	var o oidcauth.LoginOptions
	w.mux.HandleFunc("/start", func(rw http.ResponseWriter, r *http.Request) { w.auth.Login(rw, r, o) })
	for _, name := range []string{"scope", "state", "redirect_uri", "id_token_hint", "claims"} {
		o = oidcauth.LoginOptions{Extra: url.Values{name: {"x"}}}
		require.Equal(t, http.StatusInternalServerError, w.browser.Get(app+"/start").Status, name)
		require.Contains(t, w.log.String(), `\"`+name+`\" is set by the package`)
	}
	o = oidcauth.LoginOptions{Scopes: []string{"two words"}}
	require.Equal(t, http.StatusInternalServerError, w.browser.Get(app+"/start").Status)
	require.Zero(t, w.authorizations())
	o = oidcauth.LoginOptions{Extra: url.Values{"hd": {"example.com"}}}
	require.NotEqual(t, http.StatusInternalServerError, w.browser.Get(app+"/start").Status)
	require.Equal(t, "example.com", w.authenticationRequest().Get("hd"))
}

func TestTheIDTokenCanBeRead(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		var raw string
		var err error
		w.mux.Handle("/id", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			raw, err = w.auth.IDToken(r.Context())
		})))
		sibling := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://sibling.provider.test"})
		other, mistake := oidcauth.New(oidcauth.Config{
			Issuer: sibling.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/sibling/callback", RoutePrefix: "/sibling/",
			Sessions: w.auth.Sessions(), HTTPClient: sibling.Client(),
		})
		require.NoError(t, mistake)
		w.mux.Handle("/other", other.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			raw, err = other.IDToken(r.Context())
		})))
		w.browser.Get(app + "/id")
		require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
		w.signIn()
		w.browser.Get(app + "/id")
		require.NoError(t, err)
		require.Len(t, strings.Split(raw, "."), 3)
		w.browser.Get(app + "/other")
		require.ErrorIs(t, err, oidcauth.ErrLoginRequired, "the session is another provider's")
		require.Empty(t, raw)
		_, err = w.auth.IDToken(oidcauth.WithUser(t.Context(), &oidcauth.User{Subject: "test"}))
		require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
	})
}

func TestNobodyCausesNoPanic(t *testing.T) {
	w := newWorld(t)
	var nobody *oidcauth.User
	require.False(t, nobody.HasRole("admin"))
	require.Empty(t, nobody.Tag())
	require.Error(t, w.auth.Sessions().Revoke(t.Context(), nobody.Tag()), "nobody's tag revokes nothing")
	for _, r := range []oidcauth.Requirement{
		oidcauth.Role("admin"), oidcauth.Claim("email"), oidcauth.ACR("gold"), oidcauth.AMR("hwk"), oidcauth.MaxAge(time.Minute),
	} {
		require.Error(t, r(nil))
	}
	_, err := w.auth.TokenSource(t.Context(), nil).Token()
	require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
	require.Nil(t, oidcauth.UserFrom(oidcauth.WithUser(t.Context(), nil)))
	require.Nil(t, session.From(t.Context()))

	w.mux.HandleFunc("/nil", func(rw http.ResponseWriter, r *http.Request) { w.auth.StepUp(rw, r, nil) })
	w.mux.Handle("/none", w.auth.Require(nil)(http.HandlerFunc(writeUser)))
	w.mux.Handle("/typed", w.auth.Require(func(*oidcauth.User) error { return (*oidcauth.StepUpError)(nil) })(http.HandlerFunc(writeUser)))
	require.Equal(t, http.StatusForbidden, w.browser.Get(app+"/nil").Status)
	answer := httptest.NewRecorder()
	w.auth.StepUp(answer, httptest.NewRequest(http.MethodPost, app+"/x", nil), nil)
	require.Equal(t, http.StatusForbidden, answer.Code)
	w.signIn()
	for _, path := range []string{"/nil", "/none", "/typed"} {
		require.Equal(t, http.StatusForbidden, w.browser.Get(app+path).Status, path)
	}
}
