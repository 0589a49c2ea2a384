package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// An observer notes operations that have ended, as "operation" or "operation code".
type observer struct {
	mu    sync.Mutex
	ended []string
	open  int
}

type observerKey struct{}

func (o *observer) observe(ctx context.Context, op oidcauth.Operation) (context.Context, func(error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open++
	return context.WithValue(ctx, observerKey{}, op), func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.open--
		what := string(op)
		var problem *oidcauth.Problem
		var refused *oidcauth.GrantError
		switch {
		case errors.As(err, &problem):
			what += " " + problem.Code
		case errors.As(err, &refused):
			what += " " + refused.Code
		case err != nil:
			what += " " + err.Error()
		}
		o.ended = append(o.ended, what)
	}
}

// take returns what has ended since it was last called, when nothing is under way.
func (o *observer) take(t *testing.T) []string {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Zero(t, o.open, "every operation that began has ended")
	ended := o.ended
	o.ended = nil
	return ended
}

// newObservedWorld makes a world with an observer, which calls to the provider must show.
func newObservedWorld(t *testing.T, configure ...func(*oidcauth.Config)) (*world, *observer) {
	o := new(observer)
	w := newTokenWorld(t, append(configure, func(c *oidcauth.Config) {
		c.Hooks.Observe = o.observe
		c.BackChannelLogout, c.FrontChannelLogout = c.Session.Store != nil, c.Session.Store != nil
		c.Machines = map[string]oidcauth.MachineConfig{"jobs": {}}
		inner := c.HTTPClient.Transport
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost { // documents are fetched for everybody
				require.NotNil(t, r.Context().Value(observerKey{}), "%s is part of an operation", r.URL)
			}
			return inner.RoundTrip(r)
		})}
	})...)
	return w, o
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOperationsAreObserved(t *testing.T) {
	withEachMode(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w, o := newObservedWorld(t, mode)
		w.signIn()
		require.Equal(t, []string{"login", "callback"}, o.take(t))
		w.token("?force")
		require.Equal(t, []string{"refresh"}, o.take(t))
		_, err := w.auth.Machine("jobs").TokenSource(t.Context()).Token()
		require.NoError(t, err)
		require.Equal(t, []string{"machine_token"}, o.take(t))
		_, err = w.auth.Machine("jobs").TokenSource(t.Context()).Token()
		require.NoError(t, err)
		require.Empty(t, o.take(t), "a token at hand is no operation")
		if w.auth.Sessions().Config().Store != nil {
			require.Equal(t, http.StatusOK, w.postLogoutToken(w.provider.LogoutToken("app", "bob", "")).StatusCode)
			require.Equal(t, []string{"back_channel_logout"}, o.take(t))
			w.browser.Get(app + "/auth/frontchannel-logout?iss=" + w.provider.Issuer() + "&sid=x")
			require.Equal(t, []string{"front_channel_logout"}, o.take(t))
		}
		w.browser.Post(app+"/auth/logout", nil)
		require.Equal(t, []string{"logout"}, o.take(t))
	})
}

func TestFailuresAreObservedAsTheyAreAnswered(t *testing.T) {
	w, o := newObservedWorld(t)
	w.browser.Get(app + "/auth/callback?code=c&state=s")
	require.Equal(t, []string{"callback no_transaction"}, o.take(t))

	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_grant"))
	w.browser.Get(app + "/me")
	require.Equal(t, []string{"login", "callback invalid_response"}, o.take(t))
	w.provider.Intercept(oidcauthtest.TokenEndpoint)
	w.signIn()
	o.take(t)

	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.OAuthError(http.StatusBadRequest, "invalid_scope"))
	w.send(w.cookies(), "/token?force")
	_, err := w.auth.Machine("jobs").TokenSource(t.Context()).Token()
	require.Error(t, err)
	require.Equal(t, []string{"refresh invalid_scope", "machine_token invalid_scope"}, o.take(t))

	require.Equal(t, http.StatusBadRequest, w.postLogoutToken("not a token").StatusCode)
	require.Equal(t, []string{"back_channel_logout invalid_request"}, o.take(t))
}

func TestAPanicIsTheEndOfAnOperation(t *testing.T) {
	w, o := newObservedWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(context.Context, *oidcauth.User) error { panic("boom") }
	})
	callback := w.callbackURL()
	o.take(t)
	r := httptest.NewRequest(http.MethodGet, callback.URL, nil)
	r.Header.Set("Cookie", w.cookies())
	require.Panics(t, func() { w.mux.ServeHTTP(httptest.NewRecorder(), r) })
	require.Equal(t, []string{"callback oidcauth: panic: boom"}, o.take(t))
}
