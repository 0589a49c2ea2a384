package main

import (
	"log/slog"
	"net/http/httptest"
	"net/url"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
)

var (
	Main              = main
	Run               = run
	Span, Past, Stamp = span, past, stamp
)

// ClaimRows are the rows of the claims table: name, value, name, value…
func ClaimRows(object string) []string {
	var flat []string
	for _, row := range claimRows([]byte(object)) {
		flat = append(flat, row.Name, row.Value)
	}
	return flat
}

// DevUsers are the names and passwords of the embedded provider.
func DevUsers() map[string]string {
	users := make(map[string]string)
	for _, u := range devUsers {
		users[u.Username] = u.Password
	}
	return users
}

// A DevClient is what the embedded provider says to the client that it registered.
type DevClient struct{ Issuer, ClientID, ClientSecret, RedirectURI, PostLogoutURI string }

// ServeDevProvider starts the embedded provider alone, for an app at app. Call stop at the end.
func ServeDevProvider(app string, change func(*oidcauth.Config)) (client DevClient, stop func(), err error) {
	base, err := url.Parse(app)
	if err != nil {
		return client, nil, err
	}
	c := &settings.Config{BaseURL: base, Embedded: true, API: base.JoinPath("/demo/api")}
	c.OIDC = oidcauth.Config{RedirectURL: app + "/auth/callback", SigningAlg: "RS256"}
	c.OIDC.ClientAuth.Method = oidcauth.ClientSecretBasic
	if change != nil {
		change(&c.OIDC)
	}
	p, err := startDevProvider(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return client, nil, err
	}
	server := &httptest.Server{Listener: p.listener, Config: newServer(c, p.handler)}
	server.Start()
	return DevClient{
		Issuer: p.issuer, ClientID: c.OIDC.ClientID, ClientSecret: c.OIDC.ClientSecret,
		RedirectURI: c.OIDC.RedirectURL, PostLogoutURI: app + "/auth/signed-out",
	}, server.Close, nil
}
