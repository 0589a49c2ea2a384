package oidcauth_test

import (
	"context"
	"encoding/base64"
	"fmt"
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

func TestABrowserSignsInAndComesBackToThePageItAskedFor(t *testing.T) {
	w := newWorld(t)
	page := w.browser.Get(app + "/me?tab=orders&q=a%20b")
	require.NoError(t, page.Err)
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, app+"/me?tab=orders&q=a%20b", page.URL)
	user := w.user()
	require.Equal(t, "alice", user.Subject)
	require.Equal(t, w.provider.Issuer(), user.Issuer)
	require.Equal(t, "Alice Adams", user.Name)
	require.Equal(t, []string{"user"}, user.Roles)
	require.WithinDuration(t, time.Now(), user.LoginTime, time.Minute)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
	require.Equal(t, 1, w.provider.Count(oidcauthtest.UserInfo))
}

func TestTheExpiryOfTheTokenIsKnownWithoutAskingAnybody(t *testing.T) {
	w := newWorld(t)
	w.mux.Handle("/expiry", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		expiry, ok := w.auth.TokenExpiry(r.Context())
		fmt.Fprint(rw, ok, time.Until(expiry) > 9*time.Minute)
	})))
	require.Equal(t, "false false", w.browser.Get(app+"/expiry").Body)
	w.signIn()
	w.provider.Forget()
	require.Equal(t, "true true", w.browser.Get(app+"/expiry").Body)
	require.Zero(t, w.provider.Count())
}

func TestTheAuthenticationRequestIsComplete(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 20 {
		w.callbackURL()
		q := w.authenticationRequest()
		require.Equal(t, "app", q.Get("client_id"))
		require.Equal(t, "code", q.Get("response_type"))
		require.Equal(t, app+"/auth/callback", q.Get("redirect_uri"))
		require.Equal(t, "openid profile email offline_access", q.Get("scope"))
		require.Equal(t, "S256", q.Get("code_challenge_method"))
		require.Len(t, q.Get("code_challenge"), 43)
		require.False(t, q.Has("response_mode"), "the default mode is not sent")
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			random, err := base64.RawURLEncoding.DecodeString(q.Get(name))
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(random), 16)
			require.False(t, seen[q.Get(name)], "%s is new in each login", name)
			seen[q.Get(name)] = true
		}
	}
}

func TestPKCEStaysS256WhateverTheMetadataSays(t *testing.T) {
	for name, methods := range map[string]any{"plain only": []string{"plain"}, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.BendMetadata(func(doc *oidcauthtest.Object) { doc.Set("code_challenge_methods_supported", methods) })
			w.signIn()
			require.Equal(t, "S256", w.authenticationRequest().Get("code_challenge_method"))
		})
	}
}

// What people are shown is in guardanswer_test.go.
func TestEverythingButAPageViewIsAnswered401(t *testing.T) {
	w := newWorld(t)
	w.browser.Get(app + "/") // the provider is untouched by a public page
	for name, page := range map[string]*oidcauthtest.Page{
		"a prefetch":   w.browser.NewTab().Prefetch(app + "/me"),
		"an image":     w.browser.NewTab().Load(app+"/me", "image"),
		"a script":     w.browser.NewTab().Load(app+"/me", "script"),
		"a WebSocket":  w.browser.NewTab().Load(app+"/me", "websocket"),
		"a stylesheet": w.browser.NewTab().Load(app+"/me", "style"),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusUnauthorized, page.Status)
			require.Equal(t, "application/json", page.Header.Get("Content-Type"))
			require.Contains(t, page.Body, `"login_url":"/auth/login"`)
			require.NotEmpty(t, page.Header.Get("WWW-Authenticate"))
			require.Empty(t, page.Header.Values("Set-Cookie"))
			requireProtected(t, page.Header)
		})
	}
	require.Empty(t, w.provider.Requests(), "nobody asked the provider anything")
}

func TestTenTabsFinishInAnyOrder(t *testing.T) {
	w := newWorld(t)
	var pending []*oidcauthtest.Navigation
	var tabs []*oidcauthtest.Tab
	for i := range 10 {
		tab := w.browser.NewTab()
		tab.PauseAt(app + "/auth/callback")
		page := tab.Get(app + "/me?tab=" + string(rune('a'+i)))
		require.NotNil(t, page.Paused)
		tabs, pending = append(tabs, tab), append(pending, page.Paused)
	}
	for i := 9; i >= 0; i-- {
		tabs[i].PauseAt("")
		page := tabs[i].Go(pending[i])
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Equal(t, app+"/me?tab="+string(rune('a'+i)), page.URL)
	}
}

func TestFiftyUnfinishedLoginsLeaveTheHeaderSmall(t *testing.T) {
	for name, path := range map[string]string{
		"short return paths": "/me?x=1",
		"long return paths":  "/me?x=" + strings.Repeat("y", 1900),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var last *oidcauthtest.Page
			tab := w.browser.NewTab()
			tab.PauseAt(app + "/auth/callback")
			for range 50 {
				last = tab.Get(app + path)
				require.NotNil(t, last.Paused)
			}
			size := 0
			for _, c := range w.browser.Cookies(app + "/auth/callback") {
				size += len(c.Name) + len(c.Value) + 3
			}
			require.Less(t, size, 6<<10+100)
			tab.PauseAt("")
			page := tab.Go(last.Paused)
			require.Equal(t, http.StatusOK, page.Status, "the newest login still works: %s", page.Body)
		})
	}
}

func TestStaleTransactionCookiesAreCleanedUp(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		w.browser.SetCookie(app, &http.Cookie{Name: "__Host-session-login-stale" + string(rune('A'+i)), Value: "junk", Path: "/", Secure: true})
	}
	w.signIn()
	for _, c := range w.browser.Cookies(app) {
		require.NotContains(t, c.Name, "stale")
	}
}

func TestAReturnPathThatLeavesTheSiteBecomesTheStartPage(t *testing.T) {
	for name, raw := range waysOut {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			page := w.browser.Get(app + "/auth/login?return_to=" + url.QueryEscape(raw))
			require.Equal(t, app+"/", page.URL)
			require.Equal(t, http.StatusOK, page.Status)
		})
	}
}

func TestAReturnPathNeverLeadsToTheOwnRoutes(t *testing.T) {
	w := newWorld(t)
	for _, raw := range []string{"/auth/callback?code=x", "/auth/logout", "/auth", "/auth/", "/AUTH/logout", "/auth/login?return_to=/auth/login"} {
		page := w.browser.Get(app + "/auth/login?return_to=" + url.QueryEscape(raw))
		require.Equal(t, app+"/", page.URL, raw)
	}
}

func TestTheLoginRouteRefusesWhatIsNoPageView(t *testing.T) {
	w := newWorld(t)
	frame := w.browser.NewTab().Frame(app + "/auth/login")
	require.NotEqual(t, http.StatusSeeOther, frame.Status)
	require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Load(app+"/auth/login", "image").Status)
	require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Prefetch(app+"/auth/login").Status)
	require.Empty(t, w.provider.Requests())
	require.Empty(t, w.browser.Cookies(app))
}

func TestAThirdPartyMayInitiateALogin(t *testing.T) {
	for name, start := range map[string]func(*world) *oidcauthtest.Page{
		"by GET": func(w *world) *oidcauthtest.Page {
			return w.browser.Get(app + "/auth/login?iss=" + url.QueryEscape(w.provider.Issuer()) + "&login_hint=alice&target_link_uri=" + url.QueryEscape(app+"/me?x=1"))
		},
		"by POST": func(w *world) *oidcauthtest.Page {
			return w.browser.Post(app+"/auth/login", url.Values{"iss": {w.provider.Issuer()}, "login_hint": {"alice"}, "target_link_uri": {app + "/me?x=1"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			page := start(w)
			require.Equal(t, http.StatusOK, page.Status, page.Body)
			require.Equal(t, app+"/me?x=1", page.URL)
			require.Equal(t, "alice", w.authenticationRequest().Get("login_hint"))
		})
	}
}

func TestAThirdPartyLoginForAnotherIssuerIsRefused(t *testing.T) {
	w := newWorld(t)
	page := w.browser.Get(app + "/auth/login?iss=https%3A%2F%2Fevil.example&target_link_uri=" + url.QueryEscape(app+"/me"))
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Empty(t, w.provider.Requests())
}

func TestAPostThatIsNoThirdPartyLoginIsRefused(t *testing.T) {
	w := newWorld(t)
	ours := w.provider.Issuer()
	for name, sent := range map[string]struct{ query, form url.Values }{
		"without iss":                        {nil, url.Values{"return_to": {"/me"}}},
		"with iss in the query only":         {url.Values{"iss": {ours}}, url.Values{"login_hint": {"alice"}}},
		"with iss in the query and the form": {url.Values{"iss": {ours}}, url.Values{"iss": {ours}}},
		"with another's iss in the query":    {url.Values{"iss": {"https://evil.example"}}, url.Values{"iss": {ours}}},
		"with its target in the query":       {url.Values{"target_link_uri": {app + "/me"}}, url.Values{"iss": {ours}}},
	} {
		page := w.browser.Post(app+"/auth/login?"+sent.query.Encode(), sent.form)
		require.Equal(t, http.StatusBadRequest, page.Status, name)
	}
	require.Empty(t, w.provider.Requests())
	require.Empty(t, w.browser.Cookies(app))
}

func TestATargetLinkOfAnotherSiteBecomesTheStartPage(t *testing.T) {
	for _, target := range []string{"https://evil.example/", app + ".evil.example/", app + "@evil.example/", "//evil.example"} {
		w := newWorld(t)
		page := w.browser.Get(app + "/auth/login?iss=" + url.QueryEscape(w.provider.Issuer()) + "&target_link_uri=" + url.QueryEscape(target))
		require.Equal(t, app+"/", page.URL, target)
	}
}

func TestLoginOptionsAreSent(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Login = oidcauth.LoginOptions{Prompt: "consent", UILocales: []string{"de", "en"}, ACRValues: []string{"gold", "silver"}, MaxAge: time.Hour, Resource: []string{"https://api.example.test"}, Extra: url.Values{"audience": {"x"}}}
	})
	w.signIn()
	q := w.authenticationRequest()
	for name, want := range map[string]string{
		"prompt": "consent", "ui_locales": "de en", "acr_values": "gold silver", "max_age": "3600", "resource": "https://api.example.test", "audience": "x",
	} {
		require.Equal(t, want, q.Get(name), name)
	}
}

func TestOptionsOfOneLoginWinOverTheConfigured(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Login = oidcauth.LoginOptions{Prompt: "consent", MaxAge: time.Hour, ACRValues: []string{"gold"}, UILocales: []string{"de"}}
	})
	w.mux.HandleFunc("/again", func(rw http.ResponseWriter, r *http.Request) {
		w.auth.Login(rw, r, oidcauth.LoginOptions{Prompt: "login", MaxAge: -1, ACRValues: []string{}, ReturnTo: "/me"})
	})
	page := w.browser.Get(app + "/again")
	require.Equal(t, app+"/me", page.URL)
	q := w.authenticationRequest()
	require.Equal(t, "login", q.Get("prompt"))
	require.Equal(t, "0", q.Get("max_age"))
	require.False(t, q.Has("acr_values"), "an empty list asks for none")
	require.Equal(t, "de", q.Get("ui_locales"), "what is nil is the configured one")
}

func TestASilentLoginComesBackWhenNobodyIsSignedIn(t *testing.T) {
	w := newWorld(t)
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Nobody = true })
	w.mux.HandleFunc("/silent", func(rw http.ResponseWriter, r *http.Request) {
		w.auth.Login(rw, r, oidcauth.LoginOptions{Prompt: "none", ReturnTo: "/?silent=1"})
	})
	page := w.browser.Get(app + "/silent")
	require.Equal(t, app+"/?silent=1", page.URL)
	require.Equal(t, "null\n", page.Body)
	require.False(t, w.hasSession())
}

func TestAnOutageAtTheLoginIs503WithRetryAfter(t *testing.T) {
	w := newWorld(t)
	w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Reply(500, "text/plain", "down"))
	page := w.browser.Get(app + "/me")
	require.Equal(t, http.StatusServiceUnavailable, page.Status)
	require.NotEmpty(t, page.Header.Get("Retry-After"))
	requireProtected(t, page.Header)
	require.Empty(t, page.Header.Values("Set-Cookie"))
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/").Status, "public pages go on")
}

func TestALoginThatDoesNotStickEndsInAPage(t *testing.T) {
	w := newWorld(t)
	w.browser.MaxRedirects = 40
	w.mux.Handle("/broken", w.auth.RequireLogin(http.HandlerFunc(writeUser)))
	// A proxy in front drops the session cookie: each login succeeds and is forgotten.
	w.network.Handle(app, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var kept []string
		for _, c := range r.Cookies() {
			if c.Name != "__Host-session" {
				kept = append(kept, c.Name+"="+c.Value)
			}
		}
		r.Header.Set("Cookie", strings.Join(kept, "; "))
		w.mux.ServeHTTP(rw, r)
	}))
	page := w.browser.Get(app + "/broken")
	require.NoError(t, page.Err)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.Body, "We couldn&#39;t keep you signed in")
	require.Less(t, len(page.Exchanges), 20, "browsers give up after about 20 redirects")
}

// A lateStore is read from a replica that has nothing yet of what was written.
type lateStore struct{ session.Store }

func (lateStore) Get(_ context.Context, keys ...string) ([][]byte, error) {
	return make([][]byte, len(keys)), nil
}

func TestALoginThatTheStoreForgetsEndsInAPageAndTheLogNamesTheStore(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Session.Store, c.Session.ServerSide = lateStore{session.NewMemoryStore()}, true
	})
	w.browser.MaxRedirects = 40
	page := w.browser.Get(app + "/me")
	require.NoError(t, page.Err)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, w.log.String(), "code=login_loop")
	require.Contains(t, w.log.String(), "the Store")
}
