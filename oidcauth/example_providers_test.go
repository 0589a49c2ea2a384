package oidcauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// Each customer of a service brings a provider, which comes and goes while the service runs.
func ExampleProviders() {
	providers, err := oidcauth.NewProviders(oidcauth.ProvidersConfig{
		URL: "https://app.example.com/auth/", Session: session.Config{Keys: []string{session.NewKey()}},
	})
	if err != nil {
		log.Fatal(err)
	}
	acme := oidcauth.Config{Issuer: "https://login.acme.example", ClientID: "app", ClientSecret: "secret"}
	if err := providers.Add("acme", acme, oidcauth.Offered("Acme")); err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := oidcauth.UserFrom(r.Context())
		fmt.Fprintf(w, "Orders of %s at %s", user.Subject, user.Provider)
	})
	mux := http.NewServeMux()
	mux.Handle("/auth/", providers)
	mux.Handle("/acme/", providers.Require("acme")(orders)) // only users of acme
	mux.Handle("/", providers.RequireAny()(orders))         // users of any provider

	// In tests, WithUser takes the place of a login.
	for _, provider := range []string{"acme", "bolt"} {
		r := httptest.NewRequest(http.MethodGet, "https://app.example.com/acme/", nil)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r.WithContext(oidcauth.WithUser(r.Context(), &oidcauth.User{Subject: "ann", Provider: provider})))
		fmt.Println(w.Code, http.StatusText(w.Code))
	}
	for _, p := range providers.List() {
		fmt.Println(p.Name, p.Issuer)
	}
	if err := providers.Remove(context.Background(), "acme"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(providers.List()))
	// Output:
	// 200 OK
	// 401 Unauthorized
	// acme https://login.acme.example
	// 0
}
