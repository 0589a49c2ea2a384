package oidcauth_test

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A template that isn't there, here for all pages but one, is the built-in page.
func ExamplePages() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: "https://id.example.com", ClientID: "shop", ClientSecret: "secret", RedirectURL: "https://shop.example.com/auth/callback",
		Session: session.Config{Keys: []string{session.NewKey()}},
		Pages: template.Must(template.New("").Parse(
			`{{define "signed-out"}}<html lang="{{.Lang}}"><h1>{{.Title}}</h1><a href="{{.Home}}">{{.Text "link.home"}}</a></html>{{end}}`)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := httptest.NewRecorder()
	auth.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/auth/signed-out", http.NoBody))
	fmt.Println(answer.Body)
	// Output:
	// <html lang="en"><h1>You&#39;re signed out</h1><a href="/">Go to the home page</a></html>
}

// A translation may be incomplete: the rest is English.
func ExampleMessages() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: "https://id.example.com", ClientID: "shop", ClientSecret: "secret", RedirectURL: "https://shop.example.com/auth/callback",
		Session: session.Config{Keys: []string{session.NewKey()}},
		Messages: map[string]oidcauth.Messages{
			"de": {"problem.not_found.title": "Seite nicht gefunden", "problem.not_found.advice": "Bitte die Adresse prüfen."},
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if p, ok := errors.AsType[*oidcauth.Problem](err); ok {
				fmt.Fprint(w, p.Title)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodGet, "/auth/no-such-page", http.NoBody)
	r.Header.Set("Accept-Language", "de-AT, en;q=0.5")
	answer := httptest.NewRecorder()
	auth.ServeHTTP(answer, r)
	fmt.Println(answer.Body)
	// Output: Seite nicht gefunden
}
