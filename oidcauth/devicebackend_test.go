package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// cookiesOf is the Cookie header that b sends to the application.
func cookiesOf(b *oidcauthtest.Browser) string {
	var all []string
	for _, c := range b.Cookies(app + "/") {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

// sendScript has h answer a script of a page of ours.
func sendScript(h http.Handler, cookies, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, app+path, http.NoBody)
	for name, value := range map[string]string{"Cookie": cookies, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"} {
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func TestForwardAuthAsksForTheProofOfABoundSession(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		h := w.auth.ForwardAuth()
		answer := w.asksForward(h, w.cookies(), nil)
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "alice", answer.Header().Get("X-Auth-Subject"))

		answer = w.asksForward(h, cookiesOf(w.steal()), nil)
		require.Equal(t, http.StatusUnauthorized, answer.Code)
		require.Contains(t, answer.Body.String(), `"device_proof_required"`)
		require.Empty(t, answer.Header().Get("X-Auth-Subject"))
		require.Empty(t, answer.Header().Values("Set-Cookie"))
		require.Equal(t, http.StatusOK, w.asksForward(h, w.cookies(), nil).Code, "the owner is not signed out")
	})
}

func TestAProxyAsksForTheProofOfABoundSession(t *testing.T) {
	calls := 0
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer api.Close()
	inDeviceModes(t, func(w *deviceWorld) {
		calls = 0
		w.bind()
		proxy, err := w.auth.Proxy(oidcauth.ProxyConfig{API: api.URL, Prefix: "/proxy/"})
		require.NoError(t, err)
		ask := func(cookies string) *httptest.ResponseRecorder { return sendScript(proxy, cookies, "/proxy/x") }
		require.Equal(t, http.StatusOK, ask(w.cookies()).Code)
		require.Equal(t, 1, calls)

		answer := ask(cookiesOf(w.steal()))
		require.Equal(t, http.StatusUnauthorized, answer.Code)
		require.Contains(t, answer.Body.String(), `"device_proof_required"`)
		require.Empty(t, answer.Header().Values("Set-Cookie"))
		require.Equal(t, 1, calls, "the API hears nothing of it")
		require.Equal(t, http.StatusOK, ask(w.cookies()).Code)
	}, func(c *oidcauth.Config) { c.APIs = []string{api.URL} })
}

// Whoever has not bound the session in time is refused with 403. A page with 200 would be leave to
// pass for the proxy that asked.
func TestABindingThatIsDemandedIsDemandedBehindProxies(t *testing.T) {
	for name, mode := range deviceModes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newDeviceWorld(t, func(c *oidcauth.Config) {
					mode(&c.Session)
					c.Session.DeviceBound, c.APIs = session.DeviceRequire, []string{"https://api.example.test"}
				})
				calls := 0
				proxy, err := w.auth.Proxy(oidcauth.ProxyConfig{
					API: "https://api.example.test", Prefix: "/proxy/",
					Transport: roundTrip(func(*http.Request) (*http.Response, error) {
						calls++
						return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
					}),
				})
				require.NoError(t, err)
				script := map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
				handlers := map[string]func() *httptest.ResponseRecorder{
					"a page view": func() *httptest.ResponseRecorder { return w.asksForward(w.auth.ForwardAuth(), w.cookies(), nil) },
					"a page view, for nginx": func() *httptest.ResponseRecorder {
						return w.asksForward(w.auth.ForwardAuth(), w.cookies(), map[string]string{"X-Original-URL": app + "/docs"})
					},
					"a script":       func() *httptest.ResponseRecorder { return w.asksForward(w.auth.ForwardAuth(), w.cookies(), script) },
					"a script's API": func() *httptest.ResponseRecorder { return sendScript(proxy, w.cookies(), "/proxy/x") },
				}
				w.browser.DeviceAlg = ""
				w.signIn()
				for name, ask := range handlers {
					require.Equal(t, http.StatusOK, ask().Code, name)
				}
				time.Sleep(10*time.Minute + time.Second)
				for name, ask := range handlers {
					answer := ask()
					require.Equal(t, http.StatusForbidden, answer.Code, name)
					require.Empty(t, answer.Header().Get("X-Auth-Subject"), name)
					require.Empty(t, answer.Header().Values("Location"), name)
					require.Empty(t, answer.Header().Values("Set-Cookie"), name)
				}
				require.Equal(t, 1, calls)
			})
		})
	}
}
