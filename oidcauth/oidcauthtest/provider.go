package oidcauthtest

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Provider is an OpenID provider for tests: correct and strict until a hook alters one of its
// responses.
//
// It is an [http.Handler] and an [http.RoundTripper]: [NewProvider] makes one that answers in
// memory, [Start] one that also listens on a loopback socket. All methods are safe for concurrent
// use, and settings, hooks and interceptions may change between two requests.
type Provider struct {
	network *Network

	mu          sync.Mutex
	settings    Settings
	owner       string // of its keys
	generation  int    // of its keys
	hooks       hooks
	intercepts  map[Endpoint][]Middleware
	record      []*Request
	sessions    map[string]*Session       // by the value of the provider's own cookie
	signIns     int                       // sessions started so far
	pushed      map[string]*pushedRequest // by request_uri
	codes       map[string]*code
	refreshes   map[string]*refreshToken
	accesses    map[string]*accessToken
	distributed map[string]func() string // what a source answers, by its access token
	seen        map[string]time.Time     // jti of assertions and proofs
	nonces      map[string]bool          // DPoP nonces in force
}

// NewProvider returns a provider that answers in memory, through [Provider.RoundTrip],
// [Provider.Client] or a [Network]. It opens no socket and starts no goroutine that outlives a
// request, so it works inside a testing/synctest bubble.
func NewProvider(s Settings) *Provider {
	p := &Provider{
		settings:    s.withDefaults(),
		intercepts:  map[Endpoint][]Middleware{},
		sessions:    map[string]*Session{},
		pushed:      map[string]*pushedRequest{},
		codes:       map[string]*code{},
		refreshes:   map[string]*refreshToken{},
		accesses:    map[string]*accessToken{},
		distributed: map[string]func() string{},
		seen:        map[string]time.Time{},
		nonces:      map[string]bool{},
	}
	p.owner = p.settings.Issuer
	p.network = NewNetwork()
	p.network.Handle(origin(p.settings.Issuer), p)
	return p
}

// Start returns a provider that serves on a loopback socket until the test ends. If Issuer is empty
// or a path ("/tenant/"), the provider uses a free port of 127.0.0.1; a complete loopback URL with
// a port is served there, which lets a provider start late, or restart, at the expected address.
func Start(tb testing.TB, s Settings) *Provider {
	tb.Helper()
	address := "127.0.0.1:0"
	if u, err := url.Parse(s.Issuer); err == nil && u.Host != "" {
		address = u.Host
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		tb.Fatalf("oidcauthtest: the provider can't listen: %v", err)
	}
	if !strings.Contains(s.Issuer, "://") {
		s.Issuer = "http://" + listener.Addr().String() + s.Issuer
	}
	p := NewProvider(s)
	owner, release := borrowSlot()
	p.owner = owner
	server := &http.Server{Handler: p}
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() {
		_ = server.Close()
		release()
	})
	return p
}

// Issuer returns the issuer identifier, exactly as the metadata has it.
func (p *Provider) Issuer() string { return p.current().Issuer }

// Configure changes the settings. The function gets the current settings, with their defaults
// filled in; the issuer must not change.
func (p *Provider) Configure(f func(*Settings)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.settings.withDefaults() // a copy
	f(&s)
	s.Issuer = p.settings.Issuer
	p.settings = s.withDefaults()
}

// Register adds a client, or replaces the one with the same ID.
func (p *Provider) Register(c Client) {
	p.Configure(func(s *Settings) {
		if known := s.client(c.ID); known != nil {
			*known = c
			return
		}
		s.Clients = append(s.Clients, c)
	})
}

// Key returns the current signing key.
func (p *Provider) Key() *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ringKey(p.owner, p.settings.Alg, p.generation)
}

// RotateKey creates a new key with a new kid, which signs from now on. Only the new key is
// published; to publish the old one too, add its JWK in BendKeys.
func (p *Provider) RotateKey() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.generation++
}

// RoundTrip answers a request to the provider's origin in memory. Requests to any other host fail
// as for an unknown name, unless it was added to [Provider.Network].
func (p *Provider) RoundTrip(r *http.Request) (*http.Response, error) { return p.network.RoundTrip(r) }

// Client returns an HTTP client on [Provider.Network], without a cookie jar and without a timeout
// of its own.
func (p *Provider) Client() *http.Client { return &http.Client{Transport: p} }

// Network returns the network behind RoundTrip, which at first contains only the provider. Add the
// application or an attacker's host, and it serves an entire test.
func (p *Provider) Network() *Network { return p.network }

// ServeHTTP records the request and answers it, through the interceptions of its endpoint. A path
// that isn't an endpoint is recorded as [Unknown] and gets 404.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Record first: a request that hangs or is dropped was received all the same.
	endpoint := p.endpointOf(r.URL.Path)
	entry, rec := p.observe(endpoint, w, r)
	defer p.concluded(entry, rec)
	var h http.Handler = p.handler(endpoint)
	p.mu.Lock()
	layers := slices.Concat(p.intercepts[Any], p.intercepts[endpoint])
	p.mu.Unlock()
	for i := len(layers) - 1; i >= 0; i-- {
		h = layers[i](h)
	}
	h.ServeHTTP(rec, r)
}

// current returns the settings in force.
func (p *Provider) current() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings
}

// origin returns scheme and host of an absolute URL.
func origin(raw string) string { return originOf(mustParse(raw)) }

// mustParse is for URLs that a test or this package wrote.
func mustParse(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		panic("oidcauthtest: an absolute URL was expected, not " + raw)
	}
	return u
}
