package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// cookiesOf is the Cookie header that b sends to the application.
func cookiesOf(b *oidcauthtest.Browser) string {
	var all []string
	for _, c := range b.Cookies(app + "/") {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
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
		ask := func(cookies string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, app+"/proxy/x", http.NoBody)
			for name, value := range map[string]string{"Cookie": cookies, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"} {
				r.Header.Set(name, value)
			}
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r)
			return answer
		}
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
