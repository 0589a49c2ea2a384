package oidcauthtest

import (
	"fmt"
	"net/http"
	"net/url"
)

// SignIn performs a complete sign-in in memory: a new browser requests path from app, is sent to
// the provider, signs in as its current user and comes back. The app is at the origin of the
// redirect URI of the provider's first client.
//
// It returns the browser, which holds the session, and the page that it ended on. A sign-in that
// doesn't end at path, or ends with a status of 400 or more, is an error.
func SignIn(p *Provider, app http.Handler, path string) (*Browser, *Page, error) {
	home := origin(p.current().Clients[0].RedirectURIs[0])
	network := NewNetwork()
	network.Fallback = p
	network.Handle(home, app)
	b := NewBrowser(network)
	b.Now = p.current().Now
	page := b.Get(home + path)
	switch wanted := mustParse(home + path); {
	case page.Err != nil:
		return b, page, fmt.Errorf("oidcauthtest: the sign-in stopped at %s: %w", bare(page.URL), page.Err)
	case page.Status >= http.StatusBadRequest:
		return b, page, fmt.Errorf("oidcauthtest: the sign-in ended with %d at %s: %s", page.Status, bare(page.URL), page.Body)
	case mustParse(page.URL).RequestURI() != wanted.RequestURI() || origin(page.URL) != originOf(wanted):
		return b, page, fmt.Errorf("oidcauthtest: the sign-in ended at %s, not at %s", bare(page.URL), wanted)
	}
	return b, page, nil
}

// bare returns a URL without its query, which may hold a code.
func bare(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "an unreadable URL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
