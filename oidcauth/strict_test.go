package oidcauth_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// strict keeps session cookies from what other sites cause.
func strict(c *oidcauth.Config) { c.Session.SameSiteStrict = true }

var refreshes = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]*)">`)

// goOn follows a page that goes on by itself, as browsers do.
func goOn(t *testing.T, tab *oidcauthtest.Tab, page *oidcauthtest.Page) *oidcauthtest.Page {
	t.Helper()
	require.NoError(t, page.Err)
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	found := refreshes.FindStringSubmatch(page.Body)
	require.NotNil(t, found, page.Body)
	return tab.Click(found[1])
}

// inStrictModes runs f in each mode with strict cookies.
func inStrictModes(t *testing.T, f func(t *testing.T, w *world), configure ...func(*oidcauth.Config)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			f(t, newTokenWorld(t, append([]func(*oidcauth.Config){mode, strict}, configure...)...))
		})
	}
}

func TestLoginWithStrictCookiesArrives(t *testing.T) {
	for _, response := range []oidcauth.ResponseMode{oidcauth.Query, oidcauth.FormPost} {
		t.Run(string(response), func(t *testing.T) {
			inStrictModes(t, func(t *testing.T, w *world) {
				page := goOn(t, w.browser.Tab, w.browser.Get(app+"/me?a=%2Fb"))
				require.Equal(t, app+"/me?a=%2Fb", page.URL)
				require.Equal(t, http.StatusOK, page.Status)
				require.Contains(t, page.Body, `"alice"`)
				require.Equal(t, http.SameSiteStrictMode, w.browser.Cookie(app+"/", "__Host-session").SameSite)
				require.Equal(t, 1, w.provider.Count(oidcauthtest.Authorize))
			}, func(c *oidcauth.Config) { c.ResponseMode = response })
		})
	}
}

func TestLinkOfAnotherSiteFindsTheStrictCookie(t *testing.T) {
	inStrictModes(t, func(t *testing.T, w *world) {
		goOn(t, w.browser.Tab, w.browser.Get(app+"/me"))
		w.network.Handle("https://mail.example", http.NotFoundHandler())
		tab := w.browser.NewTab()
		tab.Get("https://mail.example/")
		page := tab.Click(app + "/me?x=1")
		require.Empty(t, page.Exchanges[0].SetCookie, "nobody is signed out")
		require.Equal(t, "no-store", page.Exchanges[0].Answer.Get("Cache-Control"))
		page = goOn(t, tab, page)
		require.Equal(t, app+"/me?x=1", page.URL)
		require.Contains(t, page.Body, `"alice"`)
		require.Equal(t, 1, w.provider.Count(oidcauthtest.Authorize), "and no login begins")

		tab.Get("https://mail.example/")
		require.Equal(t, "null\n", tab.Click(app+"/").Body, "what is not guarded takes the visitor for signed out")
		tab.Get("https://mail.example/")
		require.Equal(t, http.StatusUnauthorized, tab.Fetch(app+"/me", oidcauthtest.FetchOptions{Credentials: "include", Mode: "no-cors"}).Exchanges[0].Status, "a script gets no page")
	})
}

func TestVisitorWithoutASessionIsSentToTheProviderAfterOnePage(t *testing.T) {
	inStrictModes(t, func(t *testing.T, w *world) {
		w.network.Handle("https://mail.example", http.NotFoundHandler())
		w.browser.Get("https://mail.example/")
		page := goOn(t, w.browser.Tab, w.browser.Click(app+"/me"))
		page = goOn(t, w.browser.Tab, page)
		require.Equal(t, app+"/me", page.URL)
		require.Contains(t, page.Body, `"alice"`)
	})
}

func TestLoginThatAnotherSiteStartsReplacesTheStrictSession(t *testing.T) {
	inStrictModes(t, func(t *testing.T, w *world) {
		goOn(t, w.browser.Tab, w.browser.Get(app+"/me"))
		old := w.cookies()
		w.network.Handle("https://portal.example", http.NotFoundHandler())
		w.browser.Get("https://portal.example/")
		page := goOn(t, w.browser.Tab, w.browser.Click(app+"/auth/login?iss="+w.provider.Issuer()))
		goOn(t, w.browser.Tab, page)
		require.NotNil(t, w.user())
		require.Equal(t, "null\n", w.send(old, "/").Body.String())
	})
}

func TestCallbackOfALaxCookieIsARedirect(t *testing.T) {
	w := newWorld(t)
	page := w.signIn()
	require.NotContains(t, page.Body, "http-equiv")
	for _, x := range page.Exchanges {
		if x.Answer.Get("Location") == "/me" {
			require.Equal(t, http.StatusSeeOther, x.Status)
			return
		}
	}
	require.Fail(t, "no redirect")
}

func TestStrictCookiesAreBoundToTheDeviceAsOthersAre(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		page := goOn(t, w.browser.Tab, w.browser.Get(app+"/me"))
		require.Contains(t, page.Body, `"alice"`)
		require.Len(t, w.browser.DeviceSessions(), 1)
		require.Equal(t, http.SameSiteStrictMode, w.browser.Cookie(app+"/", boundCookie).SameSite)
		w.forget()
		require.NotNil(t, w.user(), "the cookie is renewed")
	}, strict)
}
