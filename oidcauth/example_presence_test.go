package oidcauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A handler function is guarded as it is.
func ExampleAuthenticator_RequireLoginFunc() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.HandleFunc("GET /me", auth.RequireLoginFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s", oidcauth.UserFrom(r.Context()).Name)
	}))

	fmt.Println(exampleBrowser(mux, provider).Get("https://app.example.test/me").Body)
	// Output: Hello, Alice Adams
}

// A middleware of your own can tell a person who opens a page from a script of the page, as guards do.
func ExampleIsPageView() {
	_, provider := exampleAuth()
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if oidcauth.IsPageView(r) {
			fmt.Fprint(w, "a page")
			return
		}
		fmt.Fprint(w, "data")
	})

	browser := exampleBrowser(app, provider)
	fmt.Println(browser.Get("https://app.example.test/orders").Body)
	fmt.Println(browser.Fetch("https://app.example.test/orders", oidcauthtest.FetchOptions{}).Body)
	// Output:
	// a page
	// data
}

// A page that asks again and again who is signed in keeps nobody signed in by asking.
func ExampleAuthenticator_Peek() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("GET /me", auth.RequireLogin(http.NotFoundHandler()))
	mux.Handle("GET /whoami", auth.Peek(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := oidcauth.UserFrom(r.Context()); user != nil {
			fmt.Fprint(w, user.Email)
			return
		}
		fmt.Fprint(w, "nobody")
	})))

	browser := exampleBrowser(mux, provider)
	fmt.Println(browser.Get("https://app.example.test/whoami").Body)
	browser.Get("https://app.example.test/me") // signs in
	fmt.Println(browser.Get("https://app.example.test/whoami").Body)
	// Output:
	// nobody
	// alice@example.test
}

// With SessionEndpoint there is nothing to write for a page that wants to know.
func ExampleConfig_sessionEndpoint() {
	auth, provider := exampleAuth(func(c *oidcauth.Config) { c.SessionEndpoint = true })
	browser := exampleBrowser(auth.RequireLogin(http.NotFoundHandler()), provider)

	ask := func() {
		answer := browser.Fetch("https://app.example.test/auth/session", oidcauthtest.FetchOptions{})
		body, _, _ := strings.Cut(answer.Body, `,"session_expires_at"`) // the two times, and logout_url
		fmt.Println(answer.Status, strings.TrimSpace(body))
	}
	browser.Get("https://app.example.test/auth/signed-out")
	ask()
	browser.Get("https://app.example.test/me") // signs in
	ask()
	// Output:
	// 401 {"error":"login_required","login_url":"/auth/login"}
	// 200 {"sub":"alice","name":"Alice Adams"
}

// Users who are disabled at a provider that does not say so are noticed when guards ask it.
func ExampleConfig_revalidateAfter() {
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.RevalidateAfter = time.Nanosecond // minutes, in real life
		c.Scopes = []string{"openid", "offline_access"}
	})
	browser := exampleBrowser(auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "Hello, ", oidcauth.UserFrom(r.Context()).Subject)
	})), provider)
	fmt.Println(browser.Get("https://app.example.test/").Body)

	provider.RevokeTokens("alice")
	fmt.Println(browser.Fetch("https://app.example.test/", oidcauthtest.FetchOptions{}).Status)
	// Output:
	// Hello, alice
	// 401
}

// Where a proxy removes "/shop" from each path, browsers see it and this process does not.
func ExampleConfig_strippedPrefix() {
	auth, _ := exampleAuth(func(c *oidcauth.Config) {
		c.RedirectURL = "https://app.example.test/shop/signin-oidc"
		c.StrippedPrefix = "/shop"
		c.RoutePrefix = "/auth/"
	})
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/signin-oidc", auth) // the callback, which lies elsewhere here

	fmt.Println(auth.LoginURL("/shop/cart"))
	fmt.Println(auth.LogoutURL())
	// Output:
	// /shop/auth/login?return_to=%2Fshop%2Fcart
	// /shop/auth/logout
}
