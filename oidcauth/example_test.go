package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// exampleAuth stands for an Authenticator of your own provider; this one is in memory.
func exampleAuth(configure ...func(*oidcauth.Config)) (*oidcauth.Authenticator, *oidcauthtest.Provider) {
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	c := oidcauth.Config{
		Issuer:       provider.Issuer(),
		ClientID:     "app",
		ClientSecret: "app-secret",
		RedirectURL:  "https://app.example.test/auth/callback",
		Session:      session.Config{Keys: []string{session.NewKey()}, Store: session.NewMemoryStore()},
		HTTPClient:   provider.Client(),
	}
	for _, f := range configure {
		f(&c)
	}
	auth, err := oidcauth.New(c)
	if err != nil {
		log.Fatal(err)
	}
	return auth, provider
}

// exampleBrowser opens the application's pages as a browser does.
func exampleBrowser(app http.Handler, provider *oidcauthtest.Provider) *oidcauthtest.Browser {
	network := oidcauthtest.NewNetwork()
	network.Handle("https://app.example.test", app)
	network.Handle(provider.Issuer(), provider)
	return oidcauthtest.NewBrowser(network)
}

// A page for signed-in users: a browser that opens it signs in at the provider and comes back.
func Example() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth) // login, callback, logout
	mux.Handle("GET /me", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s", oidcauth.UserFrom(r.Context()).Name)
	})))

	page := exampleBrowser(mux, provider).Get("https://app.example.test/me")
	fmt.Println(page.Body)
	// Output: Hello, Alice Adams
}

// Guards take requirements: a role, a claim, a recent or a stronger login.
func ExampleAuthenticator_Require() {
	auth, provider := exampleAuth()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") })
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/admin", auth.Require(oidcauth.Role("admin"))(page))
	mux.Handle("/pay", auth.Require(oidcauth.MaxAge(15*time.Minute))(page))

	browser := exampleBrowser(mux, provider)
	fmt.Println(browser.Get("https://app.example.test/admin").Status)
	fmt.Println(browser.Get("https://app.example.test/pay").Status)
	// Output:
	// 403
	// 200
}

// Wrap the whole application to protect everything but the sign-in routes.
func ExampleAuthenticator_RequireLogin() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "only for ", oidcauth.UserFrom(r.Context()).Email)
	})

	page := exampleBrowser(auth.RequireLogin(mux), provider).Get("https://app.example.test/")
	fmt.Println(page.Body)
	// Output: only for alice@example.test
}

// A public page may greet whoever is signed in.
func ExampleAuthenticator_Load() {
	auth, provider := exampleAuth()
	page := auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user := oidcauth.UserFrom(r.Context()); user != nil {
			fmt.Fprint(w, "Hello, ", user.Name)
			return
		}
		fmt.Fprintf(w, "Sign in at %s", auth.LoginURL(r.URL.Path))
	}))

	fmt.Println(exampleBrowser(page, provider).Get("https://app.example.test/welcome").Body)
	// Output: Sign in at /auth/login?return_to=%2Fwelcome
}

// Login starts a sign-in with parameters of its own.
func ExampleAuthenticator_Login() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.HandleFunc("/switch", func(w http.ResponseWriter, r *http.Request) {
		auth.Login(w, r, oidcauth.LoginOptions{Prompt: "select_account", ReturnTo: "/"})
	})
	exampleBrowser(mux, provider).Get("https://app.example.test/switch")
	fmt.Println(provider.Last(oidcauthtest.Authorize).Form.Get("prompt"))
	// Output: select_account
}

// "Sign me out everywhere" revokes all sessions of a user.
func ExampleUser_Tag() {
	auth, provider := exampleAuth()
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/me", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := auth.Sessions().Revoke(r.Context(), oidcauth.UserFrom(r.Context()).Tag()); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})))
	mux.Handle("/{$}", auth.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, oidcauth.UserFrom(r.Context()) != nil)
	})))

	browser := exampleBrowser(mux, provider)
	browser.Get("https://app.example.test/me")
	fmt.Println("signed in:", browser.Get("https://app.example.test/").Body)
	// Output: signed in: false
}

// Handlers are tested without any provider.
func ExampleWithUser() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, oidcauth.UserFrom(r.Context()).Subject)
	})

	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r = r.WithContext(oidcauth.WithUser(r.Context(), &oidcauth.User{Subject: "alice"}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: alice
}

// Hooks.Login may refuse a user whom the provider let in, or add to what is known of them.
func ExampleHooks() {
	auth, provider := exampleAuth(func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			if !u.EmailVerified {
				return errors.New("email address is not verified")
			}
			u.Roles = append(u.Roles, "customer")
			return nil
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/me", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, oidcauth.UserFrom(r.Context()).Roles)
	})))
	fmt.Println(exampleBrowser(mux, provider).Get("https://app.example.test/me").Body)
	// Output: [user customer]
}

// New reports all mistakes of a configuration at once.
func ExampleNew() {
	_, err := oidcauth.New(oidcauth.Config{
		Issuer:       "http://id.example.com",
		ClientID:     "shop",
		ClientSecret: "secret",
		RedirectURL:  "https://shop.example.com/auth/callback",
		Session:      session.Config{Keys: []string{session.NewKey()}},
	})
	fmt.Println(err)
	// Output: oidcauth: Issuer: "http://id.example.com" must be https (plain http is for loopback hosts only)
}
