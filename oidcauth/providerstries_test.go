package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// tries are what somebody who owns the tenant acme may try against bolt's users. Each is a row of the table in
// docs/many-providers.md, and fails there; what is beside it goes on.
var tries = map[string]func(t *testing.T, w *town){
	"a response from one's own issuer at the other's callback": func(t *testing.T, w *town) {
		callback := pausedCallback(t, w, "acme")
		page := w.browser.NewTab().Get(strings.Replace(callback.URL, "/auth/acme/", "/auth/bolt/", 1))
		require.Equal(t, http.StatusBadRequest, page.Status)
		require.Nil(t, w.user())
		require.Zero(t, w.idps["bolt"].Count(oidcauthtest.TokenEndpoint), "no code goes to the wrong place")
	},
	"the other's iss in the response": func(t *testing.T, w *town) {
		callback := pausedCallback(t, w, "acme")
		u := mustParsed(t, callback.URL)
		q := u.Query()
		q.Set("iss", w.idps["bolt"].Issuer())
		u.RawQuery = q.Encode()
		require.Equal(t, http.StatusBadRequest, w.browser.NewTab().Get(u.String()).Status)
		require.Nil(t, w.user())
	},
	"an ID token that names the other's issuer": func(t *testing.T, w *town) {
		w.idps["acme"].BendIDToken(func(token *oidcauthtest.Token) { token.Claims.Set("iss", w.idps["bolt"].Issuer()) })
		require.Equal(t, http.StatusBadGateway, w.get("/acme/").Status)
		require.Nil(t, w.user())
	},
	"the subject of one of the other's users": func(t *testing.T, w *town) {
		w.idps["acme"].Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "user-of-bolt"} })
		w.signIn("acme")
		require.Equal(t, http.StatusUnauthorized, w.fetch("/bolt/").Status)
		theirs := oidcauth.User{Issuer: w.idps["bolt"].Issuer(), Subject: "user-of-bolt", Provider: "bolt"}
		require.NotEqual(t, theirs.Tag(), w.user().Tag())
	},
	"one's own session at the other's guard": func(t *testing.T, w *town) {
		w.signIn("acme")
		require.Equal(t, http.StatusUnauthorized, w.fetch("/bolt/").Status)
		require.Equal(t, http.StatusOK, w.fetch("/any").Status)
	},
	"a different client at the other's issuer": func(t *testing.T, w *town) {
		idp := w.idps["bolt"]
		idp.Register(oidcauthtest.Client{ID: "evil", Secret: "s", RedirectURIs: []string{app + "/auth/evil/callback"}})
		require.NoError(t, w.providers.Add("evil", oidcauth.Config{Issuer: idp.Issuer(), ClientID: "evil", ClientSecret: "s"}))
		w.mux.Handle("/evil/", w.providers.Require("evil")(http.HandlerFunc(writeUser)))
		w.signIn("evil")
		require.Equal(t, http.StatusUnauthorized, w.fetch("/bolt/").Status)
		theirs := *w.user()
		theirs.Provider = "bolt"
		require.NotEqual(t, theirs.Tag(), w.user().Tag(), "revoking the one does not end the other's sessions")
	},
	"the other's issuer and client, registered again": func(t *testing.T, w *town) {
		require.ErrorContains(t, w.providers.Add("evil", w.config("bolt")), `"bolt"`)
	},
	"metadata that names another issuer": func(t *testing.T, w *town) {
		w.idps["acme"].BendMetadata(func(o *oidcauthtest.Object) { o.Set("issuer", w.idps["bolt"].Issuer()) })
		require.Equal(t, http.StatusServiceUnavailable, w.get("/acme/").Status)
		w.signIn("bolt")
	},
	"metadata that points into the application's network": func(t *testing.T, w *town) {
		var reached int
		inner := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
		for _, at := range []string{"https://10.0.0.7", "https://169.254.169.254", "https://[fd00::1]"} {
			w.network.Handle(at, inner)
			w.idps["acme"].BendMetadata(func(o *oidcauthtest.Object) { o.Set("token_endpoint", at+"/token") })
			require.NoError(t, w.providers.Remove(t.Context(), "acme"))
			require.NoError(t, w.providers.Add("acme", w.config("acme")))
			require.GreaterOrEqual(t, w.get("/acme/").Status, 500, at)
		}
		require.Zero(t, reached)
		require.Nil(t, w.user())
	},
	"a huge response": func(t *testing.T, _ *town) {
		padding := strings.Repeat("a", 2<<20) // with which a good response stays a good one
		for at, bend := range map[string]func(p *oidcauthtest.Provider){
			"metadata": func(p *oidcauthtest.Provider) {
				p.BendMetadata(func(document *oidcauthtest.Object) { document.Set("padding", padding) })
			},
			"keys": func(p *oidcauthtest.Provider) {
				p.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
					keys[0].Set("padding", padding)
					return keys
				})
			},
			"tokens": func(p *oidcauthtest.Provider) {
				p.BendTokens(func(a *oidcauthtest.TokenAnswer) { a.Set("padding", padding) })
			},
		} {
			w := newTown(t)
			bend(w.idps["acme"])
			require.GreaterOrEqual(t, w.get("/acme/").Status, 500, at)
			require.Nil(t, w.user(), at)
			w.signIn("bolt")
		}
	},
	"a provider that is down": func(t *testing.T, w *town) {
		w.idps["acme"].Intercept(oidcauthtest.Any, oidcauthtest.Reply(503, "text/html", "down"))
		for range 5 {
			require.Equal(t, http.StatusServiceUnavailable, w.get("/acme/").Status)
		}
		w.signIn("bolt")
		require.NotContains(t, w.log.String(), "msg=\"provider unavailable\" provider=bolt")
	},
	"hostile text in the provider's error": func(t *testing.T, w *town) {
		callback := pausedCallback(t, w, "acme")
		state := mustParsed(t, callback.URL).Query().Get("state")
		page := w.browser.NewTab().Get(app + "/auth/acme/callback?" + url.Values{"state": {state}, "error": {"<script>x</script>"}, "error_description": {"<b>call 555</b>"}}.Encode())
		require.GreaterOrEqual(t, page.Status, 400)
		require.NotContains(t, page.Body, "555")
		require.NotContains(t, page.Body, "<script>")
	},
	"a third-party login with the other's issuer": func(t *testing.T, w *town) {
		require.Equal(t, http.StatusBadRequest, w.get("/auth/acme/login?iss="+url.QueryEscape(w.idps["bolt"].Issuer())).Status)
	},
	"a return path on another site": func(t *testing.T, w *town) {
		page := w.get("/auth/acme/login?return_to=" + url.QueryEscape("https://evil.test/"))
		require.Equal(t, app+"/", page.URL)
	},
	"a front-channel logout with the other's iss and sid": func(t *testing.T, w *town) {
		w.allowLogouts()
		w.signIn("bolt")
		query := "/frontchannel-logout?" + url.Values{"iss": {w.idps["bolt"].Issuer()}, "sid": {w.user().SessionID}}.Encode()
		w.frameAt("acme", query)
		require.NotNil(t, w.user())
		w.frameAt("acme", strings.Replace(query, "bolt", "acme", 1))
		require.NotNil(t, w.user())
		w.frameAt("bolt", query)
		require.Nil(t, w.user(), "control")
	},
	"one's own logout token with the other's sid": func(t *testing.T, w *town) {
		w.allowLogouts()
		w.signIn("bolt")
		sid := w.user().SessionID
		require.Equal(t, http.StatusOK, w.backChannel("acme", w.idps["acme"].LogoutToken("acme-client", "", sid)).Code)
		require.NotNil(t, w.user())
		require.Equal(t, http.StatusOK, w.backChannel("bolt", w.idps["bolt"].LogoutToken("bolt-client", "", sid)).Code)
		require.Nil(t, w.user(), "control")
	},
	"a link that signs the other's users in at one's own provider": func(t *testing.T, w *town) {
		w.signIn("bolt")
		page := w.get("/auth/acme/login?return_to=/bolt/")
		require.Equal(t, app+"/bolt/", page.URL)
		require.Equal(t, "bolt", w.user().Provider, "the guard asks the other's provider again")
	},
	"one's own provider, asked for tokens of the other's session": func(t *testing.T, w *town) {
		var own, theirs error
		w.mux.Handle("/tokens", w.providers.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			acme, err := w.providers.Get("acme")
			require.NoError(t, err)
			_, own = acme.TokenSource(r.Context()).Token()
			_, theirs = w.providers.TokenSource(r.Context()).Token()
		})))
		w.signIn("bolt")
		w.get("/tokens")
		require.ErrorIs(t, own, oidcauth.ErrLoginRequired)
		require.NoError(t, theirs, "control")
		require.Zero(t, w.idps["acme"].Count(oidcauthtest.Any), "nothing of it is sent there")
	},
	"a cross-site form post to sign-out": func(t *testing.T, w *town) {
		w.signIn("bolt")
		r := httptest.NewRequest(http.MethodPost, app+"/auth/acme/logout", nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		answer := httptest.NewRecorder()
		w.mux.ServeHTTP(answer, r)
		require.Equal(t, http.StatusForbidden, answer.Code)
		require.NotNil(t, w.user())
	},
}

// pausedCallback is a login at a tenant whose callback has not come yet.
func pausedCallback(t *testing.T, w *town, name string) *oidcauthtest.Navigation {
	t.Helper()
	tab := w.browser.NewTab()
	tab.PauseAt(app + "/auth/" + name + "/callback")
	callback := tab.Get(app + "/" + name + "/").Paused
	require.NotNil(t, callback)
	return callback
}

func TestWhatATenantTriesAgainstAnother(t *testing.T) {
	page, err := os.ReadFile("../docs/many-providers.md")
	require.NoError(t, err)
	for name, try := range tries {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, string(page), "| "+name+" |", "it is a row of the table")
			try(t, newTown(t))
		})
	}
}

func TestABackChannelLogoutReachesTheSessionsOfItsOwnProviderAlone(t *testing.T) {
	for _, row := range []struct {
		at     string
		status int
		ends   bool
	}{{"bolt", http.StatusOK, true}, {"evil", http.StatusOK, false}, {"acme", http.StatusBadRequest, false}} {
		t.Run(row.at, func(t *testing.T) {
			w := newTown(t)
			bolt := w.idps["bolt"]
			bolt.Register(oidcauthtest.Client{ID: "evil", Secret: "s", RedirectURIs: []string{app + "/auth/evil/callback"}})
			require.NoError(t, w.providers.Remove(t.Context(), "acme"))
			for name, c := range map[string]oidcauth.Config{
				"acme": w.config("acme"), "evil": {Issuer: bolt.Issuer(), ClientID: "evil", ClientSecret: "s"},
			} {
				c.BackChannelLogout = true
				require.NoError(t, w.providers.Add(name, c))
			}
			c := w.config("bolt")
			c.BackChannelLogout = true
			require.NoError(t, w.providers.Replace(t.Context(), "bolt", c))
			w.signIn("bolt")
			client := map[string]string{"bolt": "bolt-client", "evil": "evil", "acme": "acme-client"}[row.at]
			answer := w.backChannel(row.at, bolt.LogoutToken(client, "user-of-bolt", ""))
			require.Equal(t, row.status, answer.Code, answer.Body)
			require.Equal(t, row.ends, w.user() == nil)
		})
	}
}
