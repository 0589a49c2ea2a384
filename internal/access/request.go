package access

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/logtext"
)

// A Request is which token a caller wants.
type Request struct {
	// Resource and Scopes name the token; both empty mean the login's own.
	Resource, Scopes []string

	// Force asks for a newer token than the one at hand, and no other will do.
	Force bool

	// Confirm asks for a refresh because the provider has not confirmed the login lately, whatever
	// tokens there are.
	Confirm bool

	// Since is when the request arrived that the token is for; zero for none.
	Since time.Time

	// Rejected is an access token that won't do: an API refused it, or Force means a newer one.
	Rejected string

	// Terms are those of an exchange; nil where none was named.
	Terms *Terms
}

// Name is under which a session keeps the token: empty for the login's own, else short and the same
// for the same request.
func (q *Request) Name() string {
	if len(q.Resource) == 0 && len(q.Scopes) == 0 {
		return ""
	}
	// The last part, which is empty, ends the scopes: names in sessions have been made so.
	return logtext.Short(quoted(q.Resource), quoted(q.Scopes), "")
}

// quoted writes a list in one text, in whatever order it stands.
func quoted(list []string) string {
	var b strings.Builder
	for _, item := range slices.Sorted(slices.Values(list)) {
		fmt.Fprintf(&b, "%q ", item)
	}
	return b.String()
}

// RefreshForm asks for the token at the token endpoint (RFC 6749 §6, RFC 8707 §2.2). resource is
// what the login's own token is for.
func (q *Request) RefreshForm(refreshToken string, resource []string) url.Values {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	if q.Resource != nil {
		resource = q.Resource
	}
	if len(resource) > 0 {
		form["resource"] = resource
	}
	if len(q.Scopes) > 0 {
		form.Set("scope", strings.Join(q.Scopes, " "))
	}
	return form
}
