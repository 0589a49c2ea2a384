package main

import (
	"bytes"
	"embed"
	"html/template"
	"log"
	"net/http"

	"github.com/signet-go/signet/oidcauth"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

// pages shows what is there to see.
type pages struct {
	providers *oidcauth.Providers
	directory *directory
}

// view is what every page is given.
type view struct {
	User                *oidcauth.User
	At                  string // the name of the user's provider for people
	LoginURL, LogoutURL string
	Data                any
}

// page returns a handler that shows a page to whoever is signed in, which may be nobody.
func (p *pages) page(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.show(w, r, http.StatusOK, name, nil) })
}

// show writes a page, whole or not at all.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	v := view{User: oidcauth.UserFrom(r.Context()), LoginURL: p.providers.LoginURL("/account"), LogoutURL: p.providers.LogoutURL(), Data: data}
	if v.User != nil {
		v.At = p.labelOf(v.User.Provider)
	}
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, v); err != nil {
		log.Print(err)
		http.Error(w, "something went wrong", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}

// labelOf is what people call a provider: also one that was removed, and whose sessions live on.
func (p *pages) labelOf(name string) string {
	for _, t := range p.directory.list() {
		if t.Name == name && t.Label != "" {
			return t.Label
		}
	}
	return name
}

// style serves what the forms have beyond the library's own style sheet.
func (p *pages) style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "pages/style.css")
}
