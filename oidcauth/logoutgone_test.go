package oidcauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A slowStore takes a second for each read, and gives up with its caller.
type slowStore struct {
	session.Store
	slow bool
}

func (s *slowStore) Get(ctx context.Context, keys ...string) ([][]byte, error) {
	if s.slow {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Store.Get(ctx, keys...)
}

// A logout comes about whoever waits for its answer: nothing else will end the session.
func TestALogoutWhoseSenderHangsUpComesAbout(t *testing.T) {
	for name, request := range map[string]func(w *world, u *oidcauth.User) *http.Request{
		"the user's": func(w *world, _ *oidcauth.User) *http.Request {
			r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", nil)
			r.Header.Set("Cookie", w.cookies())
			return r
		},
		"the application's": func(w *world, _ *oidcauth.User) *http.Request {
			w.mux.Handle("/bye", w.auth.Load(http.HandlerFunc(w.auth.Logout)))
			r := httptest.NewRequest(http.MethodGet, app+"/bye", nil)
			r.Header.Set("Cookie", w.cookies())
			return r
		},
		"the provider's, by the back channel": func(w *world, u *oidcauth.User) *http.Request {
			form := url.Values{"logout_token": {w.provider.LogoutToken("app", u.Subject, u.SessionID)}}
			r := httptest.NewRequest(http.MethodPost, app+"/auth/backchannel-logout", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		},
		"the provider's, by the front channel": func(w *world, u *oidcauth.User) *http.Request {
			query := url.Values{"iss": {u.Issuer}, "sid": {u.SessionID}}
			return httptest.NewRequest(http.MethodGet, app+"/auth/frontchannel-logout?"+query.Encode(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []string{"cookie", "server-side"} {
				t.Run(mode, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						store := &slowStore{Store: session.NewMemoryStore()}
						hooked := 0
						w := newTokenWorld(t, modes[mode], func(c *oidcauth.Config) {
							c.Session.Store, c.BackChannelLogout, c.FrontChannelLogout = store, true, true
							c.Hooks.Logout = func(context.Context, *oidcauth.User, oidcauth.LogoutReason) { hooked++ }
						})
						w.signIn()
						cookies, r := w.cookies(), request(w, w.user())
						ctx, cancel := context.WithCancel(t.Context())
						store.slow = true
						var done sync.WaitGroup
						done.Go(func() { w.mux.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx)) })
						synctest.Wait()
						cancel() // as the first answer of the Store is waited for
						done.Wait()
						store.slow = false
						require.Equal(t, "null\n", w.send(cookies, "/").Body.String())
						require.Equal(t, 1, hooked)
						if strings.HasPrefix(name, "the provider's") {
							return
						}
						require.Len(t, w.revokedTokens(), 2, "nobody else would take them back")
					})
				})
			}
		})
	}
}
