package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/problem"
	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
)

// failForUser is fail for what was done with the user's token: an API that asks for a fresher or stronger login gets it from a page,
// and a script is told so (RFC 9470 §4).
func (a *app) failForUser(w http.ResponseWriter, r *http.Request, err error) {
	var stepUp *oidcauth.StepUpError
	if errors.As(err, &stepUp) {
		a.providerOf(r).auth.StepUp(w, r, stepUp)
		return
	}
	a.fail(w, r, err)
}

// fail answers an error of the token and API calls, and logs its cause under the reference that the answer shows.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	// The library's own problems have passed through authError and carry their reference; these here get one.
	p := problem.Of(err)
	p.Reference = rand.Text()[:10]
	a.log.WarnContext(r.Context(), "call failed", "path", r.URL.Path, "status", p.Status, "code", p.Code, "reference", p.Reference, "cause", err)
	if p.Status == http.StatusUnauthorized {
		p.Link, p.LinkText = a.providerOf(r).auth.LoginURL(a.cameFrom(r)), "Sign in"
		// RFC 9110 §15.5.2: a 401 names the scheme. Browsers know no Bearer and ask the person nothing.
		w.Header().Set("WWW-Authenticate", `Bearer realm="session"`)
	}
	if p.Status == http.StatusServiceUnavailable {
		p.Link, p.LinkText = cmp.Or(a.cameFrom(r), p.Link), "Try again"
		// In whole seconds, at least one (RFC 9110 §10.2.3): 0 would be an invitation to storm.
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(p.RetryAfter.Round(time.Second).Seconds()))))
	}
	a.answer(w, r, p)
}

// refuse turns a request away. There is no cause to look up, so there is no reference.
func (a *app) refuse(w http.ResponseWriter, r *http.Request, status int) {
	a.answer(w, r, problem.Refused[status])
}

// cameFrom is the page that somebody goes on from after an error: the one that was opened, or that of the form or script that was
// sent; "" when the browser does not say. LoginURL has the last word on it.
func (a *app) cameFrom(r *http.Request) string {
	if oidcauth.IsPageView(r) {
		return a.asked(r)
	}
	page, ours := strings.CutPrefix(cmp.Or(r.Header.Get("HX-Current-URL"), r.Referer()), a.config.Origin()+"/")
	if !ours || strings.HasPrefix(page, "/") || strings.HasPrefix(page, `\`) {
		return "" // a second slash would begin a host
	}
	page, _, _ = strings.Cut(page, "#")
	return "/" + page
}

// authError is the oidcauth.Config.ErrorHandler: the library has set headers and logged the cause, and errs with a *Problem.
func (a *app) authError(w http.ResponseWriter, r *http.Request, err error) {
	a.answer(w, r, problem.Of(err))
}

// answer writes a page where a person is shown the answer, and JSON for everything else: the library's judgement, so that its errors
// and ours look alike. htmx opens the login by itself, and would put what we say into the page.
func (a *app) answer(w http.ResponseWriter, r *http.Request, p *oidcauth.Problem) {
	if p.Link == "/" {
		ours := *p
		ours.Link, p = a.at("/"), &ours
	}
	if oidcauth.WantsPage(r) {
		pages.Write(w, p.Status, "error.html", page{Base: a.config.Base(), Title: p.Title, Data: p})
		return
	}
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
