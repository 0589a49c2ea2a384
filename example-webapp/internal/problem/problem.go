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

// constant returns a constant text for a page and for JSON: nothing that a request, an API or a
// provider says gets there.
//
// For one code there is one text, here and in the library. The link leads to the start page unless
// the caller knows better. err is the cause for the log, and never shown.
func constant(status int, code, title, advice string, err error) *oidcauth.Problem {
	return &oidcauth.Problem{Status: status, Code: code, Title: title, Advice: advice, Link: "/", LinkText: "Go to the start page", Err: err}
}

// Refused are the answers to requests that the app itself turns away.
//
// Their texts are the same for every path and host, so that no page repeats what somebody else put
// into a link.
var Refused = map[int]*oidcauth.Problem{
	http.StatusBadRequest: constant(http.StatusBadRequest, "invalid_request", "That request can't be used",
		"Go back and try again from the page you came from.", nil),
	http.StatusNotFound: constant(http.StatusNotFound, "not_found", "Page not found",
		"Check the address, or start from the home page.", nil),
	http.StatusMethodNotAllowed: constant(http.StatusMethodNotAllowed, "method_not_allowed", "That can't be done here",
		"Go back and use the page's own buttons and links.", nil),
	http.StatusForbidden: constant(http.StatusForbidden, "cross_origin", "That request came from another site",
		"Open this site itself and try again there.", nil),
	http.StatusMisdirectedRequest: constant(http.StatusMisdirectedRequest, "misdirected_request", "This app has another address",
		"Ask whoever gave you the link.", nil),
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
		return constant(http.StatusUnauthorized, "login_required", "You are signed out",
			"If you sent something, it was not received. Sign in to go on.", err)
	case errors.As(err, &stepUp):
		return constant(http.StatusUnauthorized, "insufficient_user_authentication", "A fresh sign-in is needed",
			"If you sent something, it was not received. Sign in to go on.", err)
	case errors.Is(err, session.ErrUnavailable):
		return constant(http.StatusServiceUnavailable, "store_unavailable", "Sessions can't be read just now",
			"Nobody is signed out by this. Try again in a moment.", err)
	case errors.As(err, &down):
		p := constant(http.StatusServiceUnavailable, "provider_unavailable", "The sign-in service can't be reached",
			"Nothing is wrong with your account. Try again in a moment.", err)
		p.RetryAfter = down.RetryAfter
		return p
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return constant(http.StatusGatewayTimeout, "time_out", "A service takes too long", "Try again in a moment.", err)
	}
	return constant(http.StatusBadGateway, "no_answer", "A service gives no usable answer", "Try again in a moment.", err)
}
