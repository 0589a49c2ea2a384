// Command own-api is an API that takes access tokens: from a single-page application's server, from
// a worker, from whoever has a token that was issued for it.
package main

import (
	"cmp"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/signet-go/signet/oidcauth"
)

func main() {
	listen := cmp.Or(os.Getenv("LISTEN"), "localhost:8081")
	url := "http://" + listen
	api, err := oidcauth.NewResource(oidcauth.ResourceConfig{
		URL:      url,
		Audience: []string{url}, // tokens for anybody else are refused
		Issuers:  []oidcauth.TokenIssuer{{Issuer: os.Getenv("OIDC_ISSUER")}},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", api.Require(oidcauth.HasScope("orders:read"))(http.HandlerFunc(orders)))
	mux.Handle("DELETE /orders", api.Require(oidcauth.HasScope("orders:write"))(http.HandlerFunc(orders)))

	log.Printf("listening at %s", url)
	log.Fatal(http.ListenAndServe(listen, mux))
}

// orders answers for whoever the token stands for: a user, or a program that calls for itself.
func orders(w http.ResponseWriter, r *http.Request) {
	caller := oidcauth.CallerFrom(r.Context())
	answer := map[string]any{"orders": []string{"tea", "biscuits"}, "called_by": caller.ClientID}
	if !caller.IsClient() {
		answer["user"] = caller.Subject
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		log.Print(err)
	}
}
