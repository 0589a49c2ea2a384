package oidcauth_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// backendAuth is an application's Authenticator.
func backendAuth() *oidcauth.Authenticator {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: "https://id.example.com", ClientID: "app", ClientSecret: "secret", RedirectURL: "https://app.example.com/auth/callback",
		APIs:    []string{"https://api.example.com"},
		Session: session.Config{Keys: []string{session.NewKey()}},
	})
	if err != nil {
		log.Fatal(err)
	}
	return auth
}

// A script of the page calls the API through the application's own origin. Signed out, it is told where to send the page.
func ExampleAuthenticator_Proxy() {
	auth := backendAuth()
	orders, err := auth.Proxy(oidcauth.ProxyConfig{API: "https://api.example.com/v1/orders", Prefix: "/orders/"})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/orders/", orders)

	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/orders/7", nil))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output: 401 {"error":"login_required","login_url":"/auth/login"}
}

// nginx or Caddy asks whether a request may pass to a service that knows nothing of logins.
func ExampleAuthenticator_ForwardAuth() {
	auth := backendAuth()
	mux := http.NewServeMux()
	mux.Handle("/forward-auth", auth.ForwardAuth())

	r := httptest.NewRequest(http.MethodGet, "/forward-auth", nil)
	ctx := oidcauth.WithUser(r.Context(), &oidcauth.User{Issuer: "https://id.example.com", Subject: "1001", Name: "Zoë", Roles: []string{"staff"}})
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, r.WithContext(ctx))
	for _, name := range []string{"X-Auth-Issuer", "X-Auth-Subject", "X-Auth-Name", "X-Auth-Roles"} {
		fmt.Println(name, answer.Header().Get(name))
	}
	// Output:
	// X-Auth-Issuer https%3A%2F%2Fid.example.com
	// X-Auth-Subject 1001
	// X-Auth-Name Zo%C3%AB
	// X-Auth-Roles staff
}
