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

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A pair is an application with two providers whose sessions are one: w's, below /auth/, and other, below /b/.
type pair struct {
	*world
	other  *oidcauthtest.Provider
	b      *oidcauth.Authenticator
	mu     sync.Mutex
	hooked []string // whose Hooks.Logout was called, for whom and why
}

func (p *pair) hook(name string) func(*oidcauth.Config) {
	return func(c *oidcauth.Config) {
		c.Hooks.Logout = func(_ context.Context, u *oidcauth.User, why oidcauth.LogoutReason) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.hooked = append(p.hooked, name+" "+u.Subject+" "+string(why))
		}
	}
}

func newPair(t *testing.T, configure ...func(*oidcauth.Config)) *pair {
	t.Helper()
	p := new(pair)
	p.world = newTokenWorld(t, append([]func(*oidcauth.Config){p.hook("A")}, configure...)...)
	p.other = oidcauthtest.NewProvider(oidcauthtest.Settings{
		Issuer: "https://b.provider.test", User: &oidcauthtest.User{Subject: "bob"},
		Clients: []oidcauthtest.Client{{
			ID: "app", Secret: "app-secret", RedirectURIs: []string{app + "/b/callback"}, PostLogoutRedirectURIs: []string{app + "/b/signed-out"},
		}},
	})
	p.network.Handle(p.other.Issuer(), p.other)
	p.b = newAuthenticator(t, p.world, append([]func(*oidcauth.Config){p.hook("B"), func(c *oidcauth.Config) {
		c.Issuer, c.RedirectURL, c.Session, c.Sessions = p.other.Issuer(), app+"/b/callback", session.Config{}, p.auth.Sessions()
	}}, configure...)...)
	p.mux.Handle("/b/", p.b)
	return p
}

func inEachPair(t *testing.T, f func(t *testing.T, p *pair)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, newPair(t, mode)) })
		})
	}
}

func (p *pair) post(path, cookies string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, app+path, nil)
	r.Header.Set("Cookie", cookies)
	answer := httptest.NewRecorder()
	p.mux.ServeHTTP(answer, r)
	return answer
}

func TestEitherRouteSignsOutAtTheSessionsOwnProvider(t *testing.T) {
	for name, route := range map[string]string{"its own route": "/auth/logout", "the other's route": "/b/logout"} {
		t.Run(name, func(t *testing.T) {
			inEachPair(t, func(t *testing.T, p *pair) {
				p.signIn()
				cookies := p.cookies()
				answer := p.post(route, cookies)
				require.Equal(t, http.StatusSeeOther, answer.Code)
				target := mustParsed(t, answer.Header().Get("Location"))
				require.Equal(t, p.provider.URL(oidcauthtest.EndSession), target.Scheme+"://"+target.Host+target.Path)
				require.NotEmpty(t, target.Query().Get("id_token_hint"))
				require.Equal(t, app+"/auth/signed-out", target.Query().Get("post_logout_redirect_uri"), "what is registered there")
				require.Equal(t, "null\n", p.send(cookies, "/").Body.String())
				require.Equal(t, 2, p.provider.Count(oidcauthtest.Revocation))
				require.Zero(t, p.other.Count(oidcauthtest.Revocation))
				require.Equal(t, []string{"A alice user"}, p.hooked)
				require.Contains(t, p.log.String(), "msg=logout issuer="+p.provider.Issuer())
				require.NotContains(t, p.log.String(), "msg=logout issuer="+p.other.Issuer())
			})
		})
	}
}

func TestAReturnPathWaitsAtTheProvidersOwnSignedOutPage(t *testing.T) {
	p := newPair(t)
	p.signIn()
	p.browser.Get(app + "/")
	page := p.browser.Post("/b/logout", url.Values{"return_to": {"/?bye=1"}})
	require.Equal(t, app+"/?bye=1", page.URL)
	require.Empty(t, p.provider.Sessions())
}

func TestWithoutASessionTheRoutesOwnProviderIsAsked(t *testing.T) {
	p := newPair(t)
	answer := p.post("/b/logout", "")
	require.True(t, strings.HasPrefix(answer.Header().Get("Location"), p.other.URL(oidcauthtest.EndSession)+"?"))
	require.NotContains(t, answer.Header().Get("Location"), "id_token_hint")
	require.Empty(t, p.hooked)
}

func TestAProviderThatIsDownKeepsNobodySignedInThroughTheOthersRoute(t *testing.T) {
	inEachPair(t, func(t *testing.T, p *pair) {
		p.signIn()
		cookies := p.cookies()
		p.network.Handle(p.provider.Issuer(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
		require.Equal(t, http.StatusSeeOther, p.post("/b/logout", cookies).Code)
		require.Equal(t, "null\n", p.send(cookies, "/").Body.String())
		require.Zero(t, p.other.Count(oidcauthtest.Revocation), "A's tokens are none of B's business")
		require.Equal(t, []string{"A alice user"}, p.hooked)
	})
}

func TestALoginElsewhereRevokesWhatItReplaces(t *testing.T) {
	inEachPair(t, func(t *testing.T, p *pair) {
		p.signIn()
		old := p.cookies()
		require.Equal(t, http.StatusOK, p.browser.Get(app+"/b/login?return_to=/").Status)
		require.Equal(t, "bob", p.user().Subject)
		require.Equal(t, "null\n", p.send(old, "/").Body.String())
		require.Len(t, p.revoked(), 2, "refresh and access token, at A")
		require.Zero(t, p.other.Count(oidcauthtest.Revocation))
		require.Equal(t, []string{"A alice replaced"}, p.hooked)
		require.Contains(t, p.log.String(), "msg=logout issuer="+p.provider.Issuer()+" client_id=app reason=replaced")
	})
}

func TestTokensThatAreToBeKeptAreKeptWhicheverRouteIsUsed(t *testing.T) {
	p := newPair(t, func(c *oidcauth.Config) { c.KeepTokensAtLogout = c.RedirectURL == app+"/auth/callback" })
	p.signIn()
	p.post("/b/logout", p.cookies())
	require.Empty(t, p.revoked(), "A's configuration counts for A's tokens")
	require.NoError(t, p.browser.Get(app+"/b/login?return_to=/").Err)
	p.post("/auth/logout", p.cookies())
	require.Equal(t, 2, p.other.Count(oidcauthtest.Revocation))
}
