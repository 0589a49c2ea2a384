package oidcauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"github.com/signet-go/signet/internal/strictjson"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Bounds of an answer and of reaching the provider at all. Metadata and key
// sets stay below 100 kB in practice.
const (
	maxBody        = 1 << 20 // of any answer of the provider
	maxHeaderBytes = 64 << 10
	connectTimeout = 3 * time.Second

	// idleTimeout is how long a connection waits for its next request: less than
	// the five seconds after which many servers close one (Node.js, Apache). A
	// form that meets the closing is lost, and a code or a rotating refresh token
	// with it, since nobody can tell whether it was read. A new connection costs
	// round trips, and nothing else.
	idleTimeout = 3 * time.Second
)

// clientSettings are what the application says about calls to a provider.
type clientSettings struct {
	// Base is the application's own client, nil for one with a transport of ours.
	Base *http.Client

	// Certificate authenticates the client (RFC 8705), nil for none.
	Certificate *tls.Certificate

	// Timeout bounds one call, also one by a Base without a bound of its own.
	Timeout time.Duration
}

// newHTTPClient returns the client for every call to the provider: bounded in
// time, without a cookie jar, and blind to redirects, because a redirected
// token request carries the code in its body (RFC 9700 §4.12) and redirected
// metadata is somebody else's. A Base replaces it, in a copy that keeps
// these three rules.
func newHTTPClient(s clientSettings) *http.Client {
	client := http.Client{}
	if s.Base != nil {
		client = *s.Base
	}
	if client.Transport == nil {
		client.Transport = newTransport()
	}
	if s.Certificate != nil {
		client.Transport = withCertificate(client.Transport, s.Certificate)
	}
	if client.Timeout == 0 || client.Timeout > s.Timeout {
		client.Timeout = s.Timeout
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// newTransport returns a transport with short time-outs, TLS 1.2 or newer and a
// pool of idle connections: a login needs two or three calls to the same host,
// and each new connection costs round trips.
func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// withCertificate adds the client certificate (RFC 8705) to a copy of a
// standard transport. Any other RoundTripper is left alone: whoever replaces
// the transport presents the certificate there.
func withCertificate(rt http.RoundTripper, cert *tls.Certificate) http.RoundTripper {
	standard, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	standard = standard.Clone()
	if standard.TLSClientConfig == nil {
		standard.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	// Not Certificates: crypto/tls would keep a self-signed one back from a server that names the authorities it knows.
	standard.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	return standard
}

// A statusError is an answer whose status is not 200.
type statusError struct {
	URL string
	Got int
}

// Error names the URL and both statuses.
func (e *statusError) Error() string {
	return fmt.Sprintf("%s: expected status 200, got %d", e.URL, e.Got)
}

// getJSON fetches a JSON object that anybody may read: metadata and key sets.
func getJSON(ctx context.Context, client *http.Client, url string) (strictjson.Object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return strictjson.Object{}, err
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	res, err := client.Do(req)
	if err != nil {
		return strictjson.Object{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return strictjson.Object{}, &statusError{URL: url, Got: res.StatusCode}
	}
	body, err := readBody(res.Body)
	if err != nil {
		return strictjson.Object{}, fmt.Errorf("%s: %w", url, err)
	}
	o, err := strictjson.Parse(body)
	if err != nil {
		return strictjson.Object{}, fmt.Errorf("%s: %w", url, err)
	}
	return o, nil
}

// errTooLarge says that an answer is beyond maxBody.
var errTooLarge = errors.New("expected at most " + strconv.Itoa(maxBody) + " bytes, got more")

// readBody reads a whole body of at most maxBody bytes, counted after
// decompression.
func readBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, errTooLarge
	}
	return body, nil
}

// mediaType returns a Content-Type without its parameters, in lower case; ""
// when there is none to understand.
func mediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3) as seconds or as a date; 0
// when there is none. It is capped at an hour: a provider may ask for patience,
// not take the application out of service.
func retryAfter(h http.Header) time.Duration {
	const longest = time.Hour
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longest)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, min(time.Until(at), longest))
	}
	return 0
}
