// Command two-providers signs in people from two providers, such as staff and customers, and keeps
// one kind of session for all of them.
package main

import (
	"cmp"
	"fmt"
	"html"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// newAuth makes the Authenticator of the provider that the variables with this prefix describe.
func newAuth(sessions *session.Manager, variables, redirectURL string) *oidcauth.Authenticator {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer:       os.Getenv(variables + "_ISSUER"),
		ClientID:     os.Getenv(variables + "_CLIENT_ID"),
		ClientSecret: os.Getenv(variables + "_CLIENT_SECRET"),
		RedirectURL:  redirectURL, // each provider has a callback of its own
		Sessions:     sessions,
	})
	if err != nil {
		log.Fatalf("%s: %v", variables, err)
	}
	return auth
}

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "localhost:8080")
	sessions, err := session.New(session.Config{Keys: strings.Fields(os.Getenv("SESSION_KEYS"))})
	if err != nil {
		log.Fatal(err)
	}
	staff := newAuth(sessions, "STAFF", "http://"+listen+"/auth/staff/callback")
	customers := newAuth(sessions, "CUSTOMERS", "http://"+listen+"/auth/customers/callback")

	mux := http.NewServeMux()
	mux.Handle("/auth/staff/", staff)
	mux.Handle("/auth/customers/", customers)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<h1>Sign in</h1><p><a href="%s">As staff</a></p><p><a href="%s">As a customer</a></p>`,
			html.EscapeString(staff.LoginURL("/me")), html.EscapeString(customers.LoginURL("/me")))
	})
	// Users of either provider; whoever is signed out is sent to the first one.
	anyone := oidcauth.RequireAny([]*oidcauth.Authenticator{customers, staff})
	mux.Handle("GET /me", anyone(http.HandlerFunc(hello)))
	// A customer is nobody here, even with the same subject as one of the staff.
	mux.Handle("GET /back-office", staff.RequireLogin(http.HandlerFunc(hello)))

	log.Printf("open http://%s/", listen)
	log.Fatal(http.ListenAndServe(listen, mux))
}

// hello names the user: Subject means something at its Issuer only.
func hello(w http.ResponseWriter, r *http.Request) {
	user := oidcauth.UserFrom(r.Context())
	fmt.Fprintf(w, "Hello, %s (%s at %s)\n", user.Name, user.Subject, user.Issuer)
}
