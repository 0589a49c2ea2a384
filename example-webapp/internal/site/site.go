// Package site is the app's place on the web: its public address, and what holds for every route
// whoever serves it.
//
// It promises that each answer carries the security headers, that another host's or another site's
// requests get no further, and that no link is ever made from what a request says its host is. It
// knows nothing of users. Start at Site.Handler.
package site

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/oidcauth"
)

// A Site is where the browser finds the app. Its fields are set before the first request.
type Site struct {
	URL *url.URL // scheme, host, and the path that a proxy strips, without a slash at its end
	// Scripts is what serves the paths below ScriptsPrefix, byte for byte: the mux would clean them.
	Scripts http.Handler
	Posted  []string // paths that providers and other sites may post to: what is there asks for proofs
	Refuse  func(w http.ResponseWriter, r *http.Request, status int)
	Log     *slog.Logger
}

// ScriptsPrefix is the path below which scripts call the API.
const ScriptsPrefix = "/proxy/"

// origin is the address without the path.
func (s *Site) origin() string { return s.URL.Scheme + "://" + s.URL.Host }

// At is where the browser finds a path of the app's.
func (s *Site) At(path string) string { return s.URL.Path + path }

// Asked is what the browser asked for, byte for byte: an escaped slash in it is data.
func (s *Site) Asked(r *http.Request) string { return s.At(r.RequestURI) }

// Redirect sends the browser to a path of the app's. The header is set as it stands: http.Redirect
// would clean what is in it.
func (s *Site) Redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", s.At(path))
	w.WriteHeader(http.StatusSeeOther)
}

// CameFrom is the page that somebody goes on from after an error: the one that was opened, or that
// of the form or script that was sent; "" when the browser does not say. LoginURL has the last word
// on it.
func (s *Site) CameFrom(r *http.Request) string {
	if oidcauth.IsPageView(r) {
		return s.Asked(r)
	}
	page, ours := strings.CutPrefix(cmp.Or(r.Header.Get("HX-Current-URL"), r.Referer()), s.origin()+"/")
	if !ours || strings.HasPrefix(page, "/") || strings.HasPrefix(page, `\`) {
		return "" // a second slash would begin a host
	}
	page, _, _ = strings.Cut(page, "#")
	return "/" + page
}

// NeverNavigate makes every request look like a script's to the guards behind it: the routes under
// /api/ answer 401 and never redirect, whoever asks.
func NeverNavigate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		script := r.Clone(r.Context())
		script.Header.Set("Sec-Fetch-Mode", "cors")
		script.Header.Set("Sec-Fetch-Dest", "empty")
		script.Header.Set("Accept", "application/json")
		next.ServeHTTP(w, script)
	})
}
