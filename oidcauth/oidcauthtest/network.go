package oidcauthtest

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Network is a small in-memory internet: an [http.RoundTripper] that routes each request to its
// origin's handler. It opens no socket. It is safe for concurrent use.
type Network struct {
	// Fallback handles requests to origins without a handler. If nil, they fail like a name that
	// doesn't exist, so a test can't reach the real internet by mistake.
	Fallback http.RoundTripper

	mu       sync.Mutex
	handlers map[string]http.Handler
	asked    []string
}

// NewNetwork returns an empty network.
func NewNetwork() *Network { return &Network{handlers: map[string]http.Handler{}} }

// Handle makes h the handler of an origin, such as "https://app.example.test" or
// "http://localhost:8080". The rest of the URL is ignored. A nil handler removes the host from the
// network.
func (n *Network) Handle(rawURL string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers[originOf(mustParse(rawURL))] = h
}

// Client returns an HTTP client on this network, without a cookie jar.
func (n *Network) Client() *http.Client { return &http.Client{Transport: n} }

// Asked returns the URL of every request so far, in order, whether its host exists or not: use it
// to check that nothing was called that shouldn't be.
func (n *Network) Asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.asked...)
}

// RoundTrip implements [http.RoundTripper].
func (n *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.asked = append(n.asked, r.URL.String())
	h := n.handlers[originOf(r.URL)]
	n.mu.Unlock()
	if h != nil {
		return serve(h, r)
	}
	if n.Fallback != nil {
		return n.Fallback.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
}

// originOf returns scheme, host and, unless it is the scheme's own, port.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}
