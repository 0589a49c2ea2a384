package oidcauth_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A login may ask for scopes of its own. What was granted stands in the token's Extra.
func ExampleLoginOptions_scopes() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.HandleFunc("GET /orders/connect", func(w http.ResponseWriter, r *http.Request) {
		auth.Login(w, r, oidcauth.LoginOptions{ReturnTo: "/orders", Scopes: []string{"profile", "orders"}})
	})
	mux.HandleFunc("GET /orders", auth.RequireLoginFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := auth.TokenSource(r.Context()).Token()
		if err != nil {
			http.Error(w, "no access token available", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, token.Extra("scope"))
	}))

	fmt.Println(exampleBrowser(mux, provider).Get("https://app.example.test/orders/connect").Body)
	// Output: openid profile orders
}

// Some APIs take the ID token as an assertion of who the user is.
func ExampleAuthenticator_IDToken() {
	auth, provider := exampleAuth()
	page := auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assertion, err := auth.IDToken(r.Context())
		if err != nil {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, len(strings.Split(assertion, "."))) // header, claims, signature
	}))

	fmt.Println(exampleBrowser(page, provider).Get("https://app.example.test/").Body)
	// Output: 3
}

// "Sign me out everywhere else": the others are asked for a password when they come back, this session goes on.
func ExampleUser_Tag_everywhereElse() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.HandleFunc("/me", auth.RequireLoginFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "Hello, ", oidcauth.UserFrom(r.Context()).Name)
	}))
	mux.HandleFunc("POST /sign-out-elsewhere", auth.RequireLoginFunc(func(w http.ResponseWriter, r *http.Request) {
		tag, here := oidcauth.UserFrom(r.Context()).Tag(), session.From(r.Context())
		if err := auth.Sessions().Revoke(r.Context(), tag, session.DemandFreshLogin, session.Except(here)); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("/", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, oidcauth.UserFrom(r.Context()) != nil)
	})).ServeHTTP)

	laptop, phone := exampleBrowser(mux, provider), exampleBrowser(mux, provider)
	laptop.Get("https://app.example.test/me")
	phone.Get("https://app.example.test/me")
	laptop.Post("https://app.example.test/sign-out-elsewhere", nil)
	fmt.Println("laptop:", laptop.Get("https://app.example.test/").Body)
	fmt.Println("phone:", phone.Get("https://app.example.test/").Body)
	// Output:
	// laptop: true
	// phone: false
}
