package main_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// startAt runs the example at a provider whose every answer can be bent. Silence is none of them: waiting for its end takes real
// time, and package oidcauth's tests have a clock of their own.
func startAt(t *testing.T, pairs ...string) (*webapp, *oidcauthtest.Provider) {
	t.Helper()
	p := oidcauthtest.Start(t, oidcauthtest.Settings{})
	a := startApp(t, append([]string{
		"OIDC_ISSUER", p.Issuer(), "OIDC_CLIENT_ID", "one", "OIDC_CLIENT_SECRET", "first-secret",
	}, pairs...)...)
	p.Register(clientAt(a.base+"/auth", "one", "first-secret"))
	return a, p
}

// signedInAt returns a browser with a session, at /profile.
func signedInAt(t *testing.T, a *webapp) *oidcauthtest.Browser {
	t.Helper()
	b := oidcauthtest.NewBrowser(nil)
	page := b.Get(a.base + "/profile")
	require.NoError(t, page.Err)
	require.Equal(t, a.base+"/profile", page.URL, "%s\n%s", page.Body, a.output)
	return b
}

// expired makes the access tokens that p issues from now on useless from the start, so that each use needs a refresh.
func expired(p *oidcauthtest.Provider) {
	p.BendTokens(func(answer *oidcauthtest.TokenAnswer) { answer.Set("expires_in", 0) })
}

var post = oidcauthtest.FetchOptions{Method: http.MethodPost}

func TestAnOutageIsNoLogout(t *testing.T) {
	outages := []struct {
		name   string
		layer  oidcauthtest.Middleware
		status []int
	}{
		{"the connection breaks", oidcauthtest.Drop(), []int{502, 503}},
		{"the provider says 503", oidcauthtest.Reply(503, "text/plain", "later"), []int{502, 503}},
		{"the provider says 500", oidcauthtest.Reply(500, "text/html", "<h1>oops</h1>"), []int{502, 503}},
		{"the provider says nonsense", oidcauthtest.Reply(200, "text/html", "<h1>hello</h1>"), []int{502, 503}},
		{"the provider never stops", oidcauthtest.Endless("application/json", `{"access_token":"`, "AAAAAAAA"), []int{502, 503, 504}},
		{"our own credentials are refused", oidcauthtest.OAuthError(401, "invalid_client"), []int{502, 503}},
	}
	for _, tt := range outages {
		t.Run(tt.name, func(t *testing.T) {
			a, p := startAt(t)
			expired(p)
			b := signedInAt(t, a)
			p.Intercept(oidcauthtest.TokenEndpoint, tt.layer)

			for _, page := range []*oidcauthtest.Page{b.Fetch(a.base+"/api/refresh", post), b.Fetch(a.base+"/api/call", oidcauthtest.FetchOptions{})} {
				require.Contains(t, tt.status, page.Status, page.Body)
				require.Contains(t, page.Header.Get("Content-Type"), "application/json")
				require.NotContains(t, page.Body, "oops")
				if page.Status == http.StatusServiceUnavailable {
					require.NotEmpty(t, page.Header.Get("Retry-After"))
				}
			}
			require.Equal(t, http.StatusOK, b.Fetch(a.base+"/api/me", oidcauthtest.FetchOptions{}).Status, "still signed in")
			require.Equal(t, http.StatusOK, b.Get(a.base+"/profile").Status)

			p.Intercept(oidcauthtest.TokenEndpoint)
			p.BendTokens(nil)
			require.Eventually(t, func() bool {
				return b.Fetch(a.base+"/api/refresh", post).Status == http.StatusOK
			}, patience, 50*time.Millisecond, "it heals by itself")
			require.Contains(t, b.Fetch(a.base+"/api/call", oidcauthtest.FetchOptions{}).Body, `"status":200`)
		})
	}
}

func TestADeadRefreshTokenNeedsANewLogin(t *testing.T) {
	a, p := startAt(t)
	expired(p)
	b := signedInAt(t, a)
	p.RevokeTokens("")
	p.Forget()
	for _, page := range []*oidcauthtest.Page{
		b.Fetch(a.base+"/api/refresh", post), b.Fetch(a.base+"/api/call", oidcauthtest.FetchOptions{}), b.Fetch(a.base+"/api/refresh", post),
	} {
		require.Equal(t, http.StatusUnauthorized, page.Status, page.Body)
		require.Contains(t, page.Body, `"login_required"`)
		require.Contains(t, page.Body, `"login_url"`)
	}
	require.LessOrEqual(t, p.Count(oidcauthtest.TokenEndpoint), 2, "one try, and one after looking again: no storm")
	p.BendTokens(nil)
	page := b.Get(a.base + "/profile")
	require.Equal(t, http.StatusOK, page.Status, "a page leads to a new login")
	require.Equal(t, 1, p.Count(oidcauthtest.Authorize))
	require.Equal(t, http.StatusOK, b.Fetch(a.base+"/api/refresh", post).Status)
}

func TestLookingAtTheExpiryRefreshesNothing(t *testing.T) {
	a, p := startAt(t)
	expired(p)
	b := signedInAt(t, a)
	p.Forget()
	require.Contains(t, b.Get(a.base+"/profile").Body, "Expired")
	require.Contains(t, b.Fetch(a.base+"/api/me", oidcauthtest.FetchOptions{}).Body, `"access_token_expires_at":"`)
	require.Zero(t, p.Count())
}

func TestTheMachineWithoutItsProvider(t *testing.T) {
	tests := []struct {
		name   string
		layer  oidcauthtest.Middleware
		status int
	}{
		{"the connection breaks", oidcauthtest.Drop(), 503},
		{"the provider refuses the client", oidcauthtest.OAuthError(401, "invalid_client"), 502},
		{"the provider refuses the scope", oidcauthtest.OAuthError(400, "invalid_scope"), 502},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, p := startAt(t, "MACHINE_SCOPES", "reports")
			p.Intercept(oidcauthtest.TokenEndpoint, tt.layer)
			page := newBrowser(t).fetch(http.MethodGet, a.base+"/api/machine")
			require.Equal(t, tt.status, page.status, page.body)
			a.waitFor(page.object(t)["reference"].(string))
			p.Intercept(oidcauthtest.TokenEndpoint)
			require.Eventually(t, func() bool {
				return newBrowser(t).fetch(http.MethodGet, a.base+"/api/machine").status == http.StatusOK
			}, patience, 50*time.Millisecond, "it heals by itself")
			require.Equal(t, "reports", p.Last(oidcauthtest.TokenEndpoint).Form.Get("scope"))
		})
	}
}

func TestAUserWithoutARefreshToken(t *testing.T) {
	a, p := startAt(t)
	p.BendTokens(func(answer *oidcauthtest.TokenAnswer) { answer.Delete("refresh_token") })
	b := signedInAt(t, a)
	require.Contains(t, b.Fetch(a.base+"/api/call", oidcauthtest.FetchOptions{}).Body, `"status":200`, "the token at hand serves")
	page := b.Fetch(a.base+"/api/refresh", post)
	require.Equal(t, http.StatusUnauthorized, page.Status, "only a login brings another")
	require.Equal(t, http.StatusOK, b.Fetch(a.base+"/api/me", oidcauthtest.FetchOptions{}).Status, "the session goes on")
}

func TestThirdPartiesMayStartALogin(t *testing.T) {
	a, p := startAt(t)
	form := map[string][]string{"iss": {p.Issuer()}, "login_hint": {"alice"}, "target_link_uri": {a.base + "/profile?from=portal"}}
	t.Run("by a form on their own site", func(t *testing.T) {
		b := oidcauthtest.NewBrowser(nil)
		b.Show("https://portal.example/", "")
		page := b.Post(a.base+"/auth/login", form)
		require.NoError(t, page.Err)
		require.Equal(t, a.base+"/profile?from=portal", page.URL, page.Body)
		require.Equal(t, "alice", p.Last(oidcauthtest.Authorize).Form.Get("login_hint"))
	})
	t.Run("not for another provider", func(t *testing.T) {
		form["iss"] = []string{"https://evil.example"}
		page := oidcauthtest.NewBrowser(nil).Post(a.base+"/auth/login", form)
		require.Equal(t, http.StatusBadRequest, page.Status)
	})
}

func TestTheEndWaitsForARefreshThatNobodyWaitsFor(t *testing.T) {
	a, p := startAt(t)
	expired(p)
	b := signedInAt(t, a)
	p.Forget()
	answer := make(chan struct{})
	p.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Hang(answer))

	req, err := http.NewRequest(http.MethodPost, a.base+"/api/refresh", nil)
	require.NoError(t, err)
	for _, c := range b.Cookies(a.base) {
		req.AddCookie(c)
	}
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := http.DefaultClient.Do(req.WithContext(ctx)); err == nil {
			resp.Body.Close()
		}
	}()
	require.Eventually(t, func() bool { return p.Count(oidcauthtest.TokenEndpoint) == 1 }, patience, time.Millisecond)
	leave()
	<-gone
	a.stop()
	close(answer)
	a.wait()
	require.Equal(t, http.StatusOK, p.Last(oidcauthtest.TokenEndpoint).Status, "the refresh token is spent, and its successor was received")
}
