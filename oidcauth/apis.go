package oidcauth

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/logtext"
)

// apis are the origins that tokens may be sent to. An origin is where a request is
// sent by its URL, not by its Host header: the URL's host is what TLS has verified.
type apis struct {
	// field is the one that lists them, for errors.
	field string

	// origins are in the spelling of canonicalOrigin.
	origins map[string]bool
}

// newAPIs takes a list that checkOrigin has accepted.
func newAPIs(field string, list []string) apis {
	a := apis{field: field, origins: make(map[string]bool, len(list))}
	for _, item := range list {
		if u, err := url.Parse(item); err == nil {
			a.origins[canonicalOrigin(u)] = true
		}
	}
	return a
}

// check returns an error in whose chain is ErrOrigin unless tokens may go to u.
func (a apis) check(u *url.URL) error {
	if a.origins[canonicalOrigin(u)] {
		return nil
	}
	return fmt.Errorf("%w: %s; name it in %s if tokens may go there", ErrOrigin, logtext.Clip(u.Scheme+"://"+u.Host, logtext.Max), a.field)
}

// canonicalOrigin is scheme, host and port of u in one spelling.
func canonicalOrigin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") + ":" + port
}
