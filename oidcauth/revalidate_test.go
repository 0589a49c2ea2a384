package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// everyHour is a Config whose guards ask the provider again each hour, and whose tokens need no refresh for long.
func everyHour(c *oidcauth.Config) {
	c.RevalidateAfter, c.Session.IdleTimeout = time.Hour, 6*time.Hour
}

// inEachModeRevalidated is inEachMode, with RevalidateAfter set and access tokens that live for a day.
func inEachModeRevalidated(t *testing.T, f func(t *testing.T, w *world)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, mode, everyHour)
				w.provider.Configure(func(s *oidcauthtest.Settings) { s.AccessTokenLifetime = 24 * time.Hour })
				w.signIn()
				f(t, w)
			})
		})
	}
}

func TestAGuardConfirmsASessionOnceInAWhile(t *testing.T) {
	inEachModeRevalidated(t, func(t *testing.T, w *world) {
		for i := range 5 {
			time.Sleep(53 * time.Minute)
			require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/me").Status)
			require.Equal(t, i, w.refreshes(), "not before nine tenths of the time")
			time.Sleep(7 * time.Minute)
			require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/me").Status)
			require.Equal(t, i+1, w.refreshes())
			require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/me").Status)
			require.Equal(t, i+1, w.refreshes())
		}
	})
}

func TestWithoutRevalidateAfterNobodyIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.IdleTimeout = 12 * time.Hour })
		w.signIn()
		time.Sleep(11 * time.Hour)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/me").Code)
		require.Zero(t, w.refreshes())
	})
}

func TestAHundredRequestsConfirmASessionOnce(t *testing.T) {
	inEachModeRevalidated(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(time.Hour)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
		var all sync.WaitGroup
		all.Go(func() { assert.Equal(t, http.StatusOK, w.send(old, "/token?force").Code) })
		for _, answer := range w.sendAll(100, old, "/me") {
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
		}
		all.Wait()
		require.LessOrEqual(t, w.refreshes(), 2, "one, and one for who wants a newer token")
		asked := w.refreshes()
		for _, answer := range w.sendAll(100, old, "/me") {
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
		}
		require.Equal(t, asked, w.refreshes())
	})
}

func TestAHundredRequestsOfTwoProcessesConfirmASessionOnce(t *testing.T) {
	for name, serverSide := range map[string]bool{"cookie": false, "server-side": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := session.NewMemoryStore()
				configure := func(c *oidcauth.Config) {
					everyHour(c)
					c.Session.Store, c.Session.ServerSide = store, serverSide
				}
				w := newTokenWorld(t, configure)
				other := appMux(newAuthenticator(t, w, configure))
				w.signIn()
				old := w.cookies()
				time.Sleep(time.Hour)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
				var all sync.WaitGroup
				for i := range 100 {
					all.Go(func() { assert.Equal(t, http.StatusOK, w.sendTo([]http.Handler{w.mux, other}[i%2], old, "/me").Code) })
				}
				all.Wait()
				require.Equal(t, 1, w.refreshes())
			})
		})
	}
}

func TestEveryRefreshConfirmsASession(t *testing.T) {
	for _, query := range []string{"?force", "?resource=https://a.example", "?scope=email"} {
		t.Run(query, func(t *testing.T) {
			inEachModeRevalidated(t, func(t *testing.T, w *world) {
				for i := range 4 {
					time.Sleep(50 * time.Minute)
					w.token(query)
					require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/me").Status)
					if query == "?force" {
						require.Equal(t, i+1, w.refreshes())
					}
				}
				if query != "?force" {
					return
				}
				time.Sleep(time.Hour)
				w.browser.NewTab().Get(app + "/me")
				require.Equal(t, 5, w.refreshes())
			})
		})
	}
}

func TestAUserWhoIsGoneIsSignedOut(t *testing.T) {
	inEachModeRevalidated(t, func(t *testing.T, w *world) {
		old := w.cookies()
		w.provider.RevokeTokens("")
		require.Equal(t, http.StatusOK, w.send(old, "/me").Code)
		time.Sleep(time.Hour)
		require.Equal(t, http.StatusUnauthorized, w.send(old, "/me").Code)
		page := w.navigate(w.mux, old, "/me")
		require.Equal(t, http.StatusSeeOther, page.Code)
		require.True(t, strings.HasPrefix(page.Header().Get("Location"), oidcauthtest.DefaultIssuer+"/authorize"))
		require.Equal(t, 1, w.refreshes())
		w.signIn()
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/me").Code)
	})
}

// Guards decide by what the refresh has brought.
func TestAGuardSeesTheRolesThatItsRefreshBrought(t *testing.T) {
	inEachModeRevalidated(t, func(t *testing.T, w *world) {
		require.Equal(t, http.StatusForbidden, w.send(w.cookies(), "/admin").Code)
		w.provider.Configure(func(s *oidcauthtest.Settings) {
			*s.User = oidcauthtest.User{Subject: "alice", Claims: map[string]any{"roles": []string{"admin"}}}
		})
		time.Sleep(time.Hour)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/admin").Code)
	})
}

func TestWithoutARefreshTokenALoginConfirms(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, mode, everyHour, func(c *oidcauth.Config) { c.Scopes = []string{"profile"} })
				w.signIn()
				for range 3 {
					old := w.cookies()
					time.Sleep(53 * time.Minute)
					require.Equal(t, http.StatusOK, w.send(old, "/me").Code)
					time.Sleep(8 * time.Minute)
					require.Equal(t, http.StatusUnauthorized, w.send(old, "/me").Code)
					require.Equal(t, http.StatusSeeOther, w.navigate(w.mux, old, "/me").Code)
					w.signIn()
				}
				require.Zero(t, w.refreshes())
			})
		})
	}
}

func TestAnOutageIsBridgedForAsLongAgain(t *testing.T) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			inEachModeRevalidated(t, func(t *testing.T, w *world) {
				old := w.cookies()
				w.provider.Intercept(oidcauthtest.TokenEndpoint, outage)
				w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Drop())
				dead := slices.Contains([]string{"answers a foreign token type", "answers without a token", "answers expires_in in words"}, name)
				time.Sleep(time.Hour)
				began := time.Now()
				for _, answer := range w.sendAll(20, old, "/me") {
					require.Equal(t, http.StatusOK, answer.Code, answer.Body)
				}
				require.LessOrEqual(t, time.Since(began), 3*time.Second, "nobody waits long for what may not come")
				require.Equal(t, 1, w.refreshes())
				time.Sleep(55 * time.Minute)
				if dead { // the second useless answer is one too many
					require.Equal(t, http.StatusUnauthorized, w.send(old, "/me").Code)
					return
				}
				require.Equal(t, http.StatusOK, w.send(old, "/me").Code)
				time.Sleep(6 * time.Minute)
				want := http.StatusServiceUnavailable
				if name == "refuses the client" {
					want = http.StatusBadGateway
				}
				for range 3 {
					answer := w.send(old, "/me")
					require.Equal(t, want, answer.Code, answer.Body)
					require.NotContains(t, answer.Header().Get("Set-Cookie"), "Max-Age=0")
					require.Equal(t, want == http.StatusServiceUnavailable, answer.Header().Get("Retry-After") != "")
					require.Equal(t, http.StatusOK, w.send(old, "/").Code)
				}
				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				time.Sleep(2 * time.Minute)
				require.Equal(t, http.StatusOK, w.send(old, "/me").Code, "the session was kept")
			})
		})
	}
}

func TestAnOutageIsBridgedForFiveMinutesAtLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.RevalidateAfter = time.Minute })
		w.signIn()
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(503, "", ""))
		time.Sleep(5*time.Minute + 50*time.Second)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/me").Code)
		time.Sleep(15 * time.Second)
		require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/me").Code)
	})
}

func TestLooksLoadsAndStreamsConfirmNothing(t *testing.T) {
	inEachModeRevalidated(t, func(t *testing.T, w *world) {
		old := w.cookies()
		sessions := w.auth.Sessions()
		w.mux.Handle("/look", sessions.Peek(w.auth.RequireLogin(http.HandlerFunc(writeUser))))
		w.mux.Handle("/stream", w.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-session.Done(r.Context()):
				assert.Error(t, r.Context().Err(), "the stream ended")
			case <-r.Context().Done():
			}
		})))
		var stream sync.WaitGroup
		ctx, hangUp := context.WithCancel(t.Context())
		stream.Go(func() {
			r := httptest.NewRequest(http.MethodGet, app+"/stream", nil).WithContext(ctx)
			r.Header.Set("Cookie", old)
			w.mux.ServeHTTP(httptest.NewRecorder(), r)
		})
		time.Sleep(3 * time.Hour)
		for _, path := range []string{"/look", "/"} {
			require.Equal(t, http.StatusOK, w.send(old, path).Code)
		}
		require.Zero(t, w.refreshes())
		hangUp()
		stream.Wait()
		require.Zero(t, w.refreshes())
		require.Equal(t, http.StatusOK, w.send(old, "/me").Code)
		require.Equal(t, 1, w.refreshes())
	})
}

// A session that keeps no access token has nothing that says when the last refresh was, but its record.
func TestASessionTooLargeForTokensIsConfirmedAsRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, everyHour, func(c *oidcauth.Config) { c.Session.MaxChunks = 1 })
		w.signIn()
		w.provider.BendAccessToken(func(token *oidcauthtest.Token) {
			token.Rewrite(func(compact string) string { return compact + "." + incompressible(4000) })
		})
		time.Sleep(time.Hour)
		for range 5 {
			require.Equal(t, http.StatusOK, w.browser.NewTab().Get(app+"/me").Status)
			require.Equal(t, 1, w.refreshes())
			time.Sleep(10 * time.Minute)
		}
	})
}

// The session began while the clock was ahead, and the clock was set back: its times say nothing.
func TestATimeFromTheFutureConfirmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, everyHour)
		w.signIn()
		w.token("?force")
		require.True(t, oidcauth.MustRevalidate(w.auth, time.Now().Add(-2*time.Hour), time.Now()))
		require.False(t, oidcauth.MustRevalidate(w.auth, time.Now().Add(-30*time.Second), time.Now()))
	})
}

func TestRevalidateAfterIsNotNegative(t *testing.T) {
	c := goodConfig()
	c.RevalidateAfter = -time.Second
	_, err := oidcauth.New(c)
	require.ErrorContains(t, err, "RevalidateAfter")
}

func TestTheJitterSpreadsSessionsOverATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t, everyHour)
		moments := map[time.Duration]bool{}
		for range 64 {
			time.Sleep(time.Millisecond)
			due := oidcauth.RevalidationDue(w.auth, time.Now())
			require.LessOrEqual(t, due, time.Hour)
			require.Greater(t, due, 54*time.Minute)
			moments[due] = true
		}
		require.Greater(t, len(moments), 30)
	})
}
