package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// outages are ways in which a token endpoint may be of no use for a while.
var outages = map[string]oidcauthtest.Middleware{
	"answers 500":                    oidcauthtest.Reply(500, "application/json", `{"error":"server_error"}`),
	"answers 500 with invalid_grant": oidcauthtest.OAuthError(500, "invalid_grant"),
	"answers 503":                    oidcauthtest.Reply(503, "text/html", "<h1>Later</h1>"),
	"answers 429":                    oidcauthtest.OAuthError(429, "invalid_request"),
	"answers HTML":                   oidcauthtest.Reply(200, "text/html", "<h1>Hello</h1>"),
	"answers HTML with 400":          oidcauthtest.Reply(400, "text/html", "<h1>Bad</h1>"),
	"answers without end":            oidcauthtest.Endless("application/json", `{"access_token":"`, "x"),
	"stops in the middle":            oidcauthtest.Stall("application/json", `{"access`),
	"closes the connection":          oidcauthtest.Drop(),
	"hangs":                          oidcauthtest.Hang(nil),
	"redirects":                      oidcauthtest.Redirect(307, "https://elsewhere.example/"),
	"refuses the client":             oidcauthtest.OAuthError(401, "invalid_client"),
	"answers a foreign token type":   oidcauthtest.Reply(200, "application/json", `{"access_token":"x","token_type":"mac"}`),
	"answers without a token":        oidcauthtest.Reply(200, "application/json", `{"token_type":"Bearer"}`),
	"answers expires_in in words":    oidcauthtest.Reply(200, "application/json", `{"access_token":"x","token_type":"Bearer","expires_in":"soon"}`),
}

func inEachOutage(t *testing.T, f func(t *testing.T, w *world)) {
	for name, outage := range outages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t)
				w.signIn()
				w.token("")
				w.provider.Intercept(oidcauthtest.TokenEndpoint, outage)
				f(t, w)
			})
		})
	}
}

func TestAValidTokenIsUsedWhileTheEndpointIsOut(t *testing.T) {
	inEachOutage(t, func(t *testing.T, w *world) {
		before := w.token("").Token
		time.Sleep(9*time.Minute + 10*time.Second) // within the margin
		began := time.Now()
		for _, answer := range w.sendAll(20, w.cookies(), "/token") {
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
			require.Equal(t, before, replyOf(t, answer.Body.String()).Token)
		}
		require.Less(t, time.Since(began), 3*time.Second, "a slow provider must not slow down what a valid token can serve")
		require.Equal(t, 1, w.refreshes())
		require.Equal(t, "alice", w.user().Subject)
		time.Sleep(30 * time.Second) // flights end
	})
}

func TestAnOutageWithoutAValidTokenKeepsTheSession(t *testing.T) {
	inEachOutage(t, func(t *testing.T, w *world) {
		old := w.cookies()
		time.Sleep(11 * time.Minute)
		for _, answer := range w.sendAll(20, old, "/token") {
			require.Contains(t, []int{http.StatusServiceUnavailable, http.StatusBadGateway}, answer.Code, answer.Body)
			require.False(t, setsSession(answer) && strings.Contains(answer.Header().Get("Set-Cookie"), "Max-Age=0"))
		}
		require.Equal(t, 1, w.refreshes(), "one request for all who asked")
		for range 5 {
			require.NotEqual(t, http.StatusOK, w.send(old, "/token").Code)
		}
		require.Equal(t, 1, w.refreshes(), "no other within the back-off")
		require.Equal(t, "alice", w.user().Subject, "an outage is not a logout")
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		time.Sleep(2 * time.Second)
		require.Equal(t, http.StatusOK, w.send(old, "/token").Code)
	})
}

func TestRetriesAreSpacedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Reply(500, "text/plain", ""))
		for range 600 {
			require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
			time.Sleep(100 * time.Millisecond)
		}
		require.LessOrEqual(t, w.refreshes(), 8, "1, 2, 4 … seconds apart within a minute")
		require.GreaterOrEqual(t, w.refreshes(), 5)
	})
}

func TestRetryAfterIsHonouredAndPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.SetHeader("Retry-After", "30"), oidcauthtest.Reply(429, "text/plain", ""))
		answer := w.send(w.cookies(), "/token")
		require.Equal(t, http.StatusServiceUnavailable, answer.Code)
		require.Equal(t, "30s", answer.Header().Get("Retry-After"))
		for range 29 {
			time.Sleep(time.Second)
			require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
		}
		require.Equal(t, 1, w.refreshes())
		time.Sleep(2 * time.Second)
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
	})
}

func TestRetryAfterHoldsForAllSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		first := w.cookies()
		w.browser.ClearCookies()
		w.signIn()
		time.Sleep(11 * time.Minute)
		w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.SetHeader("Retry-After", "30"), oidcauthtest.Reply(503, "text/plain", ""))
		require.Equal(t, http.StatusServiceUnavailable, w.send(first, "/token").Code)
		require.Equal(t, http.StatusServiceUnavailable, w.send(w.cookies(), "/token").Code)
		require.Equal(t, 1, w.refreshes())
	})
}

// A provider may count by user: one who asks too often keeps nobody else from refreshing, several say that all of us do.
func TestTooManyRequestsOfOneUserAreNotEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		var users []string
		for _, name := range []string{"mallory", "bob", "carol", "dave", "erin"} {
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: name} })
			w.browser.ClearCookies()
			w.signIn()
			users = append(users, w.cookies())
		}
		limited := func() {
			w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.SetHeader("Retry-After", "30"), oidcauthtest.Reply(429, "text/plain", ""))
		}
		ask := func(user int) int { return w.send(users[user], "/token?force").Code }
		limited()
		require.Equal(t, http.StatusServiceUnavailable, ask(0))
		require.Equal(t, http.StatusServiceUnavailable, ask(0))
		require.Equal(t, 1, w.refreshes(), "the user's own wait holds at once")
		w.provider.Intercept(oidcauthtest.TokenEndpoint)
		require.Equal(t, http.StatusOK, ask(4), "nobody else waits")
		limited()
		for user := 1; user <= 3; user++ {
			require.Equal(t, http.StatusServiceUnavailable, ask(user))
		}
		asked := w.refreshes()
		require.Equal(t, http.StatusServiceUnavailable, ask(4))
		require.Equal(t, asked, w.refreshes(), "three users were told, and the fourth does not ask")
		time.Sleep(31 * time.Second)
		require.Equal(t, http.StatusServiceUnavailable, ask(4))
		require.Equal(t, http.StatusServiceUnavailable, ask(3))
		require.Equal(t, asked+1, w.refreshes(), "still so: one request in half a minute")
	})
}

func TestForcedRefreshReportsFailureAlthoughATokenIsValid(t *testing.T) {
	inEachOutage(t, func(t *testing.T, w *world) {
		require.NotEqual(t, http.StatusOK, w.send(w.cookies(), "/token?force").Code)
		require.Equal(t, http.StatusOK, w.send(w.cookies(), "/token").Code)
		require.Equal(t, 1, w.refreshes())
	})
}

func TestATokenWhoseKeysCannotBeHadIsKeptWithTheOldClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTokenWorld(t)
		w.signIn()
		time.Sleep(2 * time.Hour / 3)
		w.provider.Configure(func(s *oidcauthtest.Settings) {
			s.User = &oidcauthtest.User{Subject: "alice", Claims: map[string]any{"name": "Changed"}}
		})
		w.provider.RotateKey()
		w.provider.Intercept(oidcauthtest.JWKS, oidcauthtest.Reply(500, "text/plain", ""))
		require.NotEmpty(t, w.token("").Token)
		require.Equal(t, 1, w.refreshes())
		require.Equal(t, "Alice Adams", w.user().Name)
	})
}

func TestARefreshedTokenThatCannotBeSavedIsServedAndSavedLater(t *testing.T) {
	for name, serverSide := range map[string]bool{"cookie": false, "server-side": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &failingStore{Store: session.NewMemoryStore()}
				w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, serverSide })
				w.signIn()
				old := w.cookies()
				time.Sleep(11 * time.Minute)
				w.provider.BendTokens(func(*oidcauthtest.TokenAnswer) { store.fail(true) })
				answer := w.send(old, "/token")
				require.Equal(t, http.StatusOK, answer.Code, answer.Body)
				got := replyOf(t, answer.Body.String()).Token
				require.Contains(t, w.log.String(), "refreshed tokens not saved")
				store.fail(false)
				time.Sleep(3 * time.Second)
				require.Equal(t, got, replyOf(t, w.send(old, "/token").Body.String()).Token)
				require.Equal(t, 1, w.refreshes(), "the spent refresh token is not used again")
			})
		})
	}
}

func TestARequestWhoseRefreshCannotBeSavedGoesOnWithTheNewToken(t *testing.T) {
	for name, serverSide := range map[string]bool{"cookie": false, "server-side": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &failingStore{Store: session.NewMemoryStore()}
				w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, serverSide })
				w.mux.Handle("/twice", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					first, err := w.auth.TokenSource(r.Context()).Token()
					require.NoError(t, err)
					second, err := w.auth.TokenSource(r.Context()).Token()
					require.NoError(t, err)
					require.Equal(t, first.AccessToken, second.AccessToken)
				})))
				w.signIn()
				time.Sleep(11 * time.Minute)
				w.provider.BendTokens(func(*oidcauthtest.TokenAnswer) { store.fail(true) })
				require.Equal(t, http.StatusOK, w.send(w.cookies(), "/twice").Code)
				require.Equal(t, 1, w.refreshes())
				store.fail(false)
				time.Sleep(3 * time.Second) // for it to be stored
			})
		})
	}
}

func TestAStoreThatIsDownIsNoLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingStore{Store: session.NewMemoryStore()}
		w := newTokenWorld(t, func(c *oidcauth.Config) { c.Session.Store = store })
		w.signIn()
		time.Sleep(11 * time.Minute)
		store.fail(true)
		answer := w.send(w.cookies(), "/token")
		require.Equal(t, http.StatusServiceUnavailable, answer.Code, answer.Body)
		require.False(t, setsSession(answer))
		require.Zero(t, w.refreshes(), "no token is spent that can't be kept")
	})
}

// A failingStore is a Store that can be switched off.
type failingStore struct {
	session.Store
	down atomic.Bool
}

func (s *failingStore) fail(down bool) { s.down.Store(down) }

var errStoreDown = errors.New("store is down")

func (s *failingStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if s.down.Load() {
		return nil, errStoreDown
	}
	return s.Store.Get(ctx, keys...)
}

func (s *failingStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if s.down.Load() {
		return errStoreDown
	}
	return s.Store.Set(ctx, key, value, ttl)
}

func (s *failingStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if s.down.Load() {
		return false, errStoreDown
	}
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *failingStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if s.down.Load() {
		return false, errStoreDown
	}
	return s.Store.Swap(ctx, key, old, value, ttl)
}

func (s *failingStore) Delete(ctx context.Context, key string, old []byte) (bool, error) {
	if s.down.Load() {
		return false, errStoreDown
	}
	return s.Store.Delete(ctx, key, old)
}
