package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// TestAFrontChannelLogoutReachesTheSessionsOfItsOwnProviderAlone: two clients of one provider get the same sid.
func TestAFrontChannelLogoutReachesTheSessionsOfItsOwnProviderAlone(t *testing.T) {
	for _, row := range []struct {
		at   string
		ends bool
	}{{"bolt", true}, {"evil", false}, {"acme", false}} {
		t.Run("of "+row.at, func(t *testing.T) {
			for name, mode := range townModes {
				if name == "cookie" {
					continue // which has no Store to leave a mark in
				}
				t.Run(name, func(t *testing.T) {
					w := newTown(t, mode)
					bolt := w.idps["bolt"]
					bolt.Register(oidcauthtest.Client{ID: "evil", Secret: "s", RedirectURIs: []string{app + "/auth/evil/callback"}})
					require.NoError(t, w.providers.Add("evil", oidcauth.Config{Issuer: bolt.Issuer(), ClientID: "evil", ClientSecret: "s", FrontChannelLogout: true}))
					for _, name := range []string{"acme", "bolt"} {
						c := w.config(name)
						c.FrontChannelLogout = true
						require.NoError(t, w.providers.Replace(t.Context(), name, c))
					}
					w.signIn("bolt")
					ours, sid := w.browser.Cookies(app+"/"), w.user().SessionID
					require.NotEmpty(t, sid)
					w.get("/auth/evil/login") // single sign-on
					require.Equal(t, "evil", w.user().Provider)
					require.Equal(t, sid, w.user().SessionID)
					w.get("/auth/bolt/login")
					require.Equal(t, "bolt", w.user().Provider)

					stranger := oidcauthtest.NewBrowser(w.network).NewTab()
					stranger.Show(bolt.Issuer()+"/logout", "")
					page := stranger.Frame(app + "/auth/" + row.at + "/frontchannel-logout?iss=" + bolt.Issuer() + "&sid=" + sid)
					require.Equal(t, http.StatusOK, page.Status)
					require.Equal(t, row.ends, w.user() == nil)
					require.NotEmpty(t, ours)
				})
			}
		})
	}
}

// TestATenantWhoseProviderHangsDelaysNobodyElse: in a bubble, whoever waits for anything sees the clock move.
func TestATenantWhoseProviderHangsDelaysNobodyElse(t *testing.T) {
	for name, at := range map[string]oidcauthtest.Endpoint{
		"before its metadata": oidcauthtest.Discovery, "before its keys": oidcauthtest.JWKS, "at the token endpoint": oidcauthtest.TokenEndpoint,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				w.signIn("bolt")
				signedIn := w.browser
				w.idps["acme"].Intercept(at, oidcauthtest.Hang(nil))
				waiting := 0
				done := make(chan int)
				for range 100 {
					waiting++
					go func() { done <- oidcauthtest.NewBrowser(w.network).NewTab().Get(app + "/acme/").Status }()
				}
				synctest.Wait()
				require.Empty(t, done)

				began := time.Now()
				for range 20 {
					page := oidcauthtest.NewBrowser(w.network).NewTab().Get(app + "/bolt/")
					require.Equal(t, http.StatusOK, page.Status)
				}
				require.Equal(t, http.StatusOK, signedIn.NewTab().Get(app+"/bolt/").Status)
				require.NoError(t, w.providers.Replace(t.Context(), "bolt", w.config("bolt")))
				require.Zero(t, time.Since(began))
				for range waiting {
					require.GreaterOrEqual(t, <-done, 500, "they are told in the end")
				}
				require.Less(t, time.Since(began), 2*time.Minute)
				require.NotContains(t, w.log.String(), "level=WARN msg=\"provider unavailable\" provider=bolt")
			})
		})
	}
}

// TestATenantWhoseProviderTalksNonsenseCostsNobodyElse: each answer is read to its bound, and is a failure of that provider alone.
func TestATenantWhoseProviderTalksNonsenseCostsNobodyElse(t *testing.T) {
	endless := oidcauthtest.Reply(200, "application/json", `{"a":"`+string(make([]byte, 4<<20)))
	for _, at := range []oidcauthtest.Endpoint{oidcauthtest.Discovery, oidcauthtest.JWKS, oidcauthtest.TokenEndpoint} {
		for name, answer := range map[string]oidcauthtest.Middleware{
			"huge": endless, "not JSON": oidcauthtest.Reply(200, "application/json", "<html>"), "an error": oidcauthtest.Reply(500, "text/html", "broken"),
			"cut off": oidcauthtest.Cut(10), "a redirect": oidcauthtest.Reply(302, "text/html", ""),
		} {
			t.Run(string(at)+" "+name, func(t *testing.T) {
				w := newTown(t)
				w.idps["acme"].Intercept(at, answer)
				require.GreaterOrEqual(t, w.get("/acme/").Status, 400)
				require.Nil(t, w.user())
				w.signIn("bolt")
				w.idps["acme"].Intercept(at)
			})
		}
	}
}
