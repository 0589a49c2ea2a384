// Command single-page serves a single-page application that calls an API through its own origin: the
// browser has a cookie that no script can read, and the server adds the access token. Its API is the
// program in ../own-api.
package main

import (
	"cmp"
	"embed"
	"io/fs"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

//go:embed app
var files embed.FS

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "localhost:8080")
	api := cmp.Or(os.Getenv("API_URL"), "http://localhost:8081")
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer:       os.Getenv("OIDC_ISSUER"),
		ClientID:     os.Getenv("OIDC_CLIENT_ID"),
		ClientSecret: os.Getenv("OIDC_CLIENT_SECRET"),
		RedirectURL:  "http://" + listen + "/auth/callback",
		Scopes:       []string{"openid", "profile", "orders:read", "offline_access"},
		Login:        oidcauth.LoginOptions{Resource: []string{api}}, // whom the access token is for
		APIs:         []string{api},                                  // and the only place it is sent to
		Session:      session.Config{Keys: strings.Fields(os.Getenv("SESSION_KEYS"))},
		// The page asks GET /auth/session who is signed in.
		SessionEndpoint: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	proxy, err := auth.Proxy(oidcauth.ProxyConfig{API: api, Prefix: "/api/"})
	if err != nil {
		log.Fatal(err)
	}
	app, err := fs.Sub(files, "app")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/api/", proxy) // /api/orders is the API's /orders
	mux.Handle("/", http.FileServerFS(app))

	log.Printf("open http://%s/", listen)
	log.Fatal(http.ListenAndServe(listen, mux))
}
