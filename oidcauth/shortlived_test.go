package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// shortLives are values of expires_in with which a token expires as it comes.
var shortLives = map[string]any{"0": 0, "-5": -5, "a text": "0", "less than nothing": -1e300, "a moment": 0.001}

// inEachShortLife is inEachMode with somebody signed in whose tokens live so long.
func inEachShortLife(t *testing.T, f func(t *testing.T, w *world)) {
	for name, life := range shortLives {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("expires_in", life) })
				w.mux.Handle("/thrice", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					w.askThrice(rw, r)
				})))
				w.token("?force") // and so the session's own is of that kind
				time.Sleep(time.Second)
				f(t, w)
			})
		})
	}
}

// askThrice is a handler that asks for tokens in every way: the answer counts how many it saw.
func (w *world) askThrice(rw http.ResponseWriter, r *http.Request) {
	seen := map[string]bool{}
	for range 3 {
		token, err := w.auth.TokenSource(r.Context()).Token()
		if !assert.NoError(w, err) {
			return
		}
		seen[token.AccessToken] = true
		time.Sleep(100 * time.Millisecond)
		client := &http.Client{Transport: w.auth.Transport(w.network)}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, oidcauthtest.DefaultIssuer+"/api", nil)
		res, err := client.Do(req)
		if assert.NoError(w, err) {
			res.Body.Close()
		}
	}
	_, _ = rw.Write([]byte(strconv.Itoa(len(seen))))
}

func TestATokenThatCameForARequestServesItWhateverItsLife(t *testing.T) {
	inEachShortLife(t, func(t *testing.T, w *world) {
		before := w.refreshes()
		for i := range 3 {
			page := w.browser.NewTab().Get(app + "/thrice")
			require.Equal(t, "1", page.Body)
			require.Equal(t, before+i+1, w.refreshes(), "one refresh a request")
			time.Sleep(time.Second)
		}
	})
}

func TestParallelRequestsWithTokensThatExpireAtOnceShareTheirRefresh(t *testing.T) {
	inEachShortLife(t, func(t *testing.T, w *world) {
		before, old := w.refreshes(), w.cookies()
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		for _, answer := range w.sendAll(30, old, "/thrice") {
			require.Equal(t, http.StatusOK, answer.Code)
			require.Equal(t, "1", answer.Body.String())
		}
		require.Equal(t, before+1, w.refreshes())
		// Those that come while a refresh is under way share it, later ones don't.
		var all sync.WaitGroup
		for range 40 {
			time.Sleep(50 * time.Millisecond)
			all.Go(func() {
				assert.Contains(t, []string{"1", "2"}, w.send(old, "/thrice").Body.String(), "one, and one that was fresh still")
			})
		}
		all.Wait()
		require.LessOrEqual(t, w.refreshes()-before, 1+3, "two seconds, and a refresh takes one")
	})
}

// One that another request got while this one was under way is as good, also where this one has read its session before.
func TestATokenThatCameWhileARequestWasUnderWayServesIt(t *testing.T) {
	inEachShortLife(t, func(t *testing.T, w *world) {
		for path, prepare := range map[string]func(*http.Request){
			"/fresh": func(*http.Request) {}, "/read": func(r *http.Request) { oidcauth.UserFrom(r.Context()) },
		} {
			w.mux.Handle(path, w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				prepare(r)
				time.Sleep(2 * time.Second)
				w.askThrice(rw, r)
			})))
		}
		for _, path := range []string{"/fresh", "/read"} {
			before, cookies := w.refreshes(), w.cookies()
			var slow sync.WaitGroup
			slow.Go(func() { assert.Equal(t, "1", w.send(cookies, path).Body.String()) })
			time.Sleep(time.Second)
			w.token("")
			slow.Wait()
			require.Equal(t, before+1, w.refreshes(), path)
			time.Sleep(time.Minute)
		}
	})
}

func TestATokenThatCameForAnotherRequestIsAsOldAsItIs(t *testing.T) {
	inEachShortLife(t, func(t *testing.T, w *world) {
		first := w.token("").Token
		time.Sleep(10 * time.Millisecond)
		require.NotEqual(t, first, w.token("").Token)
		time.Sleep(10 * time.Millisecond)
		before := w.refreshes()
		w.token("?force")
		require.Equal(t, before+1, w.refreshes())
	})
}

// There is no room for access tokens in the session: each request that wants one refreshes, once.
func TestARequestOfASessionWithoutRoomRefreshesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.MaxChunks = 1 })
		w.mux.Handle("/thrice", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.askThrice(rw, r) })))
		w.signIn()
		w.provider.BendAccessToken(func(token *oidcauthtest.Token) {
			token.Rewrite(func(compact string) string { return compact + "." + incompressible(4000) })
		})
		time.Sleep(11 * time.Minute)
		for i := range 3 {
			require.Equal(t, "1", w.browser.NewTab().Get(app+"/thrice").Body)
			require.Equal(t, i+1, w.refreshes())
		}
	})
}

// A stream asks for tokens for hours.
func TestAStreamGetsANewTokenWhenItsOwnHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.IdleTimeout = 12 * time.Hour })
		w.signIn()
		w.mux.Handle("/stream", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			seen := map[string]bool{}
			for range 5 {
				time.Sleep(11 * time.Minute)
				token, err := w.auth.TokenSource(r.Context()).Token()
				assert.NoError(t, err)
				assert.Greater(t, time.Until(token.Expiry), time.Minute)
				seen[token.AccessToken] = true
			}
			assert.Len(t, seen, 5)
		})))
		r := httptest.NewRequest(http.MethodGet, app+"/stream", nil)
		r.Header.Set("Cookie", w.cookies())
		w.mux.ServeHTTP(httptest.NewRecorder(), r)
	})
}
