package main_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A twoProviderApp is the example with two providers, each with somebody of its own before it: they share a subject, as two
// people at two providers may.
type twoProviderApp struct {
	*webapp
	first, second *oidcauthtest.Provider
}

func startWithTwoProviders(t *testing.T, pairs ...string) *twoProviderApp {
	t.Helper()
	user := func(name string) *oidcauthtest.User {
		return &oidcauthtest.User{Subject: "7", Claims: map[string]any{"name": name, "roles": []string{"admin"}}}
	}
	a := &twoProviderApp{
		first:  oidcauthtest.Start(t, oidcauthtest.Settings{User: user("First Person")}),
		second: oidcauthtest.Start(t, oidcauthtest.Settings{User: user("Second Person")}),
	}
	a.webapp = startApp(t, append([]string{
		"OIDC_ISSUER", a.first.Issuer(), "OIDC_CLIENT_ID", "one", "OIDC_CLIENT_SECRET", "first-secret",
		"OIDC2_ISSUER", a.second.Issuer(), "OIDC2_CLIENT_ID", "two", "OIDC2_CLIENT_SECRET", "second-secret", "OIDC2_NAME", "Partner login",
	}, pairs...)...)
	a.first.Register(clientAt(a.base+"/auth", "one", "first-secret"))
	a.second.Register(clientAt(a.base+"/auth2", "two", "second-secret"))
	return a
}

// clientAt is a client whose routes are below prefix.
func clientAt(prefix, id, secret string) oidcauthtest.Client {
	return oidcauthtest.Client{
		ID: id, Secret: secret, RedirectURIs: []string{prefix + "/callback"}, PostLogoutRedirectURIs: []string{prefix + "/signed-out"},
		BackChannelLogoutURI: prefix + "/backchannel-logout", FrontChannelLogoutURI: prefix + "/frontchannel-logout",
	}
}

// at returns a browser that signed in through the link of one provider.
func (a *twoProviderApp) at(prefix string) *oidcauthtest.Browser {
	a.t.Helper()
	b := oidcauthtest.NewBrowser(nil)
	a.signInAt(b, prefix)
	return b
}

func (a *twoProviderApp) signInAt(b *oidcauthtest.Browser, prefix string) {
	a.t.Helper()
	page := b.Get(a.base + prefix + "/login?return_to=%2Fprofile")
	require.NoError(a.t, page.Err)
	require.Equal(a.t, a.base+"/profile", page.URL, "%s\n%s", page.Body, a.output)
}

// me is the answer of /api/me.
func (a *twoProviderApp) me(b *oidcauthtest.Browser) *oidcauthtest.Page {
	a.t.Helper()
	page := b.NewTab().Fetch(a.base+"/api/me", oidcauthtest.FetchOptions{})
	require.NoError(a.t, page.Err)
	return page
}

func TestSignedOutPeopleChooseTheirProvider(t *testing.T) {
	a := startWithTwoProviders(t)
	b := oidcauthtest.NewBrowser(nil)
	page := b.Get(a.base + "/profile?tab=a%20b&x=%26")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, "/choose", mustParse(t, page.URL).Path)
	require.Contains(t, page.Body, "Partner login")
	require.Contains(t, page.Body, mustParse(t, a.first.Issuer()).Host, "a provider without a name goes by its host")
	require.Empty(t, b.Cookies(a.base), "nothing is begun before the choice")
	require.Zero(t, a.first.Count(oidcauthtest.Authorize)+a.second.Count(oidcauthtest.Authorize))

	want := url.QueryEscape("/profile?tab=a%20b&x=%26")
	page = b.Click("/auth2/login?return_to=" + want)
	require.Equal(t, a.base+"/profile?tab=a%20b&x=%26", page.URL, page.Body)
	require.Contains(t, page.Body, "Second Person")
	require.Contains(t, page.Body, "Partner login")
	require.Zero(t, a.first.Count(oidcauthtest.Authorize, oidcauthtest.TokenEndpoint), "the other one learns nothing")

	b = oidcauthtest.NewBrowser(nil)
	b.Get(a.base + "/admin")
	page = b.Click("/auth/login?return_to=%2Fadmin")
	require.Equal(t, a.base+"/admin", page.URL)
	require.Contains(t, page.Body, "First Person")
}

func TestTheChoiceStaysOnThisSite(t *testing.T) {
	a := startWithTwoProviders(t)
	for _, bad := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "javascript:alert(1)", `"><script>`} {
		t.Run(bad, func(t *testing.T) {
			page := oidcauthtest.NewBrowser(nil).Get(a.base + "/choose?return_to=" + url.QueryEscape(bad))
			require.Equal(t, http.StatusOK, page.Status)
			require.Contains(t, page.Body, `href="/auth/login"`)
			require.Contains(t, page.Body, `href="/auth2/login"`)
			require.NotContains(t, page.Body, "evil")
			require.NotContains(t, page.Body, "<script")
		})
	}
}

func TestOnlyNavigationsAreOfferedTheChoice(t *testing.T) {
	a := startWithTwoProviders(t)
	b := oidcauthtest.NewBrowser(nil)
	b.Get(a.base + "/")
	pages := map[string]*oidcauthtest.Page{
		"a fetch":     b.Fetch("/profile", oidcauthtest.FetchOptions{}),
		"a frame":     b.NewTab().Frame(a.base + "/profile"),
		"an image":    b.Load("/profile", "image"),
		"a prefetch":  b.Prefetch("/profile"),
		"a prerender": b.Prerender("/profile"),
		"a form":      b.Post("/profile/refresh", nil),
		"the API":     b.Get(a.base + "/api/me"),
	}
	for name, page := range pages {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, http.StatusUnauthorized, page.Status, page.Body)
			require.Contains(t, page.Body, `"/auth/login"`)
			require.Empty(t, page.Header.Values("Set-Cookie"))
		})
	}
}

func TestThereIsNothingToChooseFromOne(t *testing.T) {
	a := startApp(t)
	require.Equal(t, http.StatusNotFound, newBrowser(t).open(a.base+"/choose").status)
	require.Equal(t, http.StatusNotFound, newBrowser(t).open(a.base+"/auth2/login").status)
}

func TestEachCallOfAUserGoesToTheirOwnProvider(t *testing.T) {
	a := startWithTwoProviders(t)
	b := a.at("/auth2")
	require.Contains(t, a.me(b).Body, `"iss":"`+a.second.Issuer()+`"`)
	a.first.Forget()

	refreshes := a.second.Count(oidcauthtest.TokenEndpoint)
	page := b.Fetch(a.base+"/api/refresh", oidcauthtest.FetchOptions{Method: http.MethodPost})
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, refreshes+1, a.second.Count(oidcauthtest.TokenEndpoint))

	page = b.Fetch(a.base+"/api/call", oidcauthtest.FetchOptions{})
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Body, `{"body":{`)
	require.Contains(t, page.Body, `"status":200`, "the demo API believes this provider's tokens")
	require.Contains(t, b.Get(a.base+"/api-calls?as=user").Body, "The API answered 200")
	require.Equal(t, a.base+"/admin", b.Get(a.base+"/admin").URL, "guards let users of both pass")
	require.Zero(t, a.first.Count(), "the other provider was not asked anything")
}

func TestTheMachineIsTheFirstProvidersClient(t *testing.T) {
	a := startWithTwoProviders(t)
	page := a.at("/auth2").Fetch(a.base+"/api/machine", oidcauthtest.FetchOptions{})
	require.Contains(t, page.Body, `"status":200`)
	require.Equal(t, "client_credentials", a.first.Last(oidcauthtest.TokenEndpoint).Form.Get("grant_type"))
}

func TestTokensOfOneAreNoneAtTheOthersDemoAPI(t *testing.T) {
	a := startWithTwoProviders(t)
	token := func(p *oidcauthtest.Provider, prefix string) (issued string) {
		p.BendTokens(func(answer *oidcauthtest.TokenAnswer) { issued = answer.Text("access_token") })
		a.at(prefix)
		return issued
	}
	first, second := token(a.first, "/auth"), token(a.second, "/auth2")
	tests := []struct {
		name, path, token string
		status            int
	}{
		{"the first one's at the first API", "/demo/api", first, 200},
		{"the second one's at the first API", "/demo/api", second, 401},
		{"the first one's at the second API", "/demo2/api", first, 401},
		{"the second one's at the second API", "/demo2/api", second, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, a.base+tt.path, nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+tt.token)
			b := newBrowser(t)
			b.show(req, nil)
			require.Equal(t, tt.status, b.page.status, b.page.body)
		})
	}
}

func TestAnswersOfOneAreNoneAtTheOthersCallback(t *testing.T) {
	a := startWithTwoProviders(t)
	swap := func(t *testing.T, from, to string) {
		b := oidcauthtest.NewBrowser(nil)
		b.PauseAt(a.base + from + "/callback")
		answer := b.Get(a.base + from + "/login").Paused
		require.NotNil(t, answer)
		right := answer.URL
		b.PauseAt("")
		page := b.Get(strings.Replace(right, from+"/callback", to+"/callback", 1))
		require.Equal(t, http.StatusBadRequest, page.Status, page.Body)
		require.Empty(t, page.Header.Get("Location"))
		require.Zero(t, a.first.Count(oidcauthtest.TokenEndpoint)+a.second.Count(oidcauthtest.TokenEndpoint), "no code is sent to anybody")
		require.Equal(t, http.StatusUnauthorized, a.me(b).Status)
		b.Get(right)
		require.Equal(t, http.StatusOK, a.me(b).Status, "the true answer still counts")
	}
	t.Run("the first one's at the second callback", func(t *testing.T) { swap(t, "/auth", "/auth2") })
	a.first.Forget()
	t.Run("the second one's at the first callback", func(t *testing.T) { swap(t, "/auth2", "/auth") })
}

func TestANewLoginAtTheOtherProviderTakesOver(t *testing.T) {
	a := startWithTwoProviders(t)
	b := a.at("/auth")
	old := b.Cookies(a.base)
	a.signInAt(b, "/auth2")
	require.Contains(t, a.me(b).Body, a.second.Issuer())
	require.NotContains(t, a.me(b).Body, "First Person")

	replay := oidcauthtest.NewBrowser(nil)
	for _, c := range old {
		replay.SetCookie(a.base, c)
	}
	require.Equal(t, http.StatusUnauthorized, a.me(replay).Status, "the session before is over")
}

func TestLogoutEndsTheSessionAtTheRightProvider(t *testing.T) {
	for _, route := range []string{"/auth/logout", "/auth2/logout"} {
		t.Run(route+" for a user of the second", func(t *testing.T) {
			a := startWithTwoProviders(t)
			b := a.at("/auth2")
			b.Get(a.base + "/")
			page := b.Post(route, nil)
			require.NoError(t, page.Err)
			require.Equal(t, a.base+"/auth2/signed-out", withoutQuery(page.URL))
			require.Equal(t, 1, a.second.Count(oidcauthtest.EndSession))
			require.NotEmpty(t, a.second.Last(oidcauthtest.EndSession).Form.Get("id_token_hint"))
			require.Empty(t, a.second.Sessions(), "signed out there")
			require.Zero(t, a.first.Count(oidcauthtest.EndSession, oidcauthtest.Revocation))
			require.Equal(t, http.StatusUnauthorized, a.me(b).Status)
		})
	}
	t.Run("the page's own button, for users of both", func(t *testing.T) {
		a := startWithTwoProviders(t)
		for _, prefix := range []string{"/auth", "/auth2"} {
			b := a.at(prefix)
			page := b.Submit(prefix+"/logout", nil)
			require.NoError(t, page.Err)
			require.Equal(t, a.base+prefix+"/signed-out", withoutQuery(page.URL))
		}
	})
	t.Run("everywhere means: everywhere at this provider", func(t *testing.T) {
		a := startWithTwoProviders(t)
		here, there, namesake := a.at("/auth2"), a.at("/auth2"), a.at("/auth")
		here.Submit("/profile/sign-out-everywhere", nil)
		require.Equal(t, http.StatusUnauthorized, a.me(there).Status)
		require.Equal(t, http.StatusOK, a.me(namesake).Status, "the same subject at the other provider is somebody else")
	})
}

func TestLogoutTokensEndSessionsOfTheirOwnIssuerOnly(t *testing.T) {
	a := startWithTwoProviders(t)
	one, two := a.at("/auth"), a.at("/auth2")
	post := func(route, token string) int {
		resp, err := http.PostForm(a.base+route, url.Values{"logout_token": {token}})
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	require.Equal(t, http.StatusBadRequest, post("/auth/backchannel-logout", a.second.LogoutToken("two", "7", "")))
	require.Equal(t, http.StatusOK, a.me(two).Status)
	require.Equal(t, http.StatusOK, post("/auth2/backchannel-logout", a.second.LogoutToken("two", "7", "")))
	require.Equal(t, http.StatusUnauthorized, a.me(two).Status)
	require.Equal(t, http.StatusOK, a.me(one).Status, "the same subject at the other provider is somebody else")
}

func TestStepUpAsksTheUsersOwnProvider(t *testing.T) {
	a := startWithTwoProviders(t)
	a.second.BendIDToken(func(token *oidcauthtest.Token) { token.Claims.Set("auth_time", 1000) })
	b := a.at("/auth2")
	a.second.BendIDToken(nil)
	a.first.Forget()
	page := b.Get(a.base + "/stepup")
	require.Equal(t, a.base+"/stepup", page.URL, page.Body)
	request := a.second.Last(oidcauthtest.PAR).Form // pushed or not
	if request == nil {
		request = a.second.Last(oidcauthtest.Authorize).Form
	}
	require.Equal(t, "60", request.Get("max_age"))
	require.Zero(t, a.first.Count())
}

func TestOneProviderDownLeavesTheOther(t *testing.T) {
	a := startWithTwoProviders(t)
	a.first.Intercept(oidcauthtest.Any, oidcauthtest.Drop())
	b := a.at("/auth2")
	require.Equal(t, http.StatusOK, a.me(b).Status)
	require.Equal(t, http.StatusServiceUnavailable, oidcauthtest.NewBrowser(nil).Get(a.base+"/auth/login").Status)
	require.Equal(t, http.StatusServiceUnavailable, newBrowser(t).open(a.base+"/readyz").status, "not all logins work")
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u
}

func withoutQuery(address string) string {
	path, _, _ := strings.Cut(address, "?")
	return path
}

func TestOtherSitesMayPostWhereTheProtocolSaysSo(t *testing.T) {
	a := startWithTwoProviders(t, "OIDC_RESPONSE_MODE", "form_post")
	for prefix, p := range map[string]*oidcauthtest.Provider{"/auth": a.first, "/auth2": a.second} {
		t.Run("the answer of the provider at "+prefix, func(t *testing.T) {
			require.Equal(t, http.StatusOK, a.me(a.at(prefix)).Status)
		})
		t.Run("a third party's login at "+prefix, func(t *testing.T) {
			b := oidcauthtest.NewBrowser(nil)
			b.Show("https://portal.example/", "")
			page := b.Post(a.base+prefix+"/login", url.Values{"iss": {p.Issuer()}, "target_link_uri": {a.base + "/admin"}})
			require.NoError(t, page.Err)
			require.Equal(t, a.base+"/admin", page.URL, page.Body)
		})
		t.Run("no logout at "+prefix, func(t *testing.T) {
			b := a.at(prefix)
			b.Show("https://evil.example/", "")
			require.Equal(t, http.StatusForbidden, b.Post(a.base+prefix+"/logout", nil).Status)
			require.Equal(t, http.StatusOK, a.me(b).Status)
		})
	}
}
