package oidcauth_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// postDevice posts to a device route what a browser would, or somebody who writes his own.
func postDevice(b *oidcauthtest.Browser, path string, header map[string]string) oidcauthtest.Exchange {
	h := http.Header{}
	for name, value := range header {
		h.Set(name, value)
	}
	tab := b.NewTab()
	tab.Show(app+"/", "")
	return tab.Fetch(path, oidcauthtest.FetchOptions{Method: http.MethodPost, Header: h}).Exchanges[0]
}

// signProof signs header members and claims as they stand.
func signProof(key *oidcauthtest.Key, header, claims string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(key.Sign([]byte(input)))
}

// renewalProof is what a browser posts to renew.
func renewalProof(key *oidcauthtest.Key, challenge string) string {
	return signProof(key, fmt.Sprintf(`{"alg":%q,"typ":"dbsc+jwt"}`, key.Alg), fmt.Sprintf(`{"jti":%q}`, challenge))
}

// registrationProof is what a browser posts to bind a session.
func registrationProof(key *oidcauthtest.Key, challenge string) string {
	jwk := key.JWK()
	jwk.Delete("use", "alg", "kid")
	return signProof(key, fmt.Sprintf(`{"alg":%q,"typ":"dbsc+jwt","jwk":%s}`, key.Alg, jwk.Bytes()), fmt.Sprintf(`{"jti":%q}`, challenge))
}

// challengeIn returns the challenge in an answer, "" without one.
func challengeIn(x oidcauthtest.Exchange) string {
	for _, header := range []string{"Secure-Session-Registration", "Secure-Session-Challenge"} {
		if found := regexp.MustCompile(`challenge="([^"]+)"|^"([^"]+)"`).FindStringSubmatch(x.Answer.Get(header)); found != nil {
			return found[1] + found[2]
		}
	}
	return ""
}

// renew asks for a challenge of the browser's binding, and answers with proof.
func (w *deviceWorld) renew(proof func(key *oidcauthtest.Key, challenge string) string) oidcauthtest.Exchange {
	w.Helper()
	s := w.browser.DeviceSessions()[0]
	asked := postDevice(w.browser, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": s.ID})
	require.Equal(w, 403, asked.Status)
	return postDevice(w.browser, "/auth/device/refresh", map[string]string{
		"Sec-Secure-Session-Id": s.ID, "Secure-Session-Response": proof(s.Key, challengeIn(asked)),
	})
}

// requireNoBinding asserts that a renewal or registration was refused for good.
func requireNoBinding(t *testing.T, x oidcauthtest.Exchange) {
	t.Helper()
	require.Equal(t, 403, x.Status)
	for _, c := range x.SetCookie {
		require.NotEqual(t, boundCookie, c.Name)
	}
	require.Empty(t, x.Answer.Get("Secure-Session-Challenge"), "without a challenge, a browser forgets the binding")
}

func TestForgedProofsRenewNothing(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		other := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.Keys = []string{testKey} }).bind()
		otherID := other.browser.DeviceSessions()[0].ID
		require.Equal(t, 200, w.renew(renewalProof).Status, "the right one does")
		for name, proof := range map[string]func(key *oidcauthtest.Key, challenge string) string{
			"of another key":         func(_ *oidcauthtest.Key, c string) string { return renewalProof(oidcauthtest.NewKey("ES256", ""), c) },
			"of another kind of key": func(_ *oidcauthtest.Key, c string) string { return renewalProof(oidcauthtest.NewKey("RS256", ""), c) },
			"with a key of its own":  registrationProof,
			"for another origin":     func(k *oidcauthtest.Key, _ string) string { return renewalProof(k, "a challenge of another origin") },
			"with a registration's": func(k *oidcauthtest.Key, _ string) string {
				return renewalProof(k, challengeIn(sent(w.browser, "/auth/callback")[0]))
			},
			"with another session's": func(k *oidcauthtest.Key, _ string) string {
				return renewalProof(k, challengeIn(postDevice(other.browser, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": otherID})))
			},
			"of no algorithm": func(_ *oidcauthtest.Key, c string) string {
				return strings.Replace(renewalProof(oidcauthtest.HMACKey(nil), c), "HS256", "none", 1)
			},
			"of a public key as secret": func(k *oidcauthtest.Key, c string) string {
				return renewalProof(oidcauthtest.HMACKey(k.PublicPEM()), c)
			},
			"of another type": func(k *oidcauthtest.Key, c string) string {
				return signProof(k, `{"alg":"ES256","typ":"dpop+jwt"}`, fmt.Sprintf(`{"jti":%q}`, c))
			},
			"that says it twice": func(k *oidcauthtest.Key, c string) string {
				return signProof(k, `{"alg":"ES256","typ":"dbsc+jwt"}`, fmt.Sprintf(`{"jti":"x","jti":%q}`, c))
			},
			"that is none": func(*oidcauthtest.Key, string) string { return "x" },
		} {
			t.Run(name, func(t *testing.T) { requireNoBinding(t, w.renew(proof)) })
		}
	})
}

func TestProofOfAnotherSessionAndReplays(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		mine := w.browser.DeviceSessions()[0]
		var used string
		require.Equal(t, 200, w.renew(func(k *oidcauthtest.Key, c string) string {
			used = renewalProof(k, c)
			return used
		}).Status)
		requireNoBinding(t, postDevice(w.browser, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": mine.ID, "Secure-Session-Response": used}))

		second := oidcauthtest.NewBrowser(w.network) // the same person's other machine
		second.DeviceAlg = "ES256"
		second.Get(app + "/me")
		theirs := second.DeviceSessions()[0]
		challenge := challengeIn(postDevice(second, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": theirs.ID}))
		requireNoBinding(t, postDevice(second, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": theirs.ID, "Secure-Session-Response": renewalProof(mine.Key, challenge)}))
		requireNoBinding(t, postDevice(oidcauthtest.NewBrowser(w.network), "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": mine.ID, "Secure-Session-Response": renewalProof(mine.Key, challenge)}))
		for name, id := range map[string]string{"none": "", "garbage": "x", "a bound cookie": w.browser.Cookie(app+"/", boundCookie).Value} {
			requireNoBinding(t, postDevice(w.browser, "/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": id}))
			_ = name
		}
		require.NotNil(t, w.user())
	})
}

func TestBoundCookiesThatAreWorthNothing(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		thief := w.steal(boundCookie)
		require.Contains(t, thief.Get(app+"/me").Body, "Alice", "with both cookies, until the bound one ends")

		// The identifier authorises nothing, nor does another session's bound cookie.
		second := oidcauthtest.NewBrowser(w.network)
		second.DeviceAlg = "ES256"
		second.Get(app + "/me")
		for name, value := range map[string]string{
			"the session identifier":         w.browser.DeviceSessions()[0].ID,
			"another session's bound cookie": second.Cookie(app+"/", boundCookie).Value,
			"the session cookie":             w.browser.Cookie(app+"/", "__Host-session").Value,
			"an altered one":                 "x" + w.browser.Cookie(app+"/", boundCookie).Value[1:],
			"nothing":                        "",
		} {
			b := w.steal()
			require.Empty(t, b.SetCookie(app+"/", &http.Cookie{Name: boundCookie, Value: value, Path: "/", Secure: true}))
			require.Equal(t, 401, script(b, "/me").Status, name)
			page := b.Get(app + "/me")
			require.Contains(t, page.Body, "Confirming your device", name)
		}
	})
}

func TestStolenBoundCookieAfterItsEnd(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) { mode(&c.Session) }).bind()
				thief := w.steal(boundCookie)
				thief.Now = func() time.Time { return time.Now().Add(-time.Hour) } // who keeps what has ended
				time.Sleep(10*time.Minute + 30*time.Second)
				require.Equal(t, 200, script(thief, "/me").Status, "a minute of grace")
				time.Sleep(time.Minute)
				require.Equal(t, 401, script(thief, "/me").Status)
				require.NotNil(t, w.user(), "its owner renews")
			})
		})
	}
}

func TestCopyFromBeforeTheRegistration(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) { mode(&c.Session) })
				w.browser.DeviceAlg = ""
				w.signIn()
				thief := w.steal()
				key := oidcauthtest.NewKey("ES256", "")
				page := w.browser.Get(app + "/me")
				bound := postDevice(w.browser, "/auth/device/start", map[string]string{"Secure-Session-Response": registrationProof(key, challengeIn(page.Exchanges[0]))})
				require.Equal(t, 200, bound.Status)
				require.Equal(t, 200, script(thief, "/me").Status, "requests that were under way go on")
				time.Sleep(time.Minute + time.Second)
				require.Equal(t, 401, script(thief, "/me").Status)
				require.Contains(t, script(thief, "/me").Body, "login_required", "it has ended")
				require.NotNil(t, w.user())
			})
		})
	}
}

// What can't be helped: whoever has the cookie before its owner's browser has registered can do so
// first. The owner then notices, and the log tells of it.
func TestThiefRegistersFirst(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) { mode(&c.Session) })
				w.browser.DeviceAlg = ""
				w.signIn()
				owners := challengeIn(w.browser.Get(app + "/me").Exchanges[0])
				thief := w.steal()
				thief.DeviceAlg = "ES256"
				require.Equal(t, 200, thief.Get(app+"/me").Status)
				require.Len(t, thief.DeviceSessions(), 1)
				requireNoBinding(t, postDevice(w.browser, "/auth/device/start", map[string]string{
					"Secure-Session-Response": registrationProof(oidcauthtest.NewKey("ES256", ""), owners),
				}))
				require.Contains(t, w.log.String(), `msg="device refused"`)
				time.Sleep(time.Minute + time.Second)
				require.Nil(t, w.user(), "the owner is signed out")
				w.signIn() // and in again, which does not touch the thief's
				require.NotNil(t, w.user())
			})
		})
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) { mode(&c.Session) })
				w.browser.DeviceAlg = ""
				w.signIn()
				key := oidcauthtest.NewKey("ES256", "")
				start := func(b *oidcauthtest.Browser, proof string) oidcauthtest.Exchange {
					return postDevice(b, "/auth/device/start", map[string]string{"Secure-Session-Response": proof})
				}
				challenge := challengeIn(w.browser.Get(app + "/me").Exchanges[0])
				requireNoBinding(t, start(oidcauthtest.NewBrowser(w.network), registrationProof(key, challenge)))
				requireNoBinding(t, start(w.browser, ""))
				requireNoBinding(t, start(w.browser, renewalProof(key, challenge)))
				requireNoBinding(t, start(w.browser, registrationProof(key, "x")))
				second := oidcauthtest.NewBrowser(w.network)
				second.Get(app + "/me")
				requireNoBinding(t, start(second, registrationProof(key, challenge)))
				visitor := oidcauthtest.NewBrowser(w.network)
				visitor.Get(app + "/")
				requireNoBinding(t, start(visitor, registrationProof(key, challenge)))

				time.Sleep(time.Minute + time.Second)
				requireNoBinding(t, start(w.browser, registrationProof(key, challenge)))
				require.NotNil(t, w.user(), "and nothing has changed")
				late := challengeIn(w.browser.Get(app + "/me").Exchanges[0])
				time.Sleep(8*time.Minute + 30*time.Second)
				late2 := challengeIn(w.browser.Get(app + "/me").Exchanges[0])
				require.NotEmpty(t, late2, "until ten minutes after the login")
				time.Sleep(45 * time.Second)
				requireNoBinding(t, start(w.browser, registrationProof(key, late2)))
				require.Empty(t, challengeIn(w.browser.Get(app + "/me").Exchanges[0]))
				require.NotNil(t, w.user(), "who has not registered stays signed in")
				_ = late
			})
		})
	}
}

func TestDeviceRoutesTakeNothingFromOtherSites(t *testing.T) {
	w := newDeviceWorld(t).bind()
	tab := w.browser.NewTab()
	tab.Show("https://evil.test/", "")
	for _, path := range []string{"/auth/device/start", "/auth/device/refresh"} {
		x := tab.Post(app+path, nil).Exchanges[0]
		require.Equal(t, 403, x.Status)
		require.Empty(t, x.SetCookie)
		require.Equal(t, 405, w.browser.NewTab().Get(app+path).Status)
	}
	off := newDeviceWorld(t, func(c *oidcauth.Config) { c.Session.DeviceBound = session.DeviceOff })
	off.signIn()
	for _, path := range []string{"/auth/device/start", "/auth/device/refresh"} {
		require.Equal(t, 404, postDevice(off.browser, path, nil).Status)
	}
	require.Empty(t, off.browser.DeviceSessions())
	for _, x := range off.browser.History() {
		require.Empty(t, x.Answer.Get("Secure-Session-Registration"))
	}
}
