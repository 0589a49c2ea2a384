// Command pages is a web application that renders its pages on the server: a public one that greets
// whoever is signed in, one for every user, and one for administrators.
package main

import (
	"cmp"
	"html/template"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .User}}<p>Signed in as {{.Name}}. <a href="/me">Your profile</a></p>
<form method="post" action="/auth/logout"><button>Sign out</button></form>
{{else}}<p><a href="/auth/login?return_to=/me">Sign in</a></p>{{end}}`))

// show returns a handler that renders a page for whoever is signed in, which may be nobody.
func show(title string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := map[string]any{"Title": title, "User": oidcauth.UserFrom(r.Context())}
		if err := page.Execute(w, data); err != nil {
			log.Print(err)
		}
	})
}

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "localhost:8080")
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer:       os.Getenv("OIDC_ISSUER"),
		ClientID:     os.Getenv("OIDC_CLIENT_ID"),
		ClientSecret: os.Getenv("OIDC_CLIENT_SECRET"),
		RedirectURL:  "http://" + listen + "/auth/callback",
		Session:      session.Config{Keys: strings.Fields(os.Getenv("SESSION_KEYS"))},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth) // login, callback, logout
	mux.Handle("GET /{$}", auth.Load(show("Welcome")))
	mux.Handle("GET /me", auth.RequireLogin(show("Your profile")))
	mux.Handle("GET /admin", auth.Require(oidcauth.Role("admin"))(show("Administration")))

	log.Printf("open http://%s/", listen)
	log.Fatal(http.ListenAndServe(listen, mux))
}
