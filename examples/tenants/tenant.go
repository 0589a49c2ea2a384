package main

import (
	"strings"
	"time"

	"github.com/signet-go/signet/oidcauth"
)

// A tenant is a customer, and the provider where its people sign in.
type tenant struct {
	Name                           string
	Label                          string // for the page to choose on; "" keeps the customer off it
	Domain                         string // of its people's email addresses; "" for none
	Issuer, ClientID, ClientSecret string
	Retired                        time.Time `json:",omitzero"` // its sessions live on since then
}

func (t tenant) config() oidcauth.Config {
	return oidcauth.Config{Issuer: t.Issuer, ClientID: t.ClientID, ClientSecret: t.ClientSecret}
}

// options are those of a provider, which may be in our own network at nearby alone.
func (t tenant) options(nearby string) (o []oidcauth.ProviderOption) {
	if t.Label != "" {
		o = append(o, oidcauth.Offered(t.Label))
	}
	// Without it a provider is called at public addresses alone. It is for the demonstration: whoever
	// writes an issuer would choose what this process calls.
	if strings.HasPrefix(t.Issuer, nearby+"/") {
		o = append(o, oidcauth.InsecureAnyAddress())
	}
	return o
}
