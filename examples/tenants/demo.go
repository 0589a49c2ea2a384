package main

import (
	"net/http"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// demoAt are OpenID providers to try the service with, in memory and on this machine alone. Each
// signs every user in as its one user without asking: never make them reachable for anyone else.
type demoAt struct{ issuers, app string }

// demoSecret is what all providers have given the service.
const demoSecret = "for-development-only"

// demoUsers are the users, by provider. Nobody has added dune yet: do so on the page.
var demoUsers = map[string]map[string]any{
	"acme":  {"name": "Ann Acker", "email": "ann@acme.example", "roles": []string{"admin"}},
	"bolt":  {"name": "Bo Boltz", "email": "bo@bolt.example"},
	"dune":  {"name": "Di Dunham", "email": "di@dune.example"},
	"staff": {"name": "Sam Stafford", "email": "sam@service.example", "roles": []string{"admin"}},
}

// customers are the tenants of a first start.
func (d demoAt) customers() []tenant {
	return []tenant{
		{Name: "acme", Label: "Acme", Domain: "acme.example", Issuer: d.issuers + "/acme", ClientID: "service", ClientSecret: demoSecret},
		{Name: "bolt", Domain: "bolt.example", Issuer: d.issuers + "/bolt", ClientID: "service", ClientSecret: demoSecret},
	}
}

func (d demoAt) staff() oidcauth.Config {
	return oidcauth.Config{Issuer: d.issuers + "/staff", ClientID: "service", ClientSecret: demoSecret}
}

// handler serves all of them, each below a path of its own.
func (d demoAt) handler() http.Handler {
	mux := http.NewServeMux()
	for name, claims := range demoUsers {
		mux.Handle("/"+name+"/", oidcauthtest.NewProvider(oidcauthtest.Settings{
			Issuer: d.issuers + "/" + name,
			User:   &oidcauthtest.User{Subject: "1", Claims: claims}, // the same everywhere, and yet nobody is another's
			Clients: []oidcauthtest.Client{{
				ID: "service", Secret: demoSecret,
				RedirectURIs:           []string{d.app + "/auth/" + name + "/callback"},
				PostLogoutRedirectURIs: []string{d.app + "/auth/" + name + "/signed-out"},
			}},
		}))
	}
	return mux
}
