package oidcauthtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"golang.org/x/oauth2"
)

// shop is the application under test of the examples: a small one on x/oauth2
// and go-oidc. Yours takes its place.
func shop(p *oidcauthtest.Provider) http.Handler {
	ctx := oidc.ClientContext(context.Background(), p.Client())
	provider, err := oidc.NewProvider(ctx, p.Issuer())
	if err != nil {
		panic(err)
	}
	config := oauth2.Config{
		ClientID: "app", ClientSecret: "app-secret", RedirectURL: oidcauthtest.DefaultApp + "/auth/callback",
		Endpoint: provider.Endpoint(), Scopes: []string{"openid"},
	}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader // the zero value sends a code twice when the first answer is an error
	verifier := oauth2.GenerateVerifier()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("__Host-user"); err == nil {
			fmt.Fprintf(w, "Hello, %s!", c.Value)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-state", Value: "state", Path: "/", Secure: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("__Host-state"); err != nil || c.Value != r.FormValue("state") {
			http.Error(w, "This sign-in was not started here.", http.StatusBadRequest)
			return
		}
		token, err := config.Exchange(ctx, r.FormValue("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			http.Error(w, "The provider did not answer.", http.StatusBadGateway)
			return
		}
		raw, _ := token.Extra("id_token").(string)
		idToken, err := provider.Verifier(&oidc.Config{ClientID: "app"}).Verify(ctx, raw)
		if err != nil {
			http.Error(w, "The provider's answer was wrong.", http.StatusBadGateway)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-user", Value: idToken.Subject, Path: "/", Secure: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	return mux
}

// A whole sign-in in memory.
func ExampleSignIn() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	browser, page, err := oidcauthtest.SignIn(p, shop(p), "/")
	fmt.Println(page.Status, page.Body, err)
	fmt.Println(browser.Cookie(oidcauthtest.DefaultApp, "__Host-user").Value)
	// Output:
	// 200 Hello, alice! <nil>
	// alice
}

// An ID token for somebody else must not sign anybody in.
func ExampleProvider_BendIDToken() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendIDToken(func(t *oidcauthtest.Token) { t.Claims.Set("aud", "another-app") })
	browser, page, _ := oidcauthtest.SignIn(p, shop(p), "/")
	fmt.Print(page.Status, " ", page.Body)
	fmt.Println("signed in:", browser.Cookie(oidcauthtest.DefaultApp, "__Host-user") != nil)
	// Output:
	// 502 The provider's answer was wrong.
	// signed in: false
}

// A token signed with the public key, as if that were a secret.
func ExampleToken_SignWith() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.BendIDToken(func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.HMACKey(p.Key().PublicPEM())) })
	_, page, _ := oidcauthtest.SignIn(p, shop(p), "/")
	fmt.Println(page.Status)
	// Output: 502
}

// A token endpoint that fails once.
func ExampleProvider_Intercept() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Times(1, oidcauthtest.Reply(500, "text/html", "<h1>Oops</h1>")))
	app := shop(p)
	_, page, _ := oidcauthtest.SignIn(p, app, "/")
	fmt.Println(page.Status, p.Count(oidcauthtest.TokenEndpoint))
	_, page, _ = oidcauthtest.SignIn(p, app, "/")
	fmt.Println(page.Status, p.Count(oidcauthtest.TokenEndpoint))
	// Output:
	// 502 1
	// 200 2
}

// Login CSRF: the attacker's callback, opened by the victim.
func ExampleTab_PauseAt() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	p.Network().Handle(oidcauthtest.DefaultApp, shop(p))

	attacker := oidcauthtest.NewBrowser(p.Network())
	attacker.PauseAt(oidcauthtest.DefaultApp + "/auth/callback")
	callback := attacker.Get(oidcauthtest.DefaultApp + "/").Paused

	victim := oidcauthtest.NewBrowser(p.Network())
	victim.Show("https://evil.test/", "")
	page := victim.Click(callback.URL)
	fmt.Print(page.Status, " ", page.Body)
	fmt.Println(p.Count(oidcauthtest.TokenEndpoint), "token requests")
	// Output:
	// 400 This sign-in was not started here.
	// 0 token requests
}

// SameSite=Lax keeps a form on a foreign page from acting for the user.
func ExampleTab_Post() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	browser, _, _ := oidcauthtest.SignIn(p, shop(p), "/")
	browser.Show("https://evil.test/", "")
	page := browser.Post(oidcauthtest.DefaultApp+"/transfer", nil)
	fmt.Println(page.Exchanges[0].Header["Cookie"], page.Exchanges[0].Header.Get("Origin"), page.Exchanges[0].Header.Get("Sec-Fetch-Site"))
	// Output: [] https://evil.test cross-site
}

// A logout token with a nonce has to be refused.
func ExampleProvider_LogoutToken() {
	p := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	token := p.LogoutToken("app", "alice", "", func(t *oidcauthtest.Token) { t.Claims.Set("nonce", "n") })
	claims := &oidcauthtest.ParseToken(token).Claims
	fmt.Println(claims.Text("sub"), claims.Text("nonce"), claims.Has("sid"))
	// Output: alice n false
}

// Over real sockets, for an application that runs as a process of its own.
func ExampleNewBrowser() {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Site"))
	}))
	defer app.Close()
	browser := oidcauthtest.NewBrowser(nil)
	fmt.Print(browser.Get(app.URL).Body)
	fmt.Print(browser.Fetch("/api", oidcauthtest.FetchOptions{}).Body)
	// Output:
	// navigate none
	// cors same-origin
}
