package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestWhatTheBrowserIsTold(t *testing.T) {
	w := newDeviceWorld(t)
	w.browser.DeviceAlg = ""
	w.signIn()
	tab := w.browser.NewTab()
	tab.Show(app+"/", "")
	proof := registrationProof(oidcauthtest.NewKey("ES256", ""), challengeIn(w.browser.Get(app + "/me").Exchanges[0]))
	page := tab.Fetch("/auth/device/start", oidcauthtest.FetchOptions{Method: http.MethodPost, Header: http.Header{"Secure-Session-Response": {proof}}})
	require.Equal(t, 200, page.Status)
	var told struct {
		Identifier string `json:"session_identifier"`
		RefreshURL string `json:"refresh_url"`
		Scope      struct {
			Origin        string
			IncludeSite   *bool                                 `json:"include_site"`
			Specification []struct{ Type, Domain, Path string } `json:"scope_specification"`
		}
		Credentials []map[string]string
		Initiators  []string `json:"allowed_refresh_initiators"`
	}
	require.NoError(t, json.Unmarshal([]byte(page.Body), &told))
	require.Equal(t, "application/json", page.Header.Get("Content-Type"))
	require.NotEmpty(t, told.Identifier)
	require.Equal(t, "/auth/device/refresh", told.RefreshURL)
	require.Equal(t, app, told.Scope.Origin)
	require.False(t, *told.Scope.IncludeSite)
	require.Equal(t, []map[string]string{{"type": "cookie", "name": boundCookie, "attributes": "Path=/; HttpOnly; Secure; SameSite=Lax"}}, told.Credentials)
	require.Equal(t, []string{strings.TrimPrefix(w.provider.Issuer(), "https://")}, told.Initiators, "the provider's host, and never *")
	var paths []string
	for _, rule := range told.Scope.Specification {
		require.Equal(t, "exclude", rule.Type)
		require.Equal(t, strings.TrimPrefix(app, "https://"), rule.Domain)
		paths = append(paths, rule.Path)
	}
	require.Contains(t, paths, "/auth/callback")
	require.Contains(t, paths, "/auth/logout")
	require.Contains(t, paths, "/auth/device/refresh")
	require.False(t, slices.Contains(paths, "/auth/session"), "which judges as any page does, and so has to wait")
	require.Len(t, page.Exchanges[0].SetCookie, 2, "a new session cookie and the bound one")
}

func TestBindingBelowAPath(t *testing.T) {
	w := newSite(t, "/shop/auth/callback", "", "/shop", func(c *oidcauth.Config) { c.Session.DeviceBound = session.DeviceOn })
	w.browser.DeviceAlg = "ES256"
	page := w.browser.Get(app + "/shop/me")
	require.Contains(t, page.Body, "Alice")
	bound := w.browser.DeviceSessions()
	require.Len(t, bound, 1)
	require.Equal(t, app+"/shop/auth/device/refresh", bound[0].RefreshURL)
	require.Contains(t, bound[0].Excluded, "/shop/auth/callback")
	w.browser.DeleteCookie(app+"/", boundCookie)
	require.Contains(t, w.browser.Get(app+"/shop/me").Body, "Alice")
	w.browser.DeleteCookie(app+"/", boundCookie)
	w.browser.Show("https://mail.test/", "")
	page = w.browser.Click(app + "/shop/me?x=1")
	require.Contains(t, page.Body, `href="/shop/me?x=1"`)
	require.Contains(t, reload(w.browser.Tab).Body, "Alice")
}

func TestBindingWithSeveralProviders(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, mode, func(c *oidcauth.Config) {
				if c.Sessions == nil {
					c.Session.DeviceBound = session.DeviceOn
				}
			})
			p.browser.DeviceAlg = "ES256"
			p.browser.Get(app + "/b/login?return_to=/")
			bound := p.browser.DeviceSessions()
			require.Len(t, bound, 1)
			require.Equal(t, app+"/b/device/refresh", bound[0].RefreshURL, "at the provider's own routes")
			require.ElementsMatch(t, []string{"b.provider.test", strings.TrimPrefix(p.provider.Issuer(), "https://")}, bound[0].Initiators)
			require.Subset(t, bound[0].Excluded, []string{"/b/callback", "/auth/callback"})
			p.browser.DeleteCookie(app+"/", boundCookie)
			require.Equal(t, "bob", p.user().Subject)
			p.browser.Get(app + "/auth/login?return_to=/me")
			require.Equal(t, "alice", p.user().Subject)
			bound = p.browser.DeviceSessions()
			require.Len(t, bound, 1)
			require.Equal(t, app+"/auth/device/refresh", bound[0].RefreshURL)
		})
	}
}

func TestLinkOfTheProviderRenewsFirst(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		w.forget()
		w.browser.Show(w.provider.Issuer()+"/portal", "")
		require.Contains(t, w.browser.Click(app+"/me").Body, "Alice")
		refreshes := sent(w.browser, "/auth/device/refresh")
		require.NotContains(t, refreshes[0].Header.Get("Cookie"), "__Host-session=", "which comes without the session's cookie")
	})
}

// With form_post the callback comes without cookies. It works without a proof, and ends the session
// that was there, also one that was bound while the login was under way.
func TestBindingWithFormPost(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		first := w.browser.DeviceSessions()[0]
		w.forget()
		w.browser.Get(app + "/auth/login?return_to=/me")
		require.NotNil(t, w.user())
		require.Len(t, w.browser.DeviceSessions(), 1)
		requireNoBinding(t, postDevice(oidcauthtest.NewBrowser(w.network), "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": first.ID}))
	}, formPost)
}

func TestSessionThatWasBoundDuringALoginEndsWithIt(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		addNoteRoutes(w.mux, w.auth)
		w.browser.DeviceAlg = ""
		w.signIn()
		callback := w.browser.NewTab()
		callback.PauseAt(app + "/auth/callback")
		paused := callback.Get(app + "/auth/login?return_to=/me").Paused
		require.NotNil(t, paused)
		w.browser.DeviceAlg = "ES256"
		w.browser.Get(app + "/me")
		first := w.browser.DeviceSessions()[0]
		require.Equal(t, "mine", w.browser.Get(app+"/note?mine").Body)
		require.Contains(t, callback.Go(paused).Body, "Alice")
		require.Equal(t, "mine", w.browser.Get(app+"/note").Body, "what it kept goes over")
		requireNoBinding(t, postDevice(oidcauthtest.NewBrowser(w.network), "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": first.ID}))
		require.NotNil(t, w.user())
	}, formPost)
}

func TestStreamsOfABoundSession(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) { mode(&c.Session) })
				ended := make(chan time.Duration, 1)
				w.mux.Handle("/stream", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					done := session.Done(r.Context())
					_ = http.NewResponseController(rw).Flush()
					began := time.Now()
					<-done
					ended <- time.Since(began)
				})))
				w.browser.DeviceAlg = ""
				w.signIn()
				tab := w.browser.NewTab()
				go tab.Get(app + "/stream")
				synctest.Wait()
				w.browser.DeviceAlg = "ES256"
				w.browser.Get(app + "/me")
				require.Len(t, w.browser.DeviceSessions(), 1)
				time.Sleep(5 * time.Minute)
				require.Empty(t, ended, "it goes on with the session")
				w.browser.Post("/auth/logout", nil)
				require.Less(t, <-ended, 5*time.Minute+10*time.Second)
			})
		})
	}
}

func TestLookingAtABoundSession(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		before := len(w.browser.History())
		answer := script(w.browser, "/auth/session")
		require.Equal(t, 200, answer.Status)
		require.Empty(t, answer.Exchanges[0].SetCookie)
		require.Len(t, w.browser.History(), before+1)
	})
}
