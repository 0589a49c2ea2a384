// Package problem is what the app has to say about what goes wrong outside of the library's routes.
//
// It promises constant texts: nothing that a request, an API or a provider says gets into one, and
// an outage is never called a sign-out. It logs nothing. Start at Of.
package problem

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// texts are the library's: for one code there is one text, here and there.
var texts = oidcauth.English()

// constant returns the problem with this code. Nothing that a request, an API or a provider says
// gets into its text.
//
// The link leads to the home page unless the caller knows better. err is the cause for the log, and
// never shown.
func constant(status int, code string, err error) *oidcauth.Problem {
	return &oidcauth.Problem{
		Status: status, Code: code, Title: texts["problem."+code+".title"], Advice: texts["problem."+code+".advice"],
		Link: "/", LinkText: texts["link.home"], Err: err,
	}
}

// Refused are the answers to requests that the app itself turns away.
//
// Their texts are the same for every path and host, so no page repeats what somebody put into a
// link.
var Refused = map[int]*oidcauth.Problem{
	http.StatusBadRequest:       constant(http.StatusBadRequest, "invalid_request", nil),
	http.StatusNotFound:         constant(http.StatusNotFound, "not_found", nil),
	http.StatusMethodNotAllowed: constant(http.StatusMethodNotAllowed, "method_not_allowed", nil),
	http.StatusForbidden:        constant(http.StatusForbidden, "cross_origin", nil),
	http.StatusMisdirectedRequest: {
		Status: http.StatusMisdirectedRequest, Code: "misdirected_request", Title: "This isn't the app's address",
		Advice: "Check the link you followed.", Link: "/", LinkText: texts["link.home"],
	},
}

// Below returns p for an app whose paths begin with base for the browser: a link home leads there.
func Below(base string, p *oidcauth.Problem) *oidcauth.Problem {
	if p.Link != "/" {
		return p
	}
	ours := *p
	ours.Link = base + "/"
	return &ours
}

// Of tells what an error of the token and API calls means to the caller. Only ErrLoginRequired and
// a step-up are the user's to solve; an outage is never a sign-out.
//
// The statuses tell monitoring who is to blame: 401 the session, 503 a provider or store that is
// down, 504 one that is slow, 502 one that answers with what can't be used. A GrantError is among
// the last: the endpoint works, and refuses this client.
func Of(err error) *oidcauth.Problem {
	var known *oidcauth.Problem
	var stepUp *oidcauth.StepUpError
	var down *oidcauth.UnavailableError
	var timeout net.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, oidcauth.ErrLoginRequired):
		return constant(http.StatusUnauthorized, "login_required", err)
	case errors.As(err, &stepUp):
		return constant(http.StatusUnauthorized, "insufficient_user_authentication", err)
	case errors.Is(err, session.ErrUnavailable):
		return constant(http.StatusServiceUnavailable, "store_unavailable", err)
	case errors.As(err, &down):
		p := constant(http.StatusServiceUnavailable, "provider_unavailable", err)
		p.RetryAfter = down.RetryAfter
		return p
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return constant(http.StatusGatewayTimeout, "time_out", err)
	}
	return constant(http.StatusBadGateway, "no_answer", err)
}
