//go:build providers

package oidcauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A shop is the application "app", which calls the API "orders" with exchanged tokens.
type shop struct {
	*keycloak
	auth    *oidcauth.Authenticator
	app     *httptest.Server
	browser *oidcauthtest.Browser
}

func newShop(t *testing.T, attributes map[string]string, configure func(*oidcauth.Config)) *shop {
	t.Helper()
	k := newKeycloak(t)
	attributes["standard.token.exchange.enabled"] = "true"
	k.client("app", attributes)
	api := httptest.NewUnstartedServer(nil)
	api.Config.Handler = k.orders("http://"+api.Listener.Addr().String(), http.DefaultTransport)
	api.Start()
	t.Cleanup(api.Close)
	mux := http.NewServeMux()
	s := &shop{keycloak: k, app: httptest.NewTLSServer(mux)}
	t.Cleanup(s.app.Close)
	c := oidcauth.Config{
		Issuer: k.issuer(), ClientID: "app", ClientSecret: "app", RedirectURL: s.app.URL + "/auth/callback", APIs: []string{api.URL},
		Machines: map[string]oidcauth.MachineConfig{"jobs": {}},
		Session:  session.Config{Keys: []string{testKey}},
	}
	configure(&c)
	s.auth = must(oidcauth.New(c))
	mux.Handle("/", s.auth.RequireLogin(http.HandlerFunc(writeUser)))
	mux.Handle("/exchanged", s.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pass(w, s.auth.Exchange(r.Context(), s.options()...).Client(), api.URL)
	})))
	mux.Handle("/unexchanged", s.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pass(w, s.auth.Client(r.Context()), api.URL)
	})))
	mux.Handle("/machine", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pass(w, s.auth.Machine("jobs").Exchange(r.Context(), s.options()...).Client(), api.URL)
	}))
	first := must(oidcauth.NewResource(oidcauth.ResourceConfig{URL: s.app.URL, Audience: []string{"app"}, Issuers: []oidcauth.TokenIssuer{{Auth: s.auth}}}))
	mux.Handle("/chain", first.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pass(w, s.auth.Exchange(r.Context(), s.options()...).Client(), api.URL)
	})))
	s.browser = oidcauthtest.NewBrowser(s.app.Client().Transport)
	return s
}

func (s *shop) options() []oidcauth.TokenOption {
	return []oidcauth.TokenOption{oidcauth.Audience("orders"), oidcauth.Scopes("orders:read")}
}

// pass answers with what the API says.
func (s *shop) pass(w http.ResponseWriter, client *http.Client, api string) {
	res, err := client.Get(api + "/orders")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body)
}

// signIn signs alice in.
func (s *shop) signIn() {
	s.Helper()
	page := s.browser.Get(s.app.URL + "/me")
	require.NoError(s, page.Err)
	page = s.browser.Submit("password", url.Values{"username": {"alice"}, "password": {"pw"}})
	require.NoError(s, page.Err)
	require.Equal(s, http.StatusOK, page.Status, page.Body)
}

// get returns whom the API has seen behind a path of the application's.
func (s *shop) get(path string, headers ...string) (c oidcauth.Caller, status int) {
	s.Helper()
	req := must(http.NewRequest(http.MethodGet, s.app.URL+path, http.NoBody))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.app.Client().Do(req)
	require.NoError(s, err)
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusOK {
		require.NoError(s, json.Unmarshal(body, &c))
	} else {
		s.Logf("%s: %d %s", path, res.StatusCode, body)
	}
	return c, res.StatusCode
}

func TestKeycloakExchangesTokens(t *testing.T) {
	for name, bound := range map[string]bool{"Bearer": false, "DPoP": true} {
		t.Run(name, func(t *testing.T) {
			attributes := map[string]string{}
			if bound {
				attributes["dpop.bound.access.tokens"] = "true"
			}
			s := newShop(t, attributes, func(c *oidcauth.Config) { c.Advanced.DPoP = bound })
			s.client("spa", map[string]string{"access.token.header.type.rfc9068": "true"}, audienceMapper("app"))
			s.client("old", nil, audienceMapper("app"))
			s.signIn()
			page := s.browser.Get(s.app.URL + "/unexchanged")
			require.Equal(t, http.StatusUnauthorized, page.Status, "the user's own token is not for the API")
			page = s.browser.Get(s.app.URL + "/exchanged")
			require.Equal(t, http.StatusOK, page.Status, page.Body)
			var c oidcauth.Caller
			require.NoError(t, json.Unmarshal([]byte(page.Body), &c))
			require.Equal(t, []string{"app", "orders"}, []string{c.ClientID, strings.Join(c.Audience, " ")})
			require.Equal(t, bound, c.SenderConstrained)

			c, status := s.get("/machine")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, []string{"app", "orders"}, []string{c.ClientID, strings.Join(c.Audience, " ")})

			c, status = s.get("/chain", "Authorization", "Bearer "+s.alices("spa", "", "access_token"))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, []string{"app", "orders"}, []string{c.ClientID, strings.Join(c.Audience, " ")})
			_, status = s.get("/chain", "Authorization", "Bearer "+s.alices("old", "", "access_token"))
			require.Equal(t, http.StatusUnauthorized, status, "made out to a client of this process, and of no type")
			_, status = s.get("/chain", "Authorization", "Bearer "+s.alices("orders", "", "access_token"))
			require.Equal(t, http.StatusUnauthorized, status, "for somebody else")
		})
	}
}
