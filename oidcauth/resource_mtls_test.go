package oidcauth_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
)

func TestACertificateBoundTokenComesOverItsConnection(t *testing.T) {
	certificate, other := &x509.Certificate{Raw: []byte("one")}, &x509.Certificate{Raw: []byte("two")}
	sum := sha256.Sum256(certificate.Raw)
	bound := claim("cnf", map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])})
	w := newOrdersWorld(t)
	ask := func(h http.Handler, state *tls.ConnectionState, bends ...tokenBend) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, ordersAPI+"/orders", http.NoBody)
		r.TLS = state
		r.Header.Set("Authorization", "Bearer "+w.token(bends...))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		return answer
	}
	shown := func(list ...*x509.Certificate) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: list}
	}
	require.True(t, w.caller(ask(w.handler, shown(certificate), bound)).SenderConstrained)
	for _, state := range []*tls.ConnectionState{nil, shown(), shown(other), shown(other, certificate)} {
		requireTokenRefused(t, ask(w.handler, state, bound), http.StatusUnauthorized, "invalid_token")
	}
	for name, row := range map[string]struct {
		found  *x509.Certificate
		err    error
		status int
	}{"the right one": {certificate, nil, 200}, "another": {other, nil, 401}, "none": {nil, nil, 401}, "an error": {certificate, errors.New("forged"), 401}} {
		behind := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) {
			c.ClientCertificate = func(*http.Request) (*x509.Certificate, error) { return row.found, row.err }
		})
		require.Equal(t, row.status, ask(behind.handler, shown(certificate), bound).Code, name)
	}
}

// boundToCertificate bends a token to the certificate that c shows (RFC 8705 §3.1).
func boundToCertificate(c *tls.Certificate) tokenBend {
	sum := sha256.Sum256(c.Certificate[0])
	return claim("cnf", map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])})
}

// secureServer serves h with TLS, and asks clients for certificates without judging them: what a token is bound to is what counts.
func secureServer(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// over asks the server with a token, on a connection of its own on which the client shows certificates.
func over(t *testing.T, s *httptest.Server, shown []tls.Certificate, headers ...string) int {
	t.Helper()
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = shown
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, s.URL+"/orders", http.NoBody)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

// certificateRow is what a client shows, and whether a token that is bound to "own" is then good.
type certificateRow struct {
	shown  []tls.Certificate
	status int
}

// certificateRows returns the certificate of a token's owner, and what may be shown in its place.
func certificateRows(t *testing.T) (own *tls.Certificate, rows map[string]certificateRow) {
	t.Helper()
	ca := newCertificate(t, "An authority", nil)
	own = newCertificate(t, "client", ca)
	return own, map[string]certificateRow{
		"the right one":                          {[]tls.Certificate{*own}, 200},
		"none":                                   {nil, 401},
		"another of the same name and authority": {[]tls.Certificate{*newCertificate(t, "client", ca)}, 401},
		"another of the same name, signed by itself": {[]tls.Certificate{*newCertificate(t, "client", nil)}, 401},
		"the authority's": {[]tls.Certificate{*ca}, 401},
		"another, and the right one in its chain": {[]tls.Certificate{{
			Certificate: [][]byte{ca.Certificate[0], own.Certificate[0]}, PrivateKey: ca.PrivateKey,
		}}, 401},
	}
}

func TestACertificateBoundTokenOverASocket(t *testing.T) {
	own, rows := certificateRows(t)
	w := newOrdersWorld(t)
	s := secureServer(t, w.handler)
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, row.status, over(t, s, row.shown, "Authorization", "Bearer "+w.token(boundToCertificate(own))))
			require.Equal(t, http.StatusOK, over(t, s, row.shown, "Authorization", "Bearer "+w.token()), "a token that is bound to nothing")
		})
	}
	require.Equal(t, http.StatusUnauthorized, over(t, s, rows["the right one"].shown, "Authorization", "DPoP "+w.token(boundToCertificate(own))), "with another scheme")

	// Seen before, the token is still compared with each connection.
	token := w.token(boundToCertificate(own))
	for _, name := range []string{"the right one", "none", "another of the same name and authority", "the right one"} {
		require.Equal(t, rows[name].status, over(t, s, rows[name].shown, "Authorization", "Bearer "+token), name)
	}
}

// The issuer says of an opaque token what it is bound to.
func TestAnOpaqueTokenIsBoundToACertificateOverASocket(t *testing.T) {
	own, rows := certificateRows(t)
	w := newOrdersWorld(t, introspecting)
	sum := sha256.Sum256(own.Certificate[0])
	w.tells(map[string]any{"cnf": map[string]string{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	s := secureServer(t, w.handler)
	for name, row := range rows {
		require.Equal(t, row.status, over(t, s, row.shown, "Authorization", "Bearer opaque"), name)
	}
}

// A token is bound to a certificate and to a key: both have to be there.
func TestATokenIsBoundToACertificateAndAKey(t *testing.T) {
	own, rows := certificateRows(t)
	w, h := newOrdersWorld(t), newKeyHolder(t, "ES256")
	s := secureServer(t, w.handler)
	sum := sha256.Sum256(own.Certificate[0])
	token := w.token(claim("cnf", map[string]string{"jkt": h.thumbprint(), "x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}))
	for name, row := range rows {
		require.Equal(t, row.status, over(t, s, row.shown, "Authorization", "DPoP "+token, "DPoP", h.proof(token)), name)
	}
	require.Equal(t, http.StatusUnauthorized, over(t, s, rows["the right one"].shown, "Authorization", "DPoP "+token), "without a proof")
	require.Equal(t, http.StatusUnauthorized, over(t, s, rows["the right one"].shown, "Authorization", "Bearer "+token))
}

// TLS ends at a proxy, which alone says who has shown what (RFC 9440): what a client says itself is taken away.
func TestACertificateBoundTokenBehindAProxy(t *testing.T) {
	own, rows := certificateRows(t)
	w := newOrdersWorld(t, func(c *oidcauth.ResourceConfig) { c.ClientCertificate = certificateOfProxy })
	api := httptest.NewServer(w.handler)
	t.Cleanup(api.Close)
	target := must(url.Parse(api.URL))
	front := secureServer(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("Client-Cert")
		if shown := r.In.TLS.PeerCertificates; len(shown) > 0 {
			r.Out.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(shown[0].Raw)+":")
		}
	}})
	forged := ":" + base64.StdEncoding.EncodeToString(own.Certificate[0]) + ":"
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bearer := "Bearer " + w.token(boundToCertificate(own))
			require.Equal(t, row.status, over(t, front, row.shown, "Authorization", bearer))
			require.Equal(t, row.status, over(t, front, row.shown, "Authorization", bearer, "Client-Cert", forged), "with a header of its own")
		})
	}
	unread := newOrdersWorld(t)
	r := httptest.NewRequest(http.MethodGet, "/orders", http.NoBody) // without TLS
	r.Header.Set("Authorization", "Bearer "+unread.token(boundToCertificate(own)))
	r.Header.Set("Client-Cert", forged)
	answer := httptest.NewRecorder()
	unread.handler.ServeHTTP(answer, r)
	require.Equal(t, http.StatusUnauthorized, answer.Code, "nobody has said that the header may be believed")
	require.Contains(t, unread.log.String(), "TLS ends before this process")
}

// certificateOfProxy reads what a proxy says of the client's certificate (RFC 9440 §2.1).
func certificateOfProxy(r *http.Request) (*x509.Certificate, error) {
	switch said := r.Header.Values("Client-Cert"); len(said) {
	case 0:
		return nil, nil
	case 1:
		der, err := base64.StdEncoding.DecodeString(strings.Trim(said[0], ":"))
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	return nil, errors.New("expected one Client-Cert header, got more")
}
