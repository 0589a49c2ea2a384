package providers

import (
	"net/http"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/site"
	"github.com/signet-go/signet/oidcauth"
)

// newProxy lets scripts call the API of p's users, which has timeout to begin its answers. What the
// address of the API has besides a path is only for /api/call.
func newProxy(p *Provider, timeout time.Duration) (http.Handler, error) {
	api := *p.API
	api.User, api.RawQuery, api.ForceQuery, api.Fragment = nil, "", false, ""
	return p.Auth.Proxy(oidcauth.ProxyConfig{API: api.String(), Prefix: site.ScriptsPrefix, Timeout: timeout})
}

// Proxy passes scripts' requests on to the API of whoever is signed in. Its answers may be streams,
// which the server's timeouts would end: they last as long as the session and the browser do.
func (s *Set) Proxy() http.Handler {
	next := s.list[0].Proxy
	if len(s.list) > 1 {
		next = s.Load(func(w http.ResponseWriter, r *http.Request) { s.Of(r).Proxy.ServeHTTP(w, r) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection := http.NewResponseController(w)
		_ = connection.SetWriteDeadline(time.Time{}) // a connection without deadlines has none to take away
		if r.ContentLength == 0 {
			_ = connection.SetReadDeadline(time.Time{})
		}
		next.ServeHTTP(w, r)
	})
}

// ForwardAuth tells a proxy before other services who is signed in, whichever provider they came
// from: all users at /forward-auth, those with a role at /forward-auth/role/NAME. The query is the
// page's own.
func (s *Set) ForwardAuth(mux *http.ServeMux) {
	answer := func(w http.ResponseWriter, r *http.Request, requirements ...oidcauth.Requirement) {
		s.Of(r).Auth.ForwardAuth(requirements...).ServeHTTP(w, r)
	}
	look := func(h http.HandlerFunc) http.Handler { return s.list[0].Auth.Peek(h) }
	mux.Handle("/forward-auth", look(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	mux.Handle("/forward-auth/role/{name}", look(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, oidcauth.Role(r.PathValue("name")))
	}))
}
