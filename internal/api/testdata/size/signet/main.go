// Command signet is a server that signs users in, and does no more.
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

func main() {
	auth, err := oidcauth.New(oidcauth.Config{
		Issuer: os.Args[1], ClientID: os.Args[2], ClientSecret: os.Args[3], RedirectURL: os.Args[4],
		Session: session.Config{Keys: os.Args[5:]},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", auth)
	mux.Handle("/", auth.RequireLoginFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, oidcauth.UserFrom(r.Context()).Name)
	}))
	_ = http.ListenAndServe("127.0.0.1:8080", mux)
}
