package settings_test

import (
	"crypto/rsa"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/settings"
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
	c, err := settings.Parse(environment{}.get)
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
		c, err := settings.Parse(production().with("OIDC_RESPONSE_MODE", string(mode), "OIDC_PAR", "on").get)
		require.NoError(t, err)
		require.Equal(t, mode, c.OIDC.ResponseMode)
		require.Equal(t, oidcauth.PAROn, c.OIDC.PAR)
		require.False(t, c.OIDC.Advanced.SignedRequests)
	}
	signing := production().with("OIDC_CLIENT_KEY_FILE", keys["rsa"], "OIDC_SIGNED_REQUESTS", "true", "OIDC_CLIENT_KEY_AUDIENCE", "https://id.example.com/token")
	c, err := settings.Parse(signing.with("OIDC2_ISSUER", "https://partner.example.com", "OIDC2_CLIENT_ID", "two").get)
	require.NoError(t, err)
	require.True(t, c.OIDC.Advanced.SignedRequests)
	require.Equal(t, "https://id.example.com/token", c.OIDC.ClientAuth.Audience)
	require.True(t, c.Second.OIDC.Advanced.SignedRequests)
	require.Empty(t, c.Second.OIDC.ClientAuth.Audience, "the other provider is another audience")
	c, err = settings.Parse(production().with(
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
		"OIDC_REVALIDATE_AFTER", "10m", "SESSION_DEVICE_BOUND", "require", "SESSION_BOUND_LIFE", "5m",
		"MACHINE_SCOPES", "read write", "OIDC_DPOP", "true", "OIDC_DECRYPTION_KEY_FILE", keys["rsa"],
	)
	c, err := settings.Parse(env.get)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:9000", c.Addr)
	require.False(t, c.Embedded)
	require.Equal(t, []string{young, old}, c.Session.Keys)
	require.False(t, c.RandomKeys)
	require.True(t, c.Session.ServerSide)
	require.Equal(t, 2*time.Hour, c.Session.Lifetime)
	require.Equal(t, 10*time.Minute, c.Session.IdleTimeout)
	require.Equal(t, session.DeviceRequire, c.Session.DeviceBound)
	require.Equal(t, 5*time.Minute, c.Session.BoundLife)
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
		c, err := settings.Parse(production().with("OIDC_REVALIDATE_AFTER", never).get)
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
		c, err := settings.Parse(base.with(pairs...).get)
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
		{"sessions in PostgreSQL", production().with("SESSION_STORE", "postgres", "DATABASE_URL", "postgresql://app:pw@127.0.0.1:5432/app?sslmode=disable")},
		{"sessions in SQLite", production().with("SESSION_STORE", "sqlite", "DATABASE_URL", "file:///var/lib/app/sessions.db")},
		{"cookie sessions with revocations in a database", production().with("DATABASE_URL", "file:sessions.db")},
		{"a cluster", production().with("REDIS_URL", "rediss://:pw@redis-1:6379?addr=redis-2:6379&addr=redis-3:6379", "REDIS_CLUSTER", "true")},
		{"sentinels", production().with("SESSION_STORE", "redis", "REDIS_URL", "redis://:pw@sentinel-1:26379/1?addr=sentinel-2:26379", "REDIS_SENTINEL_MASTER", "main")},
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
			_, err := settings.Parse(tt.env.get)
			require.NoError(t, err)
		})
	}
	c, err := settings.Parse(environment{"OIDC_MAX_AGE": "0"}.get)
	require.NoError(t, err)
	require.Negative(t, c.OIDC.Login.MaxAge, "0 is sent, which oidcauth says with a negative value")
}

func TestAFileGetsWhatTheStoreNeedsOfIt(t *testing.T) {
	for given, want := range map[string]string{
		"file:a.db":                                    "file:a.db?_pragma=busy_timeout(3000)&_pragma=journal_mode(WAL)",
		"file:/x/a.db?_pragma=busy_timeout(10)":        "file:/x/a.db?_pragma=busy_timeout(10)&_pragma=journal_mode(WAL)",
		"file:a.db?_pragma=journal_mode(DELETE)&vfs=x": "file:a.db?_pragma=busy_timeout(3000)&_pragma=journal_mode(DELETE)&vfs=x",
	} {
		c, err := settings.Parse(environment{"DATABASE_URL": given}.get)
		require.NoError(t, err)
		got, err := url.QueryUnescape(c.Database.SQLite)
		require.NoError(t, err)
		file, query, _ := strings.Cut(got, "?")
		parts := strings.Split(query, "&")
		slices.Sort(parts)
		require.Equal(t, want, file+"?"+strings.Join(parts, "&"))
	}
}
