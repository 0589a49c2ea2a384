package oidcauth

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/session"
)

// A Problem is an error as a browser or an API client sees it. Title and Advice are constant texts;
// nothing in them comes from a request or a provider.
type Problem struct {
	// Status is the HTTP status code of the answer.
	Status int

	// Code names the kind of problem in JSON responses and logs.
	Code string

	// Title and Advice say what happened and what to do next.
	Title, Advice string

	// Link and LinkText say where to go next: to a new login, to another try, or home. Link is a
	// path on this site; empty means no link.
	Link, LinkText string

	// Frame says that the response is shown in a frame: its links have to open in the whole tab
	// (target "_top").
	Frame bool

	// User is the signed-in user, if the refusal may apply to this account only. Otherwise nil.
	User *User

	// SwitchURL is a path that starts a login in which the person can choose another account
	// (prompt=select_account). Empty means that this would not help.
	SwitchURL string

	// ChooseURL is a path at which the person can sign in at another of [Providers] in place of the
	// one that failed, and then comes back to where this login was to lead. Empty means that there is
	// no other, or that it would not help.
	ChooseURL string

	// SignOutURL is a path that signs User out, by a POST without fields. Empty without a User.
	SignOutURL string

	// RetryAfter is sent as Retry-After when it is positive.
	RetryAfter time.Duration

	// Reference appears on the page and in the log, so an operator can find one from the other.
	Reference string

	// Err is the cause, for errors.Is and errors.As; never show it to a browser.
	Err error

	// variant chooses among the texts of one code.
	variant string
}

// Error names the code and the cause.
func (p *Problem) Error() string {
	if p.Err == nil {
		return fmt.Sprintf("oidcauth: %s (%d)", p.Code, p.Status)
	}
	return fmt.Sprintf("oidcauth: %s (%d): %v", p.Code, p.Status, p.Err)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// A problemText is what a code tells people.
type problemText struct{ title, advice, link, event string }

// Where a problem's link leads.
const (
	linkNone  = ""
	linkLogin = "Sign in again"
	linkEnter = "Sign in"
	linkRetry = "Try again"
	linkHome  = "Go to the home page"
	linkBack  = "Go back to the page"
)

// problemTexts holds a text for each code, so that what a page says never depends on what was sent.
var problemTexts = map[string]problemText{
	"not_found":                        {"Page not found", "Check the address, or go to the home page.", linkHome, "request refused"},
	"unknown_provider":                 {"This sign-in service isn't available here", "It may have been removed, or the address may be wrong. Go to the home page to sign in.", linkHome, "request refused"},
	"method_not_allowed":               {"This action isn't available", "Go back and use the buttons and links on the page.", linkHome, "request refused"},
	"invalid_request":                  {"We couldn't process this request", "Go back to the page you came from and try again.", linkHome, "request refused"},
	"cross_origin":                     {"This request came from another site", "Open this site directly and try again.", linkHome, "request refused"},
	"login_required":                   {"You're signed out", "If you submitted something, we didn't receive it. Sign in to continue.", linkEnter, "denied"},
	"insufficient_user_authentication": {"Please sign in again", "This page needs a more recent or a stronger sign-in. If you submitted something, we didn't receive it.", linkEnter, "denied"},
	"unauthorized":                     {"An access token is required", "Send one that was issued for this API.", linkNone, "access token refused"},
	"invalid_token":                    {"This access token isn't valid here", "Get a new one that was issued for this API.", linkNone, "access token refused"},
	"insufficient_scope":               {"This access token lacks a required scope", "Request one with the scopes listed in the challenge.", linkNone, "access token refused"},
	"invalid_dpop_proof":               {"The DPoP proof isn't valid", "Create a new proof for this exact request.", linkNone, "access token refused"},
	"use_dpop_nonce":                   {"The DPoP proof needs a nonce", "Create a new proof with the nonce from this response.", linkNone, "access token refused"},
	"no_transaction":                   {"We couldn't complete this sign-in", "It may have been completed already, replaced by a newer one, or started in another browser, or your browser may have blocked a cookie. Please sign in again.", linkLogin, "login refused"},
	"login_expired":                    {"This sign-in has expired", "It took too long to complete. Please sign in again.", linkLogin, "login refused"},
	"signed_out":                       {"You were signed out", "The sign-in service ended your session while you were signing in. Please sign in again.", linkLogin, "login refused"},
	"login_loop":                       {"We couldn't keep you signed in", "You signed in several times in a row, but each time your browser came back signed out. Allow cookies for this site and try again. If that doesn't help, contact this site's operator.", linkLogin, "login refused"},
	"access_denied":                    {"Sign-in wasn't allowed", "It was canceled, or this account isn't allowed to sign in here. You can try again or use another account.", linkLogin, "login refused"},
	"login_failed":                     {"Sign-in failed", "The sign-in service didn't complete the sign-in. Please try again.", linkLogin, "login refused"},
	"invalid_response":                 {"Sign-in failed", "We couldn't verify the sign-in service's response. Please try again. If this keeps happening, contact this site's operator.", linkLogin, "login refused"},
	"provider_error":                   {"The sign-in service has a problem", "Nothing is wrong with your account. Please try again in a moment.", linkLogin, "login refused"},
	"provider_timeout":                 {"The sign-in service isn't responding", "Nothing is wrong with your account. Please try again in a moment.", linkLogin, "provider unavailable"},
	"provider_unavailable":             {"We can't reach the sign-in service", "Nothing is wrong with your account. Please try again in a moment.", linkLogin, "provider unavailable"},
	"busy":                             {"Too many people are signing in right now", "Please try again in a moment.", linkLogin, "login refused"},
	"store_unavailable":                {"We can't check your session right now", "You haven't been signed out. Please try again in a moment.", linkNone, "store unavailable"},
	"session_too_large":                {"Sign-in failed", "Your account has more data than this site can store. Contact this site's operator.", linkHome, "login refused"},
	"device_proof_required":            {"We need to confirm your device", "If you submitted something, we didn't receive it. Go back to the page and try again.", linkBack, "denied"},
	"device_unavailable":               {"We can't confirm your device right now", "You're still signed in. Please try again in a moment.", linkRetry, "device proof missing"},
	"device_binding_required":          {"This browser isn't supported", "This site ties each session to a device, and your browser didn't do that in time. Sign in with a browser that supports it, such as a current version of Chrome on Windows.", linkLogin, "denied"},
	"device_refused":                   {"We couldn't confirm this device", "Please sign in again.", linkLogin, "device refused"},
	"forbidden":                        {"You don't have access to this page", "Your account doesn't have the permission it requires.", linkHome, "denied"},
	"step_up_failed":                   {"This page needs a stronger sign-in", "The sign-in service didn't provide the sign-in that this page requires.", linkHome, "login refused"},
	"no_answer":                        {"A service we depend on isn't working", "Please try again in a moment.", linkRetry, "api call failed"},
	"time_out":                         {"A service we depend on is too slow", "Please try again in a moment.", linkRetry, "api call failed"},
	"internal":                         {"Something went wrong", "Please try again in a moment.", linkHome, "request refused"},
}

// problemVariants hold titles and advice for what is known more closely than a code tells.
var problemVariants = map[string]problemText{
	"signed_in":   {"You're already signed in", "That sign-in is no longer valid, and nothing has changed.", linkHome, ""},
	"finished":    {"This sign-in is already complete", "Its page was loaded a second time. Continue where you left off, or sign in again.", linkLogin, ""},
	"gave_way":    {"A newer sign-in replaced this one", "Too many sign-ins were open in this browser at once. Please sign in again.", linkLogin, ""},
	"silent_loop": {"We couldn't tell whether you're signed in", "This site keeps asking the sign-in service who you are. Contact this site's operator.", linkLogin, ""},
}

// loginProblem maps what can go wrong while a login starts or returns to an answer.
func loginProblem(err error) *Problem {
	var problem *Problem
	var denied *DeniedError
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.Is(err, session.ErrUnavailable):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Err: err}
	case errors.Is(err, session.ErrNoSession): // a logout of the provider's was faster
		return &Problem{Status: http.StatusBadRequest, Code: "signed_out", Err: err}
	case errors.Is(err, session.ErrTooLarge):
		return &Problem{Status: http.StatusInternalServerError, Code: "session_too_large", Err: err}
	case errors.Is(err, pace.ErrBusy), errors.Is(err, browser.ErrConsumedFull):
		return &Problem{Status: http.StatusServiceUnavailable, Code: "busy", Err: err}
	case errors.As(err, &denied):
		return &Problem{Status: http.StatusForbidden, Code: "access_denied", Err: err}
	}
	return providerProblem(err)
}

// formProblem is a request whose parameters can't be used.
func formProblem(err error) *Problem {
	p := &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
	if form, ok := errors.AsType[*browser.FormError](err); ok {
		p.Status, p.Err = form.Status, form.Err
	}
	return p
}

// responseProblem tells a forged response JWT from keys that can't be had.
func responseProblem(err error) error {
	if _, down := errors.AsType[*pace.Outage](err); down {
		return err
	}
	return &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
}

// afterCode marks a provider that fails between the steps of one login: the code is spent, so that
// repeating this request, which 503 would invite to, leads nowhere.
func afterCode(err error) error {
	if _, down := errors.AsType[*pace.Outage](err); down {
		return &Problem{Status: http.StatusBadGateway, Code: "provider_error", Err: err}
	}
	return err
}

// providerProblem maps trouble with the provider to a status and code: 502 for a bad answer, 503
// for none, 504 for a late one.
func providerProblem(err error) *Problem {
	outage, down := errors.AsType[*pace.Outage](err)
	var timeout interface{ Timeout() bool }
	switch {
	case down:
		return &Problem{Status: http.StatusServiceUnavailable, Code: "provider_unavailable", RetryAfter: outage.RetryAfter, Err: err}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Problem{Status: http.StatusGatewayTimeout, Code: "provider_timeout", Err: err}
	}
	if failed, ok := errors.AsType[*oauth.Error](err); ok && (failed.Status == 0 || failed.Status >= http.StatusInternalServerError) {
		return &Problem{Status: http.StatusBadGateway, Code: "provider_error", Err: err}
	}
	return &Problem{Status: http.StatusBadGateway, Code: "invalid_response", Err: err}
}
