package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// Logout ends the browser's session here, revokes its tokens, and sends the browser to the
// provider's end_session_endpoint, if there is one (RP-Initiated Logout §2); it comes back to the
// signed-out page. Each step may fail without stopping the next. With several Authenticators on one
// session.Manager, the provider, log and hook are those of the Authenticator that made the session.
// The caller must make sure that the user wants this: protect the route with
// http.CrossOriginProtection, as the logout route is.
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) {
	a.withSession(w, r, func(w http.ResponseWriter, r *http.Request) { a.logout(w, r, a.site.Home()) })
}

// serveLogout is the logout route: GET asks, POST does.
func (a *signOut) serveLogout(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	if r.Method == http.MethodGet {
		a.askLogout(w, r)
		return
	}
	if err := a.csrf.Check(r); err != nil {
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Err: err})
		return
	}
	a.logout(w, r, a.site.ReturnTo(r.Context(), postedReturn(w, r)))
}

// postedReturn is the return_to of a posted form, urlencoded or multipart, and "" where the body
// holds none that can be read, or several. Nothing in a body is a reason not to sign out
// (RP-Initiated Logout §2), so that errors are no matter.
func postedReturn(w http.ResponseWriter, r *http.Request) string {
	r.Body = http.MaxBytesReader(w, r.Body, browser.MaxForm)
	_ = r.ParseMultipartForm(browser.MaxForm) //nolint:gosec // bounded above; also urlencoded, and in memory, since no more is read than fits there
	if values := r.PostForm["return_to"]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// askLogout shows the confirmation page. Its form needs an Origin header, which browsers send as
// null under no-referrer.
func (a *signOut) askLogout(w http.ResponseWriter, r *http.Request) {
	allowForm(w)
	p := &LogoutPage{Page: a.headOf(w, r, "logout.title"), Action: a.site.At("logout")}
	if returnTo := a.site.ReturnTo(r.Context(), r.URL.Query().Get("return_to")); returnTo != a.site.Home() {
		p.Fields = map[string]string{"return_to": returnTo}
	}
	a.writePage(w, http.StatusOK, pageLogout, p)
}

// logout takes the steps of Logout: for the provider that made the session, whichever route was
// used.
func (a *signOut) logout(w http.ResponseWriter, r *http.Request, returnTo string) {
	r, end := a.observe(r, OperationLogout)
	defer end()
	r, cancel := toItsEnd(r)
	defer cancel()
	ctx := r.Context()
	s := a.sessions.From(ctx)
	unproven := withoutProof(inside.OfSession(s).LoadWithin(ctx))
	inside.OfSession(s).WaiveProof() // who wants to sign out may
	nobody := errors.Is(inside.OfSession(s).LoadWithin(ctx), session.ErrNoSession)
	p := a.newestPrevious(ctx, s, nil, a.previousLogin(s, nil))
	if p != nil && unproven {
		p.idToken = "" // whoever has only copied the cookie would read in it whose it is
	}
	// 1. Here. Whoever signs out does not mean to come back through an old tab; but a request
	// without a session may be another site's, which Lax cookies don't come with, and leaves logins
	// under way alone.
	a.destroy(ctx, s)
	a.logins.ForgetLoops(w, r)
	a.forgo(w, r)
	if !nobody {
		a.logins.ExpireAll(w, r)
	}
	protectAnswer(w)
	if p == nil { // nobody was signed in here, and may be at the provider
		a.leave(w, r, "", returnTo)
		return
	}
	p.owner.ended(ctx, p.user, LogoutByUser)
	// 2. The tokens.
	p.owner.revokeTokens(ctx, p.tokens)
	// 3. At the provider.
	(&signOut{core: p.owner}).leave(w, r, p.idToken, returnTo)
}

// logoutTime bounds a logout whose sender does not wait for it.
const logoutTime = 30 * time.Second

// toItsEnd returns r with a context that does not end with its sender: whoever signs out may close
// the tab at once, providers wait for a few seconds only, and frames go with their pages. A logout
// that was asked for is to come about.
func toItsEnd(r *http.Request) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), logoutTime)
	return r.WithContext(ctx), cancel
}

// clearAhead has the browser forget the pages that it fetched or rendered ahead for who was signed
// in before: neither no-store nor a changed cookie keeps it from showing them. Cookies are not
// cleared: browsers would clear those of the whole site.
func clearAhead(w http.ResponseWriter) {
	w.Header().Add("Clear-Site-Data", `"prefetchCache", "prerenderCache"`)
}

// localTarget is where a logout ends that does not pass by the provider.
func (a *signOut) localTarget(returnTo string) string {
	if returnTo == a.site.Home() {
		return a.site.At("signed-out")
	}
	return returnTo
}
