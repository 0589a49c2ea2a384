package oidcauth

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

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

// An unspentError is a login that is not over: the response was not its, or may be sent again.
type unspentError struct{ error }

// Unwrap returns the cause.
func (e *unspentError) Unwrap() error { return e.error }

// A lostLogin is a login that came to nothing although its tokens are good.
type lostLogin struct {
	login *login
	err   error
}

// Error is the cause's text.
func (e *lostLogin) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *lostLogin) Unwrap() error { return e.err }

// refuseLogin answers a login that failed after its transaction was found: what is left of it goes,
// the transaction and the tokens.
func (a *returner) refuseLogin(w http.ResponseWriter, r *http.Request, t *browser.Transaction, cb *provider.Response, err error) {
	if lost, ok := errors.AsType[*lostLogin](err); ok {
		a.dropLogin(r, lost)
		err = lost.err
	}
	unspent, again := errors.AsType[*unspentError](err)
	if again {
		err = unspent.error
	} else {
		a.logins.Expire(w, t.State)
	}
	if errors.Is(err, ErrUnknownProvider) {
		a.left(w, r, t)
		return
	}
	if stale, ok := errors.AsType[*session.FreshLoginError](err); ok {
		a.demandFreshLogin(w, r, t, stale)
		return
	}
	var refused *LoginError
	if t.Silent && errors.As(err, &refused) && slices.Contains(silentRefusals, refused.Code) && cb.ErrorCode != "" {
		a.logins.Count(w, t)
		a.sendBack(w, r, a.site.BackFrom(t))
		return
	}
	p := callbackProblem(err, cb)
	switch back := a.site.BackFrom(t); {
	case p.Status == http.StatusForbidden:
		p.SwitchURL = a.switchURL(back)
	case p.Link == "" && t.ReturnTo != "":
		p.Link, p.LinkText = a.site.LoginURL(back), linkLogin
	}
	a.fail(w, r, p)
}

// silentRefusals are how a provider says that a login with prompt=none needs the user (Core
// §3.1.2.6).
var silentRefusals = []string{"login_required", "interaction_required", "consent_required", "account_selection_required"}

// callbackProblem maps what failed a login to an answer.
func callbackProblem(err error, cb *provider.Response) *Problem {
	var refused *LoginError
	if cb.ErrorCode == "" || !errors.As(err, &refused) {
		return loginProblem(err)
	}
	p := &Problem{Status: http.StatusBadRequest, Code: "login_failed", Err: err}
	switch refused.Code {
	case "access_denied":
		p.Status, p.Code = http.StatusForbidden, "access_denied"
	case "server_error":
		p.Status, p.Code = http.StatusBadGateway, "provider_error"
	case "temporarily_unavailable":
		p.Status, p.Code = http.StatusServiceUnavailable, "provider_error"
	}
	return p
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

// unavailableStore marks an error of a Store as what it is, unless it says so itself.
func unavailableStore(err error) error {
	if errors.Is(err, browser.ErrConsumedFull) || errors.Is(err, session.ErrUnavailable) {
		return err
	}
	return errors.Join(session.ErrUnavailable, err)
}

// afterCode marks a provider that fails between the steps of one login: the code is spent, so that
// repeating this request, which 503 would invite to, leads nowhere.
func afterCode(err error) error {
	if _, down := errors.AsType[*pace.Outage](err); down {
		return &Problem{Status: http.StatusBadGateway, Code: "provider_error", Err: err}
	}
	return err
}

// unmatched is the cause of a response that no login of this browser's is found for: err and, for
// the log, what error it brought.
func unmatched(cb *provider.Response, err error) error {
	if cb.ErrorCode == "" {
		return err
	}
	if cb.State == "" {
		err = fmt.Errorf("%w: the response has no state", ErrState)
	}
	said := LoginError{Code: logtext.Clip(cb.ErrorCode, 64), Description: logtext.Clip(logtext.WithoutSecrets(cb.Description, []string{cb.State}), oauth.MaxDescription)}
	return fmt.Errorf("%w; %s", err, said.Error())
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

// demandFreshLogin answers a login that may not begin a session since the user's were revoked
// (session.DemandFreshLogin): the browser is sent to the provider once more, with max_age=0. A
// login that must not ask the user comes back signed out.
func (a *returner) demandFreshLogin(w http.ResponseWriter, r *http.Request, t *browser.Transaction, err *session.FreshLoginError) {
	now := &StepUpError{MaxAge: -1}
	switch {
	case t.Silent:
		a.logins.Count(w, t)
		a.sendBack(w, r, a.site.BackFrom(t))
		return
	case t.Fresh != 0: // it is this one's answer
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: err})
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "fresh login demanded", slog.String("issuer", a.config.Issuer), logtext.Reason(err))
	// Whose place it takes is known from the first try: a cross-site form_post has no session
	// cookie that would tell.
	next := &browser.Transaction{Loops: t.Loops, Demand: t.Demand, Fresh: err.Since.UnixMilli(), Session: t.Session, User: t.User}
	a.startLogin(w, r, next, now.loginOptions().askedBy(t))
}

// A GrantError is a token endpoint that refused a grant: for a resource or scope that the user or
// client may not have, or because the client's own authentication failed. Its text is for logs, not
// for pages.
type GrantError struct {
	// Code is the endpoint's error code (RFC 6749 §5.2); invalid_client also where it answered 401
	// or 403 without a code.
	Code string

	// Description is the endpoint's error_description, cut and cleaned. It is untrusted text.
	Description string

	// Err is the cause.
	Err error
}

// Error names code and description, and what to try where that is known.
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
