package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/signet-go/signet/oidcauth"
)

//go:embed templates static
var assets embed.FS

// templates are all pages, by file name: each one inside templates/layout.html.
//
// They are parsed at the start, so that a broken one is seen at once and not by the first visitor. html/template escapes by
// context (text, attribute, URL); nothing is marked as safe anywhere.
var templates = parseTemplates()

// parseTemplates clones the layout for each page, since blocks of the same name would otherwise replace one another.
func parseTemplates() map[string]*template.Template {
	functions := template.FuncMap{"clock": clock, "stamp": stamp, "span": span, "past": past}
	layout := template.Must(template.New("layout.html").Funcs(functions).ParseFS(assets, "templates/layout.html"))
	files, err := fs.Glob(assets, "templates/*.html")
	if err != nil {
		panic(err)
	}
	pages := make(map[string]*template.Template, len(files))
	for _, file := range files {
		pages[path.Base(file)] = template.Must(template.Must(layout.Clone()).ParseFS(assets, file))
	}
	return pages
}

// clock is a time as people read it; stamp is the same for machines.
//
// The server's time zone is used, and named: without scripts nobody knows the visitor's.
func clock(t time.Time) string { return t.Local().Format("15:04:05 MST") }
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// past reports whether t is over.
func past(t time.Time) bool { return !time.Now().Before(t) }

// span is the distance of t from now, in the units that matter.
//
// Rounding is downwards: a time that is left is never shown longer than it is.
func span(t time.Time) string {
	d := time.Until(t).Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// A page is what every template of the app gets.
//
// Its texts come from claims, requests and configuration alike, and are all escaped; only constants are HTML.
type page struct {
	Base   string // what paths begin with for the browser: the path of BASE_URL, without a slash at its end
	Title  string
	Path   string // marks the current entry of the navigation
	Script string // a file under /static/, for the pages that have one
	// Nil when nobody is signed in, and on error pages, which must not depend on a session that may be the trouble.
	User *oidcauth.User
	// Paths of this site. An empty LoginURL shows no sign-in link.
	LoginURL  string
	LogoutURL string
	Data      any // what the template itself needs
}

// A devPage is what the embedded provider's templates get.
//
// It is a type of its own, so that nothing of the app's user can appear on a page of the provider's: in production these are
// two companies.
type devPage struct {
	Base                                      string // empty: the provider is at the root of its own address
	Title, Action, Username, Problem, Message string
	Users                                     []devUser
}

// policyCSP allows our own stylesheet and images, nothing else. It has no form-action: the sign-in and sign-out forms lead to
// redirects to the provider, which browsers would hold against it.
//
// No script may run, but on the profile page, which adds its own file; no page may frame this one (RFC 9700 §4.16).
const policyCSP = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// setHeaders sets what every answer carries, unless its handler says otherwise later.
func setHeaders(h http.Header) {
	// Pages show who is signed in: the back button after a logout must not bring them back from a cache.
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policyCSP)
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with it browsers send "Origin: null" from our own forms, which the check of their origin refuses.
	h.Set("Referrer-Policy", "same-origin")
}

// render writes a whole page or, when its template fails, nothing of it.
//
// It goes through a buffer: a template that fails in the middle would else leave half a page under a status of 200.
func render(w http.ResponseWriter, status int, file string, data any) {
	var buf bytes.Buffer
	if err := templates[file].Execute(&buf, data); err != nil {
		http.Error(w, "The page can't be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(buf.Bytes())
}

// renderDev writes a page of the embedded provider.
func renderDev(w http.ResponseWriter, status int, file string, data devPage) {
	setHeaders(w.Header())
	render(w, status, file, data)
}

// staticFiles serves the stylesheet and its like: the same for everybody, so caches may keep them for a while. Only names that were
// there when the program was built are looked up, so that no path leads elsewhere.
func staticFiles(notFound http.Handler) http.Handler {
	files := readStatic()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/static/")
		data, ok := files[name]
		if !ok {
			notFound.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	})
}

// readStatic returns the embedded files by name.
//
// They are a few kilobytes, so that holding them costs less than opening them.
func readStatic() map[string][]byte {
	entries, err := assets.ReadDir("static")
	if err != nil {
		panic(err)
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		if files[entry.Name()], err = assets.ReadFile("static/" + entry.Name()); err != nil {
			panic(err)
		}
	}
	return files
}
