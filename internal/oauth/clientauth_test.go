package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/providertest"
)

// authenticated makes one token request and returns it.
func authenticated(t *testing.T, op *providertest.OP, change ...func(*providertest.Config)) *http.Request {
	t.Helper()
	op.Handle("/token", 200, "application/json", goodAnswer)
	_, err := op.Endpoint(change...).Token(background(), grant())
	require.NoError(t, err)
	return op.Last("/token")
}

func TestBasicCredentialsAreFormEncodedFirst(t *testing.T) {
	r := authenticated(t, providertest.New(t), func(c *providertest.Config) { c.ClientID, c.ClientSecret = "shop:1 ü", "a b+c%d:é" })
	user, password, ok := r.BasicAuth()
	require.True(t, ok)
	require.Equal(t, "shop%3A1+%C3%BC", user)
	require.Equal(t, "a+b%2Bc%25d%3A%C3%A9", password)
	require.NotContains(t, r.PostForm, "client_secret")
	require.NotContains(t, r.PostForm, "client_id")
}

func TestSecretsInTheFormLeaveTheHeaderAlone(t *testing.T) {
	r := authenticated(t, providertest.New(t), func(c *providertest.Config) { c.ClientAuth.Method = clientSecretPost })
	require.Equal(t, clientID, r.PostForm.Get("client_id"))
	require.Equal(t, "secret-of-the-shop", r.PostForm.Get("client_secret"))
	require.Empty(t, r.Header.Get("Authorization"))
}

func TestAPublicClientSaysOnlyWhoItIs(t *testing.T) {
	for name, change := range map[string]func(*providertest.Config){
		"by name": func(c *providertest.Config) { c.ClientSecret, c.ClientAuth.Method = "", publicClient },
	} {
		t.Run(name, func(t *testing.T) {
			r := authenticated(t, providertest.New(t), change)
			require.Equal(t, clientID, r.PostForm.Get("client_id"))
			require.Empty(t, r.Header.Get("Authorization"))
			require.NotContains(t, r.PostForm, "client_secret")
			require.NotContains(t, r.PostForm, "client_assertion")
		})
	}
}

func TestASecretFuncIsAskedEachTime(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", 200, "application/json", goodAnswer)
	secrets := []string{"first", "second"}
	endpoint := op.Endpoint(func(c *providertest.Config) {
		c.ClientSecret = ""
		c.ClientAuth.SecretFunc = func(context.Context) (string, error) {
			s := secrets[0]
			secrets = secrets[1:]
			return s, nil
		}
	})
	for _, want := range []string{"first", "second"} {
		_, err := endpoint.Token(background(), grant())
		require.NoError(t, err)
		_, password, _ := op.Last("/token").BasicAuth()
		require.Equal(t, want, password)
	}
}

func TestAFailingSecretFuncSendsNothing(t *testing.T) {
	for name, f := range map[string]func(context.Context) (string, error){
		"an error":        func(context.Context) (string, error) { return "", errors.New("vault is sealed") },
		"an empty secret": func(context.Context) (string, error) { return "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			_, err := op.Endpoint(func(c *providertest.Config) { c.ClientAuth.SecretFunc = f }).Token(background(), grant())
			require.ErrorContains(t, requireEndpointError(t, err), "SecretFunc")
			require.Zero(t, op.Hits("/token"))
		})
	}
}

// kms hides a key behind crypto.Signer, as a key service does.
type kms struct{ key crypto.Signer }

func (k kms) Public() crypto.PublicKey { return k.key.Public() }

func (k kms) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(r, digest, opts)
}

func TestClientAssertions(t *testing.T) {
	for _, row := range []struct {
		name string
		key  crypto.Signer
		alg  string
		want string
	}{
		{"RSA signs PS256 unless told otherwise", rsaKey(), "", "PS256"},
		{"RSA signs RS256 when told", rsaKey(), "RS256", "RS256"},
		{"P-256 signs ES256", ecKey(), "", "ES256"},
		{"Ed25519 signs EdDSA", edKey(), "", "EdDSA"},
		{"a key in a service signs PS256", kms{rsaKey()}, "PS256", "PS256"},
		{"a key in a service signs ES256", kms{ecKey()}, "", "ES256"},
		{"a key in a service signs EdDSA", kms{edKey()}, "EdDSA", "EdDSA"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := authenticated(t, providertest.New(t), func(c *providertest.Config) {
					c.ClientSecret = ""
					c.ClientAuth = oauth.Client{Method: privateKeyJWT, Key: row.key, Alg: row.alg, KeyID: "2026-01"}
				})
				require.Equal(t, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", r.PostForm.Get("client_assertion_type"))
				require.Equal(t, clientID, r.PostForm.Get("client_id"))
				require.Empty(t, r.Header.Get("Authorization"))
				head, claims := verifyAssertion(t, r.PostForm.Get("client_assertion"), row.key.Public())
				require.Equal(t, m{"alg": row.want, "typ": "JWT", "kid": "2026-01"}, head)
				now := float64(time.Now().Unix())
				require.NotEmpty(t, claims["jti"])
				delete(claims, "jti")
				require.Equal(t, m{"iss": clientID, "sub": clientID, "aud": issuer, "iat": now, "exp": now + 60}, claims)
			})
		})
	}
}

func TestEveryRequestHasAnAssertionOfItsOwn(t *testing.T) {
	op := providertest.New(t)
	op.Handle("/token", 400, "application/json", `{"error":"invalid_request"}`)
	endpoint := op.Endpoint(func(c *providertest.Config) {
		c.ClientAuth = oauth.Client{Method: privateKeyJWT, Key: ecKey()}
	})
	seen := map[any]bool{}
	for range 1000 {
		_, err := endpoint.Token(background(), grant())
		requireEndpointError(t, err)
		_, claims := verifyAssertion(t, op.Last("/token").PostForm.Get("client_assertion"), ecKey().Public())
		require.GreaterOrEqual(t, len(claims["jti"].(string)), 22, "at least 128 bits")
		require.False(t, seen[claims["jti"]])
		seen[claims["jti"]] = true
	}
}

func TestTheAudienceOfAnAssertionNeverComesFromMetadata(t *testing.T) {
	op := providertest.New(t)
	op.Metadata["token_endpoint"] = "https://honest.example/token"
	op.Metadata["pushed_authorization_request_endpoint"] = "https://honest.example/par"
	assertion := func(c *providertest.Config) {
		c.ClientAuth = oauth.Client{Method: privateKeyJWT, Key: ecKey()}
	}
	r := authenticated(t, op, assertion)
	_, claims := verifyAssertion(t, r.PostForm.Get("client_assertion"), ecKey().Public())
	require.Equal(t, issuer, claims["aud"])
	r = authenticated(t, op, assertion, func(c *providertest.Config) { c.ClientAuth.Audience = issuer + "/oauth2/token" })
	_, claims = verifyAssertion(t, r.PostForm.Get("client_assertion"), ecKey().Public())
	require.Equal(t, issuer+"/oauth2/token", claims["aud"], "one string, which configuration names")
}

func TestAnAssertionNamesTheCertificateOfItsKey(t *testing.T) {
	certificate := providertest.Certificate(t, "app", nil)
	sum := sha256.Sum256(certificate.Certificate[0])
	for name, row := range map[string]struct {
		key         crypto.Signer
		certificate *tls.Certificate
		named       bool
	}{
		"the key's own certificate":                {certificate.PrivateKey.(crypto.Signer), certificate, true},
		"the key's own, behind a key service":      {kms{certificate.PrivateKey.(crypto.Signer)}, certificate, true},
		"a certificate of mutual TLS, another key": {ecKey(), certificate, false},
		"another kind of key":                      {rsaKey(), certificate, false},
		"bytes that are no certificate":            {ecKey(), &tls.Certificate{Certificate: [][]byte{[]byte("der")}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := authenticated(t, providertest.New(t), func(c *providertest.Config) {
				c.ClientAuth = oauth.Client{Method: privateKeyJWT, Key: row.key, Certificate: row.certificate}
			})
			head, _ := verifyAssertion(t, r.PostForm.Get("client_assertion"), row.key.Public())
			require.NotContains(t, head, "kid")
			if row.named {
				require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), head["x5t#S256"])
			} else {
				require.NotContains(t, head, "x5t#S256")
			}
		})
	}
}

func TestKeysThatCannotSignAreNamed(t *testing.T) {
	for name, auth := range map[string]oauth.Client{
		"no key":                 {},
		"P-384":                  {Key: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		"RS512":                  {Key: rsaKey(), Alg: "RS512"},
		"HS256":                  {Key: rsaKey(), Alg: "HS256"},
		"ES256 with an RSA key":  {Key: rsaKey(), Alg: "ES256"},
		"a service that is down": {Key: brokenKMS{}},
	} {
		t.Run(name, func(t *testing.T) {
			op := providertest.New(t)
			auth.Method = privateKeyJWT
			_, err := op.Endpoint(func(c *providertest.Config) { c.ClientAuth = auth }).Token(background(), grant())
			require.ErrorContains(t, requireEndpointError(t, err), "ClientAuth.Key")
			require.Zero(t, op.Hits("/token"))
		})
	}
}

func TestAnAssertionNeedsAnAudience(t *testing.T) {
	c := providertest.New(t).Config(func(c *providertest.Config) {
		c.Issuer, c.ClientAuth = "", oauth.Client{Method: privateKeyJWT, Key: ecKey()}
	})
	client := c.Client()
	_, err := c.Endpoint(c.Provider(client), client).TokenAt(background(), issuer+"/token", nil)
	require.ErrorContains(t, requireEndpointError(t, err), "ClientAuth.Audience")
}

type brokenKMS struct{}

func (brokenKMS) Public() crypto.PublicKey { return ecKey().Public() }

func (brokenKMS) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no service")
}

func TestClientCertificatesUseTheAliases(t *testing.T) {
	op := providertest.New(t)
	op.Metadata["mtls_endpoint_aliases"] = m{"token_endpoint": "https://mtls.op.example/token", "revocation_endpoint": "https://mtls.op.example/revoke"}
	mtls := func(c *providertest.Config) {
		c.ClientSecret = ""
		c.ClientAuth = oauth.Client{Method: tlsClientAuth, Certificate: &tls.Certificate{}}
	}
	r := authenticated(t, op, mtls)
	require.Equal(t, "mtls.op.example", r.URL.Host)
	require.Equal(t, clientID, r.PostForm.Get("client_id"))
	require.NoError(t, op.Endpoint(mtls).Revoke(background(), "t", "access_token"))
	require.Equal(t, "mtls.op.example", op.Last("/revoke").URL.Host)
	require.Equal(t, "op.example", authenticated(t, op).URL.Host, "without a certificate the usual endpoint serves")
}

func TestARefusedClientIsTold(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*providertest.Config)
		lists  any
		status int
		hint   string
	}{
		{"a secret that needs encoding", func(c *providertest.Config) { c.ClientSecret = "secret of/the+shop" }, nil, 401, "client_secret_post"},
		{"a client id that needs encoding", func(c *providertest.Config) { c.ClientID = "https://shop" }, nil, 400, "client_secret_post"},
		{"a method that isn't listed", func(*providertest.Config) {}, []string{"client_secret_post"}, 401, "set ClientAuth.Method"},
		{"a wrong secret", func(*providertest.Config) {}, []string{"client_secret_basic"}, 401, "check ClientID"},
		{"a wrong secret, nothing listed", func(*providertest.Config) {}, nil, 401, "check ClientID"},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := providertest.New(t)
			if row.lists != nil {
				op.Metadata["token_endpoint_auth_methods_supported"] = row.lists
			}
			op.Handle("/token", row.status, "application/json", `{"error":"invalid_client"}`)
			_, err := op.Endpoint(row.change).Token(background(), grant())
			require.Equal(t, "invalid_client", requireEndpointError(t, err).Code)
			require.Contains(t, op.Logged(), "client authentication refused")
			require.Contains(t, op.Logged(), row.hint)
			require.NotContains(t, op.Logged(), "secret of/the")
			require.Equal(t, 1, op.Hits("/token"), "no second way is tried")
		})
	}
}
