package site

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/signet-go/signet/example-webapp/internal/problem"
	"github.com/signet-go/signet/example-webapp/internal/reply"
)

// Handler returns the routes of mux behind the checks that hold for each of them.
func (s *Site) Handler(mux *http.ServeMux) http.Handler {
	return s.guard(s.passScripts(s.answerUnmatched(mux)))
}

// passScripts keeps the paths of scripts from the mux, which would redirect one that is not clean to
// another, where the proxy refuses it.
func (s *Site) passScripts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Scripts != nil && strings.HasPrefix(r.URL.EscapedPath(), ScriptsPrefix) {
			s.Scripts.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guard applies what holds for every route: headers, the host name, and the origin of requests that
// change something.
//
// It stands outside of the routes, so that automatic answers (404, 405) are covered too, and a
// route that is added tomorrow.
func (s *Site) guard(next http.Handler) http.Handler {
	origins := s.crossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply.Headers(w.Header())
		if !s.isOurHost(r.Host) && !isProbe(r.URL.Path) {
			s.Log.WarnContext(r.Context(), "request for another host", "host", r.Host[:min(len(r.Host), 200)], "want", s.URL.Host)
			s.Refuse(w, r, http.StatusMisdirectedRequest)
			return
		}
		if origins.Check(r) != nil {
			s.Refuse(w, r, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// FromHere refuses what other sites send, GET too, for routes whose answer or work is nobody else's
// business.
//
// Cookies of a session are withheld from most of that. They come with links, and with whatever a
// sister host sends.
func (s *Site) FromHere(next http.Handler) http.Handler {
	origins := s.crossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asPost := *r
		asPost.Method = http.MethodPost
		if origins.Check(&asPost) != nil {
			s.Refuse(w, r, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOriginProtection leaves out the requests that providers and other sites post to us: they
// carry proofs of their own (state, a signed logout token) or change nothing.
//
// Everything else that changes something is a POST of our own pages, which need no token for it:
// browsers say where a request comes from, in Sec-Fetch-Site or Origin, and a client that sends
// neither is no browser that could be led astray.
func (s *Site) crossOriginProtection() *http.CrossOriginProtection {
	p := http.NewCrossOriginProtection()
	// Our own pages are at this origin, also where a proxy calls us by another host. The
	// configuration made it an origin.
	if err := p.AddTrustedOrigin(s.origin()); err != nil {
		panic(err)
	}
	for _, path := range s.Posted {
		p.AddInsecureBypassPattern("POST " + path)
	}
	return p
}

// isOurHost reports whether a request was meant for this app: by its public name, or by a loopback
// or numeric address, as probes and people at the machine use. Any other name is a browser led here
// by foreign DNS (rebinding), or a cache to be poisoned.
//
// Nothing is built from the Host header in any case: redirect URIs and links come from BASE_URL.
func (s *Site) isOurHost(host string) bool {
	if strings.EqualFold(host, s.URL.Host) {
		return true
	}
	u, err := url.Parse("//" + host) // which refuses ports that are none
	if err != nil || u.Host != host {
		return false
	}
	return u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil
}

// isProbe reports whether path is asked by machinery, which knows the app by whatever name the
// network gave it.
//
// They say nothing that depends on who asks.
func isProbe(path string) bool {
	return path == "/healthz" || path == "/readyz"
}

// answerUnmatched answers with our own page and headers where the mux would answer 404 or 405 by
// itself.
//
// The mux's answers are text/plain with a fixed sentence, and a person who mistyped an address
// deserves a page. Its redirects, to a cleaned path, are left alone: they stay on this site.
func (s *Site) answerUnmatched(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, pattern := mux.Handler(r); pattern == "" || s.URL.Path != "" && isElsewhere(r.URL.Path, pattern) {
			probe := reply.NewProbe()
			h.ServeHTTP(probe, r)
			if to := probe.Header().Get("Location"); strings.HasPrefix(to, "/") {
				w.Header().Set("Location", s.At(to))
				w.WriteHeader(probe.Status)
				return
			}
			if problem.Refused[probe.Status] != nil {
				if allow := probe.Header().Values("Allow"); allow != nil {
					w.Header()["Allow"] = allow
				}
				s.Refuse(w, r, probe.Status)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// isElsewhere reports whether the mux redirects a path: to a cleaned one, or to the subtree that
// pattern is. The mux knows nothing of the path that a proxy strips.
func isElsewhere(p, pattern string) bool {
	cleaned := path.Clean(p)
	return cleaned != p && cleaned+"/" != p || strings.HasSuffix(pattern, p+"/")
}
