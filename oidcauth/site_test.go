package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// newSite makes a world whose callback is at path, as the browser sees it, of an application that browsers see below stripped.
func newSite(t *testing.T, path, prefix, stripped string, configure ...func(*oidcauth.Config)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*oidcauth.Config){noPAR, func(c *oidcauth.Config) {
		c.RedirectURL, c.RoutePrefix, c.StrippedPrefix = app+path, prefix, stripped
	}}, configure...)...)
	client := oidcauthtest.DefaultClient()
	client.RedirectURIs = []string{app + path}
	client.PostLogoutRedirectURIs = []string{app + w.auth.LogoutURL()[:strings.LastIndex(w.auth.LogoutURL(), "/")] + "/signed-out"}
	w.provider.Register(client)
	everything := w.auth.Load(http.HandlerFunc(writeUser))
	guarded := w.auth.RequireLogin(http.HandlerFunc(writeUser)) // serves the own routes, wherever they are
	h := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			everything.ServeHTTP(rw, r)
			return
		}
		guarded.ServeHTTP(rw, r)
	}))
	if stripped != "" {
		h = stripsAll(stripped, h)
	}
	w.network.Handle(app, h)
	return w
}

// stripsAll strips prefix from request-targets, as a proxy does before the request reaches us: net/http's own leaves RequestURI.
func stripsAll(prefix string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, below := strings.CutPrefix(r.URL.RequestURI(), strings.TrimSuffix(prefix, "/"))
		if !below {
			http.NotFound(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.RequestURI = target
		r.URL, _ = url.ParseRequestURI(target)
		h.ServeHTTP(w, r)
	})
}

func TestTheRoutesCanBeAnywhere(t *testing.T) {
	for name, row := range map[string]struct{ callback, prefix, stripped, login string }{
		"the callback's directory":          {"/auth/callback", "", "", "/auth/login"},
		"a callback of another name":        {"/login/oidc", "", "", "/login/login"},
		"a callback at the root":            {"/signin-oidc", "", "", "/login"},
		"a callback elsewhere":              {"/signin-oidc", "/auth/", "", "/auth/login"},
		"a prefix without a slash":          {"/signin-oidc", "/auth", "", "/auth/login"},
		"a proxy that strips":               {"/shop/auth/callback", "", "/shop", "/shop/auth/login"},
		"a proxy that strips, and a slash":  {"/shop/auth/callback", "", "/shop/", "/shop/auth/login"},
		"a callback below what is stripped": {"/shop/v1/signin-oidc", "/auth/", "/shop/v1", "/shop/v1/auth/login"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSite(t, row.callback, row.prefix, row.stripped)
			base := strings.TrimSuffix(row.stripped, "/")
			require.Equal(t, row.login, w.auth.LoginURL(""))
			page := w.browser.Get(app + base + "/orders/a%2Fb?x=1")
			require.NoError(t, page.Err)
			require.Equal(t, http.StatusOK, page.Status, page.Body)
			require.Equal(t, app+base+"/orders/a%2Fb?x=1", page.URL)
			require.Equal(t, app+row.callback, w.authenticationRequest().Get("redirect_uri"))

			for _, own := range []string{row.callback, row.callback + "?x=1", row.login, w.auth.LogoutURL(), strings.ToUpper(row.login)} {
				require.Equal(t, row.login, w.auth.LoginURL(own), "an own route is no way back")
			}
			require.Contains(t, w.auth.LoginURL(base+"/authors/signin-oidc"), "return_to")
			page = w.browser.Get(app + row.login + "?return_to=" + url.QueryEscape(base+"/cart"))
			require.Equal(t, app+base+"/cart", page.URL)
			page = w.browser.Get(app + row.login)
			require.Equal(t, app+base+"/", page.URL, "the start page of the application, not of the host")

			w.browser.Get(app + w.auth.LogoutURL())
			page = w.browser.Submit("logout", nil)
			require.NoError(t, page.Err)
			require.True(t, strings.HasPrefix(page.URL, app+strings.TrimSuffix(w.auth.LogoutURL(), "logout")+"signed-out"), page.URL)
			require.Contains(t, page.Body, `href="`+base+`/"`)
			require.Contains(t, page.Body, strings.TrimSuffix(row.login, "login")+"style.css")
			require.False(t, w.hasSession())
		})
	}
}

func TestACookiePathHoldsForTheCookiesOfALogin(t *testing.T) {
	w := newSite(t, "/shop/auth/callback", "", "", func(c *oidcauth.Config) { c.Session.CookiePath = "/shop/" })
	page := w.browser.Get(app + "/shop/me")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	seen := 0
	for _, x := range page.Exchanges {
		for _, line := range x.Answer.Values("Set-Cookie") {
			if strings.HasPrefix(x.URL, app) {
				require.Contains(t, line, "Path=/shop/")
				seen++
			}
		}
	}
	require.GreaterOrEqual(t, seen, 3, "the login's, the session's and that which counts logins")
}

func TestNewRefusesRoutesThatCantWork(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*oidcauth.Config)
		want   string
	}{
		"a callback in the place of another route": {func(c *oidcauth.Config) { c.RedirectURL = app + "/auth/login" }, "RedirectURL"},
		"the same with a prefix":                   {func(c *oidcauth.Config) { c.RedirectURL, c.RoutePrefix = app+"/x/signed-out", "/x" }, "RedirectURL"},
		"a prefix that is relative":                {func(c *oidcauth.Config) { c.RoutePrefix = "auth/" }, "RoutePrefix"},
		"a prefix with dots":                       {func(c *oidcauth.Config) { c.RoutePrefix = "/a/../b/" }, "RoutePrefix"},
		"a prefix with a host":                     {func(c *oidcauth.Config) { c.RoutePrefix = "//evil.example/" }, "RoutePrefix"},
		"a prefix with an escape":                  {func(c *oidcauth.Config) { c.StrippedPrefix = "/a%2Fb" }, "StrippedPrefix"},
		"a callback outside of what is stripped":   {func(c *oidcauth.Config) { c.StrippedPrefix = "/shop" }, "StrippedPrefix"},
		"a callback that only begins like it":      {func(c *oidcauth.Config) { c.StrippedPrefix, c.RedirectURL = "/shop", app+"/shopping/callback" }, "StrippedPrefix"},
		"a cookie for another domain":              {func(c *oidcauth.Config) { c.Session.CookieDomain = "other.test" }, "CookieDomain"},
		"a cookie for a subdomain":                 {func(c *oidcauth.Config) { c.Session.CookieDomain = "www.app.example.test" }, "CookieDomain"},
		"a cookie for a domain that ends alike":    {func(c *oidcauth.Config) { c.Session.CookieDomain = "pp.example.test" }, "CookieDomain"},
		"a cookie that misses the callback":        {func(c *oidcauth.Config) { c.Session.CookiePath = "/app" }, "CookiePath"},
		"a cookie path that only begins like it":   {func(c *oidcauth.Config) { c.Session.CookiePath = "/au" }, "CookiePath"},
		"a cookie that misses the other routes": {func(c *oidcauth.Config) {
			c.Session.CookiePath, c.RedirectURL, c.RoutePrefix = "/in", app+"/in/cb", "/auth/"
		}, "CookiePath"},
		"a cookie path as the process sees it": {func(c *oidcauth.Config) {
			c.Session.CookiePath, c.RedirectURL, c.StrippedPrefix = "/auth", app+"/shop/auth/callback", "/shop"
		}, "CookiePath"},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			row.change(&c)
			_, err := oidcauth.New(c)
			require.ErrorContains(t, err, row.want)
		})
	}
	for name, change := range map[string]func(*oidcauth.Config){
		"the host itself":               func(c *oidcauth.Config) { c.Session.CookieDomain = "app.example.test" },
		"the parent domain":             func(c *oidcauth.Config) { c.Session.CookieDomain = "example.test" },
		"the parent domain, with a dot": func(c *oidcauth.Config) { c.Session.CookieDomain = ".Example.test" },
		"the own routes' path":          func(c *oidcauth.Config) { c.Session.CookiePath = "/auth" },
		"the own routes' path, a slash": func(c *oidcauth.Config) { c.Session.CookiePath = "/auth/" },
		"what is stripped": func(c *oidcauth.Config) {
			c.Session.CookiePath, c.RedirectURL, c.StrippedPrefix = "/shop", app+"/shop/auth/callback", "/shop"
		},
		"a callback at a prefix's root": func(c *oidcauth.Config) { c.RedirectURL, c.RoutePrefix = app+"/cb", "/" },
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			change(&c)
			_, err := oidcauth.New(c)
			require.NoError(t, err)
		})
	}
}

func TestTwoProvidersDontShareTheirRoutes(t *testing.T) {
	w := newWorld(t)
	second := oidcauth.Config{
		Issuer: "https://second.example.test", ClientID: "app", ClientSecret: "s",
		RedirectURL: app + "/cb2", RoutePrefix: "/auth/", Sessions: w.auth.Sessions(),
	}
	_, err := oidcauth.New(second)
	require.ErrorContains(t, err, "RoutePrefix", "whose login would /auth/login be?")
	second.RoutePrefix = "/auth2/"
	_, err = oidcauth.New(second)
	require.NoError(t, err)
}

// Redirected metadata are somebody else's, and never fetched; but whoever moved their provider wants to know where to.
func TestADiscoveryThatRedirectsNamesItsTarget(t *testing.T) {
	const target = "https://login.provider.test/.well-known/openid-configuration"
	w := newWorld(t, noPAR)
	w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Redirect(http.StatusMovedPermanently, target))
	page := w.browser.Get(app + "/me")
	require.Equal(t, http.StatusServiceUnavailable, page.Status)
	require.NotContains(t, page.Body, "login.provider.test")
	require.Contains(t, w.log.String(), "expected status 200, got 301, a redirect to")
	require.Contains(t, w.log.String(), target)
}
