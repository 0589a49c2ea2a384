package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/signet-go/signet/example-webapp/internal/devprovider"
	"github.com/signet-go/signet/example-webapp/internal/serving"
	"github.com/signet-go/signet/oidcauth"
)

var (
	Main = main
	Run  = run
)

// DevUsers are the names and passwords of the embedded provider.
func DevUsers() map[string]string {
	users := make(map[string]string)
	for _, u := range devprovider.Users {
		users[u.Username] = u.Password
	}
	return users
}

// A DevClient is what the embedded provider says to the client that it registered.
type DevClient struct{ Issuer, ClientID, ClientSecret, RedirectURI, PostLogoutURI string }

// ServeDevProvider starts the embedded provider alone, for an app at app. Call stop at the end.
func ServeDevProvider(app string, change func(*oidcauth.Config)) (client DevClient, stop func(), err error) {
	o := &oidcauth.Config{RedirectURL: app + "/auth/callback", SigningAlg: "RS256"}
	o.ClientAuth.Method = oidcauth.ClientSecretBasic
	if change != nil {
		change(o)
	}
	c := devprovider.App{
		OIDC: o, API: app + "/demo/api", Static: http.NotFoundHandler(), PostLogoutURI: app + "/auth/signed-out",
		Scopes: []string{"openid", "profile", "email", "offline_access"},
	}
	p, err := devprovider.Start(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return client, nil, err
	}
	server := &httptest.Server{Listener: p.Listener, Config: serving.NewServer(p.Handler, 0)}
	server.Start()
	return DevClient{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		RedirectURI: o.RedirectURL, PostLogoutURI: c.PostLogoutURI,
	}, server.Close, nil
}
