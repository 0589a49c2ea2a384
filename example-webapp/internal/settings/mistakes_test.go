package settings_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/session"
)

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
		{"figures at no port", environment{"ADMIN_ADDR": "localhost"}, []string{"ADMIN_ADDR"}},
		{"a store time-out below zero", environment{"REDIS_TIMEOUT": "-3s"}, []string{"REDIS_TIMEOUT"}},
		{"a revalidation without a unit", environment{"OIDC_REVALIDATE_AFTER": "10"}, []string{"OIDC_REVALIDATE_AFTER"}},
		{"a revalidation before the login", environment{"OIDC_REVALIDATE_AFTER": "-1m"}, []string{"OIDC_REVALIDATE_AFTER"}},
		{"metadata without an age", environment{"OIDC_DISCOVERY_MAX_AGE": "never"}, []string{"OIDC_DISCOVERY_MAX_AGE"}},
		{"a switch that is neither on nor off", environment{"SESSION_FRESH_AFTER_REVOKE": "perhaps"}, []string{"SESSION_FRESH_AFTER_REVOKE"}},
		{"sessions that end at once", environment{"SESSION_LIFETIME": "0", "SESSION_IDLE": "0"}, []string{"SESSION_LIFETIME", "SESSION_IDLE"}},
		{"a life beyond what browsers keep", environment{"SESSION_LIFETIME": "9999h"}, []string{"SESSION_LIFETIME"}},
		{"a binding that is none", environment{"SESSION_DEVICE_BOUND": "yes"}, []string{"SESSION_DEVICE_BOUND"}},
		{"a binding that is demanded over plain http", environment{"SESSION_DEVICE_BOUND": "require"}, []string{"SESSION_DEVICE_BOUND"}},
		{"a binding that is demanded of cookies without Secure", environment{"SESSION_DEVICE_BOUND": "require", "COOKIE_INSECURE": "true"}, []string{"SESSION_DEVICE_BOUND"}},
		{"bound cookies that end at once", environment{"SESSION_BOUND_LIFE": "9s"}, []string{"SESSION_BOUND_LIFE"}},
		{"bound cookies that never end", environment{"SESSION_BOUND_LIFE": "61m"}, []string{"SESSION_BOUND_LIFE"}},
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
		{"a decryption key that is none", production().with("OIDC_DECRYPTION_KEY_FILE", "settings.go"), []string{"OIDC_DECRYPTION_KEY_FILE"}},
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
		{"a cluster without an address", environment{"REDIS_CLUSTER": "true"}, []string{"REDIS_CLUSTER"}},
		{"sentinels without an address", environment{"REDIS_SENTINEL_MASTER": "main"}, []string{"REDIS_SENTINEL_MASTER"}},
		{"a cluster with sentinels", environment{"REDIS_URL": "redis://127.0.0.1", "REDIS_CLUSTER": "true", "REDIS_SENTINEL_MASTER": "main"}, []string{"REDIS_SENTINEL_MASTER"}},
		{"a cluster that is neither true nor false", environment{"REDIS_URL": "redis://127.0.0.1", "REDIS_CLUSTER": "on"}, []string{"REDIS_CLUSTER"}},
		{"a numbered database of a cluster", environment{"REDIS_URL": "redis://127.0.0.1/2", "REDIS_CLUSTER": "true"}, []string{"REDIS_URL"}},
		{"further nodes of one server", environment{"REDIS_URL": "redis://127.0.0.1?addr=127.0.0.2:6379"}, []string{"REDIS_URL"}},
		{"further nodes without a port", environment{"REDIS_URL": "redis://127.0.0.1?addr=127.0.0.2", "REDIS_CLUSTER": "true"}, []string{"REDIS_URL"}},
		{"a SQL store without an address", environment{"SESSION_STORE": "postgres"}, []string{"DATABASE_URL"}},
		{"a file without a name", environment{"SESSION_STORE": "sqlite", "DATABASE_URL": "file:"}, []string{"DATABASE_URL"}},
		{"a database in memory", environment{"SESSION_STORE": "sqlite", "DATABASE_URL": "file::memory:"}, []string{"DATABASE_URL"}},
		{"a database in memory, by a parameter", environment{"DATABASE_URL": "file:x?mode=memory"}, []string{"DATABASE_URL"}},
		{"a database of another kind", environment{"DATABASE_URL": "mysql://127.0.0.1/app"}, []string{"DATABASE_URL"}},
		{"an address that is no URL", environment{"DATABASE_URL": "postgres://127.0.0.1:port/app"}, []string{"DATABASE_URL"}},
		{"PostgreSQL in a file", environment{"SESSION_STORE": "postgres", "DATABASE_URL": "file:sessions.db"}, []string{"DATABASE_URL"}},
		{"SQLite on a server", environment{"SESSION_STORE": "sqlite", "DATABASE_URL": "postgres://127.0.0.1/app"}, []string{"DATABASE_URL"}},
		{"two stores", environment{"DATABASE_URL": "postgres://127.0.0.1/app", "REDIS_URL": "redis://127.0.0.1"}, []string{"DATABASE_URL"}},
		{"two stores, one of them for sessions", environment{"SESSION_STORE": "redis", "DATABASE_URL": "file:x.db", "REDIS_URL": "redis://127.0.0.1"}, []string{"DATABASE_URL"}},
		{"Redis in a database", environment{"SESSION_STORE": "redis", "DATABASE_URL": "file:x.db"}, []string{"REDIS_URL"}},
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
			_, err := settings.Parse(tt.env.get)
			require.Error(t, err)
			require.Equal(t, tt.names, namesIn(err), "in\n%v", err)
		})
	}
}

func TestConfigNamesEveryMistakeAtOnce(t *testing.T) {
	_, err := settings.Parse(environment{
		"ADDR": "x", "BASE_URL": "ftp://x", "OIDC_PAR": "x", "OIDC_TIMEOUT": "x", "SESSION_KEYS": "x", "REDIS_URL": "x",
	}.get)
	require.Equal(t, []string{"ADDR", "BASE_URL", "OIDC_ISSUER", "OIDC_PAR", "OIDC_TIMEOUT", "REDIS_URL", "SESSION_KEYS"}, slices.Sorted(slices.Values(namesIn(err))))
}

func TestConfigErrorsKeepSecrets(t *testing.T) {
	_, err := settings.Parse(production().with(
		"REDIS_URL", "http://user:redis-password@127.0.0.1", "SESSION_KEYS", "not-a-key-but-secret", "OIDC_CLIENT_SECRET", "hush-hush",
		"DATABASE_URL", "postgres://user:database-password@127.0.0.1:port/app",
		"OIDC_CLIENT_AUTH", "x", "OIDC_ISSUER", "https://user:issuer-password@id.example.com",
	).get)
	require.Error(t, err)
	for _, secret := range []string{"redis-password", "database-password", "not-a-key-but-secret", "hush-hush", "issuer-password"} {
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
