package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// modes are the places where sessions can be, each with the configuration for it.
var modes = map[string]func(*oidcauth.Config){
	"cookie":           func(*oidcauth.Config) {},
	"cookie, no store": func(c *oidcauth.Config) { c.Session.Store = nil },
	"server-side":      func(c *oidcauth.Config) { c.Session.ServerSide = true },
}

// inEachMode runs f in a bubble of its own for each place where sessions can be, with somebody signed in.
func inEachMode(t *testing.T, f func(t *testing.T, w *world)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, mode)
				w.signIn()
				f(t, w)
			})
		})
	}
}

func TestAHundredRequestsOnAnExpiredTokenMakeOneRefresh(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		for _, answer := range w.sendAll(100, old, "/call") {
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			require.Contains(t, answer.Body.String(), `"sub":"alice"`)
		}
		require.Equal(t, 1, w.refreshes())
	})
}

func TestRequestsWithTheOldCookieGoOnAfterARefresh(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		first := replyOf(t, w.send(old, "/token").Body.String())
		for range 50 {
			time.Sleep(200 * time.Millisecond)
			answer := w.send(old, "/token")
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			require.Equal(t, first.Token, replyOf(t, answer.Body.String()).Token)
			require.Equal(t, !strings.Contains(t.Name(), "server-side"), setsSession(answer), "the answer carries the new cookie")
		}
		require.Equal(t, 1, w.refreshes())
	})
}

func TestTheAnswersOfARefreshCarryTheNewCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.provider.Configure(func(s *oidcauthtest.Settings) { s.AccessTokenLifetime = 10 * time.Second })
		w.signIn()
		old := w.cookies()
		time.Sleep(11 * time.Second) // no idle limit has to move yet
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		answers := w.sendAll(10, old, "/token")
		// Nothing but the cookie can tell a process with a memory of its own.
		auth := newAuthenticator(t, w)
		other := appMux(auth)
		addTokenRoutes(other, auth, w.network)
		for _, answer := range answers {
			cookies := (&http.Response{Header: answer.Header()}).Cookies()
			require.NotEmpty(t, cookies)
			again := w.sendTo(other, cookies[0].Name+"="+cookies[0].Value, "/token")
			require.Equal(t, answer.Body.String(), again.Body.String())
		}
		require.Equal(t, 1, w.refreshes())
	})
}

func TestEachExpiryMakesOneRefreshAndNobodyIsSignedOut(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		for i := range 5 {
			time.Sleep(11 * time.Minute)
			w.token("")
			require.Equal(t, i+1, w.refreshes())
		}
		require.Equal(t, "alice", w.user().Subject)
	})
}

func TestTheClientThatBeganARefreshMayGoAway(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			r := httptest.NewRequest(http.MethodGet, app+"/token", nil).WithContext(ctx)
			r.Header.Set("Cookie", old)
			answer := httptest.NewRecorder()
			w.mux.ServeHTTP(answer, r)
			assert.NotEqual(t, http.StatusOK, answer.Code)
		})
		synctest.Wait()
		require.Equal(t, 1, w.refreshes())
		for range 10 {
			all.Go(func() { assert.Equal(t, http.StatusOK, w.send(old, "/call").Code) })
		}
		synctest.Wait()
		cancel()
		all.Wait()
		require.Equal(t, 1, w.refreshes())
	})
}

func TestARefreshThatNobodyWaitsForIsKept(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		w.sendAndLeave(old, "/token")
		require.Equal(t, 1, w.refreshes())
		time.Sleep(5 * time.Second)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Drop())
		require.Equal(t, http.StatusOK, w.send(old, "/token").Code)
		require.Equal(t, 1, w.refreshes())
	})
}

func TestTwoResourcesAtOnceGetTheirOwnTokensAndNoRefreshTokenIsUsedTwice(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		queries := []string{"", "?resource=https://a.example", "?resource=https://b.example", "?scope=email"}
		bodies := make([]string, len(queries))
		var mu sync.Mutex
		var all sync.WaitGroup
		for i, query := range queries {
			for range 5 {
				all.Go(func() {
					answer := w.send(old, "/token"+query)
					assert.Equal(t, http.StatusOK, answer.Code, answer.Body)
					mu.Lock()
					defer mu.Unlock()
					bodies[i] = answer.Body.String()
				})
			}
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, len(queries), w.refreshes())
		used := map[string]bool{}
		for _, r := range w.provider.Requests(oidcauthtest.TokenEndpoint) {
			token := r.Form.Get("refresh_token")
			require.False(t, token != "" && used[token], "a refresh token was used twice")
			used[token] = true
		}
		for i, want := range []string{oidcauthtest.DefaultIssuer + "/api", "https://a.example", "https://b.example"} {
			claims := oidcauthtest.ParseToken(replyOf(t, bodies[i]).Token).Claims
			require.Equal(t, want, claims.Get("aud"))
		}
		claims := oidcauthtest.ParseToken(replyOf(t, bodies[3]).Token).Claims
		require.Equal(t, "email", claims.Get("scope"))
	})
}
