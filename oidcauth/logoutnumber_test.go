package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// A fleet is a world with a second replica, which shares the Store and answers logout tokens at its own address.
type fleet struct {
	*world
	store *racingStore
	there *oidcauth.Authenticator
}

// A racingStore lets a test step in before a write, or has others win.
type racingStore struct {
	session.Store
	writes atomic.Int64
	before func(n int64) // called before write n, counted from 1
	lost   func(n int64) bool
}

func (s *racingStore) write() (lost bool) {
	n := s.writes.Add(1)
	if s.before != nil {
		s.before(n)
	}
	return s.lost != nil && s.lost(n)
}

func (s *racingStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if s.write() {
		return false, nil
	}
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *racingStore) Swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	if s.write() {
		return false, nil
	}
	return s.Store.Swap(ctx, key, old, value, ttl)
}

func inEachFleet(t *testing.T, f func(t *testing.T, w *fleet)) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := &fleet{store: &racingStore{Store: session.NewMemoryStore()}}
		shared := func(c *oidcauth.Config) { c.Session.Store = w.store }
		w.world = newTokenWorld(t, mode, shared)
		w.there = newAuthenticator(t, w.world, mode, shared)
		f(t, w)
	})
}

// post sends a logout token to one of the replicas.
func (w *fleet) post(replica *oidcauth.Authenticator, token string) int {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, app+"/auth/backchannel-logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	replica.ServeHTTP(answer, r)
	return answer.Code
}

// duringRedemption calls f when a code has arrived at the token endpoint and before it is looked at.
func (w *fleet) duringRedemption(f func()) {
	w.provider.Intercept(oidcauthtest.TokenEndpoint, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			f()
			next.ServeHTTP(rw, r)
		})
	})
}

func TestALogoutTokenBeatsTheCodeThatIsOnItsWay(t *testing.T) {
	for name, logoutToken := range logoutTokens {
		for _, replica := range []string{"this", "the other"} {
			t.Run(name+", at "+replica+" replica", func(t *testing.T) {
				inEachFleet(t, func(t *testing.T, w *fleet) {
					w.duringRedemption(func() {
						at := map[string]*oidcauth.Authenticator{"this": w.auth, "the other": w.there}[replica]
						require.Equal(t, http.StatusOK, w.post(at, logoutToken(w.world, w.provider.Sessions()[0].ID)))
						time.Sleep(8 * time.Second) // the ID token is younger than the logout
					})
					page := w.browser.Get(app + "/me")
					require.Equal(t, http.StatusBadRequest, page.Status, page.Body)
					require.Contains(t, w.log.String(), "code=signed_out")
					require.False(t, w.hasSession())
					require.Equal(t, 2, w.provider.Count(oidcauthtest.Revocation), "nobody will have the tokens")
					require.Zero(t, w.provider.Count(oidcauthtest.UserInfo))

					w.provider.Intercept(oidcauthtest.TokenEndpoint)
					w.signIn()
				})
			})
		}
	}
}

// The browser's old session is of the same user, and has ended with the login: its tokens are no reason to keep those.
func TestALogoutDuringALoginAnewLeavesNoTokens(t *testing.T) {
	for _, at := range []oidcauthtest.Endpoint{oidcauthtest.TokenEndpoint, oidcauthtest.UserInfo} {
		t.Run(string(at), func(t *testing.T) {
			inEachFleet(t, func(t *testing.T, w *fleet) {
				w.signIn()
				// Middleware that looks who is there before the callback does.
				w.network.Handle(app, w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					_ = oidcauth.UserFrom(r.Context())
					w.mux.ServeHTTP(rw, r)
				})))
				w.provider.Intercept(at, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						require.Equal(t, http.StatusOK, w.post(w.there, w.provider.LogoutToken("app", "alice", w.provider.Sessions()[0].ID)))
						next.ServeHTTP(rw, r)
					})
				})
				page := w.browser.Get(app + "/auth/login?return_to=/me")
				require.Equal(t, http.StatusBadRequest, page.Status, page.Body)
				require.Nil(t, w.user())
				require.Equal(t, 2, w.provider.Count(oidcauthtest.Revocation))
			})
		})
	}
}

func TestALogoutOfSomebodyElseLeavesTheLoginAlone(t *testing.T) {
	for name, token := range map[string]func(w *world, sid string) string{
		"another user":                func(w *world, _ string) string { return w.provider.LogoutToken("app", "bob", "") },
		"another user, with a sid":    func(w *world, _ string) string { return w.provider.LogoutToken("app", "bob", "s2") },
		"another sid of this user":    func(w *world, sid string) string { return w.provider.LogoutToken("app", "alice", sid+"x") },
		"another sid, without a user": func(w *world, sid string) string { return w.provider.LogoutToken("app", "", sid+"x") },
	} {
		t.Run(name, func(t *testing.T) {
			inEachFleet(t, func(t *testing.T, w *fleet) {
				w.duringRedemption(func() {
					require.Equal(t, http.StatusOK, w.post(w.there, token(w.world, w.provider.Sessions()[0].ID)))
					time.Sleep(8 * time.Second)
				})
				w.signIn()
				require.NotNil(t, w.user())
			})
		})
	}
}

// Without sid in the ID token, a logout of any sid of the user may be of this session.
func TestALoginWithoutSIDIsEndedByAnySIDOfItsUser(t *testing.T) {
	inEachFleet(t, func(t *testing.T, w *fleet) {
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Delete("sid") })
		w.duringRedemption(func() {
			w.post(w.there, w.provider.LogoutToken("app", "alice", "s1"))
			time.Sleep(8 * time.Second)
		})
		require.Equal(t, http.StatusBadRequest, w.browser.Get(app+"/me").Status)
	})
}

func TestALogoutBeforeTheCodeCameBackLeavesTheLoginAlone(t *testing.T) {
	for name, logoutToken := range logoutTokens {
		t.Run(name, func(t *testing.T) {
			inEachFleet(t, func(t *testing.T, w *fleet) {
				callback := w.callbackURL()
				for range 3 {
					require.Equal(t, http.StatusOK, w.post(w.there, logoutToken(w.world, w.provider.Sessions()[0].ID)))
				}
				time.Sleep(8 * time.Second)
				require.Equal(t, http.StatusOK, w.browser.Go(callback).Status)
				require.NotNil(t, w.user())
			})
		})
	}
}

// While one logout has marked and not yet taken its number, another takes that number, and the callback reads it: the first has to
// mark once more.
func TestALogoutWhoseNumberIsTakenMarksOnceMore(t *testing.T) {
	inEachFleet(t, func(t *testing.T, w *fleet) {
		callback := w.callbackURL()
		arrived, goOn := make(chan struct{}), make(chan struct{})
		w.duringRedemption(func() { close(arrived); <-goOn })
		answered := make(chan int)
		start := w.store.writes.Load()
		// The logout of alice writes two marks, and then the issuer's number.
		w.store.before = func(n int64) {
			if n != start+3 {
				return
			}
			require.Equal(t, http.StatusOK, w.post(w.there, w.provider.LogoutToken("app", "bob", "")))
			go func() { answered <- w.browser.Go(callback).Status }()
			<-arrived
		}
		require.Equal(t, http.StatusOK, w.post(w.auth, w.provider.LogoutToken("app", "alice", w.provider.Sessions()[0].ID)))
		time.Sleep(8 * time.Second)
		close(goOn)
		require.Equal(t, http.StatusBadRequest, <-answered)
		require.Nil(t, w.user())
	})
}

// The callback that reads before the number has moved, and after the marks, finds them higher.
func TestALogoutThatIsHalfDoneBeatsTheCallback(t *testing.T) {
	inEachFleet(t, func(t *testing.T, w *fleet) {
		w.post(w.there, w.provider.LogoutToken("app", "bob", "")) // there is a number
		callback := w.callbackURL()
		arrived, goOn := make(chan struct{}), make(chan struct{})
		w.duringRedemption(func() { close(arrived); <-goOn })
		answered := make(chan int)
		start := w.store.writes.Load()
		w.store.before = func(n int64) {
			if n == start+3 {
				go func() { answered <- w.browser.Go(callback).Status }()
				<-arrived
			}
		}
		require.Equal(t, http.StatusOK, w.post(w.auth, w.provider.LogoutToken("app", "alice", w.provider.Sessions()[0].ID)))
		time.Sleep(8 * time.Second)
		close(goOn)
		require.Equal(t, http.StatusBadRequest, <-answered)
	})
}

func TestALogoutThatFindsNoNumberIsSentAgain(t *testing.T) {
	inEachFleet(t, func(t *testing.T, w *fleet) {
		w.signIn()
		cookies := w.cookies()
		token := w.provider.LogoutToken("app", "alice", w.user().SessionID)
		start := w.store.writes.Load()
		w.store.lost = func(n int64) bool { return n > start+2 } // others are always faster
		require.Equal(t, http.StatusServiceUnavailable, w.post(w.auth, token))
		w.store.lost = nil
		require.Equal(t, http.StatusOK, w.post(w.auth, token), "it was not noted as seen")
		require.Equal(t, "null\n", w.send(cookies, "/").Body.String())
	})
}

func TestManyLogoutsAtOnceAllGetTheirNumber(t *testing.T) {
	inEachFleet(t, func(t *testing.T, w *fleet) {
		answers := make(chan int)
		for i := range 40 {
			replica := []*oidcauth.Authenticator{w.auth, w.there}[i%2]
			go func() { answers <- w.post(replica, w.provider.LogoutToken("app", "alice", "")) }()
		}
		for range 40 {
			require.Equal(t, http.StatusOK, <-answers)
		}
	})
}

// The nodes of one provider have clocks of their own.
func TestASIDIsEndedAlsoByANodeWhoseClockIsBehind(t *testing.T) {
	for name, row := range map[string]struct {
		token func(w *world, sid string) string
		ahead time.Duration // of the ID token's iat
		ended bool
	}{
		"sid and sub, 5 s":   {logoutTokens["with sub and sid"], 5 * time.Second, true},
		"sid and sub, 6 s":   {logoutTokens["with sub and sid"], 6 * time.Second, false},
		"sid alone, 5 s":     {logoutTokens["with sid alone"], 5 * time.Second, true},
		"sid alone, 6 s":     {logoutTokens["with sid alone"], 6 * time.Second, false},
		"sub alone, a tie":   {logoutTokens["with sub alone"], 0, true},
		"sub alone, 1 s":     {logoutTokens["with sub alone"], time.Second, false},
		"another sid's, 1 s": {func(w *world, sid string) string { return w.provider.LogoutToken("app", "alice", sid+"x") }, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			inEachFleet(t, func(t *testing.T, w *fleet) {
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("iat", time.Now().Add(row.ahead).Unix()) })
				w.signIn()
				require.Equal(t, http.StatusOK, w.post(w.there, row.token(w.world, w.user().SessionID)))
				require.Equal(t, row.ended, w.user() == nil)
			})
		})
	}
}

// A user whose ID token has no sid is ended by its own clock alone.
func TestTheDriftOfNodesIsNoMatterForSessionsWithoutSID(t *testing.T) {
	inEachFleet(t, func(t *testing.T, w *fleet) {
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) {
			tok.Claims.Delete("sid")
			tok.Claims.Set("iat", time.Now().Add(time.Second).Unix())
		})
		w.signIn()
		require.Equal(t, http.StatusOK, w.post(w.there, w.provider.LogoutToken("app", "alice", "s1")))
		require.NotNil(t, w.user())
	})
}

func TestACallbackThatCantReadTheNumberSpendsNothing(t *testing.T) {
	for _, serverSide := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := &moodyStore{Store: session.NewMemoryStore()}
			w := newWorld(t, func(c *oidcauth.Config) {
				c.Session.Store, c.Session.ServerSide, c.BackChannelLogout = store, serverSide, true
			})
			callback := w.callbackURL()
			store.failAfter(0)
			page := w.browser.Go(callback)
			require.Equal(t, http.StatusServiceUnavailable, page.Status)
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			store.failAfter(-1)
			require.Equal(t, http.StatusOK, w.browser.Go(callback).Status, "the same callback, sent again")
		})
	}
}
