// Package outbound calls providers: which URL may be called at all ([CheckEndpoint], [Reach]), and
// the client that calls it, bounded in time and size ([NewClient]).
//
// It follows no redirect, keeps no cookie and sends no credential of its own accord. Start reading at
// [NewClient]; [CheckEndpoint] has the rules for URLs.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/strictjson"
)

// Bounds of an answer and of reaching the provider at all. Metadata and key sets stay below 100 kB
// in practice.
const (
	MaxBody        = 1 << 20 // of any answer of the provider
	maxHeaderBytes = 64 << 10
	connectTimeout = 3 * time.Second

	// idleTimeout is how long a connection waits for its next request: less than the five seconds
	// after which many servers close one (Node.js, Apache). A form that meets the closing is lost,
	// and a code or a rotating refresh token with it, since nobody can tell whether it was read. A
	// new connection costs round trips, and nothing else.
	idleTimeout = 3 * time.Second
)

// Settings are what the application says about calls to a provider.
type Settings struct {
	// Base is the application's own client, nil for one with our own transport.
	Base *http.Client

	// Certificate authenticates the client (RFC 8705), nil for none.
	Certificate *tls.Certificate

	// Timeout bounds one call, also one by a Base without a bound of its own.
	Timeout time.Duration
}

// NewClient returns the client for every call to the provider: bounded in time, without a cookie
// jar, and blind to redirects, because a redirected token request carries the code in its body (RFC
// 9700 §4.12) and redirected metadata is somebody else's. A Base replaces it, in a copy that keeps
// these three rules.
func NewClient(s Settings) *http.Client {
	client := http.Client{}
	if s.Base != nil {
		client = *s.Base
	}
	if client.Transport == nil {
		client.Transport = newTransport()
	}
	if s.Certificate != nil {
		client.Transport = WithCertificate(client.Transport, s.Certificate)
	}
	if client.Timeout == 0 || client.Timeout > s.Timeout {
		client.Timeout = s.Timeout
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// newTransport returns a transport with short timeouts, TLS 1.2 or newer and a pool of idle
// connections: a login needs two or three calls to the same host, and each new connection costs
// round trips.
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

// WithCertificate adds the client certificate (RFC 8705) to a copy of a standard transport. Any
// other RoundTripper is left alone: whoever replaces the transport presents the certificate there.
func WithCertificate(rt http.RoundTripper, cert *tls.Certificate) http.RoundTripper {
	standard, ok := rt.(*http.Transport)
	if !ok {
		return rt
	}
	standard = standard.Clone()
	if standard.TLSClientConfig == nil {
		standard.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	// Not Certificates: crypto/tls would keep a self-signed one back from a server that names the
	// authorities it knows.
	standard.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	return standard
}

// A StatusError is an answer whose status is not 200.
type StatusError struct {
	URL string
	Got int

	// Location is where a redirect, which is never followed, would have led; "" without one.
	Location string
}

// Error names the URL, both statuses, and the target of a redirect.
func (e *StatusError) Error() string {
	if e.Location != "" {
		return fmt.Sprintf("%s: expected status 200, got %d, a redirect to %s: redirects are not followed; if that is your provider, configure its address", e.URL, e.Got, logtext.Quote(e.Location))
	}
	return fmt.Sprintf("%s: expected status 200, got %d", e.URL, e.Got)
}

// Refuses reports whether the status says that there is nothing at this address for us, and not
// that something is out of order.
func (e *StatusError) Refuses() bool {
	return e.Got >= 400 && e.Got < 500 && e.Got != http.StatusTooManyRequests && e.Got != http.StatusRequestTimeout
}

// GetJSON fetches a JSON object that anybody may read: metadata and key sets.
func GetJSON(ctx context.Context, client *http.Client, url string) (strictjson.Object, error) {
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
		return strictjson.Object{}, &StatusError{URL: url, Got: res.StatusCode, Location: res.Header.Get("Location")}
	}
	body, err := ReadBody(res.Body)
	if err != nil {
		return strictjson.Object{}, fmt.Errorf("%s: %w", url, err)
	}
	o, err := strictjson.Parse(body)
	if err != nil {
		return strictjson.Object{}, fmt.Errorf("%s: %w", url, err)
	}
	return o, nil
}

// errTooLarge says that an answer is beyond MaxBody.
var errTooLarge = errors.New("expected at most " + strconv.Itoa(MaxBody) + " bytes, got more")

// byteOrderMark is U+FEFF in UTF-8, which some servers put before their JSON. Readers may ignore it
// (RFC 8259 §8.1).
var byteOrderMark = []byte("\uFEFF")

// ReadBody reads a whole body of at most MaxBody bytes, counted after decompression, without a byte
// order mark before it.
func ReadBody(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, MaxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxBody {
		return nil, errTooLarge
	}
	return bytes.TrimPrefix(body, byteOrderMark), nil
}

// MediaType returns a Content-Type without its parameters, in lower case; "" when there is none to
// understand.
func MediaType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// RetryAfter reads Retry-After (RFC 9110 §10.2.3) as seconds or as a date; 0 when there is none. It
// is capped at an hour: a provider may ask for patience, not take the application out of service.
func RetryAfter(h http.Header) time.Duration {
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
