package oidcauth_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// startCookie is the name of the cookie that names a session to its registration.
const startCookie = "__Host-session-start"

func TestARefusedRegistrationIsNoUseOfTheSession(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				refused := 0
				w := newDeviceWorld(t, func(c *oidcauth.Config) {
					mode(&c.Session)
					c.Session.IdleTimeout = 30 * time.Minute
					c.Hooks.Device = func(ctx context.Context, e oidcauth.DeviceEvent) {
						if e.Err != nil {
							refused++
							require.Nil(t, oidcauth.UserFrom(ctx))
						}
					}
				}).bind()
				thief, starter := w.steal(), w.starter()
				proof := registrationProof(oidcauthtest.NewKey("ES256", ""), challengeIn(sent(w.browser, "/auth/callback")[0]))
				start := func(b *oidcauthtest.Browser) {
					x := postDevice(b, "/auth/device/start", map[string]string{"Secure-Session-Response": proof})
					requireNoBinding(t, x)
					require.Empty(t, x.SetCookie, "no cookie lives longer for it")
				}
				refused = 0 // the page after the login has invited, too
				start(starter)
				for range 4 {
					time.Sleep(10 * time.Minute)
					start(thief)
				}
				require.Equal(t, 5, refused)
				require.Contains(t, script(w.browser, "/auth/session").Body, "login_required", "it has ended for want of use")
			})
		})
	}
}

// starter returns a browser that has nothing but the cookie for w's registration.
func (w *deviceWorld) starter() *oidcauthtest.Browser {
	w.Helper()
	c := w.browser.Cookie(app+"/", startCookie)
	require.NotNil(w, c)
	b := oidcauthtest.NewBrowser(w.network)
	require.Empty(w, b.SetCookie(app+"/", c))
	return b
}

func TestStartCookieAlone(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.browser.DeviceAlg = ""
		w.signIn()
		only, alsoLater := w.starter(), w.starter()
		challenge := challengeIn(sent(w.browser, "/auth/callback")[0])
		require.NotEmpty(t, challenge)
		require.Equal(t, 401, script(only, "/me").Status)
		require.Equal(t, 401, script(only, "/auth/session").Status)
		requireNoBinding(t, postDevice(only, "/auth/device/start", map[string]string{"Secure-Session-Response": registrationProof(oidcauthtest.NewKey("ES256", ""), "x")}))
		requireNoBinding(t, postDevice(only, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": only.Cookie(app+"/", startCookie).Value}))
		w.browser.Get(app + "/auth/logout")
		w.browser.Submit("/auth/logout", nil)
		x := postDevice(alsoLater, "/auth/device/start", map[string]string{"Secure-Session-Response": registrationProof(oidcauthtest.NewKey("ES256", ""), challenge)})
		requireNoBinding(t, x)
		require.Empty(t, x.SetCookie)
	})
}

func TestRegistrationsAtOnce(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.browser.DeviceAlg = ""
		w.signIn()
		var proofs []string
		for range 8 {
			proofs = append(proofs, registrationProof(oidcauthtest.NewKey("ES256", ""), challengeIn(w.browser.Get(app + "/me").Exchanges[0])))
		}
		var bound atomic.Int32
		var all sync.WaitGroup
		for _, p := range proofs {
			b := w.steal()
			all.Go(func() {
				if postDevice(b, "/auth/device/start", map[string]string{"Secure-Session-Response": p}).Status == http.StatusOK {
					bound.Add(1)
				}
			})
		}
		all.Wait()
		require.Equal(t, int32(1), bound.Load())
	})
}

func TestRegistrationIsReplayedWithTheStartCookie(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.browser.DeviceAlg = ""
		w.signIn()
		proof := registrationProof(oidcauthtest.NewKey("ES256", ""), challengeIn(sent(w.browser, "/auth/callback")[0]))
		owner, thief := w.starter(), w.starter()
		require.Equal(t, 200, postDevice(owner, "/auth/device/start", map[string]string{"Secure-Session-Response": proof}).Status)
		x := postDevice(thief, "/auth/device/start", map[string]string{"Secure-Session-Response": proof})
		requireNoBinding(t, x)
		require.Empty(t, x.SetCookie)
	})
}

// A renewal has to read the identifier, which says what can end the session. Where that is too much,
// the session stays unbound, rather than ending with its first bound cookie.
func TestSessionOfTooManyTagsIsNotBound(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.browser.DeviceAlg = ""
		w.signIn()
		w.mux.Handle("/tag", w.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for i := range 200 {
				require.NoError(t, session.From(r.Context()).Tag(fmt.Sprint("team ", i)))
			}
		})))
		w.browser.DeleteCookie(app+"/", startCookie)
		challenge := challengeIn(w.browser.Get(app + "/tag").Exchanges[0])
		x := postDevice(w.browser, "/auth/device/start", map[string]string{
			"Secure-Session-Response": registrationProof(oidcauthtest.NewKey("ES256", ""), challenge),
		})
		requireNoBinding(t, x)
		require.NotNil(t, w.user())
	})
}
