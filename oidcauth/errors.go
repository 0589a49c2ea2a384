package oidcauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// Sentinel errors, to compare with errors.Is.
var (
	// ErrLoginRequired means that no user is signed in, or that only a new login yields a usable
	// token.
	ErrLoginRequired = errors.New("oidcauth: login required")

	// ErrState means that this browser has no login for the callback: it is unknown, has expired,
	// or was used before.
	ErrState = browser.ErrState

	// ErrOrigin means that a request with a token was about to be sent to an origin that isn't
	// listed in the APIs of the Config or MachineConfig.
	ErrOrigin = access.ErrOrigin

	// ErrOtherSession means that a request sent with [Authenticator.Client] carries a session in
	// its context other than the client's.
	ErrOtherSession = errors.New("oidcauth: the request's context belongs to a session other than the client's")
)

// A LoginError means that the provider refused a login, or that its response can't be trusted. Its
// text is for logs, not for pages.
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

	// Err is the cause, if there is one.
	Err error
}

// Error names the code, the description and the cause, and what to check if the code suggests
// something.
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

// A DeniedError means that the user lacks what a guard requires, or that Hooks.Login refused them.
type DeniedError struct {
	// Requirement says what was required, never what the user has.
	Requirement string

	// Err is the cause, if there is one.
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

// A StepUpError means that a request needs a fresher or stronger login (RFC 9470). It comes from a
// guard, or from an API that the user's token was sent to.
type StepUpError struct {
	// ACRValues are the acceptable authentication context class references, best first; nil means
	// any.
	ACRValues []string

	// AMR are authentication methods that must all have been used; nil means any.
	AMR []string

	// MaxAge is the greatest allowed age of the login, encoded as in [LoginOptions]: zero means
	// any, and a negative value means that a login is required now.
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

// An UnavailableError means that the provider is currently unavailable. It says nothing about the
// user: sessions are kept.
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

// asLoginError makes a *LoginError of what a provider answered to a login and what is no good: its
// own error code where it gave one for the code, else code. Failures that are no answer, and those
// of a server that is broken, stay what they are.
func asLoginError(code string, err error) error {
	if _, known := errors.AsType[*LoginError](err); known {
		return err
	}
	if _, refused := errors.AsType[*provider.TokenError](err); refused {
		return &LoginError{Code: code, Err: err}
	}
	failed, ok := errors.AsType[*oauth.Error](err)
	if !ok || failed.Status == 0 || failed.Status >= http.StatusInternalServerError {
		return err
	}
	if failed.Endpoint == "token" {
		code = cmp.Or(failed.ErrorCode(), code)
	}
	return &LoginError{Code: code, Description: failed.Description, Err: err}
}

// unavailableStore marks an error of a Store as what it is, unless it says so itself.
func unavailableStore(err error) error {
	if errors.Is(err, browser.ErrConsumedFull) || errors.Is(err, session.ErrUnavailable) {
		return err
	}
	return errors.Join(session.ErrUnavailable, err)
}

// A GrantError means that a token endpoint refused a grant: for a resource or scope that the user
// or client may not have, or because client authentication failed. Its text is for logs, not for
// pages.
type GrantError struct {
	// Code is the endpoint's error code (RFC 6749 §5.2), or invalid_client if it answered 401 or
	// 403 without a code.
	Code string

	// Description is the endpoint's error_description, cut and cleaned. It is untrusted text.
	Description string

	// Err is the cause.
	Err error
}

// Error names the code and the description, and what to try if that is known.
func (e *GrantError) Error() string {
	text := "oidcauth: token refused: " + e.Code
	if e.Description != "" {
		text += fmt.Sprintf(" (%q)", e.Description)
	}
	if hint := oauth.HintIn(e.Err); hint != "" {
		text += "; " + hint
	}
	return text
}

// Unwrap returns the cause.
func (e *GrantError) Unwrap() error { return e.Err }

// asRefusal turns an endpoint's error answer into a *GrantError. Other errors stay: they are
// outages, which callers learn of as *UnavailableErrors.
func asRefusal(err error) error {
	what, refused, ok := oauth.FailureOf(err)
	if !ok || what != oauth.ClientRefused && what != oauth.RequestRefused {
		return err
	}
	return &GrantError{Code: refused.ErrorCode(), Description: refused.Description, Err: err}
}
