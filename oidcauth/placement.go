package oidcauth

import (
	"errors"
	"net/http"

	"github.com/signet-go/signet/internal/outbound"
)

// ErrUnknownProvider means that Providers have none with this name, or no more.
var ErrUnknownProvider = errors.New("oidcauth: there is no provider with this name")

// A placement is what an Authenticator has of the Providers that it belongs to.
type placement struct {
	registry *Providers
	name     string

	// anywhere lifts the bounds on the addresses that are called.
	anywhere bool
}

// name is that among Providers, "" for an Authenticator that stands alone.
func (a *core) name() string {
	if a.config.place == nil {
		return ""
	}
	return a.config.place.name
}

// serves reports whether a has a provider, and still has it: what was removed is called no more.
func (a *core) serves() bool {
	return a.provider != nil && (a.config.place == nil || a.config.place.registry.has(a.key))
}

// client makes the calls of c, which is in this place.
func (p *placement) client(c *Config) *http.Client {
	s := c.outbound()
	switch {
	case p.anywhere && c.HTTPClient == nil && s.Certificate == nil:
		s.Base = &http.Client{Transport: p.registry.anywhere}
	case p.anywhere:
	case c.HTTPClient == nil && s.Certificate == nil:
		s.Base = &http.Client{Transport: p.registry.public}
	default:
		s.Base, s.Certificate = &http.Client{Transport: outbound.PublicTransport(c.HTTPClient, outbound.Reach{}, s.Certificate)}, nil
	}
	return outbound.NewClient(s)
}
