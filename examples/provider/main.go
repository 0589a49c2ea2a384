// Command provider is an OpenID provider to try the examples with, in memory and on this machine
// alone. It signs every user in as Alice without asking: never make it reachable for anyone else.
package main

import (
	"cmp"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:9100") // another host than the application's: cookies don't mind ports
	app := cmp.Or(os.Getenv("APP_URL"), "http://localhost:8080")
	client := func(id, routes string) oidcauthtest.Client {
		return oidcauthtest.Client{
			ID: id, Secret: "for-development-only",
			RedirectURIs:           []string{app + routes + "callback"},
			PostLogoutRedirectURIs: []string{app + routes + "signed-out"},
		}
	}
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{
		Issuer:  "http://" + listen,
		Clients: []oidcauthtest.Client{client("shop", "/auth/"), client("staff", "/auth/staff/"), client("customers", "/auth/customers/")},
	})
	log.Printf("OIDC_ISSUER=%s OIDC_CLIENT_ID=shop OIDC_CLIENT_SECRET=for-development-only", provider.Issuer())
	log.Fatal(http.ListenAndServe(listen, provider))
}
