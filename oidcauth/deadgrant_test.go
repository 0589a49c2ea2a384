package oidcauth_test

import (
	"context"
	"maps"
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

// navigate opens a page as a browser that shows these cookies.
func (w *world) navigate(h http.Handler, cookies, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, app+path, nil)
	r.Header.Set("Cookie", cookies)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func TestADeadRefreshTokenAsksForANewLoginAfterOneRequest(t *testing.T) {
	for _, refusal := range []struct {
		name   string
		status int
		code   string
	}{
		{"invalid_grant with 422", 422, "invalid_grant"},
		{"invalid_grant", 400, "invalid_grant"},
		{"invalid_grant with 401", 401, "invalid_grant"},
		{"invalid_grant with 403", 403, "invalid_grant"},
		{"invalid_grant with 200", 200, "invalid_grant"},
		{"invalid_request", 400, "invalid_request"},
		{"invalid_token", 401, "invalid_token"},
		{"access_denied", 403, "access_denied"},
		{"an unknown code", 400, "token_expired"},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(refusal.status, refusal.code))
				for range 3 {
					for _, answer := range w.sendAll(20, old, "/token") {
						require.Equal(t, http.StatusUnauthorized, answer.Code, answer.Body)
						require.False(t, setsSession(answer), "another process may have set a newer cookie")
					}
				}
				require.Equal(t, 1, w.refreshes())
				require.Equal(t, http.StatusUnauthorized, w.send(old, "/me").Code)
				page := w.navigate(w.mux, old, "/me")
				require.Equal(t, http.StatusSeeOther, page.Code)
				require.True(t, strings.HasPrefix(page.Header().Get("Location"), oidcauthtest.DefaultIssuer+"/authorize"))

				w.provider.Intercept(oidcauthtest.TokenEndpoint)
				w.signIn()
				require.NotEmpty(t, w.token("").Token, "a new login cures it")
			})
		})
	}
}

func TestWhatSurroundsARefusalDoesNotHideIt(t *testing.T) {
	for name, refusal := range map[string]oidcauthtest.Middleware{
		"a description in Latin-1": oidcauthtest.Reply(400, "application/json", "{\"error\":\"invalid_grant\",\"error_description\":\"ung\xfcltig\"}"),
		"a gateway's Retry-After": oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
			a.Status, a.Body = 400, []byte(`{"error":"invalid_grant"}`)
			a.Header.Set("Retry-After", "5")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, refusal)
				w.requireDead(old, 1)
			})
		})
	}
}

func TestADescriptionInLatin1DoesNotMakeAClientsFaultOneOfTheGrant(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(400, "application/json", "{\"error\":\"invalid_client\",\"error_description\":\"ung\xfcltig\"}"))
		for range 3 {
			require.Equal(t, http.StatusBadGateway, w.send(w.cookies(), "/token").Code)
			require.Equal(t, http.StatusOK, w.send(w.cookies(), "/me").Code)
			time.Sleep(2 * time.Minute)
		}
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
	})
}

func TestARefusedExtraEndsNoSession(t *testing.T) {
	for _, code := range []string{"invalid_target", "invalid_scope", "invalid_request", "access_denied"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.signIn()
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(400, code))
				for range 3 {
					answer := w.send(w.cookies(), "/token?resource=https://not-mine.example")
					require.Equal(t, http.StatusBadGateway, answer.Code, answer.Body)
					require.Contains(t, answer.Body.String(), code)
				}
				require.Equal(t, 1, w.refreshes(), "refusals are not asked for again at once")
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/me").Code)
			})
		})
	}
}

func TestADeadGrantIsKnownToProcessesThatShareAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, other := twoProcesses(t, session.NewMemoryStore())
		w.signIn()
		time.Sleep(11 * time.Minute)
		w.provider.RevokeTokens("")
		require.Equal(t, http.StatusUnauthorized, w.send(w.cookies(), "/token").Code)
		require.Equal(t, http.StatusUnauthorized, w.sendTo(other, w.cookies(), "/token").Code)
		require.Equal(t, http.StatusUnauthorized, w.sendTo(other, w.cookies(), "/me").Code)
		require.Equal(t, 1, w.refreshes())
	})
}

// twoProcesses returns a world and the handler of a second process of the same application. A nil store makes each process
// have one of its own.
func twoProcesses(t *testing.T, store session.Store) (*world, http.Handler) {
	configure := func(c *oidcauth.Config) {
		c.APIs = []string{oidcauthtest.DefaultIssuer}
		if store != nil {
			c.Session.Store = store
		}
	}
	w := newTokenWorld(t, configure)
	auth := newAuthenticator(t, w, configure)
	mux := appMux(auth)
	addTokenRoutes(mux, auth, w.network)
	return w, mux
}

func TestTwoProcessesWithAStoreRefreshOnce(t *testing.T) {
	for name, serverSide := range map[string]bool{"cookie": false, "server-side": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := session.NewMemoryStore()
				w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, serverSide })
				auth := newAuthenticator(t, w, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, serverSide })
				other := appMux(auth)
				addTokenRoutes(other, auth, w.network)
				w.signIn()
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Delay(time.Second))
				var all sync.WaitGroup
				for i := range 40 {
					all.Go(func() {
						h := []http.Handler{w.mux, other}[i%2]
						assert.Equal(t, http.StatusOK, w.sendTo(h, old, "/token").Code)
					})
				}
				all.Wait()
				require.Equal(t, 1, w.refreshes())
			})
		})
	}
}

func TestAProcessWithoutCommonStoreThatLosesLeavesTheWinnersCookieAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, other := twoProcesses(t, nil)
		w.provider.Configure(func(s *oidcauthtest.Settings) { s.ReuseGrace = 0 })
		w.signIn()
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		w.token("") // the winner: the browser has the new cookie
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(400, "invalid_grant"))
		answer := w.sendTo(other, old, "/token")
		require.Equal(t, http.StatusUnauthorized, answer.Code)
		require.False(t, setsSession(answer), "the loser touches no cookie")
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		require.Equal(t, http.StatusOK, w.sendTo(other, w.cookies(), "/token").Code, "with the winner's cookie the loser serves again")
		require.Equal(t, http.StatusOK, w.sendTo(other, w.cookies(), "/me").Code)
	})
}

// bends are ways in which a refreshed ID token is not one of the login.
var bends = map[string]func(*oidcauthtest.Token){
	"another subject":    func(t *oidcauthtest.Token) { t.Claims.Set("sub", "alice1") },
	"another issuer":     func(t *oidcauthtest.Token) { t.Claims.Set("iss", oidcauthtest.DefaultIssuer+"1") },
	"another audience":   func(t *oidcauthtest.Token) { t.Claims.Set("aud", "other") },
	"another azp":        func(t *oidcauthtest.Token) { t.Claims.Set("azp", "other") },
	"another nonce":      func(t *oidcauthtest.Token) { t.Claims.Set("nonce", "another") },
	"a broken signature": func(t *oidcauthtest.Token) { t.FlipSignature() },
	"no signature":       func(t *oidcauthtest.Token) { t.Unsign("none") },
	"another algorithm":  func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.ForeignKey("ES256")) },
	"another subject that can't be verified": func(t *oidcauthtest.Token) {
		t.SignWith(oidcauthtest.ForeignKey("RS256"))
		t.Claims.Set("sub", "alice1")
	},
	"another subject that is expired": func(t *oidcauthtest.Token) {
		t.Claims.Set("exp", 1)
		t.Claims.Set("sub", "alice1")
	},
}

func TestARefreshThatBringsAnotherUserEndsTheSession(t *testing.T) {
	for name, bend := range bends {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				var told []error
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.BendIDToken(bend)
				answer := w.send(old, "/call")
				require.Equal(t, http.StatusUnauthorized, answer.Code, answer.Body)
				require.Contains(t, answer.Header().Get("Set-Cookie"), "Max-Age=0")
				require.Zero(t, w.provider.Count(oidcauthtest.API), "the new token goes nowhere")
				require.Equal(t, http.StatusUnauthorized, w.send(old, "/me").Code, "the old cookie is dead")
				require.Equal(t, http.StatusUnauthorized, w.send(old, "/token").Code)
				require.Equal(t, 1, w.refreshes())
				require.Empty(t, told)
				kinds := slices.Sorted(maps.Values(w.revoked()))
				require.Equal(t, []string{"access_token", "refresh_token"}, kinds, "what was dropped is of no use to anybody")
			})
		})
	}
}

func TestALogoutBeatsTheRefreshInFlight(t *testing.T) {
	ends := map[string]func(t *testing.T, w *world, cookies string){
		"logout": func(t *testing.T, w *world, cookies string) {
			r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", nil)
			r.Header.Set("Cookie", cookies)
			w.mux.ServeHTTP(httptest.NewRecorder(), r)
		},
		"revocation": func(t *testing.T, w *world, _ string) {
			require.NoError(t, w.auth.Sessions().Revoke(context.Background(), w.user().Tag()))
		},
	}
	for name, end := range ends {
		for _, mode := range []string{"cookie", "server-side"} {
			t.Run(name+", "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newTokenWorld(t, modes[mode])
					w.signIn()
					old := w.cookies()
					time.Sleep(11 * time.Minute)
					release := make(chan struct{})
					w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Hang(release))
					var all sync.WaitGroup
					for range 5 {
						all.Go(func() {
							answer := w.send(old, "/call")
							assert.Equal(t, http.StatusUnauthorized, answer.Code, answer.Body)
						})
					}
					synctest.Wait()
					end(t, w, old)
					close(release)
					all.Wait()
					require.Equal(t, 1, w.refreshes())
					require.Equal(t, http.StatusUnauthorized, w.send(old, "/me").Code)
					require.Equal(t, http.StatusUnauthorized, w.send(old, "/token").Code)
					require.Zero(t, w.provider.Count(oidcauthtest.API))
					last := w.provider.Last(oidcauthtest.Revocation)
					require.NotEmpty(t, last.Form.Get("token"), "the new tokens end with the session")
				})
			})
		}
	}
}
