package oidcauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func withSessionEndpoint(c *oidcauth.Config) { c.SessionEndpoint = true }

// asked is a request to the session endpoint, as a script of the application's page makes it; header may say otherwise.
func (w *world) asked(cookies string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, app+"/auth/session", nil)
	for name, value := range map[string]string{
		"Cookie": cookies, "Accept": "*/*", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty",
	} {
		r.Header.Set(name, value)
	}
	for name, value := range header {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

// members are those of a JSON answer.
func members(t *testing.T, answer *httptest.ResponseRecorder) (all map[string]any) {
	t.Helper()
	require.Equal(t, "application/json", answer.Header().Get("Content-Type"))
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &all), answer.Body)
	return all
}

// eachPresence runs f with somebody signed in, in each session mode, in an application with a session endpoint.
func eachPresence(t *testing.T, f func(t *testing.T, w *world), configure ...func(*oidcauth.Config)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, append([]func(*oidcauth.Config){mode, withSessionEndpoint}, configure...)...)
				w.signIn()
				f(t, w)
			})
		})
	}
}

func TestTheSessionEndpointSaysWhoIsSignedInAndUntilWhen(t *testing.T) {
	stamp := func(d time.Duration) string { return time.Now().UTC().Add(d).Format(time.RFC3339) }
	for name, row := range map[string]struct {
		configure func(*oidcauth.Config)
		idle      func() any
	}{
		"with an idle limit": {func(c *oidcauth.Config) { c.Session.Lifetime, c.Session.IdleTimeout = 8*time.Hour, time.Hour }, func() any { return stamp(time.Hour) }},
		"without":            {func(c *oidcauth.Config) { c.Session.Lifetime, c.Session.IdleTimeout = 8*time.Hour, -1 }, func() any { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			eachPresence(t, func(t *testing.T, w *world) {
				answer := w.asked(w.cookies(), nil)
				require.Equal(t, http.StatusOK, answer.Code)
				require.Equal(t, map[string]any{
					"sub": "alice", "name": w.user().Name, "session_expires_at": stamp(8 * time.Hour), "idle_expires_at": row.idle(), "logout_url": "/auth/logout",
				}, members(t, answer))
				require.NotEmpty(t, w.user().Name)
				require.Empty(t, answer.Header().Values("Set-Cookie"))
				require.Contains(t, answer.Header().Values("Vary"), "Cookie")
				requireProtected(t, answer.Header())
			}, row.configure)
		})
	}
	t.Run("a name that is unknown is null", func(t *testing.T) {
		eachPresence(t, func(t *testing.T, w *world) {
			name, ok := members(t, w.asked(w.cookies(), nil))["name"]
			require.True(t, ok)
			require.Nil(t, name)
		}, func(c *oidcauth.Config) {
			c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error { u.Name = ""; return nil }
		})
	})
}

// A page that asks each minute is no use of the session, which ends as if nobody had asked.
func TestAskingKeepsNoSessionAlive(t *testing.T) {
	eachPresence(t, func(t *testing.T, w *world) {
		cookies := w.cookies()
		end := members(t, w.asked(cookies, nil))["idle_expires_at"]
		for range 59 {
			time.Sleep(time.Minute)
			answer := w.asked(cookies, nil)
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			require.Equal(t, end, members(t, answer)["idle_expires_at"])
			require.Empty(t, answer.Header().Values("Set-Cookie"))
		}
		time.Sleep(time.Minute)
		answer := w.asked(cookies, nil)
		require.Equal(t, http.StatusUnauthorized, answer.Code)
		require.Empty(t, answer.Header().Values("Set-Cookie"), "not even one that expires")
		require.Equal(t, http.StatusUnauthorized, w.send(cookies, "/me").Code)
		require.Zero(t, w.refreshes(), "and no token was refreshed")
	}, func(c *oidcauth.Config) { c.Session.IdleTimeout = time.Hour })
}

func TestUseMovesTheLimitThatTheSessionEndpointTells(t *testing.T) {
	eachPresence(t, func(t *testing.T, w *world) {
		before := members(t, w.asked(w.cookies(), nil))["idle_expires_at"]
		time.Sleep(30 * time.Minute)
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status)
		require.NotEqual(t, before, members(t, w.asked(w.cookies(), nil))["idle_expires_at"])
	}, func(c *oidcauth.Config) { c.Session.IdleTimeout = time.Hour })
}

func TestTheSessionEndpointSaysThatNobodyIsSignedIn(t *testing.T) {
	for name, end := range map[string]func(w *world) (cookies string){
		"never": func(*world) string { return "" },
		"after a logout, with the old cookie": func(w *world) string {
			cookies := w.cookies()
			r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", nil)
			r.Header.Set("Cookie", cookies)
			w.mux.ServeHTTP(httptest.NewRecorder(), r)
			return cookies
		},
		"after the provider refused the refresh token": func(w *world) string {
			time.Sleep(11 * time.Minute)
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_grant"))
			w.send(w.cookies(), "/token")
			return w.cookies()
		},
		"with a cookie that is none": func(*world) string { return "__Host-session=AAAA" },
	} {
		t.Run(name, func(t *testing.T) {
			eachPresence(t, func(t *testing.T, w *world) {
				cookies := end(w)
				answer := w.asked(cookies, map[string]string{"Referer": app + "/orders?page=2", "HX-Request": "true"})
				require.Equal(t, http.StatusUnauthorized, answer.Code, answer.Body)
				require.Equal(t, map[string]any{"error": "login_required", "login_url": "/auth/login?return_to=%2Forders%3Fpage%3D2"}, members(t, answer))
				require.NotEmpty(t, answer.Header().Get("WWW-Authenticate"))
				require.Empty(t, answer.Header().Get("HX-Redirect"), "a page that asks is not left")
				require.Empty(t, answer.Header().Values("Set-Cookie"))
				requireProtected(t, answer.Header())
				page := w.asked(cookies, map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"})
				require.Equal(t, http.StatusUnauthorized, page.Code)
				require.Contains(t, page.Header().Get("Content-Type"), "text/html")
				require.Contains(t, page.Body.String(), `href="/auth/login`)
			})
		})
	}
}

func TestTheSessionEndpointTellsOtherSitesNothing(t *testing.T) {
	for name, row := range map[string]struct {
		header map[string]string
		status int
	}{
		"a script of ours":                  {nil, http.StatusOK},
		"an address that somebody typed":    {map[string]string{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, http.StatusOK},
		"a client that is no browser":       {map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Mode": "", "Sec-Fetch-Dest": ""}, http.StatusOK},
		"an old browser, from our page":     {map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Mode": "", "Origin": app}, http.StatusOK},
		"another site":                      {map[string]string{"Sec-Fetch-Site": "cross-site"}, http.StatusForbidden},
		"a link on another site":            {map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, http.StatusForbidden},
		"a sister host":                     {map[string]string{"Sec-Fetch-Site": "same-site"}, http.StatusForbidden},
		"an image on a sister host":         {map[string]string{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, http.StatusForbidden},
		"an old browser, from another site": {map[string]string{"Sec-Fetch-Site": "", "Sec-Fetch-Mode": "", "Origin": "https://evil.example"}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			eachPresence(t, func(t *testing.T, w *world) {
				signedIn, signedOut := w.asked(w.cookies(), row.header), w.asked("", row.header)
				require.Equal(t, row.status, signedIn.Code, signedIn.Body)
				require.Empty(t, signedIn.Header().Get("Access-Control-Allow-Origin"))
				if row.status == http.StatusForbidden {
					require.Equal(t, row.status, signedOut.Code, "who is signed in does not show")
					require.NotContains(t, signedIn.Body.String(), "alice")
				}
			})
		})
	}
}

func TestTheSessionEndpointWithoutItsStore(t *testing.T) {
	for name, serverSide := range map[string]bool{"cookie and Store": false, "server side": true} {
		t.Run(name, func(t *testing.T) {
			store := &moodyStore{Store: session.NewMemoryStore()}
			w := newWorld(t, withSessionEndpoint, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, serverSide })
			w.signIn()
			store.failAfter(0)
			answer := w.asked(w.cookies(), nil)
			require.Equal(t, http.StatusServiceUnavailable, answer.Code)
			require.Equal(t, "store_unavailable", members(t, answer)["error"])
			require.NotEmpty(t, answer.Header().Get("Retry-After"))
			require.Empty(t, answer.Header().Values("Set-Cookie"))
			store.failAfter(-1)
			require.Equal(t, http.StatusOK, w.asked(w.cookies(), nil).Code)
		})
	}
}

func TestTheSessionEndpointIsAskedForAndRead(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, http.StatusNotFound, w.asked("", nil).Code, "off unless it is asked for")
	w = newWorld(t, withSessionEndpoint)
	for method, status := range map[string]int{http.MethodPost: 405, http.MethodDelete: 405, http.MethodHead: 401} {
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, httptest.NewRequest(method, app+"/auth/session", nil))
		require.Equal(t, status, answer.Code, method)
	}
}

// A generation that another request has published is told of, and left to those that use the session.
func TestALookAfterARefreshHandsNothingOver(t *testing.T) {
	eachPresence(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		require.Equal(t, http.StatusOK, w.send(old, "/token").Code)
		for range 3 {
			answer := w.asked(old, nil)
			require.Equal(t, http.StatusOK, answer.Code)
			require.Empty(t, answer.Header().Values("Set-Cookie"))
			time.Sleep(time.Second)
		}
		require.Equal(t, 1, w.refreshes())
		time.Sleep(2 * time.Minute)
		require.Equal(t, http.StatusOK, w.send(old, "/token").Code, "looks have not used up what a late request gets")
		require.Equal(t, 1, w.refreshes())
	})
}

func TestPeekRefreshesNothing(t *testing.T) {
	eachPresence(t, func(t *testing.T, w *world) {
		w.mux.Handle("/peek", w.auth.Peek(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			token, err := w.auth.TokenSource(r.Context()).Token()
			if err != nil {
				require.NotErrorIs(t, err, oidcauth.ErrLoginRequired, "nobody is signed out by it")
				http.Error(rw, err.Error(), http.StatusTeapot)
				return
			}
			_, _ = rw.Write([]byte(oidcauth.UserFrom(r.Context()).Subject + " " + token.AccessToken))
		})))
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/peek").Code)
		time.Sleep(11 * time.Minute)
		require.Equal(t, http.StatusTeapot, w.send(w.cookies(), "/peek").Code)
		require.Zero(t, w.refreshes())
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
		require.Equal(t, 1, w.refreshes(), "as requests that use the session do")
	})
}

func TestTheSessionEndpointKnowsTheUsersOfEachProvider(t *testing.T) {
	first, second, _ := twoProviders(t)
	asking, err := oidcauth.New(oidcauth.Config{
		Issuer: "https://third.example", ClientID: "third", ClientSecret: "s", RedirectURL: app + "/third/callback",
		Sessions: second.Sessions(), SessionEndpoint: true,
	})
	require.NoError(t, err)
	first.signIn()
	r := httptest.NewRequest(http.MethodGet, app+"/third/session", nil)
	r.Header.Set("Cookie", first.cookies())
	answer := httptest.NewRecorder()
	asking.ServeHTTP(answer, r)
	require.Equal(t, "alice", members(t, answer)["sub"])
}

// A page that asks again and again would else have the provider asked again and again: a look waits for the next use.
func TestAskingNeverConfirmsASession(t *testing.T) {
	peeked := func(w *world, cookies string) *httptest.ResponseRecorder { return w.send(cookies, "/peek") }
	for name, ask := range map[string]func(w *world, cookies string) *httptest.ResponseRecorder{
		"at the session endpoint": func(w *world, cookies string) *httptest.ResponseRecorder { return w.asked(cookies, nil) },
		"below Peek":              peeked,
	} {
		t.Run(name, func(t *testing.T) {
			eachPresence(t, func(t *testing.T, w *world) {
				w.mux.Handle("/peek", w.auth.Peek(w.auth.RequireLogin(http.HandlerFunc(writeUser))))
				cookies := w.cookies()
				for range 5 {
					time.Sleep(time.Hour)
					require.Equal(t, http.StatusOK, ask(w, cookies).Code)
					require.Zero(t, w.refreshes())
				}
				require.Equal(t, http.StatusOK, w.send(cookies, "/me").Code)
				require.Equal(t, 1, w.refreshes(), "a use confirms it")
			}, everyHour)
		})
	}
}
