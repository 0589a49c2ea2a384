package outbound_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/providertest"
)

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	der := must(x509.CreateCertificate(nil, template, template, ecKey().Public(), ecKey()))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ecKey(), Leaf: must(x509.ParseCertificate(der))}
}

// tlsServer serves metadata over a real TLS socket and returns a configuration that trusts its certificate.
func tlsServer(t *testing.T, config *tls.Config, trusted ...*x509.Certificate) *providertest.Config {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case discovery:
			writeJSON(w, with(goodMetadata(), m{"issuer": server.URL, "token_endpoint": server.URL + "/token"}))
		case "/token":
			_, _ = io.WriteString(w, goodAnswer)
		}
	})
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	for _, c := range trusted {
		pool.AddCert(c)
	}
	own := outbound.NewClient(outbound.Settings{Timeout: time.Minute}).Transport.(*http.Transport) // with our limits, not the test's
	own.TLSClientConfig.RootCAs = pool
	return providertest.New(t).Config(func(c *providertest.Config) {
		c.Issuer = server.URL
		c.HTTPClient = &http.Client{Transport: own}
	})
}

func TestTLSIsVerified(t *testing.T) {
	good := certificate(t, nil)
	expired := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	other := certificate(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} })
	serves := func(c tls.Certificate, highest uint16) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{c}, MaxVersion: highest, MinVersion: tls.VersionTLS10}
	}
	for _, row := range []struct {
		name    string
		server  *tls.Config
		trusted []*x509.Certificate
		ok      bool
	}{
		{"a trusted certificate is accepted", serves(good, 0), []*x509.Certificate{good.Leaf}, true},
		{"TLS 1.2 is accepted", serves(good, tls.VersionTLS12), []*x509.Certificate{good.Leaf}, true},
		{"a self-signed certificate is refused", serves(good, 0), nil, false},
		{"an expired certificate is refused", serves(expired, 0), []*x509.Certificate{expired.Leaf}, false},
		{"another host's certificate is refused", serves(other, 0), []*x509.Certificate{other.Leaf}, false},
		{"TLS 1.1 is refused", serves(good, tls.VersionTLS11), []*x509.Certificate{good.Leaf}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := tlsServer(t, row.server, row.trusted...)
			_, err := c.Provider(c.Client()).Metadata(background())
			if row.ok {
				require.NoError(t, err)
			} else {
				requireUnavailable(t, err)
			}
		})
	}
}

func TestAClientCertificateIsPresented(t *testing.T) {
	server, client := certificate(t, nil), certificate(t, nil)
	pool := x509.NewCertPool()
	pool.AddCert(client.Leaf)
	config := &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	c := tlsServer(t, config, server.Leaf)
	original := c.HTTPClient.Transport.(*http.Transport)
	_, err := c.Provider(c.Client()).Metadata(background())
	requireUnavailable(t, err)
	c.ClientSecret, c.ClientAuth = "", oauth.Client{Method: tlsClientAuth, Certificate: &client}
	httpClient := c.Client()
	endpoint := c.Endpoint(c.Provider(httpClient), httpClient)
	answer, err := endpoint.Token(background(), grant())
	require.NoError(t, err)
	require.Equal(t, "at-1", answer.AccessToken)
	require.Nil(t, original.TLSClientConfig.GetClientCertificate, "the caller's transport is not changed")
}

func TestTheClientIsBoundedAndTheCallersIsNotChanged(t *testing.T) {
	op := providertest.New(t)
	for name, row := range map[string]struct{ theirs, want time.Duration }{
		"no time-out": {0, 10 * time.Second}, "a longer one": {time.Hour, 10 * time.Second}, "a shorter one": {time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := &http.Client{Timeout: row.theirs, Transport: op, Jar: &recordingJar{}}
			client := op.Config(func(c *providertest.Config) { c.HTTPClient = theirs }).Client()
			require.Equal(t, row.want, client.Timeout)
			require.Nil(t, client.Jar)
			require.ErrorIs(t, client.CheckRedirect(nil, nil), http.ErrUseLastResponse)
			require.Equal(t, row.theirs, theirs.Timeout)
			require.NotNil(t, theirs.Jar)
			require.Nil(t, theirs.CheckRedirect)
		})
	}
	own := op.Config(func(c *providertest.Config) { c.HTTPClient = nil }).Client()
	transport := own.Transport.(*http.Transport)
	require.EqualValues(t, tls.VersionTLS12, transport.TLSClientConfig.MinVersion)
	require.NotZero(t, transport.MaxResponseHeaderBytes)
}

func TestABodyMayHaveOneMebibyte(t *testing.T) {
	op := providertest.New(t)
	document := string(must(json.Marshal(op.Metadata)))
	op.Handle(discovery, 200, "application/json", document+strings.Repeat(" ", outbound.MaxBody-len(document)))
	_, err := op.Provider().Metadata(background())
	require.NoError(t, err)
	op.Handle(discovery, 200, "application/json", document+strings.Repeat(" ", outbound.MaxBody-len(document)+1))
	_, err = op.Provider().Metadata(background())
	requireUnavailable(t, err)
}

func TestBodiesAreCountedAfterDecompression(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(bytes.Repeat([]byte(" "), 64<<20))
	require.NoError(t, zip.Close())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	defer server.Close()
	c := providertest.New(t).Config(func(c *providertest.Config) { c.Issuer, c.HTTPClient = server.URL, nil })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Provider(c.Client()).Metadata(background())
	runtime.ReadMemStats(&after)
	requireUnavailable(t, err)
	require.ErrorContains(t, errors.Unwrap(err), "bytes")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20))
}

// Many servers close a connection that was idle for five seconds. A form that is on its way then is lost, and with it a code or a
// refresh token that is good for one use: nobody can tell whether the server has read it.
func TestAConnectionIsNotUsedOnceItsServerMayBeClosingIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration
		dials int
	}{
		{"a short pause keeps it", 2 * time.Second, 1},
		{"a pause of nearly five seconds does not", 4 * time.Second, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport, ok := (&providertest.Config{Timeout: time.Second}).Client().Transport.(*http.Transport)
				require.True(t, ok)
				defer transport.CloseIdleConnections()
				dials := 0
				transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
					dials++
					ours, theirs := net.Pipe()
					go answerForms(theirs)
					return ours, nil
				}
				for range 3 {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://provider.test/token", strings.NewReader("a=b"))
					require.NoError(t, err)
					res, err := transport.RoundTrip(req)
					require.NoError(t, err)
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					time.Sleep(c.pause)
				}
				require.Equal(t, c.dials, dials)
			})
		})
	}
}

// answerForms is a server of one connection, which reads short requests and answers them until the other side closes it.
func answerForms(conn net.Conn) {
	defer conn.Close()
	requests := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	}
}
