package oidcauth_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// An application signs a user in and calls its own API with an exchanged token: one that is meant
// for the API, and says for whom the application works. Everybody else is refused.
func ExampleAuthenticator_Exchange() {
	const ordersAPI = "https://orders.example.test"
	network := oidcauthtest.NewNetwork()
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.APIs = []string{ordersAPI} })
	network.Handle(provider.Issuer(), provider)

	// The API takes tokens that are meant for it, from this provider, and no others.
	orders, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: ordersAPI, Audience: []string{ordersAPI}, Logger: slog.New(slog.DiscardHandler),
		Issuers: []oidcauth.TokenIssuer{{Issuer: provider.Issuer()}}, HTTPClient: provider.Client(),
	})
	if err != nil {
		log.Fatal(err)
	}
	network.Handle(ordersAPI, orders.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := oidcauth.CallerFrom(r.Context())
		fmt.Fprintf(w, "orders of %s, by way of %s", caller.Subject, caller.ClientID)
	})))

	// The application has the user's token exchanged for one that the API takes.
	page := auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := &http.Client{Transport: auth.Exchange(r.Context(), oidcauth.Audience(ordersAPI)).Transport(network)}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/orders", http.NoBody)
		res, err := client.Do(req)
		if err != nil {
			http.Error(w, "no orders just now", http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		_, _ = io.Copy(w, res.Body)
	}))
	_, answer, err := oidcauthtest.SignIn(provider, page, "/")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Body)

	// Without a token, and with the user's own, which is meant for somebody else.
	stranger := &http.Client{Transport: network}
	res, _ := stranger.Get(ordersAPI + "/orders")
	fmt.Println("nobody:", res.StatusCode, res.Header.Get("WWW-Authenticate"))
	res.Body.Close()
	plain := auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := auth.TokenSource(r.Context()).Token()
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, ordersAPI+"/orders", http.NoBody)
		token.SetAuthHeader(req)
		res, _ := stranger.Do(req)
		fmt.Fprint(w, res.StatusCode, " ", res.Header.Get("WWW-Authenticate"))
		res.Body.Close()
	}))
	_, answer, _ = oidcauthtest.SignIn(provider, plain, "/")
	fmt.Println("the user's own token:", answer.Body)
	// Output:
	// orders of alice, by way of app
	// nobody: 401 Bearer
	// the user's own token: 401 Bearer error="invalid_token"
}

// An API of one's own: tokens of one issuer, with the audience and the scope that it demands.
func ExampleNewResource() {
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	api, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL:        "https://api.example.test",
		Audience:   []string{"https://api.example.test"},
		Issuers:    []oidcauth.TokenIssuer{{Issuer: provider.Issuer()}},
		HTTPClient: provider.Client(), // where the provider has no server
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", api.Require(oidcauth.HasScope("orders:read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := oidcauth.CallerFrom(r.Context())
		if caller.IsClient() {
			fmt.Fprintln(w, "all orders, for", caller.ClientID)
			return
		}
		fmt.Fprintln(w, "orders of", caller.Subject)
	})))
}

// Routes that a browser calls with its session, and others with a token.
func ExampleResourceServer_Beside() {
	auth, _ := exampleAuth()
	api, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL: "https://app.example.test", Audience: []string{"https://app.example.test/api"},
		Issuers: []oidcauth.TokenIssuer{{Auth: auth}},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	both := api.Beside(auth.RequireLogin, oidcauth.HasScope("orders:read"))
	mux.Handle("GET /api/orders", both(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if caller := oidcauth.CallerFrom(r.Context()); caller != nil {
			fmt.Fprintln(w, "orders of", caller.Subject, "for", caller.ClientID)
			return
		}
		fmt.Fprintln(w, "your orders,", oidcauth.UserFrom(r.Context()).Name)
	})))
}
