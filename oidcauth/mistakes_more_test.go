package oidcauth_test

import (
	"html"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// Mistakes that are rarer than the likeliest: each text says what is wrong, and what to do.
var rarerMistakes = []struct {
	name, wrong, remedy string
	make                func(*testing.T) symptom
}{
	{
		name:  "a cookie domain of another site",
		make:  atStart(func(c *oidcauth.Config) { c.Session.CookieDomain = "other.test" }),
		wrong: `Session.CookieDomain: "other.test" does not cover RedirectURL's host "shop.example.com"`, remedy: "set it to that host or a parent domain, or leave it empty",
	},
	{
		name:  "a cookie path that leaves the callback out",
		make:  atStart(func(c *oidcauth.Config) { c.Session.CookiePath = "/shop" }),
		wrong: `Session.CookiePath: "/shop" does not cover "/auth/callback"`, remedy: `set it to "/", or to a path above both`,
	},
	{
		name: "an issuer that has moved",
		make: atTheProvider(nil, nil, func(w *world) {
			w.provider.Intercept(oidcauthtest.Discovery, oidcauthtest.Rewrite(func(a *oidcauthtest.Answer) {
				a.Status = http.StatusMovedPermanently
				a.Header.Set("Location", "https://login.provider.test/.well-known/openid-configuration")
			}))
		}),
		wrong: `a redirect to "https://login.provider.test/.well-known/openid-configuration": redirects are not followed`, remedy: "if that is your provider, configure its address",
	},
	{
		name: "form_post at a provider that answers by GET",
		make: func(t *testing.T) symptom {
			w := newWorld(t, formPost)
			return w.symptom(w.browser.Get(app + "/auth/callback?code=c&state=s"))
		},
		wrong: `the response came by GET, and Config.ResponseMode is "form_post"`, remedy: "set Config.ResponseMode to Query",
	},
	{
		name: "pushed requests at a provider without an endpoint for them",
		make: atTheProvider(nil, func(c *oidcauth.Config) { c.PAR = oidcauth.PARRequire }, func(w *world) {
			w.provider.BendMetadata(func(o *oidcauthtest.Object) { o.Delete("pushed_authorization_request_endpoint") })
		}),
		wrong: "requests must be pushed", remedy: "set Config.PAR to PAROff",
	},
	{
		name: "a proxy that does not strip the prefix",
		make: func(t *testing.T) symptom {
			w := newWorld(t, func(c *oidcauth.Config) {
				c.RedirectURL, c.StrippedPrefix = "https://app.example.test/shop/auth/callback", "/shop"
			})
			w.mux.Handle("/shop/auth/", w.auth)
			return w.symptom(w.browser.Get(app + "/shop/auth/login"))
		},
		wrong: "path /shop/auth/login still has the prefix /shop", remedy: "have the proxy remove it, or leave StrippedPrefix empty",
	},
	{
		name:  "an API with a path",
		make:  atStart(func(c *oidcauth.Config) { c.APIs = []string{"https://api.example.com/v1"} }),
		wrong: `APIs: "https://api.example.com/v1": is not an origin`, remedy: `such as "https://api.example.com"`,
	},
	{
		name: "a secret beside a method that sends none",
		make: atStart(func(c *oidcauth.Config) {
			c.ClientAuth.Method = oidcauth.PublicClient
		}),
		wrong: "none sends no secret, but one is set", remedy: "remove it, or name the method that uses it",
	},
	{
		name: "device binding demanded over plain http",
		make: atStart(func(c *oidcauth.Config) {
			c.RedirectURL, c.Session.DeviceBound = "http://localhost:8080/auth/callback", session.DeviceRequire
		}),
		wrong: `DeviceRequire needs https, and RedirectURL is "http://localhost:8080/auth/callback"`, remedy: "use https, or DeviceOn",
	},
	{
		name:  "a made-up session key",
		make:  atStart(func(c *oidcauth.Config) { c.Session.Keys = []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="} }),
		wrong: "key 1 of 1: one repeated byte", remedy: "make a random key with openssl rand -base64 32",
	},
	{
		name:  "two ways to configure sessions",
		make:  atStart(func(c *oidcauth.Config) { c.Sessions = newManager(session.Config{Keys: []string{testKey}}) }),
		wrong: "Session and Sessions are both set", remedy: "give one of them",
	},
}

func TestRarerMistakesNameTheirFix(t *testing.T) {
	for _, m := range rarerMistakes {
		t.Run(m.name, func(t *testing.T) {
			s := m.make(t)
			var said string
			if s.answer == nil {
				require.Error(t, s.err)
				said = s.err.Error()
			} else {
				require.GreaterOrEqual(t, s.answer.Status, 400)
				require.NotContains(t, html.UnescapeString(s.answer.Body), m.remedy, "that is for the operator")
				said = lineWith(t, s.log, referenceOf(t, s.answer))
				require.NotContains(t, said, "level=DEBUG", "the operator would not see it")
			}
			t.Log(said)
			require.Contains(t, said, m.wrong)
			require.Contains(t, said, m.remedy)
		})
	}
}

func newManager(c session.Config) *session.Manager {
	m, err := session.New(c)
	if err != nil {
		panic(err)
	}
	return m
}
