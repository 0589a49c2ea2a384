package oidcauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestABoundSessionWithoutProofIsNobodys(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.mux.Handle("/set", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			require.NoError(t, note.Set(r.Context(), "mine"))
		})))
		saw := false
		w.mux.Handle("/look", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			saw = true
			ctx, s := r.Context(), session.From(r.Context())
			require.ErrorIs(t, s.Load(), session.ErrDeviceProof)
			require.ErrorIs(t, s.Load(), session.ErrNoSession, "for who knows only that")
			require.Nil(t, oidcauth.UserFrom(ctx))
			_, err := w.auth.TokenSource(ctx).Token()
			require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
			_, err = w.auth.IDToken(ctx)
			require.ErrorIs(t, err, oidcauth.ErrLoginRequired)
			_, ok := w.auth.TokenExpiry(ctx)
			require.False(t, ok)
			_, ok = note.Get(ctx)
			require.False(t, ok)
			require.ErrorIs(t, note.Set(ctx, "thief's"), session.ErrDeviceProof, "no other session takes its place")
			require.Empty(t, s.ID())
			require.Zero(t, s.Expires())
			select {
			case <-session.Done(ctx):
			default:
				require.Fail(t, "a stream without a session is over")
			}
		})))
		w.bind()
		require.Equal(t, 200, w.browser.Get(app+"/set").Status)
		page := w.steal().Get(app + "/look")
		require.True(t, saw)
		require.Equal(t, 200, page.Status)
		require.Empty(t, page.Exchanges[0].SetCookie)
		require.NotNil(t, w.user())
	})
}

func TestLinkFromAnotherSiteSignsNobodyOut(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		w.forget()
		tab := w.browser.NewTab()
		tab.Show("https://mail.test/", "")
		page := tab.Click(app + "/me?q=1")
		require.Equal(t, 200, page.Status)
		require.Contains(t, page.Body, `<meta http-equiv="refresh" content="0;url=/me?q=1"`)
		require.Contains(t, page.Body, `href="/me?q=1"`)
		requireProtected(t, page.Header)
		require.Empty(t, sent(w.browser, "/auth/device/refresh"), "browsers renew nothing for another site")
		require.Contains(t, tab.Click("/me?q=1").Body, "Alice", "and do for the page itself")
	})
}

// reload loads the page of the tab again, as it does by itself.
func reload(tab *oidcauthtest.Tab) *oidcauthtest.Page { return tab.Click(tab.Page().URL) }

func TestPageThatComesBackTwiceWithoutProofSignsIn(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		thief := w.steal().NewTab()
		thief.PauseAt(w.provider.Issuer())
		for range 2 {
			require.Contains(t, thief.Get(app+"/me").Body, "Confirming your device", "typed anew, it begins anew")
		}
		require.Contains(t, reload(thief).Body, "Confirming your device")
		page := reload(thief)
		require.NotNil(t, page.Paused, "a login is due")
		require.NotContains(t, page.Paused.URL, url.QueryEscape("alice"))
		require.NotNil(t, w.user())
	})
}

// A bound cookie that is there is not renewed by browsers, whatever it is worth.
func TestBoundCookieOfNoUseGivesWay(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		w.browser.SetCookie(app+"/", &http.Cookie{Name: boundCookie, Value: "x", Path: "/", Secure: true, HttpOnly: true})
		require.Equal(t, 401, script(w.browser, "/me").Status)
		page := w.browser.Get(app + "/me")
		require.Contains(t, page.Body, "Confirming your device")
		require.Nil(t, w.browser.Cookie(app+"/", boundCookie))
		require.Contains(t, reload(w.browser.Tab).Body, "Alice")
	})
}

func TestWhoIsNoPageViewIsToldSo(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		thief := w.steal()
		thief.Show(app+"/page", "")
		form := thief.NewTab()
		form.Show(app+"/page", "")
		for name, page := range map[string]*oidcauthtest.Page{
			"a form":     form.Post("/me", url.Values{"a": {"b"}}),
			"a frame":    thief.Frame("/me"),
			"a prefetch": thief.Prefetch("/me"),
			"an image":   thief.Load("/me", "image"),
			"a script":   script(thief, "/me"),
		} {
			require.Equal(t, 401, page.Exchanges[0].Status, name)
			require.Empty(t, page.Exchanges[0].SetCookie, name)
			require.NotEmpty(t, page.Exchanges[0].Answer.Get("WWW-Authenticate"), name)
		}
	})
}

func TestSkippedRenewalsLetNobodyPass(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		id := w.browser.DeviceSessions()[0].ID
		for value, want := range map[string]int{
			`quota_exceeded;session_identifier="` + id + `"`: 503,
			`server_error;session_identifier="` + id + `"`:   503,
			`unreachable`: 503,
			`anything`:    401,
		} {
			thief := w.steal()
			thief.Header = http.Header{"Secure-Session-Skipped": {value}}
			answer := script(thief, "/me")
			require.Equal(t, want, answer.Status, value)
			require.NotContains(t, answer.Body, "Alice")
			require.Equal(t, want == 503, answer.Header.Get("Retry-After") != "", value)
			if want == 503 {
				page := thief.Get(app + "/me")
				require.Equal(t, 503, page.Status)
				require.NotContains(t, page.Body, "Alice")
			}
			require.Equal(t, "null", strings.TrimSpace(thief.Get(app+"/").Body))
		}
		strange := w.steal()
		strange.Header = http.Header{"Secure-Session-Skipped": {`server_error;session_identifier="x"`}}
		strange.PauseAt(w.provider.Issuer())
		require.NotNil(t, strange.Get(app+"/me").Paused, "what our keys don't open is never renewed")
		require.Equal(t, 401, script(strange, "/me").Status)
	})
}

func TestDeviceThatHasRunOutOfRenewals(t *testing.T) {
	w := newDeviceWorld(t).bind()
	for range 5 {
		w.forget()
		require.Contains(t, w.browser.Get(app+"/me").Body, "Alice")
	}
	w.forget()
	page := w.browser.Get(app + "/me")
	require.Equal(t, 503, page.Status)
	require.Equal(t, "60", page.Header.Get("Retry-After"))
	require.Len(t, w.browser.DeviceSessions(), 1)
	w.skipped = 6 * time.Minute
	require.Contains(t, w.browser.Get(app+"/me").Body, "Alice")
}

func TestOutageEndsNoBinding(t *testing.T) {
	for _, server := range []bool{false, true} {
		store := &moodyStore{Store: session.NewMemoryStore()}
		w := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, server })
		w.bind()
		w.forget()
		store.failAfter(0)
		page := w.browser.Get(app + "/me")
		require.Equal(t, 503, page.Status)
		require.Equal(t, 503, sent(w.browser, "/auth/device/refresh")[0].Status)
		require.Len(t, w.browser.DeviceSessions(), 1)
		store.failAfter(-1)
		page = w.browser.Get(app + "/me")
		require.Equal(t, 503, page.Status, "browsers leave it alone for a while, and say so")
		require.NotEmpty(t, page.Header.Get("Retry-After"))
		w.skipped = time.Minute
		require.Contains(t, w.browser.Get(app+"/me").Body, "Alice")
	}
}

func TestStoreThatIsDownBindsNothing(t *testing.T) {
	for _, server := range []bool{false, true} {
		store := &moodyStore{Store: session.NewMemoryStore()}
		w := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.Store, c.Session.ServerSide = store, server })
		w.browser.DeviceAlg = ""
		w.signIn()
		proof := registrationProof(oidcauthtest.NewKey("ES256", ""), challengeIn(w.browser.Get(app + "/me").Exchanges[0]))
		store.failAfter(0)
		require.Equal(t, 503, postDevice(w.browser, "/auth/device/start", map[string]string{"Secure-Session-Response": proof}).Status)
		store.failAfter(-1)
		require.NotNil(t, w.user(), "it is as it was")
	}
}

func TestDeviceHook(t *testing.T) {
	var events []oidcauth.DeviceEvent
	w := newDeviceWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Device = func(_ context.Context, e oidcauth.DeviceEvent) { events = append(events, e) }
	}).bind()
	require.Equal(t, "alice", events[0].User.Subject)
	require.Len(t, events[0].Thumbprint, 43)
	require.False(t, events[0].Renewal)
	require.NoError(t, events[0].Err)
	events = nil
	w.forget()
	w.browser.Get(app + "/me")
	require.Len(t, events, 1)
	require.True(t, events[0].Renewal)
	require.NoError(t, events[0].Err)
	events = nil
	w.renew(func(*oidcauthtest.Key, string) string { return "x" })
	require.Len(t, events, 1)
	require.Error(t, events[0].Err)
	require.NotEmpty(t, events[0].Thumbprint)
}

func TestRequiredBinding(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) {
					mode(&c.Session)
					c.Session.DeviceBound = session.DeviceRequire
				})
				w.mux.Handle("/stepup", w.auth.Require(oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
				w.bind()
				unable := oidcauthtest.NewBrowser(w.network)
				require.Contains(t, unable.Get(app+"/me").Body, "Alice")
				time.Sleep(10*time.Minute + time.Second)
				require.Contains(t, w.browser.Get(app+"/me").Body, "Alice")
				require.Contains(t, w.browser.Get(app+"/stepup").Body, "Alice", "a step-up is a login as any")

				page := unable.Get(app + "/me")
				require.Equal(t, 403, page.Status)
				require.NotContains(t, page.Body, "Alice")
				require.Contains(t, page.Body, "/auth/login")
				answer := script(unable, "/me")
				require.Equal(t, 403, answer.Status)
				require.Contains(t, answer.Body, `"error":"device_binding_required"`)
				require.Equal(t, "null", strings.TrimSpace(unable.Get(app+"/").Body))
				require.NotNil(t, unable.Cookie(app+"/", "__Host-session"))
				require.Contains(t, unable.Get(app+"/auth/login?return_to=/me").Body, "Alice", "ten minutes more")
			})
		})
	}
}

func TestVisitorsNeedNoDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.DeviceBound = session.DeviceRequire })
		w.mux.Handle("/cart", w.auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, _ := note.Get(r.Context())
			_ = note.Set(r.Context(), v+"x")
			_, _ = w.Write([]byte(v))
		})))
		w.browser.Get(app + "/cart")
		time.Sleep(30 * time.Minute)
		require.Equal(t, "x", w.browser.Get(app+"/cart").Body)
		require.Empty(t, w.browser.DeviceSessions(), "a visitor's session is bound to nothing")
		w.bind()
		require.Equal(t, "xx", w.browser.Get(app+"/cart").Body, "and goes over to the login and its binding")
	})
}
