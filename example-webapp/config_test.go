package main_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	main "github.com/signet-go/signet/example-webapp"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// An environment is what os.Getenv would answer.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// with returns a copy with more variables: name, value, name, value …
func (e environment) with(pairs ...string) environment {
	e = maps.Clone(e)
	for i := 0; i < len(pairs); i += 2 {
		e[pairs[i]] = pairs[i+1]
	}
	return e
}

// production is a complete configuration for another provider on another host.
func production() environment {
	return environment{
		"BASE_URL": "https://shop.example.com", "OIDC_ISSUER": "https://id.example.com/", "OIDC_CLIENT_ID": "shop",
		"OIDC_CLIENT_SECRET": "s3cr3t-of-the-client", "SESSION_KEYS": session.NewKey(),
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := main.ParseConfig(environment{}.get)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", c.Addr)
	require.Equal(t, "http://localhost:8080", c.BaseURL.String())
	require.Equal(t, "http://localhost:8080/demo/api", c.API.String())
	require.True(t, c.Embedded)
	require.True(t, c.RandomKeys)
	require.Len(t, c.Session.Keys, 1)
	require.Equal(t, 12*time.Hour, c.Session.Lifetime)
	require.Equal(t, time.Hour, c.Session.IdleTimeout)
	require.False(t, c.Session.ServerSide)
	require.Equal(t, "cookie", c.Store)
	require.Equal(t, 3*time.Second, c.Session.StoreTimeout)
	require.Nil(t, c.Redis)
	require.Nil(t, c.MachineScopes)
	o := c.OIDC
	require.Equal(t, "http://localhost:8080/auth/callback", o.RedirectURL)
	require.Equal(t, oidcauth.ClientSecretBasic, o.ClientAuth.Method)
	require.Equal(t, []string{"openid", "profile", "email", "offline_access"}, o.Scopes)
	require.Equal(t, oidcauth.Query, o.ResponseMode)
	require.Equal(t, oidcauth.UserInfoOn, o.UserInfo)
	require.Equal(t, oidcauth.PARAuto, o.PAR)
	require.Equal(t, oidcauth.LoginOptions{}, o.Login)
	require.Equal(t, "RS256", o.SigningAlg)
	require.Equal(t, "roles", o.RolesClaim)
	require.Equal(t, 15*time.Minute, o.LoginTimeout)
	require.Equal(t, 10*time.Second, o.Timeout)
	require.Equal(t, 24*time.Hour, o.DiscoveryMaxAge)
}

func TestConfigReadsHowRequestsAndResponsesTravel(t *testing.T) {
	keys := writeKeys(t)
	for _, mode := range []oidcauth.ResponseMode{oidcauth.FormPost, oidcauth.QueryJWT, oidcauth.FormPostJWT} {
		c, err := main.ParseConfig(production().with("OIDC_RESPONSE_MODE", string(mode), "OIDC_PAR", "on").get)
		require.NoError(t, err)
		require.Equal(t, mode, c.OIDC.ResponseMode)
		require.Equal(t, oidcauth.PAROn, c.OIDC.PAR)
		require.False(t, c.OIDC.Advanced.SignedRequests)
	}
	signing := production().with("OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_SIGNED_REQUESTS", "true", "OIDC_CLIENT_KEY_AUDIENCE", "https://id.example.com/token")
	c, err := main.ParseConfig(signing.with("OIDC2_ISSUER", "https://partner.example.com", "OIDC2_CLIENT_ID", "two").get)
	require.NoError(t, err)
	require.True(t, c.OIDC.Advanced.SignedRequests)
	require.Equal(t, "https://id.example.com/token", c.OIDC.ClientAuth.Audience)
	require.True(t, c.Second.OIDC.Advanced.SignedRequests)
	require.Empty(t, c.Second.OIDC.ClientAuth.Audience, "the other provider is another audience")
	c, err = main.ParseConfig(production().with(
		"OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "PS256", "OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_CLIENT_KEY_AUDIENCE", production()["OIDC_ISSUER"],
	).get)
	require.NoError(t, err, "the issuer is what the profile wants")
	require.Equal(t, c.OIDC.Issuer, c.OIDC.ClientAuth.Audience)
}

func TestConfigReadsEveryVariable(t *testing.T) {
	keys := writeKeys(t)
	old, young := session.NewKey(), session.NewKey()
	env := production().with(
		"ADDR", "0.0.0.0:9000", "OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_CLIENT_KEY_ALG", "RS256", "OIDC_CLIENT_KEY_ID", "k1",
		"OIDC_CLIENT_CERT_FILE", keys["cert"], "OIDC_SCOPES", "openid  api", "OIDC_RESPONSE_MODE", "form_post",
		"OIDC_SIGNING_ALG", "ES256", "OIDC_USERINFO", "false", "OIDC_PAR", "require", "OIDC_PROMPT", "consent",
		"OIDC_MAX_AGE", "3600", "OIDC_ACR_VALUES", "gold silver", "OIDC_RESOURCE", "https://a.example https://b.example",
		"OIDC_LOGIN_TIMEOUT", "5m", "OIDC_ROLES_CLAIM", "realm_access.roles", "SESSION_KEYS", young+"\n"+old,
		"SESSION_STORE", "redis", "REDIS_URL", "redis://:pw@127.0.0.1:6379/2", "SESSION_LIFETIME", "2h", "SESSION_IDLE", "10m",
		"OIDC_TIMEOUT", "2s", "REDIS_TIMEOUT", "1s", "OIDC_DISCOVERY_MAX_AGE", "1h", "API_URL", "https://api.example.com/v1",
		"OIDC_REVALIDATE_AFTER", "10m",
		"MACHINE_SCOPES", "read write", "OIDC_DPOP", "true", "OIDC_DECRYPTION_KEY_FILE", keys["rsa"],
	)
	c, err := main.ParseConfig(env.get)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:9000", c.Addr)
	require.False(t, c.Embedded)
	require.Equal(t, []string{young, old}, c.Session.Keys)
	require.False(t, c.RandomKeys)
	require.True(t, c.Session.ServerSide)
	require.Equal(t, 2*time.Hour, c.Session.Lifetime)
	require.Equal(t, 10*time.Minute, c.Session.IdleTimeout)
	require.Equal(t, "127.0.0.1:6379", c.Redis.Addr)
	require.Equal(t, 2, c.Redis.DB)
	require.Equal(t, time.Second, c.Session.StoreTimeout)
	require.Equal(t, "https://api.example.com/v1", c.API.String())
	require.Equal(t, []string{"read", "write"}, c.MachineScopes)
	o := c.OIDC
	require.Equal(t, "https://id.example.com/", o.Issuer, "kept to the byte")
	require.Equal(t, "https://shop.example.com/auth/callback", o.RedirectURL)
	require.Equal(t, oidcauth.PrivateKeyJWT, o.ClientAuth.Method)
	require.Empty(t, o.ClientSecret, "a key is used instead")
	require.IsType(t, &rsa.PrivateKey{}, o.ClientAuth.Key)
	require.Equal(t, "RS256", o.ClientAuth.Alg)
	require.Equal(t, "k1", o.ClientAuth.KeyID)
	require.True(t, o.Advanced.DPoP)
	require.False(t, o.Advanced.FAPI)
	require.Len(t, o.Advanced.DecryptionKeys, 1)
	require.NotNil(t, o.ClientAuth.Certificate)
	require.Equal(t, []string{"openid", "api"}, o.Scopes)
	require.Equal(t, oidcauth.FormPost, o.ResponseMode)
	require.Equal(t, "ES256", o.SigningAlg)
	require.Equal(t, oidcauth.UserInfoOff, o.UserInfo)
	require.Equal(t, oidcauth.PARRequire, o.PAR)
	require.Equal(t, oidcauth.LoginOptions{
		Prompt: "consent", MaxAge: time.Hour, ACRValues: []string{"gold", "silver"}, Resource: []string{"https://a.example", "https://b.example"},
	}, o.Login)
	require.Equal(t, 5*time.Minute, o.LoginTimeout)
	require.Equal(t, "realm_access.roles", o.RolesClaim)
	require.Equal(t, 2*time.Second, o.Timeout)
	require.Equal(t, time.Hour, o.DiscoveryMaxAge)
	require.Equal(t, 10*time.Minute, o.RevalidateAfter)
}

func TestSessionsAreConfirmedNeverUnlessAsked(t *testing.T) {
	for _, never := range []string{"", "0", "0s"} {
		c, err := main.ParseConfig(production().with("OIDC_REVALIDATE_AFTER", never).get)
		require.NoError(t, err)
		require.Zero(t, c.OIDC.RevalidateAfter)
	}
}

func TestConfigOfASecondProvider(t *testing.T) {
	keys := writeKeys(t)
	base := production().with(
		"OIDC_SCOPES", "openid api", "OIDC_TIMEOUT", "2s", "OIDC2_ISSUER", "https://partner.example.com/", "OIDC2_CLIENT_ID", "two", "OIDC2_CLIENT_SECRET", "hush",
	)
	parse := func(t *testing.T, pairs ...string) (first, second oidcauth.Config, name string) {
		c, err := main.ParseConfig(base.with(pairs...).get)
		require.NoError(t, err)
		return c.OIDC, c.Second.OIDC, c.Second.Name
	}
	t.Run("what it has of its own", func(t *testing.T) {
		first, second, name := parse(t)
		require.Equal(t, "https://partner.example.com/", second.Issuer)
		require.Equal(t, "https://shop.example.com/auth2/callback", second.RedirectURL)
		require.Equal(t, "two", second.ClientID)
		require.Equal(t, "hush", second.ClientSecret)
		require.Equal(t, "partner.example.com", name)
		require.NotEqual(t, first.ClientSecret, second.ClientSecret)
		require.Equal(t, "https://shop.example.com/auth/callback", first.RedirectURL)
	})
	t.Run("what both share", func(t *testing.T) {
		_, second, name := parse(t, "OIDC2_NAME", "Partner login")
		require.Equal(t, "Partner login", name)
		require.Equal(t, []string{"openid", "api"}, second.Scopes)
		require.Equal(t, 2*time.Second, second.Timeout)
	})
	t.Run("a secret beside the first one's key", func(t *testing.T) {
		first, second, _ := parse(t, "OIDC_CLIENT_KEY_FILE", keys["p256"])
		require.Equal(t, oidcauth.PrivateKeyJWT, first.ClientAuth.Method)
		require.Equal(t, oidcauth.ClientAuth{Method: oidcauth.ClientSecretBasic}, second.ClientAuth)
	})
	t.Run("the first one's key, where there is no secret", func(t *testing.T) {
		_, second, _ := parse(t, "OIDC_CLIENT_KEY_FILE", keys["p256"], "OIDC2_CLIENT_SECRET", "")
		require.Equal(t, oidcauth.PrivateKeyJWT, second.ClientAuth.Method)
		require.Empty(t, second.ClientSecret)
	})
}

func TestConfigAccepts(t *testing.T) {
	keys := writeKeys(t)
	tests := []struct {
		name string
		env  environment
	}{
		{"an http issuer on loopback", production().with("OIDC_ISSUER", "http://127.0.0.1:9000/op")},
		{"a public client without a secret", production().with("OIDC_CLIENT_AUTH", "none", "OIDC_CLIENT_SECRET", "")},
		{"client_secret_post", production().with("OIDC_CLIENT_AUTH", "client_secret_post")},
		{"tls_client_auth with a certificate", production().with("OIDC_CLIENT_AUTH", "tls_client_auth", "OIDC_CLIENT_CERT_FILE", keys["cert"])},
		{"a P-256 key", production().with("OIDC_CLIENT_KEY_FILE", keys["p256"])},
		{"an Ed25519 key", production().with("OIDC_CLIENT_KEY_FILE", keys["ed25519"], "OIDC_CLIENT_KEY_ALG", "EdDSA")},
		{"a key of old form (PKCS #1)", production().with("OIDC_CLIENT_KEY_FILE", keys["pkcs1"])},
		{"a key of old form (SEC 1) behind its parameters", production().with("OIDC_CLIENT_KEY_FILE", keys["sec1"])},
		{"a max_age of 0", production().with("OIDC_MAX_AGE", "0")},
		{"cookies without Secure on [::1]", environment{"BASE_URL": "http://[::1]:8080", "COOKIE_INSECURE": "true"}},
		{"sessions in memory", environment{"SESSION_STORE": "memory"}},
		{"cookie sessions with revocations in Redis", production().with("REDIS_URL", "redis://127.0.0.1:6379")},
		{"DPoP", environment{"OIDC_DPOP": "true"}},
		{"FAPI with a key", production().with("OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "PS256", "OIDC_CLIENT_KEY_FILE", keys["rsa"])},
		{"FAPI with a certificate", production().with("OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "ES256", "OIDC_CLIENT_AUTH", "tls_client_auth", "OIDC_CLIENT_CERT_FILE", keys["cert"])},
		{"FAPI with the embedded provider", environment{"OIDC_FAPI": "true", "OIDC_SIGNING_ALG": "ES256", "OIDC_CLIENT_KEY_FILE": keys["p256"]}},
		{"an RSA key to decrypt with", production().with("OIDC_DECRYPTION_KEY_FILE", keys["rsa"])},
		{"a P-256 key to decrypt with", production().with("OIDC_DECRYPTION_KEY_FILE", keys["p256"])},
		{"features that are off anyway", environment{"OIDC_FAPI": "false", "OIDC_DPOP": "false"}},
		{"an origin with a closing slash", environment{"BASE_URL": "http://127.0.0.1:8080/"}},
		{"a path that a proxy strips", environment{"BASE_URL": "http://127.0.0.1:8080/shop/v1"}},
		{"a path with a closing slash", environment{"BASE_URL": "http://127.0.0.1:8080/shop/"}},
		{"a callback elsewhere", environment{"OIDC_CALLBACK_PATH": "/signin-oidc"}},
		{"a callback beside the own routes", environment{"OIDC_CALLBACK_PATH": "/auth/cb"}},
		{"a callback that begins like a page", environment{"OIDC_CALLBACK_PATH": "/profile-callback"}},
		{"a second provider", production().with("OIDC2_ISSUER", "https://partner.example.com", "OIDC2_CLIENT_ID", "two", "OIDC2_CLIENT_SECRET", "hush")},
		{"a second provider beside the embedded one", environment{"OIDC2_ISSUER": "http://127.0.0.1:9000", "OIDC2_CLIENT_ID": "two", "OIDC2_CLIENT_SECRET": "hush"}},
		{"two public clients", production().with("OIDC_CLIENT_AUTH", "none", "OIDC_CLIENT_SECRET", "", "OIDC2_ISSUER", "https://partner.example.com", "OIDC2_CLIENT_ID", "two")},
		{"one key at two providers", production().with("OIDC_CLIENT_KEY_FILE", keys["p256"], "OIDC2_ISSUER", "https://partner.example.com", "OIDC2_CLIENT_ID", "two")},
		{"no keys where nobody else can come", production().with("BASE_URL", "http://localhost:8080", "SESSION_KEYS", "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := main.ParseConfig(tt.env.get)
			require.NoError(t, err)
		})
	}
	c, err := main.ParseConfig(environment{"OIDC_MAX_AGE": "0"}.get)
	require.NoError(t, err)
	require.Negative(t, c.OIDC.Login.MaxAge, "0 is sent, which oidcauth says with a negative value")
}

func TestConfigMistakes(t *testing.T) {
	keys := writeKeys(t)
	key := session.NewKey()
	tests := []struct {
		name  string
		env   environment
		names []string // the variables that the message has to name, and no others
	}{
		{"an address without port", environment{"ADDR": "localhost"}, []string{"ADDR"}},
		{"an address with a port that is none", environment{"ADDR": "localhost:http"}, []string{"ADDR"}},
		{"a base URL with an odd path", environment{"BASE_URL": "http://localhost:8080/a%20b"}, []string{"BASE_URL"}},
		{"a base URL with dots", environment{"BASE_URL": "http://localhost:8080/a/../b"}, []string{"BASE_URL"}},
		{"a base URL with two slashes", environment{"BASE_URL": "http://localhost:8080//a"}, []string{"BASE_URL"}},
		{"a callback that is relative", environment{"OIDC_CALLBACK_PATH": "signin-oidc"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback at the start page", environment{"OIDC_CALLBACK_PATH": "/"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback with a slash at its end", environment{"OIDC_CALLBACK_PATH": "/signin-oidc/"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback with a query", environment{"OIDC_CALLBACK_PATH": "/signin-oidc?x=1"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback that is a pattern", environment{"OIDC_CALLBACK_PATH": "/{path...}"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback with dots", environment{"OIDC_CALLBACK_PATH": "/a/../b"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback at a page", environment{"OIDC_CALLBACK_PATH": "/profile"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback below a page", environment{"OIDC_CALLBACK_PATH": "/errors/forbidden"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback below the API", environment{"OIDC_CALLBACK_PATH": "/api/callback"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback at the login", environment{"OIDC_CALLBACK_PATH": "/auth/login"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback at the own routes", environment{"OIDC_CALLBACK_PATH": "/auth"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a callback at the second provider's", environment{"OIDC_CALLBACK_PATH": "/auth2/callback"}, []string{"OIDC_CALLBACK_PATH"}},
		{"a base URL with a query", environment{"BASE_URL": "http://localhost:8080?x"}, []string{"BASE_URL"}},
		{"a base URL that is none", environment{"BASE_URL": "localhost:8080"}, []string{"BASE_URL"}},
		{"a base URL of another scheme", environment{"BASE_URL": "ftp://localhost"}, []string{"BASE_URL"}},
		{"plain http on another host", production().with("BASE_URL", "http://shop.example.com"), []string{"BASE_URL"}},
		{"a name that only looks like loopback", production().with("BASE_URL", "http://localhost.example.com"), []string{"BASE_URL"}},
		{"a public app with the embedded provider", environment{"BASE_URL": "https://shop.example.com", "SESSION_KEYS": key}, []string{"OIDC_ISSUER"}},
		{"a public app with made-up keys", production().with("SESSION_KEYS", ""), []string{"SESSION_KEYS"}},
		{"a plain http issuer", production().with("OIDC_ISSUER", "http://id.example.com"), []string{"OIDC_ISSUER"}},
		{"an issuer with a query", production().with("OIDC_ISSUER", "https://id.example.com?tenant=1"), []string{"OIDC_ISSUER"}},
		{"an issuer with a fragment", production().with("OIDC_ISSUER", "https://id.example.com#x"), []string{"OIDC_ISSUER"}},
		{"an issuer without a client", production().with("OIDC_CLIENT_ID", ""), []string{"OIDC_CLIENT_ID"}},
		{"a secret method without a secret", production().with("OIDC_CLIENT_SECRET", ""), []string{"OIDC_CLIENT_SECRET"}},
		{"an unknown client authentication", production().with("OIDC_CLIENT_AUTH", "client_secret_jwt"), []string{"OIDC_CLIENT_AUTH"}},
		{"a key with a secret method", production().with("OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_CLIENT_AUTH", "client_secret_post"), []string{"OIDC_CLIENT_AUTH"}},
		{"private_key_jwt without a key", production().with("OIDC_CLIENT_AUTH", "private_key_jwt"), []string{"OIDC_CLIENT_KEY_FILE"}},
		{"a key file that is not there", production().with("OIDC_CLIENT_KEY_FILE", "/nowhere.pem"), []string{"OIDC_CLIENT_KEY_FILE"}},
		{"a key file that is no PEM", production().with("OIDC_CLIENT_KEY_FILE", keys["text"]), []string{"OIDC_CLIENT_KEY_FILE"}},
		{"a key on a foreign curve", production().with("OIDC_CLIENT_KEY_FILE", keys["p384"]), []string{"OIDC_CLIENT_KEY_FILE"}},
		{"an algorithm of another key type", production().with("OIDC_CLIENT_KEY_FILE", keys["p256"], "OIDC_CLIENT_KEY_ALG", "PS256"), []string{"OIDC_CLIENT_KEY_ALG"}},
		{"key settings without a key", production().with("OIDC_CLIENT_KEY_ALG", "ES256", "OIDC_CLIENT_KEY_ID", "k"), []string{"OIDC_CLIENT_KEY_ALG", "OIDC_CLIENT_KEY_ID"}},
		{"tls_client_auth without a certificate", production().with("OIDC_CLIENT_AUTH", "tls_client_auth"), []string{"OIDC_CLIENT_CERT_FILE"}},
		{"a certificate file without its key", production().with("OIDC_CLIENT_CERT_FILE", keys["rsa"]), []string{"OIDC_CLIENT_CERT_FILE"}},
		{"a client certificate for the embedded provider", environment{"OIDC_CLIENT_CERT_FILE": keys["cert"]}, []string{"OIDC_CLIENT_CERT_FILE"}},
		{"a scope with a quote", environment{"OIDC_SCOPES": `openid "x"`, "MACHINE_SCOPES": "ä"}, []string{"MACHINE_SCOPES", "OIDC_SCOPES"}},
		{"an unknown response mode", environment{"OIDC_RESPONSE_MODE": "fragment"}, []string{"OIDC_RESPONSE_MODE"}},
		{"unsigned tokens", environment{"OIDC_SIGNING_ALG": "none"}, []string{"OIDC_SIGNING_ALG"}},
		{"tokens signed with the client secret", environment{"OIDC_SIGNING_ALG": "HS256"}, []string{"OIDC_SIGNING_ALG"}},
		{"a flag that is neither", environment{"OIDC_USERINFO": "maybe"}, []string{"OIDC_USERINFO"}},
		{"an unknown PAR mode", environment{"OIDC_PAR": "yes"}, []string{"OIDC_PAR"}},
		{"a max_age in words", environment{"OIDC_MAX_AGE": "1h"}, []string{"OIDC_MAX_AGE"}},
		{"a max_age below zero", environment{"OIDC_MAX_AGE": "-1"}, []string{"OIDC_MAX_AGE"}},
		{"a resource that is a path", environment{"OIDC_RESOURCE": "/api"}, []string{"OIDC_RESOURCE"}},
		{"a resource with a fragment", environment{"OIDC_RESOURCE": "https://api.example#x"}, []string{"OIDC_RESOURCE"}},
		{"a login time-out of zero", environment{"OIDC_LOGIN_TIMEOUT": "0s"}, []string{"OIDC_LOGIN_TIMEOUT"}},
		{"a duration without a unit", environment{"OIDC_TIMEOUT": "10"}, []string{"OIDC_TIMEOUT"}},
		{"a store time-out below zero", environment{"REDIS_TIMEOUT": "-3s"}, []string{"REDIS_TIMEOUT"}},
		{"a revalidation without a unit", environment{"OIDC_REVALIDATE_AFTER": "10"}, []string{"OIDC_REVALIDATE_AFTER"}},
		{"a revalidation before the login", environment{"OIDC_REVALIDATE_AFTER": "-1m"}, []string{"OIDC_REVALIDATE_AFTER"}},
		{"metadata without an age", environment{"OIDC_DISCOVERY_MAX_AGE": "never"}, []string{"OIDC_DISCOVERY_MAX_AGE"}},
		{"a switch that is neither on nor off", environment{"SESSION_FRESH_AFTER_REVOKE": "perhaps"}, []string{"SESSION_FRESH_AFTER_REVOKE"}},
		{"sessions that end at once", environment{"SESSION_LIFETIME": "0", "SESSION_IDLE": "0"}, []string{"SESSION_LIFETIME", "SESSION_IDLE"}},
		{"a life beyond what browsers keep", environment{"SESSION_LIFETIME": "9999h"}, []string{"SESSION_LIFETIME"}},
		{"FAPI without anything else", production().with("OIDC_FAPI", "true"), []string{"OIDC_SIGNING_ALG", "OIDC_CLIENT_AUTH"}},
		{"FAPI with weaker signatures", production().with("OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "RS256", "OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_CLIENT_KEY_ALG", "RS256"), []string{"OIDC_SIGNING_ALG", "OIDC_CLIENT_KEY_ALG"}},
		{"FAPI without pushed requests", production().with("OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "PS256", "OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_PAR", "off"), []string{"OIDC_PAR"}},
		{"FAPI with assertions for another than the issuer", production().with("OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "PS256", "OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_CLIENT_KEY_AUDIENCE", "https://id.example.com/token"), []string{"OIDC_CLIENT_KEY_AUDIENCE"}},
		{"an audience of assertions without a key", production().with("OIDC_CLIENT_KEY_AUDIENCE", "https://id.example.com/token"), []string{"OIDC_CLIENT_KEY_AUDIENCE"}},
		{"signed requests without a key", production().with("OIDC_SIGNED_REQUESTS", "true"), []string{"OIDC_SIGNED_REQUESTS"}},
		{"signed requests that are neither true nor false", production().with("OIDC_SIGNED_REQUESTS", "on"), []string{"OIDC_SIGNED_REQUESTS"}},
		{"FAPI that is neither true nor false", production().with("OIDC_FAPI", "2.0"), []string{"OIDC_FAPI"}},
		{"DPoP that is neither true nor false", production().with("OIDC_DPOP", "yes"), []string{"OIDC_DPOP"}},
		{"a decryption key that is not there", production().with("OIDC_DECRYPTION_KEY_FILE", "/nowhere.pem"), []string{"OIDC_DECRYPTION_KEY_FILE"}},
		{"a decryption key that can only sign", production().with("OIDC_DECRYPTION_KEY_FILE", keys["ed25519"]), []string{"OIDC_DECRYPTION_KEY_FILE"}},
		{"a decryption key that is none", production().with("OIDC_DECRYPTION_KEY_FILE", "config.go"), []string{"OIDC_DECRYPTION_KEY_FILE"}},
		{"a decryption key for the embedded provider", environment{"OIDC_DECRYPTION_KEY_FILE": keys["rsa"]}, []string{"OIDC_DECRYPTION_KEY_FILE"}},
		{"a short key", environment{"SESSION_KEYS": "c2hvcnQ="}, []string{"SESSION_KEYS"}},
		{"a repeated key", environment{"SESSION_KEYS": key + " " + key}, []string{"SESSION_KEYS"}},
		{"an all-zero key", environment{"SESSION_KEYS": strings.Repeat("A", 43) + "="}, []string{"SESSION_KEYS"}},
		{"cookies without Secure on another host", production().with("COOKIE_INSECURE", "true"), []string{"COOKIE_INSECURE"}},
		{"cookies without Secure with form_post", environment{"COOKIE_INSECURE": "true", "OIDC_RESPONSE_MODE": "form_post"}, []string{"COOKIE_INSECURE"}},
		{"cookies without Secure with form_post.jwt", environment{"COOKIE_INSECURE": "true", "OIDC_RESPONSE_MODE": "form_post.jwt"}, []string{"COOKIE_INSECURE"}},
		{"an unknown store", environment{"SESSION_STORE": "files"}, []string{"SESSION_STORE"}},
		{"Redis without an address", environment{"SESSION_STORE": "redis"}, []string{"REDIS_URL"}},
		{"an address that is not Redis", environment{"REDIS_URL": "http://127.0.0.1"}, []string{"REDIS_URL"}},
		{"a plain http API on another host", environment{"API_URL": "http://api.example.com"}, []string{"API_URL"}},
		{"an API without a host", environment{"API_URL": "/demo/api"}, []string{"API_URL"}},
	}
	second := func(pairs ...string) environment {
		return production().with("OIDC2_ISSUER", "https://partner.example.com", "OIDC2_CLIENT_ID", "two", "OIDC2_CLIENT_SECRET", "hush").with(pairs...)
	}
	tests = append(tests, []struct {
		name  string
		env   environment
		names []string
	}{
		{"a second client without a second issuer", second("OIDC2_ISSUER", "", "OIDC2_NAME", "Partner"), []string{"OIDC2_CLIENT_ID", "OIDC2_CLIENT_SECRET", "OIDC2_NAME"}},
		{"a second secret where banks want none", second("OIDC_FAPI", "true", "OIDC_CLIENT_KEY_FILE", keys["p256"], "OIDC_SIGNING_ALG", "ES256"), []string{"OIDC2_CLIENT_SECRET"}},
		{"a second issuer without a client", second("OIDC2_CLIENT_ID", ""), []string{"OIDC2_CLIENT_ID"}},
		{"a second secret method without a secret", second("OIDC2_CLIENT_SECRET", ""), []string{"OIDC2_CLIENT_SECRET"}},
		{"a plain http second issuer", second("OIDC2_ISSUER", "http://partner.example.com"), []string{"OIDC2_ISSUER"}},
		{"a second issuer with a query", second("OIDC2_ISSUER", "https://partner.example.com?x"), []string{"OIDC2_ISSUER"}},
		{"a second issuer that is none", second("OIDC2_ISSUER", "partner"), []string{"OIDC2_ISSUER"}},
		{"the same issuer twice", second("OIDC2_ISSUER", production()["OIDC_ISSUER"]), []string{"OIDC2_ISSUER"}},
	}...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := main.ParseConfig(tt.env.get)
			require.Error(t, err)
			require.Equal(t, tt.names, namesIn(err), "in\n%v", err)
		})
	}
}

func TestConfigNamesEveryMistakeAtOnce(t *testing.T) {
	_, err := main.ParseConfig(environment{
		"ADDR": "x", "BASE_URL": "ftp://x", "OIDC_PAR": "x", "OIDC_TIMEOUT": "x", "SESSION_KEYS": "x", "REDIS_URL": "x",
	}.get)
	require.Equal(t, []string{"ADDR", "BASE_URL", "OIDC_ISSUER", "OIDC_PAR", "OIDC_TIMEOUT", "REDIS_URL", "SESSION_KEYS"}, slices.Sorted(slices.Values(namesIn(err))))
}

func TestConfigErrorsKeepSecrets(t *testing.T) {
	_, err := main.ParseConfig(production().with(
		"REDIS_URL", "http://user:redis-password@127.0.0.1", "SESSION_KEYS", "not-a-key-but-secret", "OIDC_CLIENT_SECRET", "hush-hush",
		"OIDC_CLIENT_AUTH", "x", "OIDC_ISSUER", "https://user:issuer-password@id.example.com",
	).get)
	require.Error(t, err)
	for _, secret := range []string{"redis-password", "not-a-key-but-secret", "hush-hush", "issuer-password"} {
		require.NotContains(t, err.Error(), secret)
	}
}

// namesIn returns the variables that the lines of err begin with.
func namesIn(err error) []string {
	var names []string
	for line := range strings.Lines(err.Error()) {
		name, _, found := strings.Cut(line, ": ")
		if found && strings.ToUpper(name) == name && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// writeKeys writes one file of each kind.
func writeKeys(t *testing.T) map[string]string {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(p256)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, p256.Public(), p256)
	require.NoError(t, err)

	dir, files := t.TempDir(), make(map[string]string)
	write := func(name string, data ...[]byte) {
		files[name] = filepath.Join(dir, name+".pem")
		require.NoError(t, os.WriteFile(files[name], slices.Concat(data...), 0o600))
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return block("PRIVATE KEY", der)
	}
	write("rsa", pkcs8(rsaKey))
	write("p256", pkcs8(p256))
	write("p384", pkcs8(p384))
	write("ed25519", pkcs8(ed))
	write("pkcs1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)))
	write("sec1", block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), block("EC PRIVATE KEY", sec1))
	write("cert", block("CERTIFICATE", cert), pkcs8(p256))
	write("text", []byte("not a key"))
	_, err = tls.LoadX509KeyPair(files["cert"], files["cert"])
	require.NoError(t, err)
	return files
}
