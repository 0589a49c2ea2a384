package oidcauth_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

func TestTheMetadataOfAnAPISayWhoseTokensItTakes(t *testing.T) {
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) {
		c.URL, c.PublishMetadata, c.ScopesSupported = ordersAPI+"/v1", true, []string{"read"}
	})
	require.Equal(t, "/.well-known/oauth-protected-resource/v1", w.resource.MetadataPath())
	require.Contains(t, w.ask().Header().Get("WWW-Authenticate"), `resource_metadata="`+ordersAPI+`/.well-known/oauth-protected-resource/v1"`)
	answer := askOf(http.HandlerFunc(w.resource.ServeMetadata), http.MethodGet, w.resource.MetadataPath())
	var m map[string]any
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &m))
	require.Equal(t, ordersAPI+"/v1", m["resource"])
	require.Equal(t, []any{oidcauthtest.DefaultIssuer}, m["authorization_servers"])
	require.Equal(t, []any{"header"}, m["bearer_methods_supported"])
	require.Equal(t, []any{"read"}, m["scopes_supported"])
	require.Equal(t, http.StatusMethodNotAllowed, askOf(http.HandlerFunc(w.resource.ServeMetadata), http.MethodPost, "/").Code)
	require.NotContains(t, newOrdersWorld(t).ask().Header().Get("WWW-Authenticate"), "resource_metadata", "nobody is sent where nothing is")
}

func TestMistakesInAResourceConfigAreNamed(t *testing.T) {
	issuer := []oidcauth.TokenIssuer{{Issuer: "https://id.example"}}
	good := oidcauth.ResourceConfig{URL: ordersAPI, Audience: []string{"x"}, Issuers: issuer}
	_, err := oidcauth.NewResource(good)
	require.NoError(t, err)
	w := newWorld(t)
	for want, change := range map[string]func(*oidcauth.ResourceConfig){
		"URL: is empty":               func(c *oidcauth.ResourceConfig) { c.URL = "" },
		"must be https":               func(c *oidcauth.ResourceConfig) { c.URL = "http://api.example.test" },
		"has a query":                 func(c *oidcauth.ResourceConfig) { c.URL = ordersAPI + "?x" },
		"clean absolute path":         func(c *oidcauth.ResourceConfig) { c.URL = ordersAPI + "/a/../b" },
		"Audience: is empty":          func(c *oidcauth.ResourceConfig) { c.Audience = nil },
		"Audience: has an empty name": func(c *oidcauth.ResourceConfig) { c.Audience = []string{""} },
		"which of the two counts":     func(c *oidcauth.ResourceConfig) { c.InsecureAnyAudience = true },
		"Issuers: is empty":           func(c *oidcauth.ResourceConfig) { c.Issuers = nil },
		"SigningAlgs: is empty":       func(c *oidcauth.ResourceConfig) { c.SigningAlgs = []string{} },
		"SigningAlgs: \"HS256\"":      func(c *oidcauth.ResourceConfig) { c.SigningAlgs = []string{"HS256"} },
		"Skew, Timeout":               func(c *oidcauth.ResourceConfig) { c.Skew = time.Hour },
		"without a Store":             func(c *oidcauth.ResourceConfig) { c.Keys = []string{testKey} },
		"oidcauth: Keys: ":            func(c *oidcauth.ResourceConfig) { c.Store = session.NewMemoryStore() },
		"Issuers[0].Issuer":           func(c *oidcauth.ResourceConfig) { c.Issuers = []oidcauth.TokenIssuer{{Issuer: "http://id.example"}} },
		"Issuers[0].Tenants": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example/{tenantid}"}}
		},
		"is Introspect due": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example", ClientID: "x"}}
		},
		"asks in a client's name": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example", Introspect: true}}
		},
		"fields that Auth brings": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Auth: w.auth, Issuer: "https://id.example"}}
		},
		"has an Auth, and fields": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Auth: w.auth, ClientAuth: oidcauth.ClientAuth{Method: oidcauth.ClientSecretPost}}}
		},
		"that nothing is asked for": func(c *oidcauth.ResourceConfig) {
			c.Issuers = []oidcauth.TokenIssuer{{Issuer: "https://id.example", ClientAuth: oidcauth.ClientAuth{Method: oidcauth.ClientSecretPost}}}
		},
		"2 of them introspect": func(c *oidcauth.ResourceConfig) {
			one := oidcauth.TokenIssuer{Issuer: "https://id.example", Introspect: true, ClientID: "x", ClientSecret: "y"}
			c.Issuers = []oidcauth.TokenIssuer{one, one}
		},
	} {
		c := good
		change(&c)
		_, err := oidcauth.NewResource(c)
		require.ErrorContains(t, err, want)
	}
}
