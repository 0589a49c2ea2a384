package main_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// trustTestRoots makes this process trust testRoots, and returns what undoes it.
func trustTestRoots() (undo func()) {
	dir, err := os.MkdirTemp("", "signet-roots")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(file, testRoots.certPEM(), 0o600); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", file)
	return func() { os.RemoveAll(dir) }
}

// An identity is a certificate and its key.
type identity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// testRoots is what this process trusts, and what signs the certificates of tests.
var testRoots = newIdentity("signet tests", nil)

// newIdentity makes a certificate for client or server, signed by issuer, or by itself.
func newIdentity(name string, issuer *identity) *identity {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: issuer == nil, BasicConstraintsValid: true,
	}
	by := &identity{template, key}
	if issuer != nil {
		by = issuer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &identity{cert, key}
}

func (i *identity) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}

func (i *identity) keyPEM() []byte { return keyPEM(i.key) }

// file writes certificate and key into one file, as OIDC_CLIENT_CERT_FILE wants it.
func (i *identity) file(t *testing.T) string {
	return writeFile(t, append(i.certPEM(), i.keyPEM()...))
}

func keyPEM(key crypto.Signer) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func writeFile(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	return file
}

// tlsOption lets the npm provider serve https and ask for certificates.
func tlsOption() map[string]any {
	server := newIdentity("provider", testRoots)
	return map[string]any{"key": string(server.keyPEM()), "cert": string(server.certPEM()), "ca": string(testRoots.certPEM())}
}

// A bankCase is a feature at npm's oidc-provider.
type bankCase struct {
	env      map[string]string
	options  map[string]any
	metadata map[string]any                             // of the client
	check    func(*testing.T, *npmClient, []npmRequest) // what the provider saw of the login
}

// An npmRequest is what the provider's control channel tells of one request.
type npmRequest struct {
	Route, Method string
	Status        int
	GrantType     string `json:"grant_type"`
	Error, Auth   string
	DPoP          bool
}

// requests returns what the provider saw since it was last asked.
func (p *npmProvider) requests() []npmRequest {
	p.t.Helper()
	var answer struct {
		Requests []npmRequest `json:"requests"`
	}
	p.control(http.MethodGet, "requests", nil, &answer)
	p.control(http.MethodDelete, "requests", nil, nil)
	return answer.Requests
}

// ofRoute are the requests to one endpoint.
func ofRoute(all []npmRequest, route string) []npmRequest {
	return slices.DeleteFunc(slices.Clone(all), func(r npmRequest) bool { return r.Route != route })
}

// proven asserts that token endpoint and userinfo got proofs; again is how many of them were asked for a nonce.
func proven(again int) func(*testing.T, *npmClient, []npmRequest) {
	return func(t *testing.T, c *npmClient, all []npmRequest) {
		refused := 0
		for _, r := range slices.Concat(ofRoute(all, "token"), ofRoute(all, "userinfo")) {
			require.True(t, r.DPoP, r.Route)
			if r.Status >= 400 {
				refused++
			}
		}
		require.Equal(t, again, refused)
	}
}

func TestBanksAtNPMProvider(t *testing.T) {
	t.Parallel()
	keyFile, keySet := newClientKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	byAuthority, bySelf := newIdentity("app", testRoots), newIdentity("app", nil)
	published := map[string]any{"jwks_uri": "APP/auth/jwks.json"}
	keyAuth := map[string]any{
		"client_secret": nil, "jwks": keySet, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
	}
	tests := map[string]bankCase{
		"DPoP without nonces": {
			env:      map[string]string{"OIDC_DPOP": "true"},
			metadata: map[string]any{"dpop_bound_access_tokens": true},
			check:    proven(0),
		},
		"DPoP with nonces": {
			env:      map[string]string{"OIDC_DPOP": "true"},
			options:  map[string]any{"dpopNonces": true},
			metadata: map[string]any{"dpop_bound_access_tokens": true},
			check:    proven(1),
		},
		"FAPI with a key and DPoP": {
			env: map[string]string{
				"OIDC_FAPI": "true", "OIDC_SIGNING_ALG": "ES256", "OIDC_CLIENT_KEY_FILE": keyFile, "OIDC_CLIENT_SECRET": "",
			},
			options: map[string]any{"dpopNonces": true},
			metadata: merged(keyAuth, map[string]any{
				"dpop_bound_access_tokens": true, "require_pushed_authorization_requests": true, "id_token_signed_response_alg": "ES256",
			}),
			check: func(t *testing.T, c *npmClient, all []npmRequest) {
				proven(1)(t, c, all)
				require.Len(t, ofRoute(all, "pushed_authorization_request"), 1)
				require.Equal(t, "client_assertion", ofRoute(all, "token")[0].Auth)
			},
		},
		"FAPI with a certificate": {
			env: map[string]string{
				"OIDC_FAPI": "true", "OIDC_SIGNING_ALG": "ES256", "OIDC_CLIENT_AUTH": "tls_client_auth",
				"OIDC_CLIENT_CERT_FILE": byAuthority.file(t), "OIDC_CLIENT_SECRET": "",
			},
			options: map[string]any{"tls": tlsOption()},
			metadata: map[string]any{
				"client_secret": nil, "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=app",
				"tls_client_certificate_bound_access_tokens": true, "id_token_signed_response_alg": "ES256",
			},
			check: func(t *testing.T, _ *npmClient, all []npmRequest) {
				require.Equal(t, http.StatusOK, ofRoute(all, "userinfo")[0].Status, "with the certificate that the token is bound to")
			},
		},
		"a certificate signed by itself": {
			env: map[string]string{
				"OIDC_CLIENT_AUTH": "tls_client_auth", "OIDC_CLIENT_CERT_FILE": bySelf.file(t), "OIDC_CLIENT_SECRET": "",
			},
			options: map[string]any{"tls": tlsOption()},
			metadata: merged(published, map[string]any{
				"client_secret": nil, "token_endpoint_auth_method": "self_signed_tls_client_auth", "tls_client_certificate_bound_access_tokens": true,
			}),
		},
		"ID tokens encrypted for an RSA key": {
			env: map[string]string{"OIDC_DECRYPTION_KEY_FILE": writeFile(t, keyPEM(rsaKey))},
			metadata: merged(published, map[string]any{
				"id_token_encrypted_response_alg": "RSA-OAEP-256", "id_token_encrypted_response_enc": "A256GCM",
			}),
		},
		"ID tokens and userinfo encrypted for a P-384 key": {
			env: map[string]string{"OIDC_DECRYPTION_KEY_FILE": writeFile(t, keyPEM(ecKey))},
			metadata: merged(published, map[string]any{
				"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A128CBC-HS256",
				"userinfo_signed_response_alg":    "RS256",
				"userinfo_encrypted_response_alg": "ECDH-ES", "userinfo_encrypted_response_enc": "A128GCM",
			}),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.env = merged(test.env, map[string]string{"OIDC_PROMPT": "consent"})
			c := startNPMClient(t, test.env, test.options, test.metadata)
			b := newBrowser(t)

			got := c.signIn(b, "/profile", "ada")

			require.Equal(t, http.StatusOK, got.status, got.body)
			if test.check != nil {
				test.check(t, c, c.requests())
			}
			status, me := c.me(b)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "ada", me["sub"])
			require.Equal(t, "ada@example.com", me["email"])
			require.Equal(t, http.StatusOK, c.refresh(b))
			require.Equal(t, http.StatusOK, c.refresh(b), "and with the rotated token")
		})
	}
}

// merged is a map of both, where b's values count.
func merged[V any](a, b map[string]V) map[string]V {
	all := map[string]V{}
	for _, m := range []map[string]V{a, b} {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}

// The demo API checks proofs, whoever the provider is.
func TestBoundTokensAtTheDemoAPI(t *testing.T) {
	t.Parallel()
	t.Run("of npm's provider", func(t *testing.T) {
		t.Parallel()
		c := startNPMClient(t, map[string]string{"OIDC_DPOP": "true"}, map[string]any{"dpopNonces": true}, map[string]any{"dpop_bound_access_tokens": true})
		b := newBrowser(t)
		c.signIn(b, "/profile", "ada")
		requireBound(t, b, c.url)
	})
	t.Run("of the embedded provider", func(t *testing.T) {
		t.Parallel()
		a := startApp(t, "OIDC_DPOP", "true")
		requireBound(t, a.signedIn("alice"), a.base)
	})
	t.Run("of the embedded provider, with FAPI", func(t *testing.T) {
		t.Parallel()
		keyFile, _ := newClientKey(t)
		a := startApp(t, "OIDC_FAPI", "true", "OIDC_SIGNING_ALG", "ES256", "OIDC_CLIENT_KEY_FILE", keyFile)
		requireBound(t, a.signedIn("alice"), a.base)
	})
}

func requireBound(t *testing.T, b *browser, app string) {
	t.Helper()
	for _, path := range []string{"/api/call", "/api/machine"} {
		var answer struct {
			Status int
			Body   map[string]any
		}
		got := b.fetch(http.MethodGet, app+path)
		require.NoError(t, json.Unmarshal([]byte(got.body), &answer), got.body)
		require.Equal(t, http.StatusOK, answer.Status, got.body)
		require.Equal(t, true, answer.Body["sender_constrained"], got.body)
	}
}

// JAR and JARM have no variables: these clients are made of the library alone.
func TestSignedMessagesAtNPMProvider(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		change   func(*oidcauth.Config)
		metadata map[string]any
	}{
		"a signed request": {
			func(c *oidcauth.Config) { c.Advanced.SignedRequests, c.PAR = true, oidcauth.PAROff },
			map[string]any{"request_object_signing_alg": "ES256", "require_signed_request_object": true},
		},
		"a signed request, pushed": {
			func(c *oidcauth.Config) { c.Advanced.SignedRequests, c.PAR = true, oidcauth.PAROn },
			map[string]any{"request_object_signing_alg": "ES256", "require_signed_request_object": true, "require_pushed_authorization_requests": true},
		},
		"a signed response": {
			func(c *oidcauth.Config) { c.ResponseMode = oidcauth.QueryJWT },
			map[string]any{"authorization_signed_response_alg": "RS256"},
		},
		"a signed response in a posted form": {
			func(c *oidcauth.Config) { c.ResponseMode = oidcauth.FormPostJWT },
			map[string]any{"authorization_signed_response_alg": "RS256"},
		},
		"both, with DPoP": {
			func(c *oidcauth.Config) {
				c.Advanced.SignedRequests, c.Advanced.DPoP, c.ResponseMode = true, true, oidcauth.QueryJWT
			},
			map[string]any{"authorization_signed_response_alg": "RS256", "require_signed_request_object": true, "dpop_bound_access_tokens": true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var handler http.Handler
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
			t.Cleanup(server.Close)
			app := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
			p := startNPMProvider(t, map[string]any{"host": "127.0.0.1", "clients": []any{merged(map[string]any{
				"client_id": "app", "redirect_uris": []string{app + "/auth/callback"}, "jwks_uri": app + "/auth/jwks.json",
				"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
			}, test.metadata)}})
			config := oidcauth.Config{
				Issuer: p.Issuer, ClientID: "app", RedirectURL: app + "/auth/callback",
				ClientAuth: oidcauth.ClientAuth{Key: key, Alg: "ES256", KeyID: "sig"},
				Session:    session.Config{Keys: []string{session.NewKey()}},
			}
			test.change(&config)
			auth, err := oidcauth.New(config)
			require.NoError(t, err)
			handler = auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = w.Write([]byte(oidcauth.UserFrom(r.Context()).Email))
			}))
			c, b := &npmClient{npmProvider: p, url: app}, newBrowser(t)

			got := c.signIn(b, "/", "ada")

			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Equal(t, "ada@example.com", got.body)
		})
	}
}
