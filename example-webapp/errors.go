package main

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A failure is what error.html shows.
type failure struct {
	Status    int
	Heading   string
	Advice    string // what to do next
	Reference string // also in the log; empty when the log has nothing to say
	RetryURL  string // empty: only the way home
}

// failures are the fixed texts: nothing that a request or a provider says reaches a page.
var failures = map[int]failure{
	http.StatusNotFound:           {Heading: "There is no such page", Advice: "Check the address, or start again from the home page."},
	http.StatusMethodNotAllowed:   {Heading: "This address wants another kind of request", Advice: "Start again from the home page."},
	http.StatusForbidden:          {Heading: "That is not allowed", Advice: "The request came from another site, or your account lacks what this page needs."},
	http.StatusMisdirectedRequest: {Heading: "This is another host", Advice: "This app is known by another name. Ask whoever gave you the link."},
	http.StatusBadRequest:         {Heading: "This sign-in can't be finished", Advice: "It was too old, already used, or begun in another browser. Sign in again."},
	http.StatusServiceUnavailable: {Heading: "Please try again in a moment", Advice: "A service that this app needs does not answer. You are still signed in."},
}

// failureFor returns the text for status.
func failureFor(status int) failure {
	f, ok := failures[status]
	if !ok {
		f = failure{Heading: "This did not work", Advice: "Try again. If it stays so, tell the operator the reference below."}
		if status < http.StatusInternalServerError {
			f = failures[http.StatusBadRequest]
		}
	}
	f.Status = status
	return f
}

// fail answers an error that needs no log line: page or JSON, whichever the request asks for.
func (a *app) fail(w http.ResponseWriter, r *http.Request, status int) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, status, map[string]string{"error": strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")})
		return
	}
	render(w, status, "error.html", page{Title: http.StatusText(status), Data: failureFor(status)})
}

func (a *app) notFound(w http.ResponseWriter, r *http.Request) {
	a.fail(w, r, http.StatusNotFound)
}

// reference makes the id that an error page and its log line share.
func reference() string {
	return rand.Text()[:10]
}

// authError is oidcauth.Config.ErrorHandler.
func (a *app) authError(w http.ResponseWriter, r *http.Request, err error) {
	id := reference()
	a.log.WarnContext(r.Context(), "request refused", "path", r.URL.Path, "reference", id, "cause", err)
	f := failureFor(statusOf(err))
	f.Reference, f.RetryURL = id, a.auth.LoginURL("/")
	render(w, f.Status, "error.html", page{Title: f.Heading, Data: f})
}

// statusOf is the status that an error of the library calls for.
func statusOf(err error) int {
	var login *oidcauth.LoginError
	var denied *oidcauth.DeniedError
	var down *oidcauth.UnavailableError
	switch {
	case errors.As(err, &login) && login.Status != 0:
		return login.Status
	case errors.As(err, &denied):
		return http.StatusForbidden
	case errors.As(err, &down), errors.Is(err, session.ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}
