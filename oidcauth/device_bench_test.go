package oidcauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// boundBrowser returns an Authenticator whose sessions are bound, and a browser that is signed in. alg is that of its key; "" binds
// nothing.
func boundBrowser(b *testing.B, alg string) (*oidcauth.Authenticator, *oidcauthtest.Browser) {
	b.Helper()
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	auth := benchAuthOf(b, provider, provider, session.Config{DeviceBound: session.DeviceOn})
	network := oidcauthtest.NewNetwork()
	network.Handle(provider.Issuer(), provider)
	network.Handle(app, auth.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	browser := oidcauthtest.NewBrowser(network)
	browser.DeviceAlg = alg
	require.Equal(b, http.StatusOK, browser.Get(app+"/me").Status)
	require.Equal(b, alg != "", len(browser.DeviceSessions()) == 1)
	return auth, browser
}

// sessionCookies are the cookies that a browser sends a day long.
func sessionCookies(browser *oidcauthtest.Browser) string {
	var pairs []string
	for _, c := range browser.Cookies(app) {
		if c.Name == "__Host-session" || c.Name == boundCookie {
			pairs = append(pairs, c.Name+"="+c.Value)
		}
	}
	return strings.Join(pairs, "; ")
}

// BenchmarkBoundRequest measures whole requests of a session that is bound to a device, and of one that is not. The aim is 1.15 ×.
func BenchmarkBoundRequest(b *testing.B) {
	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, oidcauth.UserFrom(r.Context()).Subject)
	})
	for _, alg := range []string{"", "ES256"} {
		name := "unbound"
		if alg != "" {
			name = "bound"
		}
		b.Run(name, func(b *testing.B) {
			auth, browser := boundBrowser(b, alg)
			benchServer(b, auth.RequireLogin(whoami), sessionCookies(browser))
		})
	}
}

// BenchmarkDeviceRenewal measures a whole renewal, challenge and proof, without what the browser spends on signing. The aim is 0.5 ms.
func BenchmarkDeviceRenewal(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			auth, browser := boundBrowser(b, alg)
			binding, cookies := browser.DeviceSessions()[0], sessionCookies(browser)
			post := func(proof string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodPost, app+"/auth/device/refresh", http.NoBody)
				r.Header.Set("Cookie", cookies)
				r.Header.Set("Sec-Secure-Session-Id", binding.ID)
				if proof != "" {
					r.Header.Set("Secure-Session-Response", proof)
				}
				w := httptest.NewRecorder()
				auth.ServeHTTP(w, r)
				return w
			}
			b.ReportAllocs()
			for b.Loop() {
				asked := post("")
				b.StopTimer()
				challenge, _, _ := strings.Cut(strings.TrimPrefix(asked.Header().Get("Secure-Session-Challenge"), `"`), `"`)
				proof := renewalProof(binding.Key, challenge)
				b.StartTimer()
				if w := post(proof); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
