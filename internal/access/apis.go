package access

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
)

// APIs are the origins that tokens may be sent to. An origin is where a request is sent by its URL,
// not by its Host header: the URL's host is what TLS has verified.
type APIs struct {
	// field is the one that lists them, for errors.
	field string

	// origins are in the spelling of outbound.Origin.
	origins map[string]bool
}

// ErrOrigin means that a request with a token was aimed at an origin that is not listed.
var ErrOrigin = errors.New("oidcauth: origin is not listed in APIs")

// NewAPIs takes a list that checkOrigin has accepted.
func NewAPIs(field string, list []string) APIs {
	a := APIs{field: field, origins: make(map[string]bool, len(list))}
	for _, item := range list {
		if u, err := url.Parse(item); err == nil {
			a.origins[outbound.Origin(u)] = true
		}
	}
	return a
}

// Check returns an error in whose chain is ErrOrigin unless tokens may go to u.
func (a APIs) Check(u *url.URL) error {
	if a.origins[outbound.Origin(u)] {
		return nil
	}
	return fmt.Errorf("%w: %s; add it to %s if tokens may be sent there", ErrOrigin, logtext.Clip(u.Scheme+"://"+u.Host, logtext.Max), a.field)
}
