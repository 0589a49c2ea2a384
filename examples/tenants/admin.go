package main

import (
	"log"
	"net/http"
	"strings"
)

// admin serves the administrator's page.
type admin struct {
	directory *directory
	pages     *pages
}

// adminPage is what this page gets in addition to what all pages get.
type adminPage struct {
	Tenants []tenant
	Done    string // what has just been done
	Wrong   string // why something was not done
	Typed   tenant // without the secret: it goes into no page
}

// done are the things that can have been done: a link to the page must not make it say others.
var done = map[string]string{
	"added":   "Added. Its people can sign in from now on.",
	"ended":   "Removed. Its people are signed out.",
	"retired": "Removed. Who is signed in stays so until the session is over, without tokens.",
}

func (a *admin) list(w http.ResponseWriter, r *http.Request) {
	a.show(w, r, http.StatusOK, adminPage{Done: done[r.URL.Query().Get("done")]})
}

func (a *admin) show(w http.ResponseWriter, r *http.Request, status int, page adminPage) {
	page.Tenants = a.directory.list()
	a.pages.show(w, r, status, "admin", page)
}

// maxForm bounds what a form may send.
const maxForm = 16 << 10

func (a *admin) add(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	t := tenant{
		Name: field("name"), Label: field("label"), Domain: strings.ToLower(field("domain")),
		Issuer: field("issuer"), ClientID: field("client_id"), ClientSecret: field("client_secret"),
	}
	if err := a.directory.add(r.Context(), t); err != nil {
		log.Printf("tenant not added: %v", err)
		t.ClientSecret = ""
		a.show(w, r, http.StatusUnprocessableEntity, adminPage{Wrong: words(err), Typed: t})
		return
	}
	http.Redirect(w, r, "/admin?done=added", http.StatusSeeOther)
}

func (a *admin) remove(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	how := "ended"
	if r.PostFormValue("sessions") == "keep" {
		how = "retired"
	}
	if err := a.directory.remove(r.Context(), r.PostFormValue("name"), how == "retired"); err != nil {
		log.Printf("tenant not removed: %v", err)
		a.show(w, r, http.StatusUnprocessableEntity, adminPage{Wrong: words(err)})
		return
	}
	http.Redirect(w, r, "/admin?done="+how, http.StatusSeeOther)
}

// words are what an administrator is told: the library's errors say what to write instead.
func words(err error) string { return strings.ReplaceAll(err.Error(), "oidcauth: ", "") }
