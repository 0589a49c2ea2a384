// Command server is what whole.sh measures: the same answer from a bare handler, from one that sets
// the headers that keep a user's page out of caches, from behind a guard, and from behind one that
// remembers no session, so that each request is a first sight. It prints the Cookie
// header of somebody who is signed in.
package main

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

const site = "https://app.example.test"

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server 127.0.0.1:PORT")
	}
	provider := oidcauthtest.NewProvider(oidcauthtest.Settings{})
	key := session.NewKey()
	user := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, oidcauth.UserFrom(r.Context()).Subject)
	})
	remembering := newAuth(provider, key, 0)
	mux := http.NewServeMux()
	mux.HandleFunc("/bare", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "alice") })
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Vary", "Cookie")
		w.Header().Set("Cache-Control", "private, no-store")
		_, _ = io.WriteString(w, "alice")
	})
	mux.Handle("/memory", remembering.RequireLogin(user))
	mux.Handle("/first", newAuth(provider, key, -1).RequireLogin(user))
	fmt.Println(signIn(provider, remembering.RequireLogin(user)))
	server := &http.Server{Addr: os.Args[1], Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// newAuth signs users in at provider; memory is session.Config.MemoryBytes.
func newAuth(provider *oidcauthtest.Provider, key string, memory int) *oidcauth.Authenticator {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: provider.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: site + "/auth/callback",
		Session: session.Config{Keys: []string{key}, MemoryBytes: memory}, HTTPClient: provider.Client(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	return auth
}

// signIn returns the Cookie header of a browser that signed in.
func signIn(provider *oidcauthtest.Provider, page http.Handler) string {
	network := oidcauthtest.NewNetwork()
	network.Handle(provider.Issuer(), provider)
	network.Handle(site, page)
	browser := oidcauthtest.NewBrowser(network)
	if answer := browser.Get(site + "/memory"); answer.Status != http.StatusOK {
		log.Fatalf("nobody could sign in: %d", answer.Status)
	}
	var pairs []string
	for _, c := range browser.Cookies(site) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}
