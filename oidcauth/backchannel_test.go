package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// withLogouts runs f where both channels are on, with sessions in the cookie, beside a Store, and with sessions in the Store.
func withLogouts(t *testing.T, f func(t *testing.T, mode func(*oidcauth.Config))) {
	for name, serverSide := range map[string]bool{"cookie mode": false, "server mode": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f(t, func(c *oidcauth.Config) {
					c.Session.ServerSide, c.BackChannelLogout, c.FrontChannelLogout = serverSide, true, true
				})
			})
		})
	}
}

// logoutTokens are the shapes in which a provider may name whom it signed out.
var logoutTokens = map[string]func(w *world, sid string) string{
	"with sub and sid": func(w *world, sid string) string { return w.provider.LogoutToken("app", "alice", sid) },
	"with sid alone":   func(w *world, sid string) string { return w.provider.LogoutToken("app", "", sid) },
	"with sub alone":   func(w *world, _ string) string { return w.provider.LogoutToken("app", "alice", "") },
}

func TestALogoutTokenBeatsTheLoginInTheCallback(t *testing.T) {
	for name, logoutToken := range logoutTokens {
		t.Run(name, func(t *testing.T) {
			withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				w := newWorld(t, mode)
				// Userinfo is fetched when the ID token is known, and before the session begins.
				w.provider.Intercept(oidcauthtest.UserInfo, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						sid := w.provider.Sessions()[0].ID
						w.postLogoutToken(logoutToken(w, sid))
						next.ServeHTTP(rw, r)
					})
				})
				page := w.browser.Get(app + "/me")
				require.Equal(t, http.StatusBadRequest, page.Status, page.Body)
				require.Contains(t, page.Body, "signed out")
				requireProtected(t, page.Header)
				require.False(t, w.hasSession())
				require.Nil(t, w.user())
				require.Equal(t, 2, w.provider.Count(oidcauthtest.Revocation), "nobody will have the tokens: both are revoked")
				w.provider.Intercept(oidcauthtest.UserInfo)
				time.Sleep(6 * time.Second) // a login with the same sid within 5 s counts as ended
				w.signIn()
			})
		})
	}
}

func TestALogoutTokenBeatsTheRefreshInFlight(t *testing.T) {
	for name, logoutToken := range logoutTokens {
		t.Run(name, func(t *testing.T) {
			withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				w := newTokenWorld(t, mode)
				w.signIn()
				sid, old := w.user().SessionID, w.cookies()
				w.provider.Intercept(oidcauthtest.TokenEndpoint, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						held := httptest.NewRecorder()
						next.ServeHTTP(held, r) // the new tokens exist, and are on their way
						w.postLogoutToken(logoutToken(w, sid))
						rw.Header().Set("Content-Type", "application/json")
						_, _ = rw.Write(held.Body.Bytes())
					})
				})
				answer := w.send(old, "/token?force")
				require.Equal(t, http.StatusUnauthorized, answer.Code, answer.Body)
				require.Equal(t, 1, w.refreshes())
				require.Equal(t, "null\n", w.send(old, "/").Body.String())
				for _, c := range answer.Result().Cookies() {
					require.Negative(t, c.MaxAge, "%s: cookies may only be taken away", c.Name)
				}
				require.NotZero(t, w.provider.Count(oidcauthtest.Revocation), "nobody knows the new tokens: they are revoked")
			})
		})
	}
}

func TestALogoutTokenBeatsTheResponseInFlight(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		sid := w.user().SessionID
		note := session.Field[string]("note")
		w.mux.Handle("/slow", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.postLogoutToken(w.provider.LogoutToken("app", "alice", sid))
			if r.URL.Query().Has("write") {
				_ = note.Set(r.Context(), "still here")
			}
			_, _ = rw.Write([]byte("done"))
		})))
		for _, path := range []string{"/slow", "/slow?write"} {
			w.browser.ClearCookies()
			time.Sleep(time.Second)
			w.signIn()
			sid = w.user().SessionID
			time.Sleep(10 * time.Minute) // the idle limit is due to move
			old := w.cookies()
			answer := w.send(old, path)
			require.Equal(t, http.StatusOK, answer.Code, "the handler had begun before the logout")
			for _, c := range answer.Result().Cookies() {
				require.Negative(t, c.MaxAge, "%s: cookies may only be taken away", c.Name)
			}
			require.Equal(t, "null\n", w.send(old, "/").Body.String())
		}
	})
}

func TestALogoutTokenEndsStreams(t *testing.T) {
	for name, logoutToken := range logoutTokens {
		t.Run(name, func(t *testing.T) {
			withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
				store := session.NewMemoryStore()
				w := newWorld(t, mode, func(c *oidcauth.Config) { c.Session.Store = store })
				w.signIn()
				sid, cookies := w.user().SessionID, w.cookies()
				ended := func(auth *oidcauth.Authenticator) *atomic.Int64 {
					var at atomic.Int64
					h := auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						<-session.Done(r.Context())
						at.Store(time.Now().UnixNano())
					}))
					ctx, cancel := context.WithCancel(t.Context())
					t.Cleanup(cancel)
					r := httptest.NewRequest(http.MethodGet, app+"/stream", nil).WithContext(ctx)
					r.Header.Set("Cookie", cookies)
					go h.ServeHTTP(httptest.NewRecorder(), r)
					return &at
				}
				here := ended(w.auth)
				there := ended(newAuthenticator(t, w, mode, func(c *oidcauth.Config) { c.Session.Store = store }))
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				require.Zero(t, here.Load(), "streams live as long as the session")
				began := time.Now()
				w.postLogoutToken(logoutToken(w, sid))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.WithinDuration(t, began, time.Unix(0, here.Load()), time.Second)
				require.WithinDuration(t, began, time.Unix(0, there.Load()), 5*time.Second, "another process")
			})
		})
	}
}

func TestATokenWithoutSIDEndsTheNewerSessionToo(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		time.Sleep(time.Minute)
		newer := oidcauthtest.NewBrowser(w.network)
		require.Equal(t, http.StatusOK, newer.Get(app+"/me").Status)
		w.browser.Get(app + "/auth/logout")
		w.browser.Submit("/auth/logout", nil)
		require.NotEqual(t, "null\n", newer.NewTab().Get(app+"/").Body, "the other session lives on")
		require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", "")).StatusCode)
		require.Equal(t, "null\n", newer.NewTab().Get(app+"/").Body)
	})
}

func TestASIDEndsItsSessionAndThoseOfTheUserThatHaveNone(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		without, other := oidcauthtest.NewBrowser(w.network), oidcauthtest.NewBrowser(w.network)
		require.Equal(t, http.StatusOK, other.Get(app+"/me").Status)
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Delete("sid") })
		require.Equal(t, http.StatusOK, without.Get(app+"/me").Status)
		require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "bob", w.user().SessionID+"x")).StatusCode)
		require.NotNil(t, w.user())
		require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "alice", w.user().SessionID)).StatusCode)
		require.Nil(t, w.user())
		require.Equal(t, "null\n", without.NewTab().Get(app+"/").Body)
		require.NotEqual(t, "null\n", other.NewTab().Get(app+"/").Body, "another sid of the same user")
	})
}

func TestASessionThatSlidesStaysEnded(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		kept := []string{w.cookies()}
		for range 6 {
			time.Sleep(30 * time.Minute)
			require.NotNil(t, w.user(), "use moves the idle limit")
			kept = append(kept, w.cookies())
		}
		w.postLogoutToken(w.provider.LogoutToken("app", "alice", w.user().SessionID))
		require.Nil(t, w.user())
		for range 3 {
			for _, cookies := range kept {
				require.Equal(t, "null\n", w.send(cookies, "/").Body.String())
			}
			time.Sleep(50 * time.Minute)
		}
	})
}

func TestAReplayedLogoutTokenIsAnsweredAndEndsNothing(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		token := w.provider.LogoutToken("app", "alice", "")
		require.Equal(t, http.StatusOK, w.postLogoutToken(token).StatusCode)
		require.Equal(t, http.StatusOK, w.postLogoutToken(token).StatusCode)
		require.Nil(t, w.user())
		time.Sleep(time.Second)
		w.signIn()
		for range 7 {
			w.postLogoutToken(token)
			require.NotNil(t, w.user())
			time.Sleep(time.Minute)
		}
		require.Equal(t, http.StatusBadRequest, w.postLogoutToken(token).StatusCode, "it is too old by now")
	})
}

func TestAStoreThatFailsHasTheProviderTryAgain(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		store := &moodyStore{Store: session.NewMemoryStore()}
		w := newWorld(t, mode, func(c *oidcauth.Config) { c.Session.Store = store })
		w.signIn()
		token := w.provider.LogoutToken("app", "alice", w.user().SessionID)
		cookies := w.cookies()
		for n := range 4 { // whichever call of the Store fails, the logout is not taken for done
			store.failAfter(n)
			require.Equal(t, http.StatusServiceUnavailable, w.postLogoutToken(token).StatusCode, "call %d", n)
		}
		front := w.send("", "/auth/frontchannel-logout?iss="+w.provider.Issuer()+"&sid=s")
		require.Equal(t, http.StatusServiceUnavailable, front.Code)
		require.NotEmpty(t, front.Header().Get("Retry-After"))
		store.failAfter(-1)
		require.Equal(t, http.StatusOK, w.postLogoutToken(token).StatusCode)
		require.Equal(t, "null\n", w.send(cookies, "/").Body.String())
	})
}
