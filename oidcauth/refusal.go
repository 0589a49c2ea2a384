package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

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
	a.fail(w, r, a.orElsewhere(r, p, t, a.site.BackFrom(t)))
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
	next := &browser.Transaction{Loops: t.Loops, Demand: t.Demand, Only: t.Only, Fresh: err.Since.UnixMilli(), Session: t.Session, User: t.User}
	a.startLogin(w, r, next, now.loginOptions().askedBy(t))
}

// noTransaction answers a callback that belongs to no login, for the reason in err. Who is signed
// in need not sign in again.
func (a *returner) noTransaction(ctx context.Context, err error) *Problem {
	p := &Problem{Status: http.StatusBadRequest, Code: "no_transaction", Err: err}
	switch {
	case errors.Is(err, browser.ErrFinished):
		p.variant = "finished"
	case errors.Is(err, browser.ErrGaveWay):
		p.variant = "gave_way"
	}
	if id, err := identityOf(a.sessions.From(ctx)); err == nil && id != nil {
		p.variant, p.Link, p.LinkText = "signed_in", a.site.Home(), linkHome
	}
	return p
}
