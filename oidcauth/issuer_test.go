package oidcauth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

const (
	tenantIssuer = "https://login.example.test/{tenantid}/v2.0"
	ourTenant    = "11111111-2222-3333-4444-555555555555"
	otherTenant  = "66666666-7777-8888-9999-aaaaaaaaaaaa"
)

func issuerOf(tenant string) string { return strings.ReplaceAll(tenantIssuer, "{tenantid}", tenant) }

// newTenantWorld is a provider whose metadata name the template, with a user of ourTenant.
func newTenantWorld(t *testing.T, bend func(*oidcauthtest.Object)) *world {
	w := &world{T: t, provider: oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: issuerOf("organizations")}), log: new(logBuffer)}
	w.network = oidcauthtest.NewNetwork()
	w.network.Handle(w.provider.Issuer(), w.provider)
	w.provider.BendMetadata(func(doc *oidcauthtest.Object) { doc.Set("issuer", tenantIssuer) })
	w.provider.BendAuthorizationResponse(func(a *oidcauthtest.AuthorizationResponse) { a.Params.Set("iss", issuerOf(ourTenant)) })
	w.provider.BendIDToken(func(token *oidcauthtest.Token) {
		token.Claims.Set("tid", ourTenant)
		token.Claims.Set("iss", issuerOf(ourTenant))
		bend(&token.Claims)
	})
	w.auth = newAuthenticator(t, w, func(c *oidcauth.Config) { c.Issuer, c.Tenants = tenantIssuer, []string{ourTenant} })
	w.mux = appMux(w.auth)
	w.network.Handle(app, w.mux)
	w.browser = oidcauthtest.NewBrowser(w.network)
	return w
}

func TestAUserOfAListedTenantSignsIn(t *testing.T) {
	w := newTenantWorld(t, func(*oidcauthtest.Object) {})
	w.signIn()
	require.Equal(t, issuerOf(ourTenant), w.user().Issuer)
}

func TestATokenOfAnotherTenantIsRefused(t *testing.T) {
	for name, bend := range map[string]func(*oidcauthtest.Object){
		"a tenant that is not listed":    func(c *oidcauthtest.Object) { c.Set("tid", otherTenant); c.Set("iss", issuerOf(otherTenant)) },
		"an issuer of another tenant":    func(c *oidcauthtest.Object) { c.Set("iss", issuerOf(otherTenant)) },
		"a tid of another tenant":        func(c *oidcauthtest.Object) { c.Set("tid", otherTenant) },
		"no tid":                         func(c *oidcauthtest.Object) { c.Delete("tid") },
		"the template itself":            func(c *oidcauthtest.Object) { c.Set("iss", tenantIssuer); c.Set("tid", "{tenantid}") },
		"the name for all organizations": func(c *oidcauthtest.Object) { c.Set("tid", "organizations"); c.Set("iss", issuerOf("organizations")) },
		"a tid that is no string":        func(c *oidcauthtest.Object) { c.Set("tid", 7) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t, bend)
			page := w.browser.Get(app + "/me")
			require.Equal(t, http.StatusBadGateway, page.Status, page.Body)
			require.False(t, w.hasSession())
			require.Zero(t, w.provider.Count(oidcauthtest.UserInfo))
		})
	}
}

func TestAKeyOfAnotherTenantDoesNotSign(t *testing.T) {
	for name, row := range map[string]struct {
		issuer string
		ok     bool
	}{
		"a key of all tenants":     {tenantIssuer, true},
		"a key of this tenant":     {issuerOf(ourTenant), true},
		"a key of another tenant":  {issuerOf(otherTenant), false},
		"a key that does not say":  {"", true},
		"a key of another service": {"https://evil.example/{tenantid}/v2.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTenantWorld(t, func(*oidcauthtest.Object) {})
			w.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object {
				if row.issuer != "" {
					keys[0].Set("issuer", row.issuer)
				}
				return keys
			})
			require.Equal(t, row.ok, w.browser.Get(app+"/me").Status == http.StatusOK)
		})
	}
}

func TestTenantsGoWithATemplate(t *testing.T) {
	for name, row := range map[string]struct {
		issuer  string
		tenants []string
		says    string
	}{
		"a template without tenants": {tenantIssuer, nil, "list the tenants"},
		"tenants without a template": {"https://id.example.test", []string{ourTenant}, "needs an Issuer"},
		"every tenant":               {tenantIssuer, []string{"*"}, "tenant id"},
		"a name for many tenants":    {tenantIssuer, []string{"organizations"}, "tenant id"},
	} {
		t.Run(name, func(t *testing.T) {
			c := goodConfig()
			c.Issuer, c.Tenants = row.issuer, row.tenants
			_, err := oidcauth.New(c)
			require.ErrorContains(t, err, row.says)
		})
	}
}

// twoProviders is one application with two providers, of which the second one's routes are below /auth2/.
func twoProviders(t *testing.T) (first *world, second *oidcauth.Authenticator, other *oidcauthtest.Provider) {
	t.Helper()
	manager, err := session.New(session.Config{Keys: []string{testKey}, Store: session.NewMemoryStore()})
	require.NoError(t, err)
	share := func(c *oidcauth.Config) { c.Session, c.Sessions = session.Config{}, manager }
	first = newWorld(t, share)
	client := oidcauthtest.DefaultClient()
	client.RedirectURIs = []string{app + "/auth2/callback"}
	client.PostLogoutRedirectURIs = []string{app + "/auth2/signed-out"}
	other = oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://other.provider.test", Clients: []oidcauthtest.Client{client}})
	first.network.Handle(other.Issuer(), other)
	second = newAuthenticator(t, first, share, func(c *oidcauth.Config) {
		c.Issuer, c.RedirectURL = other.Issuer(), app+"/auth2/callback"
	})
	first.mux.Handle("/auth2/", second)
	first.mux.Handle("/me2", second.RequireLogin(http.HandlerFunc(writeUser)))
	first.mux.Handle("/both", oidcauth.RequireAny([]*oidcauth.Authenticator{first.auth, second})(http.HandlerFunc(writeUser)))
	return first, second, other
}

func TestAGuardTakesOnlyUsersOfItsOwnProvider(t *testing.T) {
	w, _, other := twoProviders(t)
	page := w.browser.Get(app + "/me2")
	require.Equal(t, http.StatusOK, page.Status)
	require.Equal(t, other.Issuer(), w.user().Issuer)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/both").Status, "a joint guard names both")
	require.Equal(t, 0, w.provider.Count())
	require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Load(app+"/me", "image").Status)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me").Status, "the first guard asks its own provider")
	require.Equal(t, w.provider.Issuer(), w.user().Issuer)
	require.Equal(t, http.StatusUnauthorized, w.browser.NewTab().Load(app+"/me2", "image").Status)
}

func TestACodeOfOneProviderIsNotTakenAtTheOthersCallback(t *testing.T) {
	w, _, other := twoProviders(t)
	cb := w.callbackURL()
	page := w.browser.Get(strings.Replace(cb.URL, "/auth/callback", "/auth2/callback", 1))
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Zero(t, other.Count(oidcauthtest.TokenEndpoint))
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
	require.False(t, w.hasSession())
	require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status, "the login itself goes on")
}

func TestALoginAtTheOtherProviderEndsTheFirstSession(t *testing.T) {
	w, _, other := twoProviders(t)
	w.signIn()
	replay := w.keepCookie()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me2").Status)
	require.Equal(t, other.Issuer(), w.user().Issuer)
	replay()
	require.Nil(t, w.user())
}

func TestAJointGuardStepsUpAtTheUsersOwnProvider(t *testing.T) {
	w, second, other := twoProviders(t)
	w.mux.Handle("/pay", oidcauth.RequireAny([]*oidcauth.Authenticator{w.auth, second}, oidcauth.ACR("gold"))(http.HandlerFunc(writeUser)))
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/me2").Status)
	page := w.browser.Get(app + "/pay")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, other.Issuer(), w.user().Issuer)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestAReturnPathLeadsToNoneOfTheProvidersRoutes(t *testing.T) {
	w, _, _ := twoProviders(t)
	require.Equal(t, app+"/", w.browser.Get(app+"/auth/login?return_to=/auth2/logout").URL)
}

func TestTwoProvidersNeedTwoCallbacks(t *testing.T) {
	w, _, _ := twoProviders(t)
	c := goodConfig()
	c.Session, c.Sessions, c.Issuer = session.Config{}, w.auth.Sessions(), "https://third.provider.test"
	_, err := oidcauth.New(c)
	require.ErrorContains(t, err, "each provider needs its own")
}

func TestASessionOfAProviderThatIsGoneIsNobodys(t *testing.T) {
	const cart session.Field[string] = "cart"
	w := newWorld(t)
	w.mux.Handle("/fill", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, cart.Set(r.Context(), "apples"))
	})))
	w.signIn()
	w.browser.Get(app + "/fill")
	w.provider = oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://new.provider.test"})
	w.network.Handle(w.provider.Issuer(), w.provider)
	w.auth = newAuthenticator(t, w)
	w.mux = appMux(w.auth)
	w.mux.Handle("/cart", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v, _ := cart.Get(r.Context())
		_, _ = io.WriteString(rw, v)
	})))
	w.network.Handle(app, w.mux)
	require.Nil(t, w.user())
	w.signIn()
	require.Empty(t, w.browser.Get(app+"/cart").Body, "what was kept for the old session's user is gone")
}

func TestRequireAnyNeedsSharedSessions(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	require.Panics(t, func() { oidcauth.RequireAny(nil) })
	require.Panics(t, func() { oidcauth.RequireAny([]*oidcauth.Authenticator{one.auth, two.auth}) })
}
