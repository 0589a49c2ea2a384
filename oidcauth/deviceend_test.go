package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// requireEnded asserts that a renewal of the binding is refused for good, with whatever cookies the
// browser has, and without any.
func (w *deviceWorld) requireEnded(binding *oidcauthtest.DeviceSession) {
	w.Helper()
	for _, b := range []*oidcauthtest.Browser{w.browser, oidcauthtest.NewBrowser(w.network)} {
		requireNoBinding(w.T, postDevice(b, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": binding.ID}))
	}
}

func TestWhatEndsASessionEndsItsBinding(t *testing.T) {
	for name, end := range map[string]func(w *deviceWorld){
		"a logout": func(w *deviceWorld) {
			w.browser.Get(app + "/auth/logout")
			page := w.browser.Submit("/auth/logout", nil)
			names := map[string]bool{}
			for _, x := range page.Exchanges {
				for _, c := range x.SetCookie {
					names[c.Name] = names[c.Name] || c.MaxAge < 0
				}
			}
			require.True(w, names["__Host-session"] && names[boundCookie], "both cookies go: %v", names)
			require.NotEmpty(w, w.provider.Requests(oidcauthtest.EndSession)[0].Form.Get("id_token_hint"))
		},
		"a new login": func(w *deviceWorld) {
			w.browser.DeviceAlg = ""
			w.browser.Get(app + "/auth/login?return_to=/me")
			require.NotNil(w, w.user())
		},
		"the end of its session by its id": func(w *deviceWorld) {
			var id string
			w.mux.Handle("/id", w.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { id = session.From(r.Context()).ID() })))
			w.browser.Get(app + "/id")
			require.NoError(w, w.auth.Sessions().DestroyID(w.Context(), id))
		},
		"a revocation": func(w *deviceWorld) {
			err := w.auth.Sessions().Revoke(w.Context(), w.user().Tag())
			if w.config.Session.Store == nil {
				require.ErrorIs(w, err, session.ErrNoStore)
				w.browser.Post("/auth/logout", nil) // it has to end somehow
				return
			}
			require.NoError(w, err)
		},
		"a logout without a proof": func(w *deviceWorld) {
			w.forget()
			page := w.browser.Get(app + "/auth/logout")
			require.Equal(w, 200, page.Status)
			w.browser.Submit("/auth/logout", nil)
			end := w.provider.Requests(oidcauthtest.EndSession)[0].Form
			require.NotEmpty(w, end.Get("post_logout_redirect_uri"), "the provider's session ends, too")
			require.Empty(w, end.Get("id_token_hint"), "a thief would read in it whose session it was")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inDeviceModes(t, func(w *deviceWorld) {
				w.bind()
				binding := w.browser.DeviceSessions()[0]
				end(w)
				w.requireEnded(binding)
				proof := renewalProof(binding.Key, "any")
				requireNoBinding(t, postDevice(w.browser, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": binding.ID, "Secure-Session-Response": proof}))
				w.forget()
				w.browser.NewTab().Get(app + "/")
				require.NotContains(t, w.browser.DeviceSessions(), binding, "the browser forgets it")
			})
		})
	}
}

// After the logout of a browser that keeps its binding, and where nobody remembers the end, the
// limits that are sealed in the identifier still hold, and what is renewed is worth nothing.
func TestRestartForgetsEndsWithoutAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.Store = nil }).bind()
		binding := w.browser.DeviceSessions()[0]
		w.browser.Get(app + "/auth/logout")
		w.browser.Submit("/auth/logout", nil)
		w.mux = appMux(newAuthenticator(t, w.world, func(c *oidcauth.Config) { *c = w.config }))
		w.network.Handle(app, w.mux)
		require.Equal(t, 200, w.renewWith(w.browser, binding).Status)
		require.Nil(t, w.user())
		w.browser.DeviceAlg = ""
		w.signIn()
		requireNoBinding(t, postDevice(w.browser, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": binding.ID}))
		require.NotNil(t, w.user(), "another session's cookie says that this one was replaced")
		time.Sleep(13 * time.Hour)
		w.requireEnded(binding)
	})
}

// renewWith renews a binding as b.
func (w *deviceWorld) renewWith(b *oidcauthtest.Browser, binding *oidcauthtest.DeviceSession) oidcauthtest.Exchange {
	asked := postDevice(b, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": binding.ID})
	return postDevice(b, "/auth/device/refresh", map[string]string{
		"Sec-Secure-Session-Id": binding.ID, "Secure-Session-Response": renewalProof(binding.Key, challengeIn(asked)),
	})
}

func TestReplicasAndRestartsKnowTheBinding(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		other := newAuthenticator(t, w.world, func(c *oidcauth.Config) { *c = w.config })
		w.mux = appMux(other)
		w.network.Handle(app, w.mux)
		require.NotNil(t, w.user())
		require.Equal(t, 401, script(w.steal(), "/me").Status)
		w.forget()
		require.NotNil(t, w.user(), "it renews, too")
		w.browser.Restart()
		require.NotNil(t, w.user())
	})
}

func TestRotatedKeysAndBindings(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		next := session.NewKey()
		require.NoError(t, w.auth.Sessions().SetKeys([]string{next, testKey}))
		require.NotNil(t, w.user())
		w.forget()
		require.NotNil(t, w.user(), "the old key still opens the identifier")
		require.NotNil(t, w.user())
		binding := w.browser.DeviceSessions()[0]
		require.NoError(t, w.auth.Sessions().SetKeys([]string{next}))
		require.NotNil(t, w.user(), "the bound cookie is of the new one")
		w.forget()
		w.browser.PauseAt(w.provider.Issuer())
		page := w.browser.Get(app + "/me")
		require.NotContains(t, w.browser.DeviceSessions(), binding, "it can't be renewed any more")
		for range 2 {
			require.Contains(t, page.Body, "Confirming your device")
			page = reload(w.browser.Tab)
		}
		require.NotNil(t, page.Paused, "a new login is needed")
	})
}

func TestStepUpAndNewLoginsAreBoundAnew(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		first := w.browser.DeviceSessions()[0]
		w.browser.Get(app + "/auth/login?return_to=/me")
		require.NotNil(t, w.user())
		bindings := w.browser.DeviceSessions()
		require.Len(t, bindings, 1, "the old one is gone")
		require.NotEqual(t, first.ID, bindings[0].ID)
		require.Equal(t, 401, script(w.steal(), "/me").Status)
		w.forget()
		require.NotNil(t, w.user())
	})
}

func TestSignOutEverywhereElseLeavesTheBoundSession(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		if w.config.Session.Store == nil {
			return // a revocation needs one
		}
		w.browser.DeviceAlg = ""
		w.signIn()
		w.mux.Handle("/else", w.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			require.NoError(t, w.auth.Sessions().Revoke(r.Context(), oidcauth.UserFrom(r.Context()).Tag(), session.Except(session.From(r.Context()))))
		})))
		require.Equal(t, 200, w.browser.Get(app+"/else").Status)
		w.browser.DeviceAlg = "ES256"
		w.browser.Get(app + "/me")
		require.Len(t, w.browser.DeviceSessions(), 1)
		require.NotNil(t, w.user(), "it was left alone under the id that it had")
	})
}

// In the minute after the registration requests still come with the cookie from before. They are of
// the same session: what they change is not lost, and no refresh token is spent twice.
func TestRequestsThatWereUnderWayBelongToTheBoundSession(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			w := newDeviceWorld(t, func(c *oidcauth.Config) { mode(&c.Session) })
			w.mux.Handle("/work", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				v, _ := note.Get(r.Context())
				require.NoError(t, note.Set(r.Context(), v+"x"))
				_, err := w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
				require.NoError(t, err)
				_, _ = rw.Write([]byte(v))
			})))
			w.browser.DeviceAlg = ""
			w.signIn()
			late := w.steal()
			w.browser.DeviceAlg = "ES256"
			w.browser.Get(app + "/me")
			require.Len(t, w.browser.DeviceSessions(), 1)
			require.Empty(t, late.Get(app+"/work").Body)
			require.Equal(t, "x", w.browser.Get(app+"/work").Body)
			require.Equal(t, "xx", late.Get(app+"/work").Body)
			require.Equal(t, "xxx", w.browser.Get(app+"/work").Body)
			for _, x := range late.History() {
				require.Empty(t, x.SetCookie, "its sender gets no cookie of the bound session")
			}
		})
	}
}
