package oidcauth_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
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
