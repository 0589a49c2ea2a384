package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/signet-go/signet/example-webapp/internal/problem"
	"github.com/signet-go/signet/oidcauth"
)

// failForUser is fail for what was done with the user's token: an API that asks for a fresher or
// stronger login gets it from a page, and a script is told so (RFC 9470 §4).
func (a *app) failForUser(w http.ResponseWriter, r *http.Request, err error) {
	var stepUp *oidcauth.StepUpError
	if errors.As(err, &stepUp) {
		a.providers.Of(r).Auth.StepUp(w, r, stepUp)
		return
	}
	a.fail(w, r, err)
}

// fail answers an error of the token and API calls, and logs its cause under the reference that the
// answer shows.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	// The library's own problems have passed through authError and carry their reference; these
	// here get one.
	p := problem.Of(err)
	p.Reference = rand.Text()[:10]
	a.log.WarnContext(r.Context(), "call failed", "path", r.URL.Path, "status", p.Status, "code", p.Code, "reference", p.Reference, "cause", err)
	if p.Status == http.StatusUnauthorized {
		p.Link, p.LinkText = a.providers.Of(r).Auth.LoginURL(a.site.CameFrom(r)), "Sign in"
	}
	if p.Status >= http.StatusBadGateway { // 503 and 504, too
		p.Link, p.LinkText = cmp.Or(a.site.CameFrom(r), p.Link), "Try again"
	}
	problem.Headers(w.Header(), p)
	a.answer(w, r, p)
}

// refuse turns a request away. There is no cause to look up, so there is no reference. No guard has
// loaded the session yet, and the page shows who is signed in; looking at an error is no use of it.
func (a *app) refuse(w http.ResponseWriter, r *http.Request, status int) {
	a.first.Auth.Peek(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, problem.Refused[status])
	})).ServeHTTP(w, r)
}

// authError is the oidcauth.Config.ErrorHandler: the library has set headers and logged the cause,
// and errs with a *Problem.
func (a *app) authError(w http.ResponseWriter, r *http.Request, err error) {
	a.answer(w, r, problem.Of(err))
}

// answer writes a page where a person is shown the answer, and JSON for everything else: the
// library's judgment, so that its errors and ours look alike.
func (a *app) answer(w http.ResponseWriter, r *http.Request, p *oidcauth.Problem) {
	p = problem.Below(a.config.Base(), p)
	if oidcauth.WantsPage(r) {
		shown := page{Base: a.config.Base(), Title: p.Title, User: oidcauth.UserFrom(r.Context()), Data: p}
		shown.LogoutURL, shown.AskLogout = a.providers.Of(r).Auth.LogoutURL(), true
		pages.Write(w, p.Status, "error.html", shown)
		return
	}
	problem.JSON(w, r, p)
}
