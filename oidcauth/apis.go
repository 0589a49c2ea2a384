package oidcauth

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
)

// apis are the origins that tokens may be sent to. An origin is where a request is
// sent by its URL, not by its Host header: the URL's host is what TLS has verified.
type apis struct {
	// field is the one that lists them, for errors.
	field string

	// origins are in the spelling of outbound.Origin.
	origins map[string]bool
}

// errOrigin means that a request with a token was aimed at an origin that is not listed.
var errOrigin = errors.New("oidcauth: origin is not among the APIs")

// newAPIs takes a list that checkOrigin has accepted.
func newAPIs(field string, list []string) apis {
	a := apis{field: field, origins: make(map[string]bool, len(list))}
	for _, item := range list {
		if u, err := url.Parse(item); err == nil {
			a.origins[outbound.Origin(u)] = true
		}
	}
	return a
}

// check returns an error in whose chain is errOrigin unless tokens may go to u.
func (a apis) check(u *url.URL) error {
	if a.origins[outbound.Origin(u)] {
		return nil
	}
	return fmt.Errorf("%w: %s; name it in %s if tokens may go there", errOrigin, logtext.Clip(u.Scheme+"://"+u.Host, logtext.Max), a.field)
}
