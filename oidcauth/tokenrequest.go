package oidcauth

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"
)

// A tokenRequest is which token a caller wants.
type tokenRequest struct {
	// resource and scopes name the token; both empty mean the login's own.
	resource, scopes []string

	// force asks for a newer token than the one at hand, and no other will do.
	force bool

	// confirm asks for a refresh because the provider has not confirmed the login
	// lately, whatever tokens there are.
	confirm bool

	// since is when the request arrived that the token is for; zero for none.
	since time.Time

	// rejected is an access token that won't do: an API refused it, or force means
	// a newer one.
	rejected string
}

// name is under which a session keeps the token: empty for the login's own, else
// short and the same for the same request.
func (q *tokenRequest) name() string {
	if len(q.resource) == 0 && len(q.scopes) == 0 {
		return ""
	}
	// Quoted and ended, so that no two requests write the same.
	h := sha256.New()
	for _, list := range [][]string{q.resource, q.scopes} {
		for _, item := range slices.Sorted(slices.Values(list)) {
			fmt.Fprintf(h, "%q ", item)
		}
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}
