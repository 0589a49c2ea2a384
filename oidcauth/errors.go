package oidcauth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
)

// Sentinels that callers compare with errors.Is.
var (
	// ErrLoginRequired means that nobody is signed in, or that only a new login brings a usable
	// token.
	ErrLoginRequired = errors.New("oidcauth: login required")

	// ErrState means that a callback has no login transaction in this browser: unknown, expired, or
	// used before.
	ErrState = browser.ErrState

	// ErrOrigin means that a request with a token was aimed at an origin that the APIs of the
	// Config or MachineConfig do not name.
	ErrOrigin = access.ErrOrigin

	// ErrOtherSession means that a request which [Authenticator.Client] was to send carries another
	// session in its context than the client's.
	ErrOtherSession = errors.New("oidcauth: the request's context belongs to a session other than the client's")
)

// A LoginError is a login that the provider refused, or whose answer can't be trusted. Its text is
// for logs, not for pages.
type LoginError struct {
	// Code is the provider's error code (RFC 6749 §4.1.2.1 and §5.2, RFC 9126 §2.3, Core §3.1.2.6),
	// or one of ours:
	//
	//   - "invalid_id_token": the ID token failed a check, also that of an auth_time or acr that was asked for;
	//   - "invalid_token_answer": the token endpoint answered the code with neither tokens nor an error code;
	//   - "invalid_userinfo": userinfo was refused to us, or failed a check;
	//   - "invalid_metadata": the provider's authorization endpoint is no URL;
	//   - "par_unavailable": requests must be pushed, by Config.PAR or by the metadata, and the provider has no endpoint for it;
	//   - "par_failed": the request could not be pushed.
	Code string

	// Description is the provider's error_description, cut and cleaned. It is untrusted text.
	Description string

	// Err is the cause, where there is one.
	Err error
}

// Error names code, description and cause, and what to look at if the code tells.
func (e *LoginError) Error() string {
	text := "oidcauth: login failed: " + e.Code
	what, failed, ok := oauth.FailureOf(e.Err)
	if e.Description != "" && (!ok || failed.Description != e.Description) { // else the cause says it
		text += fmt.Sprintf(" (%q)", e.Description)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if hint := codeHints[e.Code]; hint != "" && (!ok || what != oauth.ClientRefused) {
		text += "; " + hint
	}
	return text
}

// codeHints say what to look at when a provider answers with an error code whose usual cause is the
// configuration.
var codeHints = map[string]string{
	"invalid_scope":             "compare Config.Scopes with what the provider lets this client ask for",
	"invalid_target":            "compare Login.Resource with the resources that the provider lets this client ask for",
	"unauthorized_client":       "does the client's registration allow the authorization code flow?",
	"unsupported_response_type": "does the client's registration allow the authorization code flow?",
}

// Unwrap returns the cause.
func (e *LoginError) Unwrap() error { return e.Err }

// A DeniedError is a user who lacks what a guard requires, or whom Hooks.Login refused.
type DeniedError struct {
	// Requirement says what was required, never what the user has.
	Requirement string

	// Err is the cause, where there is one.
	Err error
}

// Error names the requirement and the cause.
func (e *DeniedError) Error() string {
	if e.Err == nil {
		return "oidcauth: denied: " + e.Requirement
	}
	return "oidcauth: denied: " + e.Requirement + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DeniedError) Unwrap() error { return e.Err }

// A StepUpError is a request that needs a fresher or stronger login (RFC 9470): from one of our
// guards, or from an API that the user's token was sent to.
type StepUpError struct {
	// ACRValues are the acceptable authentication context class references, best first; nil means
	// any.
	ACRValues []string

	// AMR are authentication methods that must all have been used; nil means any.
	AMR []string

	// MaxAge is the greatest age of the login, encoded as that of [LoginOptions]: zero means that
	// none was named, and a negative value that a login now is asked for.
	MaxAge time.Duration

	// Scope is the scope that the API asked for, if any.
	Scope string
}

// Error says what is needed.
func (e *StepUpError) Error() string {
	var needs []string
	if len(e.ACRValues) > 0 {
		needs = append(needs, "acr "+strings.Join(e.ACRValues, " or "))
	}
	if len(e.AMR) > 0 {
		needs = append(needs, "amr "+strings.Join(e.AMR, " and "))
	}
	switch {
	case e.MaxAge > 0:
		needs = append(needs, "a login not older than "+e.MaxAge.String())
	case e.MaxAge < 0:
		needs = append(needs, "a login now")
	}
	return "oidcauth: step-up authentication required: " + strings.Join(needs, ", ")
}

// An UnavailableError is a provider that can't be used just now. It says nothing about the user:
// sessions stay.
type UnavailableError struct {
	// RetryAfter is how long to wait before trying again makes sense, at least one second.
	RetryAfter time.Duration

	// Err is the cause.
	Err error
}

// Error names the cause.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("oidcauth: provider unavailable: %v", e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// exported is err as the application sees it, where it leaves the package: an outage of the
// packages below is an *UnavailableError, whatever it is wrapped in.
func exported(err error) error {
	outage, down := errors.AsType[*pace.Outage](err)
	if !down {
		return err
	}
	unavailable := &UnavailableError{RetryAfter: outage.RetryAfter, Err: outage.Err}
	if _, bare := err.(*pace.Outage); bare { //nolint:errorlint // whether it is wrapped is the question
		return unavailable
	}
	return &wrappedOutage{error: err, unavailable: unavailable}
}

// A wrappedOutage is an error with the *UnavailableError that its chain lacks.
type wrappedOutage struct {
	error
	unavailable *UnavailableError
}

// Unwrap returns both.
func (e *wrappedOutage) Unwrap() []error { return []error{e.unavailable, e.error} }

// A Problem is an error as the browser or the API client is told it. Title and Advice are constant
// texts; nothing in them comes from a request or a provider.
type Problem struct {
	// Status is the HTTP status code of the answer.
	Status int

	// Code names the kind of problem in JSON answers and logs.
	Code string

	// Title and Advice say what happened and what to do next.
	Title, Advice string

	// Link and LinkText lead on: to a new login, to another try, or home. Link is a path of this
	// site; empty means no link.
	Link, LinkText string

	// Frame says that the answer is shown in a frame of a page: its links have to open in the whole
	// tab (target "_top").
	Frame bool

	// User is who is signed in, where a refusal may be meant for this account alone. Nil where
	// nobody is, and for all other problems.
	User *User

	// SwitchURL is a path that starts a login in which the person can choose another account
	// (prompt=select_account). Empty means that this would not help.
	SwitchURL string

	// SignOutURL is a path that signs User out, by a POST without fields. Empty without a User.
	SignOutURL string

	// RetryAfter is sent as Retry-After when it is positive.
	RetryAfter time.Duration

	// Reference stands on the page and in the log, so that an operator finds the one by the other.
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
	"no_answer":                        {"A service we depend on isn't working", "Please try again in a moment.", linkNone, "api call failed"},
	"time_out":                         {"A service we depend on is too slow", "Please try again in a moment.", linkNone, "api call failed"},
	"internal":                         {"Something went wrong", "Please try again in a moment.", linkHome, "request refused"},
}

// problemVariants hold titles and advice for what is known more closely than a code tells.
var problemVariants = map[string]problemText{
	"signed_in":   {"You're already signed in", "That sign-in is no longer valid, and nothing has changed.", linkHome, ""},
	"finished":    {"This sign-in is already complete", "Its page was loaded a second time. Continue where you left off, or sign in again.", linkLogin, ""},
	"gave_way":    {"A newer sign-in replaced this one", "Too many sign-ins were open in this browser at once. Please sign in again.", linkLogin, ""},
	"silent_loop": {"We couldn't tell whether you're signed in", "This site keeps asking the sign-in service who you are. Contact this site's operator.", linkLogin, ""},
}
