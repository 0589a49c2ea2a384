package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// addStreamRoutes adds answers that begin before they need a token.
func addStreamRoutes(w *world) {
	token := func(rw http.ResponseWriter, r *http.Request) {
		if _, err := w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token(); err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
		}
	}
	w.mux.Handle("/late", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusOK)
		token(rw, r)
	})))
	w.mux.Handle("/events", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for range 4 {
			_ = http.NewResponseController(rw).Flush()
			time.Sleep(2 * time.Minute)
			token(rw, r)
		}
	})))
	w.mux.Handle("/slow-page", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = oidcauth.UserFrom(r.Context())
		time.Sleep(75 * time.Second)
		_, err := w.auth.TokenSource(r.Context()).Token()
		assert.NoError(w, err)
	})))
}

// The provider revokes all that came from a login when a refresh token is used twice (RFC 9700 §4.14.2).
func TestNoSpentRefreshTokenIsSentForWantOfACookie(t *testing.T) {
	lost := map[string]func(t *testing.T, w *world, cookies string){
		"a refresh after the first byte": func(_ *testing.T, w *world, cookies string) { w.send(cookies, "/late") },
		"an event stream":                func(_ *testing.T, w *world, cookies string) { w.send(cookies, "/events") },
		"an answer that is lost":         func(_ *testing.T, w *world, cookies string) { w.send(cookies, "/token?force=1") },
		"a request that went away": func(_ *testing.T, w *world, cookies string) {
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
			w.sendAndLeave(cookies, "/token?force=1")
			time.Sleep(2 * time.Second)
		},
		"a slow refresh that nobody waits for": func(t *testing.T, w *world, cookies string) {
			time.Sleep(9*time.Minute + 30*time.Second)
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(8*time.Second))
			require.Equal(t, http.StatusOK, w.send(cookies, "/token").Code)
			time.Sleep(10 * time.Second)
			require.Equal(t, 1, w.refreshes())
		},
	}
	for name, lose := range lost {
		for _, pause := range []time.Duration{0, 65 * time.Second, 15 * time.Minute, 40 * time.Minute} {
			t.Run(name+"/"+pause.String(), func(t *testing.T) {
				inEachMode(t, func(t *testing.T, w *world) {
					addStreamRoutes(w)
					old := w.cookies()
					lose(t, w, old)
					time.Sleep(pause)
					require.Equal(t, http.StatusOK, w.send(old, "/token?force=1").Code)
					w.token("?force=1")
					require.NotNil(t, w.user())
					for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
						require.Equal(t, http.StatusOK, r.Status)
					}
				})
			})
		}
	}
}

func TestASlowPageLeavesTheTokensThatAnotherTabGot(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		addStreamRoutes(w)
		time.Sleep(11 * time.Minute)
		old, page := w.cookies(), httptest.NewRecorder()
		var all sync.WaitGroup
		all.Go(func() { page = w.send(old, "/slow-page") })
		synctest.Wait()
		w.token("")
		w.token("")
		all.Wait()
		w.receive(page)
		time.Sleep(5 * time.Minute)
		w.token("?force=1")
		require.NotNil(t, w.user())
		for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
			require.Equal(t, http.StatusOK, r.Status)
		}
	})
}

// receive gives the browser the cookies of an answer that was sent past it.
func (w *world) receive(answer *httptest.ResponseRecorder) {
	for _, c := range answer.Result().Cookies() {
		w.browser.SetCookie(app+"/", c)
	}
}

func TestALateAnswerLeavesTheNextLoginAlone(t *testing.T) {
	logins := map[string]string{"the same account": "alice", "another account": "bob"}
	handlers := map[string]func(w *world, r *http.Request){
		"it looks":        func(w *world, r *http.Request) { _ = oidcauth.UserFrom(r.Context()) },
		"it asks a token": func(w *world, r *http.Request) { _, _ = w.auth.TokenSource(r.Context()).Token() },
		"it refreshes one": func(w *world, r *http.Request) {
			_, _ = w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
		},
	}
	for name, subject := range logins {
		for what, handle := range handlers {
			for when, looks := range map[string]bool{"after it has looked": true, "before it looks": false} {
				t.Run(name+"/"+what+"/"+when, func(t *testing.T) {
					inEachMode(t, func(t *testing.T, w *world) {
						release := make(chan struct{})
						w.mux.Handle("/late", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
							if looks {
								_ = oidcauth.UserFrom(r.Context())
							}
							<-release
							handle(w, r)
						})))
						time.Sleep(5 * time.Minute)
						old, late := w.cookies(), httptest.NewRecorder()
						var all sync.WaitGroup
						all.Go(func() { late = w.send(old, "/late") })
						synctest.Wait()
						w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: subject} })
						w.browser.NewTab().Get(app + "/auth/login?return_to=/me")
						require.Equal(t, subject, w.user().Subject)
						close(release)
						all.Wait()
						w.receive(late)
						require.NotNil(t, w.user())
						require.Equal(t, subject, w.user().Subject)
					})
				})
			}
		}
	}
}

func TestAllWhoWaitedForARefreshThatEndedTheSessionTakeItsCookieAway(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.provider.BendIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("sub", "mallory") })
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		for _, answer := range w.sendAll(5, old, "/token") {
			require.Equal(t, http.StatusUnauthorized, answer.Code)
			require.Contains(t, answer.Header().Get("Set-Cookie"), "Max-Age=0")
		}
		require.Equal(t, 1, w.refreshes())
	})
}
