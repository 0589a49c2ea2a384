package oidcauth

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/session"
)

// freshSince is since when the user of a login is known to have authenticated, by our clock: since
// it began, where max_age=0 was asked for and verified, and since auth_time, as far as the
// provider's clock may be ahead. A login that was begun for the sake of a revocation came after it,
// whatever the clocks of two processes say.
func (a *returner) freshSince(t *browser.Transaction, authTime time.Time) time.Time {
	since := authTime.Add(-a.config.Skew)
	if authTime.IsZero() {
		since = time.UnixMilli(0)
	}
	if t.MaxAge == nil || *t.MaxAge != 0 {
		return since
	}
	for _, known := range []time.Time{t.BeganAt(), time.UnixMilli(t.Fresh + 1)} {
		if known.After(since) {
			since = known
		}
	}
	return since
}

// demandFreshLogin answers a login that may not begin a session since the user's were revoked
// (session.DemandFreshLogin): the browser is sent to the provider once more, with max_age=0. A
// login that must not ask the user comes back signed out.
func (a *returner) demandFreshLogin(w http.ResponseWriter, r *http.Request, t *browser.Transaction, err *session.FreshLoginError) {
	a.logins.Expire(w, t.State)
	now := &StepUpError{MaxAge: -1}
	switch {
	case t.Silent:
		a.logins.Count(w, t)
		a.redirectBack(w, t)
		return
	case t.Fresh != 0: // it is this one's answer
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: err})
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "fresh login demanded", slog.String("issuer", a.config.Issuer), logtext.Reason(err))
	// Whose place it takes is known from the first try: a cross-site form_post has no session
	// cookie that would tell.
	next := &browser.Transaction{Loops: t.Loops, Demand: t.Demand, Fresh: err.Since.UnixMilli(), Session: t.Session, User: t.User}
	o := now.loginOptions()
	o.ReturnTo, o.essentialACR, o.amr, o.Resource, o.Scopes = t.ReturnTo, t.ACR, t.AMR, t.Resource, t.Scopes
	a.startLogin(w, r, next, o)
}
