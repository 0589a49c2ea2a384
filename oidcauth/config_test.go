package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestNewNamesEachMistake(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*oidcauth.Config)
		says   string
	}{
		"no issuer":                          {func(c *oidcauth.Config) { c.Issuer = "" }, "Issuer"},
		"an issuer over plain http":          {func(c *oidcauth.Config) { c.Issuer = "http://id.example.test" }, "must be https"},
		"an issuer with a query":             {func(c *oidcauth.Config) { c.Issuer = "https://id.example.test?a" }, "query or fragment"},
		"an issuer with a fragment":          {func(c *oidcauth.Config) { c.Issuer = "https://id.example.test#a" }, "query or fragment"},
		"an issuer without a host":           {func(c *oidcauth.Config) { c.Issuer = "id.example.test" }, "absolute URL"},
		"no client":                          {func(c *oidcauth.Config) { c.ClientID = "" }, "ClientID"},
		"no redirect URL":                    {func(c *oidcauth.Config) { c.RedirectURL = "" }, "RedirectURL"},
		"a redirect URL without a path":      {func(c *oidcauth.Config) { c.RedirectURL = app + "/" }, "clean path of its own"},
		"a redirect URL with dot segments":   {func(c *oidcauth.Config) { c.RedirectURL = app + "/a/../auth/callback" }, "/callback"},
		"a redirect URL over plain http":     {func(c *oidcauth.Config) { c.RedirectURL = "http://app.example.test/auth/callback" }, "must be https"},
		"no session keys":                    {func(c *oidcauth.Config) { c.Session.Keys = nil }, "Session"},
		"a persistence for all logins":       {func(c *oidcauth.Config) { c.Login.Persistence = session.Transient }, "Session.Persistence"},
		"a list of sessions without a Store": {func(c *oidcauth.Config) { c.ListSessions = true; c.Session.Store = nil }, "ListSessions: needs Session.Store"},
		"an address for no list":             {func(c *oidcauth.Config) { c.RecordAddress = func(*http.Request) string { return "" } }, "RecordAddress"},
		"both kinds of session":              {func(c *oidcauth.Config) { c.Sessions = new(session.Manager) }, "Session and Sessions"},
		"an unsigned algorithm":              {func(c *oidcauth.Config) { c.SigningAlg = "none" }, "SigningAlg"},
		"a symmetric algorithm":              {func(c *oidcauth.Config) { c.SigningAlg = "HS256" }, "SigningAlg"},
		"an unknown response mode":           {func(c *oidcauth.Config) { c.ResponseMode = "fragment" }, "ResponseMode"},
		"an unknown PAR mode":                {func(c *oidcauth.Config) { c.PAR = "maybe" }, "PAR"},
		"an unknown userinfo mode":           {func(c *oidcauth.Config) { c.UserInfo = "maybe" }, "UserInfo"},
		"a negative time":                    {func(c *oidcauth.Config) { c.Timeout = -1 }, "negative"},
		"a skew of an hour":                  {func(c *oidcauth.Config) { c.Skew = time.Hour }, "Skew"},
		"a scope with a space":               {func(c *oidcauth.Config) { c.Scopes = []string{"a b"} }, "scope token"},
		"an extra parameter that we set":     {func(c *oidcauth.Config) { c.Login.Extra = url.Values{"state": {"x"}} }, "Login.Extra"},
		"an API with a path":                 {func(c *oidcauth.Config) { c.APIs = []string{"https://api.example.test/v1"} }, "APIs"},
		"an API over plain http":             {func(c *oidcauth.Config) { c.APIs = []string{"http://api.example.test"} }, "APIs"},
		"a secret beside the method none":    {func(c *oidcauth.Config) { c.ClientAuth.Method = oidcauth.PublicClient }, "sends no secret"},
		"basic without a secret":             {func(c *oidcauth.Config) { c.ClientSecret = ""; c.ClientAuth.Method = oidcauth.ClientSecretBasic }, "needs ClientSecret"},
		"a key method without a key":         {func(c *oidcauth.Config) { c.ClientAuth.Method = oidcauth.PrivateKeyJWT }, "needs Key"},
		"mutual TLS without a certificate":   {func(c *oidcauth.Config) { c.ClientAuth.Method = oidcauth.TLSClientAuth }, "needs Certificate"},
		"an unknown method":                  {func(c *oidcauth.Config) { c.ClientAuth.Method = "client_secret_jwt" }, "not a supported method"},
		"back-channel logout with no store":  {func(c *oidcauth.Config) { c.BackChannelLogout = true; c.Session.Store = nil }, "need Session.Store"},
		"front-channel logout with no store": {func(c *oidcauth.Config) { c.FrontChannelLogout = true; c.Session.Store = nil }, "need Session.Store"},
		"insecure cookies on a real host":    {func(c *oidcauth.Config) { c.Session.InsecureCookie = true }, "loopback hosts only"},
		"insecure cookies with form_post": {func(c *oidcauth.Config) {
			c.Session.InsecureCookie, c.ResponseMode, c.RedirectURL = true, oidcauth.FormPost, "http://localhost:8080/auth/callback"
		}, "needs Secure cookies"},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			row.change(&c)
			_, err := oidcauth.New(c)
			require.ErrorContains(t, err, row.says)
		})
	}
}

func goodConfig() oidcauth.Config {
	return oidcauth.Config{
		Issuer: "https://id.example.test", ClientID: "app", ClientSecret: "secret", RedirectURL: app + "/auth/callback",
		Session: session.Config{Keys: []string{testKey}, Store: session.NewMemoryStore()},
	}
}

func TestNewReportsAllMistakesAtOnce(t *testing.T) {
	_, err := oidcauth.New(oidcauth.Config{SigningAlg: "none"})
	for _, field := range []string{"Issuer", "ClientID", "RedirectURL", "SigningAlg", "Session"} {
		require.ErrorContains(t, err, field)
	}
}

func TestNewTakesPlainHTTPOnLoopback(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		c := goodConfig()
		c.Issuer, c.RedirectURL = "http://"+host+":9000", "http://"+host+":8080/auth/callback"
		_, err := oidcauth.New(c)
		require.NoError(t, err, host)
	}
}

func TestTheURLsOfTheOwnRoutesFollowRedirectURL(t *testing.T) {
	c := goodConfig()
	c.RedirectURL = "https://app.example.test/shop/sso/callback"
	auth, err := oidcauth.New(c)
	require.NoError(t, err)
	require.Equal(t, "/shop/sso/logout", auth.LogoutURL())
	require.Equal(t, "/shop/sso/login", auth.LoginURL(""))
	require.Equal(t, "/shop/sso/login?return_to=%2Fcart%3Fx%3D1", auth.LoginURL("/cart?x=1"))
	require.Equal(t, "/shop/sso/login", auth.LoginURL("https://evil.example"))
}

func TestNewCopiesItsConfiguration(t *testing.T) {
	resource, extra := []string{"https://api.example.test"}, url.Values{"audience": {"api"}}
	claims, machine := json.RawMessage(`{"userinfo":{"email":null}}`), oidcauth.MachineConfig{
		Scopes: []string{"read"}, Resource: []string{"https://api.example.test"}, Extra: url.Values{"audience": {"api"}},
	}
	machines := map[string]oidcauth.MachineConfig{"reports": machine}
	acr, locales := []string{"gold"}, []string{"de"}
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Login.ACRValues, c.Login.UILocales = acr, locales
		c.Login.Resource, c.Login.Extra, c.Login.Claims, c.Machines = resource, extra, claims, machines
	})
	changed := "https://changed.example.test"
	resource[0], extra["audience"][0], claims[0] = changed, changed, '['
	acr[0], locales[0] = changed, changed
	machine.Scopes[0], machine.Resource[0], machine.Extra["audience"][0] = changed, changed, changed
	delete(machines, "reports")

	w.signIn()
	require.NotContains(t, w.authenticationRequest().Encode(), url.QueryEscape(changed))
	require.Equal(t, `{"userinfo":{"email":null}}`, w.authenticationRequest().Get("claims"))
	_, err := w.auth.Machine("reports").TokenSource(t.Context()).Token()
	require.NoError(t, err)
	_, err = w.auth.Machine("reports").TokenSource(t.Context(), oidcauth.Scopes("write")).Token()
	require.NoError(t, err)
	require.NotContains(t, w.provider.Last(oidcauthtest.TokenEndpoint).Form.Encode(), url.QueryEscape(changed))
}

func TestNewMachineCopiesItsConfiguration(t *testing.T) {
	w := newWorld(t)
	extra := url.Values{"audience": {"api"}}
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer: w.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", HTTPClient: w.network.Client(), Extra: extra,
	})
	require.NoError(t, err)
	extra["audience"][0] = "changed"
	_, err = machine.TokenSource(t.Context()).Token()
	require.NoError(t, err)
	require.Equal(t, "api", w.provider.Last(oidcauthtest.TokenEndpoint).Form.Get("audience"))
}
