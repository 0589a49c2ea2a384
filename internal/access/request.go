package access

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"
)

// A Request is which token a caller wants.
type Request struct {
	// Resource and scopes name the token; both empty mean the login's own.
	Resource, Scopes []string

	// Force asks for a newer token than the one at hand, and no other will do.
	Force bool

	// Confirm asks for a refresh because the provider has not confirmed the login lately, whatever
	// tokens there are.
	Confirm bool

	// Since is when the request arrived that the token is for; zero for none.
	Since time.Time

	// Rejected is an access token that won't do: an API refused it, or force means a newer one.
	Rejected string
}

// Name is under which a session keeps the token: empty for the login's own, else short and the same
// for the same request.
func (q *Request) Name() string {
	if len(q.Resource) == 0 && len(q.Scopes) == 0 {
		return ""
	}
	// Quoted and ended, so that no two requests write the same.
	h := sha256.New()
	for _, list := range [][]string{q.Resource, q.Scopes} {
		for _, item := range slices.Sorted(slices.Values(list)) {
			fmt.Fprintf(h, "%q ", item)
		}
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}
