package oidcauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/provider"
)

// serveCallback completes a login. The steps stand in one place, in the order in which they must
// happen: nothing is believed before its check, and nothing is sent to the provider before the
// response is known to be this browser's.
func (a *returner) serveCallback(w http.ResponseWriter, r *http.Request) {
	r, end := a.observe(r, OperationCallback)
	defer end()
	began := time.Now()
	// 1. One method, by response mode; nothing that was fetched ahead.
	if method := a.config.ResponseMode.method(); a.otherMode(w, r, method) || a.methodNotAllowed(w, r, method) || a.aheadOfTime(w, r) {
		return
	}
	cb, problem := a.readCallback(w, r)
	if problem != nil {
		a.fail(w, r, a.orElsewhere(r, problem, nil, a.site.Home()))
		return
	}
	// 2. This browser's transaction, not expired.
	t, problem := a.matchTransaction(r, &cb)
	switch {
	case problem != nil:
		a.fail(w, r, problem)
		return
	case t.Provider != a.key:
		a.loginAnew(w, r, t)
		return
	}
	// 3. to 8.
	login, err := a.completeLogin(r, t, &cb)
	// 9. and 10. The application's word, and a new session.
	if err == nil {
		err = login.lostTo(a.beginSession(r, t, login))
	}
	if err != nil {
		a.refuseLogin(w, r, t, &cb, err)
		return
	}
	a.logLogin(r.Context(), login.user, time.Since(began))
	a.logins.Expire(w, t.State)
	a.logins.Count(w, t)
	a.remember(w)
	inside.OfSession(a.sessions.From(r.Context())).Invite(r.Context(), w.Header(), a.site.At(deviceStart))
	a.sendBack(w, r, a.wayBack(r.Context(), t, login.user))
}

// logLogin notes that a login succeeded, which took so long.
func (a *returner) logLogin(ctx context.Context, u *User, took time.Duration) {
	a.log.LogAttrs(ctx, slog.LevelInfo, "login", slog.String("issuer", a.config.Issuer), slog.String("client_id", a.config.ClientID),
		logtext.Fingerprint("sub", u.Subject), logtext.Fingerprint("sid", u.SessionID), slog.Duration("duration", took))
}

// readCallback reads the response from the one source that the response mode names, each parameter
// at most once.
func (a *returner) readCallback(w http.ResponseWriter, r *http.Request) (provider.Response, *Problem) {
	asJWT := a.config.ResponseMode.isJWT()
	params, err := browser.ParametersOf(w, r, provider.ResponseParameters(asJWT))
	if err != nil {
		return provider.Response{}, formProblem(err)
	}
	cb, err := provider.ReadResponse(params, asJWT)
	if err != nil {
		return provider.Response{}, formProblem(err)
	}
	return cb, nil
}

// otherMode answers a response that comes in another mode than the configured one, and reports
// whether r is one: some providers ignore form_post. For all others it is a method that is not
// allowed; the operator is told which field to look at.
func (a *returner) otherMode(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method || browser.IsPrefetch(r) {
		return false
	}
	mode := cmp.Or(a.config.ResponseMode, "query")
	var err error
	switch found, _ := browser.InQuery(r, provider.ResponseMarks); {
	case r.Method == http.MethodGet && len(found) > 0:
		err = fmt.Errorf("the response came by GET, and Config.ResponseMode is %q: does the provider know that mode? If not, set Config.ResponseMode to Query", mode)
	case r.Method == http.MethodPost && outbound.MediaType(r.Header) == "application/x-www-form-urlencoded":
		err = fmt.Errorf("the response came by POST, and Config.ResponseMode is %q: set it to FormPost if the provider answers with forms", mode)
	default:
		return false
	}
	w.Header().Set("Allow", method)
	a.fail(w, r, &Problem{Status: http.StatusMethodNotAllowed, Code: "login_failed", Err: err})
	return true
}

// aheadOfTime turns prefetches away, and reports whether r is one.
func (a *returner) aheadOfTime(w http.ResponseWriter, r *http.Request) bool {
	if !browser.IsPrefetch(r) {
		return false
	}
	a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: browser.ErrPrefetch})
	return true
}

// sendBack leaves the callback's URL, with its code, for another page of the application. The
// header is set as it stands: http.Redirect would clean the path, and decode what is data in it.
func (a *returner) sendBack(w http.ResponseWriter, r *http.Request, to string) {
	clearAhead(w)
	if a.strictCookies() {
		a.showOnward(w, r, to)
		return
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// matchTransaction finds the login that cb answers, which may be one at the provider that had this
// name before. Without one the browser is told so, and nothing
// else happens: a login that someone else began (login CSRF) must not change who is signed in here,
// nor abort a login of this browser's.
func (a *returner) matchTransaction(r *http.Request, cb *provider.Response) (*browser.Transaction, *Problem) {
	t, err := a.logins.Open(r, cb.State)
	if errors.Is(err, browser.ErrElsewhere) && t != nil && a.succeeds(t.Provider) {
		err = nil
	}
	if err != nil {
		return nil, a.orElsewhere(r, a.noTransaction(r.Context(), unmatched(cb, err)), nil, a.site.Home())
	}
	if a.logins.Expired(t) {
		back := a.site.BackFrom(t)
		return nil, a.orElsewhere(r, &Problem{
			Status: http.StatusBadRequest, Code: "login_expired", Link: a.site.LoginURL(back), LinkText: linkLogin,
			Err: fmt.Errorf("%w: begun %s ago", ErrState, time.Since(t.BeganAt()).Round(time.Second)),
		}, t, back)
	}
	return t, nil
}

// callbackPatience is how long somebody who comes back from the provider waits for a place.
const callbackPatience = 2 * time.Second

// readyFor gets what a callback needs before anything is spent: the number of the provider's logouts,
// since those that come from here on end the login; the session that it replaces; and a place, for a
// login that finds none can be tried again.
func (a *returner) readyFor(ctx context.Context, t *browser.Transaction) (logouts int64, release func(), err error) {
	if logouts, err = a.logouts.current(ctx); err != nil {
		return 0, nil, err
	}
	if a.comesWithoutSession() {
		if err := inside.OfSession(a.sessions.From(ctx)).Recall(ctx, t.Session); err != nil {
			return 0, nil, err
		}
	}
	release, err = a.callbackPlaces.Take(ctx, callbackPatience)
	return logouts, release, err
}

// completeLogin takes steps 3 to 8 of a callback. Errors: *unspentError, *lostLogin, and those of
// the steps, after which there is neither a login to try again nor a token to revoke.
func (a *returner) completeLogin(r *http.Request, t *browser.Transaction, cb *provider.Response) (*login, error) {
	ctx := r.Context()
	logouts, release, err := a.readyFor(ctx, t)
	if err != nil {
		return nil, &unspentError{err}
	}
	defer release()
	if err := a.stays(); err != nil {
		return nil, &unspentError{err}
	}
	// 3.
	meta, key, err := a.acceptResponse(ctx, t, cb)
	if err != nil {
		return nil, &unspentError{err}
	}
	// 4. An error is the provider's answer. Nothing is sent for it, so that there is nothing to
	// remember.
	if cb.ErrorCode != "" {
		return nil, a.responseError(meta, t, cb)
	}
	if err := a.spend(ctx, t); err != nil {
		return nil, &unspentError{err}
	}
	return a.redeemed(ctx, t, cb.Code, key, logouts)
}

// redeemed takes steps 5 to 8, from which on the code is spent: logouts are those that had been by
// then, and key is what the tokens are bound to, nil for Bearer tokens.
func (a *returner) redeemed(ctx context.Context, t *browser.Transaction, code string, key *jwt.ProofKey, logouts int64) (*login, error) {
	// 5. One token request.
	endpoint := a.endpoint.Bind(key)
	answer, err := a.redeem(ctx, endpoint, t, code)
	if err != nil {
		refused, ok := errors.AsType[*oauth.Error](err)
		a.logins.Failed(context.WithoutCancel(ctx), t.State, ok && refused.Code == "invalid_grant")
		return nil, asLoginError("invalid_token_answer", err)
	}
	// 6. and 7. The ID token, and the nonce in it.
	token, err := a.verifier.Login(ctx, answer.IDToken, expectationOf(t, answer))
	l := &login{answer: answer, token: token, key: key, record: record{Login: packed.Login{Provider: a.key}}}
	if err != nil {
		return nil, l.misfit(t, asLoginError("invalid_id_token", err))
	}
	if err := a.logouts.since(ctx, logouts, l.tags()...); err != nil {
		return nil, l.lostTo(err)
	}
	// 8. Userinfo, and claims of other sources.
	if err := a.addClaims(ctx, endpoint, l); err != nil {
		return nil, afterCode(asLoginError("invalid_userinfo", err))
	}
	if err := a.identify(t, l); err != nil {
		return nil, l.lostTo(err)
	}
	return l, nil
}

// acceptResponse takes step 3 of a callback: it decides that cb is the issuer's answer to this
// login. It returns the key that the tokens are to be bound to, nil for Bearer tokens.
func (a *returner) acceptResponse(ctx context.Context, t *browser.Transaction, cb *provider.Response) (*provider.Metadata, *jwt.ProofKey, error) {
	// A response JWT is the provider's own word.
	if cb.JWT != "" {
		if err := a.verifier.VerifyResponse(ctx, cb.JWT); err != nil {
			return nil, nil, responseProblem(err)
		}
	}
	// The issuer that answers is the one that was asked (RFC 9207 §2.4).
	meta, err := a.provider.Metadata(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := a.verifier.CheckResponseIssuer(meta, cb, a.config.Advanced.FAPI); err != nil {
		return nil, nil, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
	}
	key, err := a.loginKey(t)
	return meta, key, err
}

// spend takes t out of use, so that a doubled or replayed callback sends no code.
func (a *returner) spend(ctx context.Context, t *browser.Transaction) error {
	first, err := a.logins.Take(ctx, t.State)
	switch {
	case err != nil:
		return unavailableStore(err)
	case !first:
		return a.noTransaction(ctx, browser.ErrFinished)
	}
	return nil
}

// responseError is the error that the provider answered a login with.
func (a *returner) responseError(meta *provider.Metadata, t *browser.Transaction, cb *provider.Response) *LoginError {
	refused := &LoginError{
		Code:        logtext.Clip(cb.ErrorCode, 64),
		Description: logtext.Clip(logtext.WithoutSecrets(cb.Description, t.Secrets()), oauth.MaxDescription),
	}
	if cb.ErrorCode == "invalid_scope" {
		refused.Err = errors.New(meta.AdviceOnScope(strings.Join(a.asked(t.Scopes), " ")))
	}
	return refused
}

// redeem exchanges the code (RFC 6749 §4.1.3, RFC 7636 §4.5), once: a code may be spent even when
// the answer is lost.
func (a *returner) redeem(ctx context.Context, e *oauth.Endpoint, t *browser.Transaction, code string) (*oauth.TokenAnswer, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {a.config.RedirectURL},
		"code_verifier": {t.Verifier},
	}
	if len(t.Resource) > 0 {
		form["resource"] = t.Resource
	}
	return e.Token(ctx, form)
}

// expectationOf is what the ID token must match.
func expectationOf(t *browser.Transaction, answer *oauth.TokenAnswer) provider.LoginExpectation {
	want := provider.LoginExpectation{Nonce: t.Nonce, AccessToken: answer.AccessToken, Started: t.BeganAt(), EssentialACR: t.ACR}
	if t.MaxAge != nil {
		age := time.Duration(*t.MaxAge) * time.Second
		want.MaxAge = &age
	}
	return want
}
