package oidcauth_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestDowngradeByDroppingHeaders(t *testing.T) {
	inDeviceModes(t, func(w *deviceWorld) {
		w.bind()
		x := postDevice(w.steal(), "/auth/device/start", map[string]string{"Secure-Session-Response": registrationProof(oidcauthtest.NewKey("ES256", ""), "x")})
		requireNoBinding(t, x)
		var problem map[string]string
		bare := oidcauthtest.NewBrowser(w.network) // no Fetch Metadata, no Accept: no browser
		for _, c := range w.steal().Cookies(app + "/") {
			require.Empty(t, bare.SetCookie(app+"/", c))
		}
		bare.Header = http.Header{"Sec-Fetch-Site": nil, "Sec-Fetch-Mode": nil, "Sec-Fetch-Dest": nil, "Accept": {"*/*"}}
		page := bare.Get(app + "/me")
		require.Equal(t, 401, page.Status)
		require.NoError(t, json.Unmarshal([]byte(page.Body), &problem))
		require.Equal(t, map[string]string{"error": "device_proof_required"}, problem)
	})
}

func TestDeviceSettingsThatCantWork(t *testing.T) {
	base := oidcauth.Config{Issuer: "https://id.test", ClientID: "c", RedirectURL: app + "/auth/callback", Session: session.Config{Keys: []string{testKey}}}
	for name, change := range map[string]func(*oidcauth.Config){
		"required over plain http": func(c *oidcauth.Config) {
			c.RedirectURL, c.Session.DeviceBound = "http://localhost:8080/auth/callback", session.DeviceRequire
		},
		"required with insecure cookies": func(c *oidcauth.Config) {
			c.RedirectURL, c.Session.DeviceBound, c.Session.InsecureCookie = "https://localhost/auth/callback", session.DeviceRequire, true
		},
		"a mode that is none":  func(c *oidcauth.Config) { c.Session.DeviceBound = "yes" },
		"a life that is short": func(c *oidcauth.Config) { c.Session.BoundLife = 9 * time.Second },
		"a life that is long":  func(c *oidcauth.Config) { c.Session.BoundLife = time.Hour + time.Second },
	} {
		c := base
		change(&c)
		_, err := oidcauth.New(c)
		require.Error(t, err, name)
	}
	log := new(logBuffer)
	for _, c := range []oidcauth.Config{base, base} {
		c.Session.DeviceBound, c.Logger = session.DeviceOn, slog.New(slog.NewTextHandler(log, nil))
		c.RedirectURL, c.Session.BoundLife = "http://localhost:8080/auth/callback", time.Minute
		_, err := oidcauth.New(c)
		require.NoError(t, err)
	}
	require.Contains(t, log.String(), "no device is bound over plain http")
	require.Contains(t, log.String(), "bound cookies end too soon")
	require.False(t, errors.Is(session.ErrNoSession, session.ErrDeviceProof))
}
