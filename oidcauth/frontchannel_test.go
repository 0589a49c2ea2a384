package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// frontChannel loads the front-channel logout of this issuer and sid, in a frame of the provider's and without cookies.
func (w *world) frontChannel(query string) *oidcauthtest.Page {
	w.Helper()
	stranger := oidcauthtest.NewBrowser(w.network)
	stranger.Show(w.provider.Issuer()+"/logout", "")
	page := stranger.Frame(app + "/auth/frontchannel-logout" + query)
	require.NoError(w, page.Err)
	require.Contains(w, page.Header.Get("Cache-Control"), "no-store")
	require.Empty(w, page.Header.Values("Set-Cookie"))
	return page
}

func (w *world) frontChannelQuery(sid string) string {
	return "?" + url.Values{"iss": {w.provider.Issuer()}, "sid": {sid}}.Encode()
}

func TestFrontChannelLogoutOfWhatNobodyRecordedWritesNothing(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		store := &moodyStore{Store: session.NewMemoryStore()}
		w := newWorld(t, mode, func(c *oidcauth.Config) { c.Session.Store = store })
		w.signIn()
		sid := w.user().SessionID
		right := w.frontChannelQuery(sid)
		before := store.writes.Load()
		for name, query := range map[string]string{
			"nothing":                    "",
			"no sid":                     "?iss=" + url.QueryEscape(w.provider.Issuer()),
			"no iss":                     "?sid=" + sid,
			"an empty sid":               w.frontChannelQuery(""),
			"another issuer":             "?iss=https%3A%2F%2Fevil.example&sid=" + sid,
			"an issuer with a slash":     "?iss=" + url.QueryEscape(w.provider.Issuer()+"/") + "&sid=" + sid,
			"a sid that nobody has":      w.frontChannelQuery("guess"),
			"a sid and more":             w.frontChannelQuery(sid + "x"),
			"a sid in other letters":     w.frontChannelQuery(strings.ToLower(sid)),
			"two sids":                   right + "&sid=other",
			"two issuers":                right + "&iss=https%3A%2F%2Fevil.example",
			"a sid with the separator":   w.frontChannelQuery("\x1f" + sid),
			"a sid of 100 kB":            w.frontChannelQuery(strings.Repeat("s", 100<<10)),
			"control characters":         w.frontChannelQuery("\x00\n\xff"),
			"a query that can't be read": "?iss=%zz&sid=" + sid,
		} {
			page := w.frontChannel(query)
			require.Equal(t, http.StatusOK, page.Status, name)
			require.NotNil(t, w.user(), name)
		}
		require.Equal(t, before, store.writes.Load())
		require.Equal(t, http.StatusOK, w.frontChannel(right).Status)
		require.Equal(t, before+1, store.writes.Load(), "one mark")
		require.Nil(t, w.user(), "positive control")
	})
}

func TestFrontChannelLogoutEndsEveryLoginWithTheSID(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		first := w.cookies()
		w.browser.DeleteCookie(app, "__Host-session")
		time.Sleep(time.Minute)
		w.signIn() // single sign-on: the provider's session, and so the sid, is the same
		second := w.cookies()
		// A login that began before, and comes back last.
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("iat", time.Now().Add(-3*time.Minute).Unix()) })
		w.browser.DeleteCookie(app, "__Host-session")
		w.signIn()
		third, sid := w.cookies(), w.user().SessionID
		require.Len(t, w.provider.Sessions(), 1)
		w.frontChannel(w.frontChannelQuery(sid))
		for _, cookies := range []string{first, second, third} {
			require.Equal(t, "null\n", w.send(cookies, "/").Body.String())
		}
		w.provider.BendIDToken(nil)
		time.Sleep(time.Second)
		w.signIn()
		require.Equal(t, sid, w.user().SessionID, "a login after that counts, even with the same sid")
	})
}

func TestFrontChannelLogoutBeatsTheLoginInTheCallback(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		sid := w.user().SessionID
		w.browser.DeleteCookie(app, "__Host-session")
		w.provider.Intercept(oidcauthtest.UserInfo, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				w.frontChannel(w.frontChannelQuery(sid))
				next.ServeHTTP(rw, r)
			})
		})
		page := w.browser.Get(app + "/me")
		require.Equal(t, http.StatusBadRequest, page.Status, page.Body)
		require.Nil(t, w.user())
	})
}

func TestFrontChannelLogoutKnowsSIDsOfKeysThatAreGone(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		newer := session.NewKey()
		require.NoError(t, w.auth.Sessions().SetKeys([]string{newer, testKey}))
		time.Sleep(2 * time.Minute)
		require.NotNil(t, w.user(), "sealed anew")
		require.NoError(t, w.auth.Sessions().SetKeys([]string{newer}))
		require.NotNil(t, w.user())
		w.frontChannel(w.frontChannelQuery(w.user().SessionID))
		require.Nil(t, w.user())
	})
}

func TestOnlyTheProviderMayFrameTheFrontChannelLogout(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.FrontChannelLogout, c.FrameAncestors = true, []string{"https://portal.example.test"}
	})
	w.provider.BendMetadata(func(d *oidcauthtest.Object) { d.Set("end_session_endpoint", "https://logout.provider.test/end") })
	w.signIn()
	for origin, allowed := range map[string]bool{
		w.provider.Issuer(): true, "https://portal.example.test": true, "https://logout.provider.test": true,
		"https://evil.example": false, "https://sub.portal.example.test": false, "http://id.provider.test": false,
	} {
		tab := w.browser.NewTab()
		tab.Show(origin+"/page", "")
		frame := tab.Frame(app + "/auth/frontchannel-logout")
		if allowed {
			require.NoError(t, frame.Err, origin)
		} else {
			require.ErrorIs(t, frame.Err, oidcauthtest.ErrFraming, origin)
		}
		for _, path := range []string{"/auth/logout", "/auth/signed-out", "/auth/login"} {
			require.ErrorIs(t, tab.Frame(app+path).Err, oidcauthtest.ErrFraming, origin+path)
		}
	}
}

func TestFrontChannelLogoutIsOffUnlessAsked(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	page := oidcauthtest.NewBrowser(w.network).Get(w.provider.FrontChannelLogoutURL("app", w.user().SessionID))
	require.Equal(t, http.StatusNotFound, page.Status)
	require.NotNil(t, w.user())
}

func TestAFrontChannelRequestThatEndsNothingLeavesOneLineAMinute(t *testing.T) {
	withLogouts(t, func(t *testing.T, mode func(*oidcauth.Config)) {
		w := newWorld(t, mode)
		w.signIn()
		lines := func() int { return strings.Count(w.log.String(), `msg="front-channel logout ended nothing"`) }
		for range 20 {
			w.frontChannel("")
			w.frontChannel(w.frontChannelQuery("unknown"))
		}
		require.Equal(t, 1, lines())
		time.Sleep(time.Minute)
		w.frontChannel(w.frontChannelQuery("unknown"))
		require.Equal(t, 2, lines())
		require.NotContains(t, w.log.String(), "unknown")
		time.Sleep(time.Minute)
		w.frontChannel(w.frontChannelQuery(w.user().SessionID))
		require.Equal(t, 2, lines(), "that one ended something")
		require.Contains(t, w.log.String(), `msg="session revoked"`)
	})
}
