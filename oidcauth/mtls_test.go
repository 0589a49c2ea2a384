package oidcauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// An mtlsWorld is a provider behind two TLS servers: one for browsers, which asks for no certificate, and one at the aliases, which
// demands one.
type mtlsWorld struct {
	*world
	open, aliases *httptest.Server
	mu            sync.Mutex
	withCert      []string // paths that were called with a certificate
	home          string   // origin of the application
}

// newMTLSWorld makes one. At the aliases a certificate that ca has signed is verified, and any other taken as it is, although the
// server names ca, where there is one, as the authority that it knows.
func newMTLSWorld(t *testing.T, certificate, ca *tls.Certificate, configure ...func(*oidcauth.Config)) *mtlsWorld {
	t.Helper()
	w := &mtlsWorld{world: &world{T: t, log: new(logBuffer)}}
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			w.mu.Lock()
			w.withCert = append(w.withCert, r.URL.Path)
			w.mu.Unlock()
		}
		w.provider.ServeHTTP(rw, r)
	})
	w.open = httptest.NewTLSServer(handler)
	t.Cleanup(w.open.Close)
	w.aliases = httptest.NewUnstartedServer(handler)
	w.aliases.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}
	if ca != nil {
		w.aliases.TLS.ClientCAs = x509.NewCertPool()
		w.aliases.TLS.ClientCAs.AddCert(ca.Leaf)
		if certificate.Leaf.CheckSignatureFrom(ca.Leaf) == nil {
			w.aliases.TLS.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	w.aliases.StartTLS()
	t.Cleanup(w.aliases.Close)

	var app http.Handler
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { app.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	client := oidcauthtest.ClientAt(server.URL)
	client.Secret, client.AuthMethod, client.Certificate = "", "tls_client_auth", certificate.Leaf
	w.provider = oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: w.open.URL, Clients: []oidcauthtest.Client{client}})
	w.provider.BendMetadata(func(d *oidcauthtest.Object) {
		d.Set("mtls_endpoint_aliases", map[string]string{
			"token_endpoint": w.aliases.URL + "/token", "userinfo_endpoint": w.aliases.URL + "/userinfo",
			"pushed_authorization_request_endpoint": w.aliases.URL + "/par", "revocation_endpoint": w.aliases.URL + "/revoke",
		})
	})
	w.home = server.URL
	trusting := w.open.Client().Transport.(*http.Transport)
	usual := http.DefaultTransport
	http.DefaultTransport = trusting // which knows the test's servers; APIs are called through a copy of it
	t.Cleanup(func() { http.DefaultTransport = usual })
	c := oidcauth.Config{
		Issuer: w.open.URL, ClientID: "app", ClientAuth: oidcauth.ClientAuth{Certificate: certificate},
		RedirectURL: server.URL + "/auth/callback", Scopes: []string{"profile", "offline_access"},
		Session: session.Config{Keys: []string{testKey}}, HTTPClient: &http.Client{Transport: trusting},
		APIs: []string{w.aliases.URL},
	}
	for _, f := range configure {
		f(&c)
	}
	w.auth = must(oidcauth.New(c))
	w.mux = appMux(w.auth)
	app = w.mux
	w.browser = oidcauthtest.NewBrowser(trusting)
	return w
}

// call is a page that calls an API at the aliases with the user's token, refreshed first where the query says so.
func (w *mtlsWorld) call(rw http.ResponseWriter, r *http.Request) {
	var options []oidcauth.TokenOption
	if r.URL.Query().Has("refresh") {
		options = append(options, oidcauth.ForceRefresh())
	}
	res, err := w.auth.Client(r.Context(), options...).Get(w.aliases.URL + "/api")
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	res.Body.Close()
	rw.WriteHeader(res.StatusCode)
}

func TestMutualTLS(t *testing.T) {
	ca := newCertificate(t, "A bank's root", nil)
	for name, certificate := range map[string]*tls.Certificate{
		"with a certificate of an authority":  newCertificate(t, "app", ca),
		"with a certificate signed by itself": newCertificate(t, "app", nil),
	} {
		t.Run(name, func(t *testing.T) {
			w := newMTLSWorld(t, certificate, ca, func(c *oidcauth.Config) { c.Advanced.FAPI, c.SigningAlg = true, "ES256" })
			w.provider.Configure(func(s *oidcauthtest.Settings) { s.Alg, s.RequirePAR = "ES256", true })
			w.mux.Handle("/call", w.auth.RequireLogin(http.HandlerFunc(w.call)))
			page := w.browser.Get(w.home + "/me")
			require.NoError(t, page.Err)
			require.Equal(t, http.StatusOK, page.Status, page.Body)
			for _, path := range []string{"/call", "/call?refresh", "/call"} {
				page = w.browser.Get(w.home + path)
				require.Equal(t, http.StatusOK, page.Status, page.Body)
			}
			require.Subset(t, w.withCert, []string{"/par", "/token", "/userinfo", "/api"})
			require.NotContains(t, w.withCert, "/authorize", "the browser has no certificate")
			for _, r := range w.provider.Requests(oidcauthtest.PAR, oidcauthtest.TokenEndpoint) {
				require.Equal(t, "app", r.Form.Get("client_id"))
				require.Empty(t, r.Header.Get("Authorization"))
				require.False(t, r.Form.Has("client_assertion"))
			}
		})
	}
}

func TestATokenBoundToTheCertificateIsOfNoUseWithoutIt(t *testing.T) {
	certificate := newCertificate(t, "app", nil)
	w := newMTLSWorld(t, certificate, nil)
	var value string
	w.mux.Handle("/token", w.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		token, err := w.auth.TokenSource(r.Context()).Token()
		if err == nil {
			value = token.AccessToken
		}
	})))
	require.Equal(t, http.StatusOK, w.browser.Get(w.home+"/token").Status)
	require.NotEmpty(t, value)
	for _, other := range []*tls.Certificate{newCertificate(t, "app", nil), certificate} {
		transport := w.open.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{*other}
		req := must(http.NewRequest(http.MethodGet, w.aliases.URL+"/api", nil))
		req.Header.Set("Authorization", "Bearer "+value)
		res, err := transport.RoundTrip(req)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, other == certificate, res.StatusCode == http.StatusOK)
	}
}

func TestAClientWithAnothersCertificateIsRefused(t *testing.T) {
	w := newMTLSWorld(t, newCertificate(t, "app", nil), nil, func(c *oidcauth.Config) {
		c.ClientAuth.Certificate = newCertificate(t, "app", nil)
	})
	require.Equal(t, http.StatusBadGateway, w.browser.Get(w.home+"/me").Status)
}

func TestTheClientsKeysArePublished(t *testing.T) {
	certificate := newCertificate(t, "app", nil)
	keysAt := func(change func(*oidcauth.Config)) (*oidcauthtest.Page, jose.JSONWebKeySet) {
		w := newWorld(t, change)
		page := w.browser.Get(app + "/auth/jwks.json")
		var set jose.JSONWebKeySet
		_ = json.Unmarshal([]byte(page.Body), &set)
		for _, key := range set.Keys {
			require.True(t, key.IsPublic(), "no private key leaves")
		}
		return page, set
	}
	page, _ := keysAt(func(*oidcauth.Config) {})
	require.Equal(t, http.StatusNotFound, page.Status)
	_, set := keysAt(func(c *oidcauth.Config) {
		c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Key: ecKey(), Alg: "ES256", KeyID: "sig-1"}
		decrypting(rsaKey(), ecKey())(c)
	})
	require.Len(t, set.Keys, 3)
	require.Equal(t, []string{"sig", "enc", "enc"}, []string{set.Keys[0].Use, set.Keys[1].Use, set.Keys[2].Use})
	require.Equal(t, []string{"ES256", "RSA-OAEP-256", "ECDH-ES"}, []string{set.Keys[0].Algorithm, set.Keys[1].Algorithm, set.Keys[2].Algorithm})
	require.NotEqual(t, set.Keys[0].KeyID, set.Keys[2].KeyID)
	_, set = keysAt(func(c *oidcauth.Config) {
		c.ClientSecret, c.ClientAuth = "", oidcauth.ClientAuth{Certificate: certificate}
	})
	require.Len(t, set.Keys, 1)
	require.True(t, set.Keys[0].Certificates[0].Equal(certificate.Leaf), "by which a provider knows it")
	page, _ = keysAt(func(c *oidcauth.Config) { c.ClientAuth.Certificate = certificate })
	require.Equal(t, http.StatusNotFound, page.Status, "it authenticates by its secret")
}

func TestNewChecksDecryptionKeys(t *testing.T) {
	c := goodConfig()
	decrypting("no key")(&c)
	_, err := oidcauth.New(c)
	require.ErrorContains(t, err, "Advanced.DecryptionKeys: ")
}
