package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// problem returns a constant text for a page and for JSON: nothing that a request, an API or a provider says gets there.
//
// For one code there is one text, here and in the library. The link leads to the start page unless the caller knows better. err is
// the cause for the log, and never shown.
func problem(status int, code, title, advice string, err error) *oidcauth.Problem {
	return &oidcauth.Problem{Status: status, Code: code, Title: title, Advice: advice, Link: "/", LinkText: "Go to the start page", Err: err}
}

// refused are the answers to requests that the app itself turns away.
//
// Their texts are the same for every path and host, so that no page repeats what somebody else put into a link.
var refused = map[int]*oidcauth.Problem{
	http.StatusNotFound: problem(http.StatusNotFound, "not_found", "Page not found",
		"Check the address, or start from the home page.", nil),
	http.StatusMethodNotAllowed: problem(http.StatusMethodNotAllowed, "method_not_allowed", "That can't be done here",
		"Go back and use the page's own buttons and links.", nil),
	http.StatusForbidden: problem(http.StatusForbidden, "cross_origin", "That request came from another site",
		"Open this site itself and try again there.", nil),
	http.StatusMisdirectedRequest: problem(http.StatusMisdirectedRequest, "misdirected_request", "This app has another address",
		"Ask whoever gave you the link.", nil),
}

// problemOf tells what an error of the token and API calls means to the caller. Only ErrLoginRequired and a step-up are the
// user's to solve; an outage is never a sign-out.
//
// The statuses tell monitoring who is to blame: 401 the session, 503 a provider or store that is down, 504 one that is slow,
// 502 one that answers with what can't be used. A GrantError is among the last: the endpoint works, and refuses this client.
func problemOf(err error) *oidcauth.Problem {
	var known *oidcauth.Problem
	var stepUp *oidcauth.StepUpError
	var down *oidcauth.UnavailableError
	var timeout net.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, oidcauth.ErrLoginRequired):
		return problem(http.StatusUnauthorized, "login_required", "You are signed out",
			"If you sent something, it was not received. Sign in to go on.", err)
	case errors.As(err, &stepUp):
		return problem(http.StatusUnauthorized, "insufficient_user_authentication", "A fresh sign-in is needed",
			"If you sent something, it was not received. Sign in to go on.", err)
	case errors.Is(err, session.ErrUnavailable):
		return problem(http.StatusServiceUnavailable, "store_unavailable", "Sessions can't be read just now",
			"Nobody is signed out by this. Try again in a moment.", err)
	case errors.As(err, &down):
		p := problem(http.StatusServiceUnavailable, "provider_unavailable", "The sign-in service can't be reached",
			"Nothing is wrong with your account. Try again in a moment.", err)
		p.RetryAfter = down.RetryAfter
		return p
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return problem(http.StatusGatewayTimeout, "time_out", "A service takes too long", "Try again in a moment.", err)
	}
	return problem(http.StatusBadGateway, "no_answer", "A service gives no usable answer", "Try again in a moment.", err)
}

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
	p := problemOf(err)
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
	a.answer(w, r, refused[status])
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
	a.answer(w, r, problemOf(err))
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
