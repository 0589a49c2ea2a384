package oidcauth_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestNewRefusesClaimsProvidersThatCantBeTrusted(t *testing.T) {
	good := oidcauth.ClaimsProvider{Issuer: "https://bureau.example", Claims: []string{"score"}}
	for name, row := range map[string]struct {
		change func(*oidcauth.ClaimsProvider)
		want   string // "" for none
	}{
		"as it is": {func(*oidcauth.ClaimsProvider) {}, ""},
		"with all fields": {func(p *oidcauth.ClaimsProvider) {
			p.SigningAlg, p.JWKSURL, p.Origins = "EdDSA", "https://keys.example/jwks", []string{"https://api.bureau.example:8443"}
		}, ""},
		"with roles": {func(p *oidcauth.ClaimsProvider) { p.Claims = []string{"roles"} }, ""},
		"on loopback": {func(p *oidcauth.ClaimsProvider) {
			p.Issuer, p.Origins = "http://127.0.0.1:9000", []string{"http://localhost:9001"}
		}, ""},
		"without issuer":            {func(p *oidcauth.ClaimsProvider) { p.Issuer = "" }, "ClaimsProviders[0].Issuer"},
		"over plain http":           {func(p *oidcauth.ClaimsProvider) { p.Issuer = "http://bureau.example" }, "ClaimsProviders[0].Issuer"},
		"of many tenants":           {func(p *oidcauth.ClaimsProvider) { p.Issuer = "https://bureau.example/{tenantid}" }, "ClaimsProviders[0].Issuer"},
		"at a private address":      {func(p *oidcauth.ClaimsProvider) { p.Issuer = "https://10.0.0.1" }, "ClaimsProviders[0].Issuer"},
		"at the metadata service":   {func(p *oidcauth.ClaimsProvider) { p.Issuer = "https://169.254.169.254" }, "ClaimsProviders[0].Issuer"},
		"without claims":            {func(p *oidcauth.ClaimsProvider) { p.Claims = nil }, "ClaimsProviders[0].Claims"},
		"with an empty claim":       {func(p *oidcauth.ClaimsProvider) { p.Claims = []string{""} }, "ClaimsProviders[0].Claims"},
		"with the subject":          {func(p *oidcauth.ClaimsProvider) { p.Claims = []string{"sub"} }, "ClaimsProviders[0].Claims"},
		"with the subject in CAPS":  {func(p *oidcauth.ClaimsProvider) { p.Claims = []string{"SUB"} }, "ClaimsProviders[0].Claims"},
		"with acr":                  {func(p *oidcauth.ClaimsProvider) { p.Claims = []string{"score", "acr"} }, "ClaimsProviders[0].Claims"},
		"unsigned":                  {func(p *oidcauth.ClaimsProvider) { p.SigningAlg = "none" }, "ClaimsProviders[0].SigningAlg"},
		"with HMAC":                 {func(p *oidcauth.ClaimsProvider) { p.SigningAlg = "HS256" }, "ClaimsProviders[0].SigningAlg"},
		"keys over plain http":      {func(p *oidcauth.ClaimsProvider) { p.JWKSURL = "http://bureau.example/jwks" }, "ClaimsProviders[0].JWKSURL"},
		"keys on loopback":          {func(p *oidcauth.ClaimsProvider) { p.JWKSURL = "https://127.0.0.1/jwks" }, "ClaimsProviders[0].JWKSURL"},
		"keys at a mapped address":  {func(p *oidcauth.ClaimsProvider) { p.JWKSURL = "https://[::ffff:10.0.0.1]/jwks" }, "ClaimsProviders[0].JWKSURL"},
		"keys in a file":            {func(p *oidcauth.ClaimsProvider) { p.JWKSURL = "file:///jwks" }, "ClaimsProviders[0].JWKSURL"},
		"endpoints over plain http": {func(p *oidcauth.ClaimsProvider) { p.Origins = []string{"http://bureau.example"} }, "ClaimsProviders[0].Origins"},
		"endpoints below a path":    {func(p *oidcauth.ClaimsProvider) { p.Origins = []string{"https://bureau.example/claims"} }, "ClaimsProviders[0].Origins"},
		"endpoints in the network":  {func(p *oidcauth.ClaimsProvider) { p.Origins = []string{"https://192.168.1.1"} }, "ClaimsProviders[0].Origins"},
		"endpoints on localhost":    {func(p *oidcauth.ClaimsProvider) { p.Origins = []string{"https://localhost"} }, "ClaimsProviders[0].Origins"},
		"endpoints at a short IPv4": {func(p *oidcauth.ClaimsProvider) { p.Origins = []string{"https://127.1"} }, "ClaimsProviders[0].Origins"},
		"loopback and the metadata service": {func(p *oidcauth.ClaimsProvider) {
			p.Issuer, p.Origins = "http://127.0.0.1:9000", []string{"https://169.254.169.254"}
		}, "ClaimsProviders[0].Origins"},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			row.change(&p)
			_, err := oidcauth.New(configOf(p))
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "Advanced."+row.want)
		})
	}
	_, err := oidcauth.New(configOf(good, good))
	require.ErrorContains(t, err, "ClaimsProviders[1].Issuer", "one issuer, one entry")
	fapi := configOf(good)
	fapi.Advanced.FAPI = true
	_, err = oidcauth.New(fapi)
	require.ErrorContains(t, err, "ClaimsProviders[0].SigningAlg: Advanced.FAPI", "the profile allows no RS256")
}

func configOf(providers ...oidcauth.ClaimsProvider) oidcauth.Config {
	return oidcauth.Config{
		Issuer: "https://id.example", ClientID: "shop", ClientSecret: "s", RedirectURL: "https://shop.example/auth/callback",
		Session:  session.Config{Keys: []string{testKey}},
		Advanced: oidcauth.Advanced{ClaimsProviders: providers},
	}
}

// The keys of a claims provider without metadata come from the configured address; its endpoints may be elsewhere.
func TestKeysAndEndpointsOfAClaimsProviderMayBeElsewhere(t *testing.T) {
	const keys, api = "https://keys.example.test", "https://api.example.test"
	w := newBureauWorld(t, func(c *oidcauth.Config) {
		p := &c.Advanced.ClaimsProviders[0]
		p.JWKSURL, p.Origins = keys+"/jwks", []string{api}
	})
	w.network.Handle(bureau, nil)
	w.network.Handle(keys, w.bureau)
	w.network.Handle(api, w.bureau)
	source := w.distributed()
	w.guardScore()
	w.says(source)
	w.requireNoScore()
	source["endpoint"] = api + "/claims?user=alice"
	w.says(source)
	w.requireScore()
	require.NotContains(t, w.network.Asked(), bureau+"/claims")
	require.Zero(t, w.bureau.Count(oidcauthtest.Discovery))
}

// The access token of a source goes to its endpoint, and neither ours nor our credentials go along.
func TestOnlyTheSourcesOwnTokenGoesToItsEndpoint(t *testing.T) {
	w := newBureauWorld(t)
	source := w.distributed()
	w.says(source)
	w.signIn()
	require.EqualValues(t, 650, w.claims()["score"])
	asked := w.bureau.Last(oidcauthtest.Claims)
	require.Equal(t, http.MethodGet, asked.Method)
	require.Equal(t, []string{"Bearer " + source["access_token"].(string)}, asked.Header.Values("Authorization"))
	require.Empty(t, asked.Header.Values("Cookie"))
	require.Empty(t, asked.Header.Values("DPoP"))
	require.Empty(t, asked.URL.RawQuery)
	for _, r := range w.bureau.Requests(oidcauthtest.Discovery, oidcauthtest.JWKS) {
		require.Empty(t, r.Header.Values("Authorization"))
	}
	delete(source, "access_token")
	w.says(source)
	w.anew()
	w.signIn()
	require.Empty(t, w.bureau.Last(oidcauthtest.Claims).Header.Values("Authorization"), "without a token none is sent")
}

// A source is asked for claims that nobody has told yet, and that its claims provider may tell.
func TestASourceIsNotAskedForNothing(t *testing.T) {
	w := newBureauWorld(t)
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"another claim":    func(tok *oidcauthtest.Token) { tok.AddSource("src1", w.distributed(), "groups") },
		"a protocol claim": func(tok *oidcauthtest.Token) { tok.AddSource("src1", w.distributed(), "sub", "acr") },
		"a claim told here": func(tok *oidcauthtest.Token) {
			tok.Claims.Set("score", 1)
			tok.AddSource("src1", w.distributed(), "score")
		},
		"no claim": func(tok *oidcauthtest.Token) { tok.AddSource("src1", w.distributed()) },
	} {
		w.anew()
		w.provider.BendUserInfo(bend)
		w.signIn()
		require.Zero(t, w.bureau.Count(), name)
	}
	require.NotContains(t, w.log.String(), "claim source refused")
}

// A source that an ID token names counts before one of userinfo's, and with userinfo off it counts alone.
func TestSourcesOfTheIDToken(t *testing.T) {
	for _, mode := range []oidcauth.UserInfoMode{oidcauth.UserInfoOn, oidcauth.UserInfoOff} {
		w := newBureauWorld(t, func(c *oidcauth.Config) { c.UserInfo = mode })
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.AddSource("src1", w.aggregated(), "score") })
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			tok.AddSource("src1", w.bureau.DistributedSource("app", map[string]any{"score": 1}), "score")
		})
		w.signIn()
		require.EqualValues(t, 650, w.claims()["score"])
		require.Zero(t, w.bureau.Count(oidcauthtest.Claims), "the other one is not even asked")
	}
}

// A refresh asks no source again: what the login brought stays with the session.
func TestClaimsOfSourcesOutliveARefresh(t *testing.T) {
	w := newBureauWorld(t, func(c *oidcauth.Config) { c.APIs = []string{c.Issuer} })
	w.mux.Handle("/refresh", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := w.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
		require.NoError(t, err)
	})))
	w.says(w.distributed())
	w.signIn()
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/refresh").Status)
	require.Equal(t, 2, w.provider.Count(oidcauthtest.TokenEndpoint))
	require.Equal(t, 1, w.bureau.Count(oidcauthtest.Claims))
	require.EqualValues(t, 650, w.claims()["score"])
}

// A claims provider that hangs costs a login Config.Timeout once, and then nothing until it may be back; the other source is heard.
func TestAClaimsProviderThatHangsHoldsUpOneLogin(t *testing.T) {
	const registry = "https://registry.example.test"
	synctest.Test(t, func(t *testing.T) {
		w := newBureauWorld(t, func(c *oidcauth.Config) {
			c.Timeout = 4 * time.Second
			c.Advanced.ClaimsProviders = append(c.Advanced.ClaimsProviders, oidcauth.ClaimsProvider{Issuer: registry, Claims: []string{"licence"}})
		})
		other := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: registry})
		w.network.Handle(registry, other)
		w.provider.BendUserInfo(func(tok *oidcauthtest.Token) {
			tok.AddSource("src1", w.distributed(), "score")
			tok.AddSource("src2", other.DistributedSource("app", map[string]any{"licence": "B"}), "licence")
		})
		signIn := func() time.Duration {
			began := time.Now()
			w.anew()
			w.signIn()
			require.Equal(t, "B", w.claims()["licence"])
			return time.Since(began)
		}
		require.Less(t, signIn(), time.Second)
		require.EqualValues(t, 650, w.claims()["score"])
		w.bureau.Intercept(oidcauthtest.Claims, oidcauthtest.Hang(nil))
		require.Equal(t, 4*time.Second, signIn())
		require.NotContains(t, w.claims(), "score")
		require.Zero(t, signIn(), "left alone")
		require.Equal(t, 2, w.bureau.Count(oidcauthtest.Claims))
		w.bureau.Intercept(oidcauthtest.Claims)
		time.Sleep(time.Second)
		require.Zero(t, signIn())
		require.EqualValues(t, 650, w.claims()["score"])
	})
}

// A browser that leaves does not end the call, and so can't make a claims provider look dead.
func TestABrowserThatLeavesDoesNotEndTheCallOfASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBureauWorld(t)
		w.says(w.distributed())
		w.bureau.Intercept(oidcauthtest.Claims, oidcauthtest.Delay(2*time.Second))
		callback := w.callbackURL()
		gone := time.Now().Add(time.Second)
		w.raw(http.MethodGet, callback.URL, w.cookiesOf(w.browser), func(r *http.Request) {
			ctx, cancel := context.WithDeadline(r.Context(), gone)
			t.Cleanup(cancel)
			*r = *r.WithContext(ctx)
		})
		require.Equal(t, http.StatusOK, w.bureau.Last(oidcauthtest.Claims).Status, "answered, not given up")
		require.NotContains(t, w.log.String(), "claim source refused")
	})
}

// What the application's transport does wrong is not the end of the process.
func TestAPanicInACallOfASourceIsAMissingClaim(t *testing.T) {
	w := newBureauWorld(t)
	panics := new(atomic.Bool)
	w.auth = newAuthenticator(t, w.world, func(c *oidcauth.Config) {
		inner := c.HTTPClient.Transport
		c.PAR = oidcauth.PAROff
		c.Advanced.ClaimsProviders = []oidcauth.ClaimsProvider{{Issuer: bureau, Claims: []string{"score"}}}
		c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if panics.Load() && strings.HasPrefix(r.URL.String(), bureau) {
				panic("a bug")
			}
			return inner.RoundTrip(r)
		})}
	})
	w.network.Handle(app, appMux(w.auth))
	w.says(w.distributed())
	w.signIn()
	require.EqualValues(t, 650, w.claims()["score"])
	panics.Store(true)
	w.anew()
	w.signIn()
	require.NotContains(t, w.claims(), "score")
	require.Contains(t, w.log.String(), "panic recovered")
}

// Keys of a claims provider that has changed them are fetched again.
func TestAClaimsProviderMayRotateItsKey(t *testing.T) {
	w := newBureauWorld(t)
	w.says(w.aggregated())
	w.signIn()
	w.bureau.RotateKey()
	w.says(w.aggregated())
	w.anew()
	w.signIn()
	require.EqualValues(t, 650, w.claims()["score"])
	require.Equal(t, 2, w.bureau.Count(oidcauthtest.JWKS))
}
