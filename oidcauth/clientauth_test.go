package oidcauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

// authenticated makes one token request and returns it.
func authenticated(t *testing.T, op *fakeOP, change ...func(*oidcauth.Config)) *http.Request {
	t.Helper()
	op.handle("/token", 200, "application/json", goodAnswer)
	_, err := op.endpoint(change...).Token(background(), grant())
	require.NoError(t, err)
	return op.last("/token")
}

func TestBasicCredentialsAreFormEncodedFirst(t *testing.T) {
	r := authenticated(t, newFakeOP(t), func(c *oidcauth.Config) { c.ClientID, c.ClientSecret = "shop:1 ü", "a b+c%d:é" })
	user, password, ok := r.BasicAuth()
	require.True(t, ok)
	require.Equal(t, "shop%3A1+%C3%BC", user)
	require.Equal(t, "a+b%2Bc%25d%3A%C3%A9", password)
	require.NotContains(t, r.PostForm, "client_secret")
	require.NotContains(t, r.PostForm, "client_id")
}

func TestSecretsInTheFormLeaveTheHeaderAlone(t *testing.T) {
	r := authenticated(t, newFakeOP(t), func(c *oidcauth.Config) { c.ClientAuth.Method = oidcauth.ClientSecretPost })
	require.Equal(t, clientID, r.PostForm.Get("client_id"))
	require.Equal(t, "secret-of-the-shop", r.PostForm.Get("client_secret"))
	require.Empty(t, r.Header.Get("Authorization"))
}

func TestAPublicClientSaysOnlyWhoItIs(t *testing.T) {
	for name, change := range map[string]func(*oidcauth.Config){
		"by name":      func(c *oidcauth.Config) { c.ClientSecret, c.ClientAuth.Method = "", oidcauth.PublicClient },
		"by no secret": func(c *oidcauth.Config) { c.ClientSecret = "" },
	} {
		t.Run(name, func(t *testing.T) {
			r := authenticated(t, newFakeOP(t), change)
			require.Equal(t, clientID, r.PostForm.Get("client_id"))
			require.Empty(t, r.Header.Get("Authorization"))
			require.NotContains(t, r.PostForm, "client_secret")
			require.NotContains(t, r.PostForm, "client_assertion")
		})
	}
}

func TestASecretFuncIsAskedEachTime(t *testing.T) {
	op := newFakeOP(t)
	op.handle("/token", 200, "application/json", goodAnswer)
	secrets := []string{"first", "second"}
	endpoint := op.endpoint(func(c *oidcauth.Config) {
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
		_, password, _ := op.last("/token").BasicAuth()
		require.Equal(t, want, password)
	}
}

func TestAFailingSecretFuncSendsNothing(t *testing.T) {
	for name, f := range map[string]func(context.Context) (string, error){
		"an error":        func(context.Context) (string, error) { return "", errors.New("vault is sealed") },
		"an empty secret": func(context.Context) (string, error) { return "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			op := newFakeOP(t)
			_, err := op.endpoint(func(c *oidcauth.Config) { c.ClientAuth.SecretFunc = f }).Token(background(), grant())
			require.ErrorContains(t, requireEndpointError(t, err), "SecretFunc")
			require.Zero(t, op.hits("/token"))
		})
	}
}

// verifyAssertion checks a client assertion as a strict provider does and returns header and claims.
func verifyAssertion(t *testing.T, raw string, key crypto.PublicKey) (header, claims m) {
	t.Helper()
	parts := strings.Split(raw, ".")
	require.Len(t, parts, 3)
	require.NoError(t, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[0])), &header))
	require.NoError(t, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &claims))
	sig := must(base64.RawURLEncoding.DecodeString(parts[2]))
	input := []byte(parts[0] + "." + parts[1])
	sum := sha256.Sum256(input)
	switch key := key.(type) {
	case *rsa.PublicKey:
		if header["alg"] == "PS256" {
			require.NoError(t, rsa.VerifyPSS(key, crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: 32}), "the salt is as long as the hash")
		} else {
			require.NoError(t, rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig))
		}
	case *ecdsa.PublicKey:
		require.Len(t, sig, 64)
		r, s := bigOf(sig[:32]), bigOf(sig[32:])
		require.True(t, ecdsa.Verify(key, sum[:], r, s))
	case ed25519.PublicKey:
		require.True(t, ed25519.Verify(key, input, sig))
	}
	return header, claims
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
				r := authenticated(t, newFakeOP(t), func(c *oidcauth.Config) {
					c.ClientSecret = ""
					c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: row.key, Alg: row.alg, KeyID: "2026-01"}
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
	op := newFakeOP(t)
	op.handle("/token", 400, "application/json", `{"error":"invalid_request"}`)
	endpoint := op.endpoint(func(c *oidcauth.Config) {
		c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: ecKey()}
	})
	seen := map[any]bool{}
	for range 1000 {
		_, err := endpoint.Token(background(), grant())
		requireEndpointError(t, err)
		_, claims := verifyAssertion(t, op.last("/token").PostForm.Get("client_assertion"), ecKey().Public())
		require.GreaterOrEqual(t, len(claims["jti"].(string)), 22, "at least 128 bits")
		require.False(t, seen[claims["jti"]])
		seen[claims["jti"]] = true
	}
}

func TestTheAudienceOfAnAssertionNeverComesFromMetadata(t *testing.T) {
	op := newFakeOP(t)
	op.metadata["token_endpoint"] = "https://honest.example/token"
	op.metadata["pushed_authorization_request_endpoint"] = "https://honest.example/par"
	assertion := func(c *oidcauth.Config) {
		c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: ecKey()}
	}
	r := authenticated(t, op, assertion)
	_, claims := verifyAssertion(t, r.PostForm.Get("client_assertion"), ecKey().Public())
	require.Equal(t, issuer, claims["aud"])
	r = authenticated(t, op, assertion, func(c *oidcauth.Config) { c.ClientAuth.Audience = issuer + "/oauth2/token" })
	_, claims = verifyAssertion(t, r.PostForm.Get("client_assertion"), ecKey().Public())
	require.Equal(t, issuer+"/oauth2/token", claims["aud"], "one string, which configuration names")
}

func TestAnAssertionNamesTheCertificateOfItsKey(t *testing.T) {
	certificate := newCertificate(t, "app", nil)
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
			r := authenticated(t, newFakeOP(t), func(c *oidcauth.Config) {
				c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: row.key, Certificate: row.certificate}
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
	for name, auth := range map[string]oidcauth.ClientAuth{
		"no key":                 {},
		"P-384":                  {Key: must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		"RS512":                  {Key: rsaKey(), Alg: "RS512"},
		"HS256":                  {Key: rsaKey(), Alg: "HS256"},
		"ES256 with an RSA key":  {Key: rsaKey(), Alg: "ES256"},
		"a service that is down": {Key: brokenKMS{}},
	} {
		t.Run(name, func(t *testing.T) {
			op := newFakeOP(t)
			auth.Method = oidcauth.PrivateKeyJWT
			_, err := op.endpoint(func(c *oidcauth.Config) { c.ClientAuth = auth }).Token(background(), grant())
			require.ErrorContains(t, requireEndpointError(t, err), "ClientAuth.Key")
			require.Zero(t, op.hits("/token"))
		})
	}
}

func TestAnAssertionNeedsAnAudience(t *testing.T) {
	c := newFakeOP(t).config(func(c *oidcauth.Config) {
		c.Issuer, c.ClientAuth = "", oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: ecKey()}
	})
	client := oidcauth.NewHTTPClient(c)
	_, err := oidcauth.NewEndpoint(c, oidcauth.NewProtocolProvider(c, client), client).TokenAt(background(), issuer+"/token", nil)
	require.ErrorContains(t, requireEndpointError(t, err), "ClientAuth.Audience")
}

type brokenKMS struct{}

func (brokenKMS) Public() crypto.PublicKey { return ecKey().Public() }

func (brokenKMS) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no service")
}

func TestClientCertificatesUseTheAliases(t *testing.T) {
	op := newFakeOP(t)
	op.metadata["mtls_endpoint_aliases"] = m{"token_endpoint": "https://mtls.op.example/token", "revocation_endpoint": "https://mtls.op.example/revoke"}
	mtls := func(c *oidcauth.Config) {
		c.ClientSecret = ""
		c.ClientAuth = oidcauth.ClientAuth{Method: oidcauth.TLSClientAuth, Certificate: &tls.Certificate{}}
	}
	r := authenticated(t, op, mtls)
	require.Equal(t, "mtls.op.example", r.URL.Host)
	require.Equal(t, clientID, r.PostForm.Get("client_id"))
	require.NoError(t, op.endpoint(mtls).Revoke(background(), "t", "access_token"))
	require.Equal(t, "mtls.op.example", op.last("/revoke").URL.Host)
	require.Equal(t, "op.example", authenticated(t, op).URL.Host, "without a certificate the usual endpoint serves")
}

func TestARefusedClientIsTold(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*oidcauth.Config)
		lists  any
		status int
		hint   string
	}{
		{"a secret that needs encoding", func(c *oidcauth.Config) { c.ClientSecret = "secret of/the+shop" }, nil, 401, "client_secret_post"},
		{"a client id that needs encoding", func(c *oidcauth.Config) { c.ClientID = "https://shop" }, nil, 400, "client_secret_post"},
		{"a method that isn't listed", func(*oidcauth.Config) {}, []string{"client_secret_post"}, 401, "set ClientAuth.Method"},
		{"a wrong secret", func(*oidcauth.Config) {}, []string{"client_secret_basic"}, 401, "check ClientID"},
		{"a wrong secret, nothing listed", func(*oidcauth.Config) {}, nil, 401, "check ClientID"},
	} {
		t.Run(row.name, func(t *testing.T) {
			op := newFakeOP(t)
			if row.lists != nil {
				op.metadata["token_endpoint_auth_methods_supported"] = row.lists
			}
			op.handle("/token", row.status, "application/json", `{"error":"invalid_client"}`)
			_, err := op.endpoint(row.change).Token(background(), grant())
			require.Equal(t, "invalid_client", requireEndpointError(t, err).Code)
			require.Contains(t, op.logged(), "client authentication refused")
			require.Contains(t, op.logged(), row.hint)
			require.NotContains(t, op.logged(), "secret of/the")
			require.Equal(t, 1, op.hits("/token"), "no second way is tried")
		})
	}
}
