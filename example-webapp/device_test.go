package main_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// post sends what browsers send to the routes where sessions are bound.
func (b *browser) post(address string, header map[string]string) page {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, nil)
	require.NoError(b.t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	b.show(req, nil)
	return b.page
}

// deviceProof signs a proof: with the key in its header for a registration, without for a renewal.
func deviceProof(key *oidcauthtest.Key, challenge string, register bool) string {
	header := `{"alg":"ES256","typ":"dbsc+jwt"}`
	if register {
		jwk := key.JWK()
		jwk.Delete("use", "alg", "kid")
		header = `{"alg":"ES256","typ":"dbsc+jwt","jwk":` + string(jwk.Bytes()) + `}`
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"jti":%q}`, challenge))
	return input + "." + base64.RawURLEncoding.EncodeToString(key.Sign([]byte(input)))
}

// quoted returns the string in text that matches pattern.
func quoted(t *testing.T, pattern, text string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	require.NotNil(t, found, text)
	return found[1]
}

func TestSessionsAreBoundToTheDevice(t *testing.T) {
	for _, store := range []string{"cookie", "memory"} {
		t.Run(store, func(t *testing.T) {
			a := startApp(t, "SESSION_DEVICE_BOUND", "on", "SESSION_BOUND_LIFE", "1m", "SESSION_STORE", store)
			a.waitFor("no device is bound over plain http")
			a.waitFor("bound cookies end too soon")
			b := a.signedIn("alice")
			me, key := a.base+"/api/me", oidcauthtest.NewKey("ES256", "")
			challenge := quoted(t, `^\(ES256 RS256\);path="/auth/device/start";challenge="([^"]+)"`, b.page.header.Get("Secure-Session-Registration"))
			p := b.post(a.base+"/auth/device/start", map[string]string{"Secure-Session-Response": deviceProof(key, challenge, true)})
			require.Equal(t, http.StatusOK, p.status, p.body)
			id := p.object(t)["session_identifier"].(string)
			require.Equal(t, http.StatusOK, b.fetch(http.MethodGet, me).status)

			thief := newBrowser(t)
			for _, c := range b.cookies(a.base) {
				if c.Name == "__Host-session" {
					thief.jar.SetCookies(b.page.url, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/", Secure: true}})
				}
			}
			p = thief.fetch(http.MethodGet, me)
			require.Equal(t, http.StatusUnauthorized, p.status)
			require.Equal(t, map[string]any{"error": "device_proof_required"}, p.object(t))
			p = thief.open(a.base + "/profile")
			require.Equal(t, http.StatusOK, p.status)
			require.NotContains(t, p.body, "alice@example.com")
			require.Contains(t, p.body, "/static/app.css", "it wears the app's style")

			p = b.post(a.base+"/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": id})
			require.Equal(t, http.StatusForbidden, p.status)
			challenge = quoted(t, `^"([^"]+)";id="`+regexp.QuoteMeta(id)+`"$`, p.header.Get("Secure-Session-Challenge"))
			p = b.post(a.base+"/auth/device/refresh", map[string]string{"Sec-Secure-Session-Id": id, "Secure-Session-Response": deviceProof(key, challenge, false)})
			require.Equal(t, http.StatusOK, p.status, p.body)
			require.Regexp(t, `^__Host-session-bound=[^;]+; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax$`, p.header.Get("Set-Cookie"))
			p = b.post(a.base+"/auth/device/start", map[string]string{"Secure-Session-Response": deviceProof(key, challenge, true)})
			require.Equal(t, http.StatusForbidden, p.status, "bound already")
		})
	}
}

func TestNothingIsBoundUnlessItIsAskedFor(t *testing.T) {
	a := startApp(t)
	b := a.signedIn("alice")
	require.Empty(t, b.page.header.Get("Secure-Session-Registration"))
	for _, route := range []string{"/auth/device/start", "/auth/device/refresh"} {
		require.Equal(t, http.StatusNotFound, b.post(a.base+route, nil).status)
	}
}
