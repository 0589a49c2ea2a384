package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// exampleAPI is an API on a loopback port that tells what it was sent.
func exampleAPI() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s with a token: %t, with cookies: %t", r.URL.Path, r.Header.Get("Authorization") != "", r.Header.Get("Cookie") != "")
	}))
}

// signedIn makes a request of a signed-in user to h and returns the answer.
func signedIn(h http.Handler, provider *oidcauthtest.Provider, path string) string {
	_, page, err := oidcauthtest.SignIn(provider, h, path)
	if err != nil {
		return err.Error()
	}
	return page.Body
}

// A handler calls an API as the user who is signed in. The token is refreshed when it is due.
func ExampleAuthenticator_Client() {
	api := exampleAPI()
	defer api.Close()
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.APIs = []string{api.URL} })

	page := auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := auth.Client(r.Context()).Get(api.URL + "/orders")
		var down *oidcauth.UnavailableError
		switch {
		case errors.Is(err, oidcauth.ErrLoginRequired):
			auth.Login(w, r, oidcauth.LoginOptions{ReturnTo: r.URL.Path})
			return
		case errors.As(err, &down): // the provider is down: the user stays signed in
			http.Error(w, "Please try again in a moment.", http.StatusServiceUnavailable)
			return
		case err != nil:
			http.Error(w, "The order service does not answer.", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	}))

	fmt.Println(signedIn(page, provider, "/"))
	// Output: /orders with a token: true, with cookies: false
}

// A reverse proxy in front of an API adds the user's token and keeps the browser's own credentials back.
func ExampleAuthenticator_Transport() {
	api := exampleAPI()
	defer api.Close()
	target, _ := url.Parse(api.URL)
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.APIs = []string{api.URL} })

	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Cookie")        // the session is none of the API's business
			r.Out.Header.Del("Authorization") // and the browser has no say in whose token goes there
			r.Out.Header.Del("DPoP")
		},
		Transport: auth.Transport(nil),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			status := http.StatusBadGateway
			if errors.Is(err, oidcauth.ErrLoginRequired) {
				status = http.StatusUnauthorized
			}
			http.Error(w, http.StatusText(status), status)
		},
	}
	app := auth.RequireLogin(http.StripPrefix("/api", proxy))

	fmt.Println(signedIn(app, provider, "/api/orders"))
	// Output: /orders with a token: true, with cookies: false
}

// Tokens for several APIs, each with its own audience (RFC 8707).
func ExampleResource() {
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.Scopes = []string{"offline_access"} })

	page := auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := auth.TokenSource(r.Context(), oidcauth.Resource("https://stock.example.com"))
		token, err := source.Token()
		if err != nil {
			http.Error(w, "no token", http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, oidcauthtest.ParseToken(token.AccessToken).Claims.Get("aud"))
	}))

	fmt.Println(signedIn(page, provider, "/"))
	// Output: https://stock.example.com
}

// The application calls an API in its own name: no user is needed.
func ExampleAuthenticator_Machine() {
	api := exampleAPI()
	defer api.Close()
	auth, _ := exampleAuth(func(c *oidcauth.Config) {
		c.Machines = map[string]oidcauth.MachineConfig{
			"reports": {Scopes: []string{"reports.read"}, APIs: []string{api.URL}},
		}
	})

	resp, err := auth.Machine("reports").Client(context.Background()).Get(api.URL + "/reports")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A worker in which nobody signs in needs no Authenticator.
func ExampleNewMachine() {
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	machine, err := oidcauth.NewMachine(oidcauth.MachineConfig{
		Issuer:       provider.Issuer(),
		ClientID:     "app",
		ClientSecret: "app-secret",
		Scopes:       []string{"reports.read"},
		APIs:         []string{"https://reports.example.com"},
		HTTPClient:   provider.Client(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := machine.TokenSource(context.Background()).Token()
	fmt.Println(token.TokenType, err)
	// Output: Bearer <nil>
}
