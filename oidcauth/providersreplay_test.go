package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// replayed sends acme's callback once more, from another browser with the login's cookies, and
// returns how many codes that sends to acme's provider.
func (w *town) replayed(callback *oidcauthtest.Navigation, cookies []*http.Cookie) int {
	w.Helper()
	before := w.idps["acme"].Count(oidcauthtest.TokenEndpoint)
	other := oidcauthtest.NewBrowser(w.network)
	for _, c := range cookies {
		c.Path, c.Secure, c.HttpOnly = "/", true, true
		other.SetCookie(app+"/", c)
	}
	require.GreaterOrEqual(w, other.NewTab().Get(callback.URL).Status, 400)
	return w.idps["acme"].Count(oidcauthtest.TokenEndpoint) - before
}

// finishLogin signs somebody in at acme, and returns how that came back.
func (w *town) finishLogin() (callback *oidcauthtest.Navigation, cookies []*http.Cookie) {
	w.Helper()
	w.browser.ClearCookies()
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/acme/callback")
	callback = tab.Get(app + "/acme/").Paused
	require.NotNil(w, callback)
	cookies = w.browser.Cookies(callback.URL)
	require.Equal(w, http.StatusOK, tab.Go(callback).Status)
	return callback, cookies
}

// No code is sent twice, where a provider was replaced either.
func TestNoCodeIsSentTwiceAfterAReplacement(t *testing.T) {
	t.Run("that was forgotten since", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t, func(c *oidcauth.ProvidersConfig) { c.Session.Store = nil })
			w.signIn("acme")
			require.NoError(t, w.providers.Replace(t.Context(), "acme", w.config("acme")))
			time.Sleep(29*time.Minute + 50*time.Second)
			callback, cookies := w.finishLogin()
			require.Zero(t, w.replayed(callback, cookies), "control")
			time.Sleep(15 * time.Second)
			w.get("/acme/") // the one that was replaced is forgotten
			require.Zero(t, w.replayed(callback, cookies))
		})
	})
	t.Run("by one whose logins may take longer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			long := w.config("acme")
			long.LoginTimeout = time.Hour
			require.NoError(t, w.providers.Replace(t.Context(), "acme", long))
			callback, cookies := w.finishLogin()
			time.Sleep(20 * time.Minute)
			require.Zero(t, w.replayed(callback, cookies))
		})
	})
}
