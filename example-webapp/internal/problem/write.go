package problem

import (
	"net/http"
	"strconv"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
)

// Headers sets what belongs to the status of p, for answers of the app; the library has done so for
// its own.
func Headers(h http.Header, p *oidcauth.Problem) {
	switch p.Status {
	case http.StatusUnauthorized:
		// RFC 9110 §15.5.2: a 401 names the scheme. Browsers know no Bearer and ask the person
		// nothing.
		h.Set("WWW-Authenticate", `Bearer realm="session"`)
	case http.StatusServiceUnavailable:
		// In whole seconds, at least one (RFC 9110 §10.2.3): 0 would be an invitation to storm.
		h.Set("Retry-After", strconv.Itoa(max(1, int(p.RetryAfter.Round(time.Second).Seconds()))))
	}
}

// JSON writes p for whoever is shown no page, in the library's form. htmx opens the login by
// itself, and would put what we say into the page.
func JSON(w http.ResponseWriter, r *http.Request, p *oidcauth.Problem) {
	body := map[string]string{"error": p.Code, "message": p.Title + ". " + p.Advice}
	if p.Reference != "" {
		body["reference"] = p.Reference
	}
	if p.Status == http.StatusUnauthorized {
		body["login_url"] = p.Link
		if r.Header.Get("HX-Request") != "" {
			w.Header().Set("HX-Redirect", p.Link)
		}
	}
	reply.JSON(w, p.Status, body)
}
