// Command parts is a server that signs users in with the libraries that signet stands on, as their
// own examples do.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gorilla/securecookie"
	"golang.org/x/oauth2"
)

func main() {
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, os.Args[1])
	if err != nil {
		panic(err)
	}
	config := oauth2.Config{ClientID: os.Args[2], ClientSecret: os.Args[3], RedirectURL: os.Args[4], Endpoint: provider.Endpoint(), Scopes: []string{"openid"}}
	verifier := provider.Verifier(&oidc.Config{ClientID: os.Args[2]})
	cookies := securecookie.New([]byte(os.Args[5]), nil)
	http.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, config.AuthCodeURL("state"), http.StatusFound)
	})
	http.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		token, err := config.Exchange(r.Context(), r.URL.Query().Get("code"))
		if err != nil {
			panic(err)
		}
		id, err := verifier.Verify(r.Context(), token.Extra("id_token").(string))
		if err != nil {
			panic(err)
		}
		value, err := cookies.Encode("session", map[string]string{"sub": id.Subject})
		if err != nil {
			panic(err)
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: value})
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var user map[string]string
		if c, err := r.Cookie("session"); err == nil && cookies.Decode("session", c.Value, &user) == nil {
			fmt.Fprint(w, user["sub"])
		}
	})
	_ = http.ListenAndServe("127.0.0.1:8080", nil)
}
