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

// deviceModes are the ways in which sessions are kept.
var deviceModes = map[string]func(*session.Config){
	"cookie":               func(c *session.Config) { c.Store = nil },
	"cookie, with a Store": func(*session.Config) {},
	"server side":          func(c *session.Config) { c.ServerSide = true },
}

// A deviceWorld is a world whose sessions are bound, and whose browser has a clock of its own.
type deviceWorld struct {
	*world
	skipped time.Duration // of the browser's clock
	config  oidcauth.Config
}

// boundCookie is the name of the bound cookie.
const boundCookie = "__Host-session-bound"

// inDeviceModes runs f in each mode, with a browser that can bind sessions.
func inDeviceModes(t *testing.T, f func(w *deviceWorld), configure ...func(*oidcauth.Config)) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			f(newDeviceWorld(t, append([]func(*oidcauth.Config){func(c *oidcauth.Config) { mode(&c.Session) }}, configure...)...))
		})
	}
}

// newDeviceWorld returns a world in which sessions are bound.
func newDeviceWorld(t *testing.T, configure ...func(*oidcauth.Config)) *deviceWorld {
	w := &deviceWorld{}
	on := func(c *oidcauth.Config) { c.Session.DeviceBound, c.SessionEndpoint = session.DeviceOn, true }
	w.world = newWorld(t, append(append([]func(*oidcauth.Config){on}, configure...), func(c *oidcauth.Config) { w.config = *c })...)
	w.browser.DeviceAlg = "ES256"
	w.browser.Now = func() time.Time { return time.Now().Add(w.skipped) }
	return w
}

// forget lets the browser's bound cookie end.
func (w *deviceWorld) forget() { w.browser.DeleteCookie(app+"/", boundCookie) }

// bind signs in, and lets the browser bind the session.
func (w *deviceWorld) bind() *deviceWorld {
	w.Helper()
	w.signIn()
	require.Len(w, w.browser.DeviceSessions(), 1)
	require.NotNil(w, w.browser.Cookie(app+"/", boundCookie))
	require.NotNil(w, w.user())
	return w
}

// steal returns a browser that has the session cookies of w's, and with also those of these names.
func (w *deviceWorld) steal(also ...string) *oidcauthtest.Browser {
	thief := oidcauthtest.NewBrowser(w.network)
	for _, c := range w.browser.Cookies(app + "/") {
		if c.Name != boundCookie || len(also) > 0 && also[0] == c.Name {
			require.Empty(w, thief.SetCookie(app+"/", c))
		}
	}
	return thief
}

// script asks for target as a script of the app's does.
func script(b *oidcauthtest.Browser, target string) *oidcauthtest.Page {
	tab := b.NewTab()
	tab.Show(app+"/page", "")
	return tab.Fetch(target, oidcauthtest.FetchOptions{})
}

// sent returns the requests that the browser has sent to a path.
func sent(b *oidcauthtest.Browser, path string) (list []oidcauthtest.Exchange) {
	for _, x := range b.History() {
		if u, err := url.Parse(x.URL); err == nil && u.Path == path {
			list = append(list, x)
		}
	}
	return list
}

func TestLoginIsBoundToTheDevice(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.signIn()
		before := w.browser.History()
		starts := sent(w.browser, "/auth/device/start")
		require.NotEmpty(t, starts)
		require.Equal(t, 200, starts[0].Status)
		require.Contains(t, starts[0].Answer.Get("Cache-Control"), "no-store")
		for _, x := range starts[1:] {
			require.Equal(t, 403, x.Status, "a session is bound once")
		}
		callback := sent(w.browser, "/auth/callback")[0]
		require.Contains(t, callback.Answer.Get("Secure-Session-Registration"), `(ES256 RS256);path="/auth/device/start";challenge="`)
		require.Contains(t, sent(w.browser, "/me")[1].Answer.Get("Secure-Session-Registration"), `path="/auth/device/start"`, "the first page after it, too")
		require.NotEqual(t, callback.SetCookie[len(callback.SetCookie)-1].Value, w.browser.Cookie(app+"/", "__Host-session").Value)
		bound := w.browser.Cookie(app+"/", boundCookie)
		require.True(t, bound.Secure && bound.HttpOnly && bound.SameSite == http.SameSiteLaxMode && bound.Path == "/")
		require.WithinDuration(t, time.Now().Add(10*time.Minute), bound.Expires, 5*time.Second)
		require.NotNil(t, w.user())
		require.Empty(t, w.browser.Get(app+"/me").Header.Get("Secure-Session-Registration"), "a bound session is not asked again")
		require.Contains(t, w.log.String(), `msg="device bound"`)
		require.Contains(t, w.log.String(), "thumbprint=")
		require.Greater(t, len(w.browser.History()), len(before))
	})
}

func TestBoundCookieIsRenewed(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256"} {
		inDeviceModes(t, func(w *deviceWorld) {
			w.browser.DeviceAlg = alg
			w.bind()
			w.forget()
			require.Equal(t, 200, w.browser.Get(app+"/me").Status)
			refreshes := sent(w.browser, "/auth/device/refresh")
			require.Len(t, refreshes, 2)
			require.Equal(t, []int{403, 200}, []int{refreshes[0].Status, refreshes[1].Status})
			require.NotEmpty(t, refreshes[0].Answer.Get("Secure-Session-Challenge"))
			require.Empty(t, refreshes[0].SetCookie)
			require.Len(t, refreshes[1].SetCookie, 1, "and no session cookie: it is no use of the session")
			require.Len(t, w.browser.DeviceSessions(), 1)
			w.forget()
			require.Equal(t, 200, script(w.browser, "/auth/session").Status, "the session endpoint waits for the renewal, too")
		})
	}
}

func TestCopiedSessionCookieIsWorthNothing(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		thief := w.steal()
		page := thief.Get(app + "/me")
		require.Equal(t, 200, page.Status)
		require.Contains(t, page.Body, "Confirming your device")
		require.NotContains(t, page.Body, "Alice")
		require.Equal(t, "null", strings.TrimSpace(thief.NewTab().Get(app+"/").Body), "UserFrom sees nobody, under Load too")
		for path, code := range map[string]string{"/me": "device_proof_required", "/auth/session": "device_proof_required"} {
			answer := script(thief, path)
			require.Equal(t, 401, answer.Status)
			require.Contains(t, answer.Body, code)
			require.Empty(t, answer.Exchanges[0].SetCookie)
		}
		require.NotNil(t, thief.Cookie(app+"/", "__Host-session"), "nothing is cleared")
		require.NotNil(t, w.user(), "and nobody is signed out")
	})
}
