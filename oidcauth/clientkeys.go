package oidcauth

import (
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// serveKeys serves the client's public keys (jwks_uri of OpenID Connect Registration §2), so that a provider fetches them
// rather than being told of each rotation. A client without keys has no such route.
func (a *Authenticator) serveKeys(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	set := a.publicKeys()
	if len(set.Keys) == 0 {
		a.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found"})
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(set) // the client may be gone
}

// publicKeys are the public halves of the client's keys.
func (a *Authenticator) publicKeys() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	auth := a.config.ClientAuth
	if auth.Key != nil {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: auth.Key.Public(), KeyID: auth.KeyID, Algorithm: auth.Alg, Use: "sig"})
	}
	return set
}
