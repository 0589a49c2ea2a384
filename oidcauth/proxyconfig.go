package oidcauth

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/outbound"
)

// A ProxyConfig describes an API that scripts of the application's pages call through its own
// origin: see [Authenticator.Proxy]. API and Prefix are required; the zero value of every other
// field is safe and the usual choice.
type ProxyConfig struct {
	// API is the URL below which the API is, such as "https://api.example.com/v1". Its origin must
	// be in Config.APIs, or in the APIs of the Machine.
	API string

	// Prefix is the path below which this process serves the API, such as "/api/orders/": mount the
	// handler there, without http.StripPrefix. What follows it is appended to API, so that
	// "/api/orders/7?full" is "https://api.example.com/v1/7?full". Browsers see it below
	// Config.StrippedPrefix.
	Prefix string

	// Token says which of the user's or the machine's tokens the API gets. Nil means the one that
	// came with the login.
	Token []TokenOption

	// Machine names one of Config.Machines, whose token the API gets in place of the user's. A user
	// still has to be signed in. Empty means the user's token.
	Machine string

	// MaxRequestBody bounds the body of a request, in bytes: a larger one gets 413. Zero means 10
	// MiB.
	MaxRequestBody int64

	// MaxResponseBody bounds the body of a response, in bytes, except for text/event-stream, which
	// ends with the session: a larger one gets 502 or, once the response has begun, is cut off.
	// Zero means 100 MiB.
	MaxResponseBody int64

	// Timeout is how long the API may take to begin its response once it has the request. Zero
	// means 30 seconds.
	Timeout time.Duration

	// Transport sends the requests, without following redirects. Nil means a copy of
	// http.DefaultTransport, with the certificate in ClientAuth where there is one.
	Transport http.RoundTripper
}

const (
	defaultMaxRequestBody  = 10 << 20
	defaultMaxResponseBody = 100 << 20
	defaultProxyTimeout    = 30 * time.Second
)

// withDefaults returns c with every zero field as it is documented.
func (c ProxyConfig) withDefaults() ProxyConfig {
	c.MaxRequestBody = cmp.Or(c.MaxRequestBody, defaultMaxRequestBody)
	c.MaxResponseBody = cmp.Or(c.MaxResponseBody, defaultMaxResponseBody)
	c.Timeout = cmp.Or(c.Timeout, defaultProxyTimeout)
	return c
}

// newProxy makes the proxy that c asks for. The error joins every mistake in c.
func (a *Authenticator) newProxy(c ProxyConfig) (*proxy, error) {
	var mistakes []error
	wrong := func(field, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("oidcauth: ProxyConfig."+field+": "+format, args...))
	}
	c = c.withDefaults()
	p := &proxy{auth: a, prefix: c.Prefix, browserPrefix: a.site.Base + c.Prefix, maxRequest: c.MaxRequestBody, maxResponse: c.MaxResponseBody, ofUser: c.Machine == ""}
	p.transport = a.proxyTransport(&c, wrong)
	var err error
	if p.api, err = parseAPI(c.API); err != nil {
		wrong("API", "%w", err)
	} else if err := p.transport.APIs.Check(p.api); err != nil {
		wrong("API", "%w", err)
	}
	if err := checkProxyPrefix(c.Prefix, a.site.Own); err != nil {
		wrong("Prefix", "%w", err)
	}
	if c.MaxRequestBody < 0 || c.MaxResponseBody < 0 || c.Timeout < 0 {
		wrong("MaxRequestBody, MaxResponseBody, Timeout", "must not be negative")
	}
	return p, errors.Join(mistakes...)
}

// proxyTransport returns the transport that adds the token c asks for.
func (a *Authenticator) proxyTransport(c *ProxyConfig, wrong func(field, format string, args ...any)) *access.Transport {
	q, err := newTokenRequest(c.Token)
	if err != nil {
		wrong("Token", "%w", err)
	}
	t := &access.Transport{Keeper: a.tokens, APIs: a.tokens.apis, Nonces: a.endpoint.Nonces, Query: q, Rules: clientRules}
	base := a.tokens.base
	if c.Machine != "" {
		m := a.Machine(c.Machine)
		if m.err != nil {
			wrong("Machine", "%w", m.err)
		}
		t.Keeper, t.APIs, t.Nonces, base = m.tokens, m.apis, m.nonces, m.base
	}
	switch {
	case c.Transport != nil:
		base = c.Transport
	case base == nil:
		base = outbound.Passing(http.DefaultTransport) //nolint:forbidigo // the request's context bounds it, and Patient
	default:
		base = outbound.Passing(base)
	}
	t.Base = outbound.Patient(base, c.Timeout)
	return t
}

// parseAPI accepts the URLs below which an API can be.
func parseAPI(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return nil, errors.New(`is empty; use the API's base URL, such as "https://api.example.com/v1"`)
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil:
		return nil, fmt.Errorf("%q is not an absolute URL without credentials", raw)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return nil, fmt.Errorf("%q has a query or fragment", raw)
	}
	return u, nil
}

// checkProxyPrefix accepts the paths at which a proxy can be mounted: clean ones of its own.
func checkProxyPrefix(prefix string, own iter.Seq[string]) error {
	if len(prefix) < 3 || !strings.HasSuffix(prefix, "/") || checkPrefix(prefix) != nil {
		return fmt.Errorf(`%q is not a clean path of its own with a slash at both ends, such as "/api/"`, prefix)
	}
	for route := range own {
		if strings.HasPrefix(route, prefix) {
			return fmt.Errorf("%q has the Authenticator's own %s below it", prefix, route)
		}
	}
	return nil
}
