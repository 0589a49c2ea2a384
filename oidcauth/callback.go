package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/signet-go/signet/session"
)

// callbackParameters are the parameters of an authentication response that the package reads (RFC 6749 §4.1.2, RFC 9207 §2).
var callbackParameters = []string{"code", "state", "iss", "error", "error_description", "error_uri", "response"} // response (JARM) is the last

const (
	maxState = 512
	maxCode  = 8 << 10
	maxIss   = 2 << 10
	maxShown = 200
)

// A callback is an authentication response.
type callback struct {
	code, state, iss, errorCode, description string
	hasIss                                   bool
	jwt                                      string // the whole response, where it is a JWT (JARM)
}

// serveCallback completes a login. The steps stand in one place, in the order in which they must happen: nothing is believed
// before its check, and nothing is sent to the provider before the response is known to be this browser's.
func (a *Authenticator) serveCallback(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	// 1. One method, by response mode; nothing that was fetched ahead.
	method := http.MethodGet
	if a.config.ResponseMode.isPost() {
		method = http.MethodPost
	}
	if a.methodNotAllowed(w, r, method) {
		return
	}
	if isPrefetch(r) {
		a.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "invalid_request", Err: errPrefetch})
		return
	}
	cb, problem := a.readCallback(w, r)
	if problem != nil {
		a.fail(w, r, problem)
		return
	}
	// 2. This browser's transaction, not expired.
	t, problem := a.matchTransaction(r, cb)
	if problem != nil {
		a.fail(w, r, problem)
		return
	}
	// 3. to 9.
	login, err := a.completeLogin(r, t, cb)
	// 10. A new session.
	if err == nil {
		err = a.beginSession(r, t, login)
	}
	if err != nil {
		if login != nil { // its tokens are good, and nobody will have them
			a.revokeTokens(r.Context(), login.answer.RefreshToken, login.answer.AccessToken)
		}
		a.refuseLogin(w, r, t, cb, err)
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "login", slog.String("issuer", a.config.Issuer),
		fingerprint("sub", login.user.Subject), fingerprint("sid", login.user.SessionID), slog.Duration("duration", time.Since(began)))
	a.expireTransaction(w, a.transactionCookie(t.State))
	a.countLogin(w, t)
	a.redirectBack(w, t)
}

// redirectBack leaves the callback's URL, with its code, for where the login was started.
func (a *Authenticator) redirectBack(w http.ResponseWriter, t *transaction) {
	w.Header().Set("Location", a.returnTo(t.ReturnTo))
	w.WriteHeader(http.StatusSeeOther)
}

// readCallback reads the response from the one source that the response mode names, each parameter at most once.
func (a *Authenticator) readCallback(w http.ResponseWriter, r *http.Request) (callback, *Problem) {
	params, problem := formOf(w, r)
	if problem != nil {
		return callback{}, problem
	}
	bad := func(text string) (callback, *Problem) {
		return callback{}, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: errors.New(text)}
	}
	if r.Method == http.MethodPost && r.URL.RawQuery != "" && hasAny(r.URL.Query(), callbackParameters) {
		return bad("response parameters in query and body")
	}
	for _, name := range callbackParameters {
		if len(params[name]) > 1 {
			return bad("parameter given more than once: " + name)
		}
	}
	var wrapped string
	if a.config.ResponseMode.isJWT() {
		if hasAny(params, callbackParameters[:len(callbackParameters)-1]) {
			return bad("response parameters beside the response JWT")
		}
		wrapped = params.Get("response")
		var err error
		if params, err = unwrapResponse(wrapped); err != nil {
			return bad("response: " + err.Error())
		}
	}
	cb := callback{
		jwt: wrapped, code: params.Get("code"), state: params.Get("state"), iss: params.Get("iss"), hasIss: params.Has("iss"),
		errorCode: params.Get("error"), description: clip(params.Get("error_description"), maxShown),
	}
	switch {
	case params.Has("code") == params.Has("error"):
		return bad("response needs either code or error")
	case cb.state == "" || len(cb.state) > maxState:
		return bad("state is missing or too long")
	case len(cb.code) > maxCode || len(cb.iss) > maxIss || cb.code == "" && cb.errorCode == "":
		return bad("code or iss is empty or too long")
	}
	return cb, nil
}

func hasAny(values url.Values, names []string) bool {
	return slices.ContainsFunc(names, values.Has)
}

// matchTransaction finds the login that cb answers. Without one the browser is told so, and nothing else happens: a login that
// someone else began (login CSRF) must not change who is signed in here, nor abort a login of this browser's.
func (a *Authenticator) matchTransaction(r *http.Request, cb callback) (*transaction, *Problem) {
	p := &Problem{Status: http.StatusBadRequest, Code: "no_transaction"}
	if id, err := identityOf(session.From(r.Context())); err == nil && id != nil {
		p.Link, p.LinkText = "/", linkHome
	}
	t, err := a.openTransaction(r, cb.state)
	if err != nil {
		p.Err = err
		return nil, p
	}
	if a.expired(t) {
		p.Code, p.Link, p.LinkText = "login_expired", a.LoginURL(t.ReturnTo), linkLogin
		p.Err = fmt.Errorf("%w: begun %s ago", ErrState, time.Since(t.began()).Round(time.Second))
		return nil, p
	}
	return t, nil
}

// A login is what a completed authentication response established.
type login struct {
	answer *tokenAnswer
	token  *idToken
	extra  []byte // userinfo's claims beyond the ID token's
	user   *User
	record record
}

// completeLogin takes steps 3 to 9 of a callback. With an error it returns the login only if the application refused it.
func (a *Authenticator) completeLogin(r *http.Request, t *transaction, cb callback) (*login, error) {
	ctx := r.Context()
	// 2b. and 3. The provider's own word.
	if err := a.checkResponse(ctx, cb); err != nil {
		return nil, err
	}
	key, err := a.loginKey(t)
	if err != nil {
		return nil, err
	}
	// 3b. From here on the transaction is spent, so that a doubled or replayed callback sends no code.
	if err := a.spend(ctx, t); err != nil {
		return nil, err
	}
	// 4. An error is the provider's answer.
	if cb.errorCode != "" {
		return nil, &LoginError{Code: clip(cb.errorCode, 64), Description: cb.description}
	}
	// 5. One token request.
	release, ok := a.endpoint.acquire()
	if !ok {
		return nil, errBusy
	}
	defer release()
	endpoint := a.endpoint.bind(key)
	answer, err := a.redeem(ctx, endpoint, t, cb.code)
	if err != nil {
		return nil, err
	}
	// 6. and 7. The ID token, and the nonce in it.
	token, err := a.verifier.login(ctx, answer.IDToken, t.expectation(answer))
	if err != nil {
		return nil, afterCode(err)
	}
	l := &login{answer: answer, token: token}
	// 8. Userinfo.
	if err := a.addUserInfo(ctx, endpoint, l); err != nil {
		return nil, afterCode(err)
	}
	// 9. The application's word.
	return l, a.admit(ctx, t, l)
}

// checkResponse holds what must be true of a response before anything is sent because of it.
func (a *Authenticator) checkResponse(ctx context.Context, cb callback) error {
	// 2b. A response JWT is the provider's own word.
	if cb.jwt != "" {
		if err := a.verifier.verifyResponse(ctx, cb.jwt); err != nil {
			return responseProblem(err)
		}
	}
	// 3. The issuer that answers is the one that was asked (RFC 9207 §2.4).
	meta, err := a.provider.metadata(ctx)
	if err != nil {
		return err
	}
	return a.checkIss(meta, cb)
}

// spend takes t out of the logins that may still be completed.
func (a *Authenticator) spend(ctx context.Context, t *transaction) error {
	first, err := a.consumed.take(ctx, t.State)
	switch {
	case err != nil:
		return unavailableStore(err)
	case !first:
		return &Problem{Status: http.StatusBadRequest, Code: "no_transaction", Err: fmt.Errorf("%w: used before", ErrState)}
	}
	return nil
}

func (a *Authenticator) checkIss(meta *metadata, cb callback) error {
	if cb.jwt != "" {
		return nil // its iss was verified
	}
	if cb.hasIss && !a.provider.issuers.allow(cb.iss) || !cb.hasIss && (meta.IssParameterSupported || a.config.Advanced.FAPI) {
		err := fmt.Errorf("iss of the response is %q, expected %q (RFC 9207 §2.4)", clip(cb.iss, 100), a.config.Issuer)
		return &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
	}
	return nil
}

// responseProblem tells a forged response JWT from keys that can't be had.
func responseProblem(err error) error {
	if unavailable := new(UnavailableError); errors.As(err, &unavailable) {
		return err
	}
	return &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err}
}

// unavailableStore marks an error of a Store as what it is, unless it says so itself.
func unavailableStore(err error) error {
	if errors.Is(err, errConsumedFull) || errors.Is(err, session.ErrUnavailable) {
		return err
	}
	return errors.Join(session.ErrUnavailable, err)
}

// redeem exchanges the code (RFC 6749 §4.1.3, RFC 7636 §4.5), once: a code may be spent even when the answer is lost.
func (a *Authenticator) redeem(ctx context.Context, e *endpoint, t *transaction, code string) (*tokenAnswer, error) {
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {a.config.RedirectURL},
		"code_verifier": {t.Verifier},
	}
	if resource := a.config.Login.Resource; len(resource) > 0 {
		form["resource"] = resource
	}
	return e.token(ctx, form)
}

// afterCode marks a provider that fails between the steps of one login: the code is spent, so that repeating this request,
// which 503 would invite to, leads nowhere.
func afterCode(err error) error {
	if unavailable := new(UnavailableError); errors.As(err, &unavailable) {
		return &Problem{Status: http.StatusBadGateway, Code: "provider_error", Err: err}
	}
	return err
}

// expectation is what the ID token must match.
func (t *transaction) expectation(answer *tokenAnswer) loginExpectation {
	want := loginExpectation{Nonce: t.Nonce, AccessToken: answer.AccessToken, Started: t.began(), EssentialACR: t.ACR}
	if t.MaxAge != nil {
		age := time.Duration(*t.MaxAge) * time.Second
		want.MaxAge = &age
	}
	return want
}

// addUserInfo fetches userinfo where it is asked for, and keeps what the ID token does not say.
func (a *Authenticator) addUserInfo(ctx context.Context, e *endpoint, l *login) error {
	if a.config.UserInfo == UserInfoOff {
		return nil
	}
	info, err := e.userinfo(ctx, l.answer, l.token.Subject)
	if err != nil || info == nil {
		return err
	}
	merged, err := mergeClaims(l.token.Claims, info)
	if err != nil {
		return &LoginError{Code: "invalid_userinfo", Err: err}
	}
	l.extra = beyond(merged, l.token.Claims)
	return nil
}

// admit builds the user and asks Hooks.Login.
func (a *Authenticator) admit(ctx context.Context, t *transaction, l *login) error {
	now := time.Now()
	claims, err := mergeClaims(l.token.Claims, l.extra)
	if err != nil {
		return &LoginError{Code: "invalid_userinfo", Err: err}
	}
	l.record = record{Provider: a.key, Login: now.UnixMilli(), Issued: seconds(l.token.IssuedAt), AuthTime: seconds(l.token.AuthTime), MaxAge: t.MaxAge}
	l.record.Roles = rolesOf(claims, a.config.RolesClaim)
	l.user = userOf(&l.record, l.token.Raw, l.extra)
	if missing := missingAMR(l.user, t.AMR); missing != "" {
		return &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: &StepUpError{AMR: t.AMR, MaxAge: -1}}
	}
	if a.config.Hooks.Login == nil {
		return nil
	}
	changed := l.user.clone()
	if err := a.config.Hooks.Login(ctx, changed); err != nil {
		return &DeniedError{Requirement: "Hooks.Login", Err: err}
	}
	l.keepChanges(changed)
	return nil
}

// keepChanges records what Hooks.Login changed.
func (l *login) keepChanges(changed *User) {
	if changed.Name != l.user.Name {
		l.record.Name = &changed.Name
	}
	if changed.Email != l.user.Email {
		l.record.Email = &changed.Email
	}
	if !slices.Equal(changed.Roles, l.user.Roles) {
		l.record.Roles, l.record.Hooked = changed.Roles, true
	}
	if string(changed.Claims) != string(l.user.Claims) {
		l.extra = beyond(changed.Claims, l.token.Claims)
	}
	l.user = userOf(&l.record, l.token.Raw, l.extra)
}

// beginSession ends whatever session the browser had and begins the login's (step 10).
func (a *Authenticator) beginSession(r *http.Request, t *transaction, l *login) error {
	ctx := r.Context()
	s := session.From(ctx)
	previous := a.previousLogin(s, l.user)
	// First, before anything that the error page's response would save: a front-channel logout that finds the sid leaves a mark
	// that Save then sees.
	if err := a.recordSID(ctx, l.user, l.token.IssuedAt); err != nil {
		return err
	}
	if err := a.renew(ctx, s, t, previous); err != nil {
		return err
	}
	if err := a.fillSession(s, l); err != nil {
		return err
	}
	if err := keepLoginKey(s, t); err != nil {
		return err
	}
	if err := s.Save(ctx); err != nil {
		return err
	}
	a.endPrevious(ctx, previous)
	return nil
}

// fillSession writes the login into s.
func (a *Authenticator) fillSession(s *session.Session, l *login) error {
	now := time.Now()
	l.record.Access = []grant{a.grantOf("", l.answer, now)}
	if l.token.Nonce == "" {
		l.record.Nonce = ""
	}
	if len(l.extra) > 0 {
		if err := s.Set(extraName, l.extra); err != nil {
			return err
		}
	}
	for name, token := range map[string]string{
		idTokenName: l.token.Raw, accessTokenName: l.answer.AccessToken, refreshTokenName: l.answer.RefreshToken,
	} {
		if token == "" {
			continue
		}
		if err := s.SetToken(name, token); err != nil {
			return err
		}
	}
	u := l.user
	s.Tag(u.Tag())
	s.TagAt(subjectTag(u.Issuer, u.Subject), l.token.IssuedAt)
	if u.SessionID != "" {
		s.TagAt(sidTag(u.Issuer, u.SessionID), l.token.IssuedAt)
	} else {
		s.TagAt(withoutSIDTag(u.Issuer, u.Subject), l.token.IssuedAt)
	}
	if !l.token.SessionExpiry.IsZero() {
		s.Limit(l.token.SessionExpiry)
	}
	return saveRecord(s, &l.record)
}

// grantOf describes the access token of answer.
func (a *Authenticator) grantOf(name string, answer *tokenAnswer, now time.Time) grant {
	expiry := answer.Expiry
	if expiry.IsZero() {
		expiry = now.Add(a.config.TokenLifetime)
	}
	g := grant{Name: name, Expiry: expiry.UnixMilli(), Created: now.UnixMilli(), Scope: answer.Scope}
	if answer.TokenType != "Bearer" {
		g.Type = answer.TokenType
	}
	return g
}

// refuseLogin answers a login that failed after its transaction was found.
func (a *Authenticator) refuseLogin(w http.ResponseWriter, r *http.Request, t *transaction, cb callback, err error) {
	var refused *LoginError
	if t.Silent && errors.As(err, &refused) && slices.Contains(silentRefusals, refused.Code) && cb.errorCode != "" {
		a.expireTransaction(w, a.transactionCookie(t.State))
		a.countLogin(w, t)
		a.redirectBack(w, t)
		return
	}
	p := callbackProblem(err, cb)
	if p.Code != "invalid_request" && p.Code != "no_transaction" {
		a.expireTransaction(w, a.transactionCookie(t.State))
	}
	if p.Link == "" && p.Status != http.StatusForbidden && t.ReturnTo != "" {
		p.Link, p.LinkText = a.LoginURL(t.ReturnTo), linkLogin
	}
	a.fail(w, r, p)
}

// silentRefusals are how a provider says that a login with prompt=none needs the user (Core §3.1.2.6).
var silentRefusals = []string{"login_required", "interaction_required", "consent_required", "account_selection_required"}

// callbackProblem maps what failed a login to an answer.
func callbackProblem(err error, cb callback) *Problem {
	var refused *LoginError
	if cb.errorCode == "" || !errors.As(err, &refused) {
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
