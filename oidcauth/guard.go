package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/session"
)

// Load makes the signed-in user available to h: UserFrom, TokenSource and Client work in it. No
// request is refused, and the session is read only if h uses it. It is loaded once per request,
// however many guards follow.
func (a *Authenticator) Load(h http.Handler) http.Handler {
	return besideTokens(a.sessions.Handler, h)
}

// Peek is Load for requests that only look at the session, such as a script that polls whether the
// user is still signed in and must not extend the session by asking. The idle limit doesn't move,
// the session's cookie is neither renewed nor expired, and no token is refreshed; a session past a
// limit counts as ended. UserFrom works as usual, and so do TokenSource and Client while the
// current access token is valid, and guards below it. [Config].SessionEndpoint covers what most
// applications need.
func (a *Authenticator) Peek(h http.Handler) http.Handler { return besideTokens(a.sessions.Peek, h) }

// RequireLogin is Require without a requirement: h sees only requests of a signed-in user.
//
// A browser that is opening a page (see [IsPageView]) is sent to the provider and comes back to
// that page. Everything else gets 401 without a cookie and without any traffic to the provider. If
// a person will see the response, to a form or in a frame, it is a page with a link to sign in;
// scripts get a small JSON body that names the login URL, and htmx an HX-Redirect to it. The login
// comes back to the page that the request was sent from.
func (a *Authenticator) RequireLogin(h http.Handler) http.Handler { return a.Require()(h) }

// RequireLoginFunc is RequireLogin for a function.
func (a *Authenticator) RequireLoginFunc(h func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return a.RequireLogin(http.HandlerFunc(h)).ServeHTTP
}

// Require returns middleware that admits only users who are signed in at this Authenticator's
// provider and who meet every requirement, checked in order. The Authenticator's own routes are
// served, not guarded, so that whole applications can be wrapped.
//
// A user who fails a requirement gets 403. If ACR, AMR or MaxAge fails, a page view is sent to the
// provider for a fresh or stronger login, once; other requests get 401 with the challenge of RFC
// 9470 §3.
func (a *Authenticator) Require(requirements ...Requirement) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return requireAny([]*Authenticator{a}, requirements, h)
	}
}

// RequireAny is Require for users of any of several Authenticators that share a session manager.
// Signed-out browsers are sent to the first one's provider. It panics without Authenticators, or if
// their managers differ.
func RequireAny(auths []*Authenticator, requirements ...Requirement) func(http.Handler) http.Handler {
	if len(auths) == 0 {
		panic("oidcauth: RequireAny needs an Authenticator")
	}
	for _, a := range auths {
		if a == nil {
			panic("oidcauth: RequireAny: an Authenticator is nil")
		}
		if a.sessions != auths[0].sessions {
			panic("oidcauth: RequireAny needs Authenticators that share Config.Sessions")
		}
	}
	return func(h http.Handler) http.Handler { return requireAny(auths, requirements, h) }
}

func requireAny(auths []*Authenticator, requirements []Requirement, h http.Handler) http.Handler {
	first := auths[0]
	guard := besideTokens(first.sessions.Handler, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := admitted(r.Context(), auths, requirements)
		if err == nil {
			h.ServeHTTP(w, r)
			return
		}
		denier(r.Context(), auths).deny(w, r, user, err)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, a := range auths {
			if _, own := a.routes[r.URL.Path]; own {
				a.ServeHTTP(w, r)
				return
			}
		}
		guard.ServeHTTP(w, r)
	})
}

// denier is the one of auths whose provider a refused user is sent to: the one that signed them in,
// else the first.
func denier(ctx context.Context, auths []*Authenticator) *Authenticator {
	if id, err := identityOf(auths[0].sessions.From(ctx)); err == nil {
		for _, a := range auths {
			if id.login.Provider == a.key {
				return a
			}
		}
	}
	return auths[0]
}

// admitted decides whether the user in ctx may pass: the check, apart from deny, which enacts it.
// What several requirements ask of the login is asked for at once, lest a login that cures one undo
// another.
func admitted(ctx context.Context, auths []*Authenticator, requirements []Requirement) (*User, error) {
	user, err := guardUser(ctx, auths)
	if err != nil {
		return nil, err
	}
	if err := met(user, requirements); err != nil {
		return user.copied(), err
	}
	return nil, nil
}

// A subject is the user or caller that a guard asks about: a new copy each time, since requirements
// may keep it.
type subject interface{ copied() *User }

// met asks requirements about a user.
func met(user subject, requirements []Requirement) error {
	var needed *StepUpError
	for _, require := range requirements {
		err := require.of(user.copied())
		stepUp, ok := errors.AsType[*StepUpError](err)
		switch {
		case ok:
			needed = stepUp.and(needed)
		case err != nil && needed == nil:
			return err
		}
	}
	if needed != nil {
		return needed
	}
	return nil
}

// guardUser returns the user in ctx if one of auths signed them in. Users of other providers are
// strangers: subjects mean something at their own issuer only.
func guardUser(ctx context.Context, auths []*Authenticator) (subject, error) {
	s := auths[0].sessions.From(ctx)
	id, err := identityOf(s)
	if err == nil {
		for _, a := range auths {
			if id.login.Provider != a.key {
				continue
			}
			if a.tokens.stopped(s) {
				leaveCookie(s)
				continue
			}
			if _, err := a.sessionKey(id); err != nil {
				return nil, err // its tokens are of no use, and a page is the place to get new ones
			}
			confirmed, err := a.tokens.revalidate(ctx, s, id)
			if err != nil {
				return nil, err
			}
			return confirmed, nil
		}
		return nil, ErrLoginRequired
	}
	if !errors.Is(err, session.ErrNoSession) || withoutProof(err) {
		return nil, err
	}
	if u, _ := ctx.Value(userKey{}).(*User); u != nil {
		for _, a := range auths {
			if u.Provider != a.name() || a.provider == nil {
				continue
			}
			if u.Issuer == "" || a.provider.Issuers.Allow(u.Issuer) {
				return (*withUser)(u), nil
			}
		}
	}
	return nil, ErrLoginRequired
}

// deny answers a request that a guard refused.
func (a *Authenticator) deny(w http.ResponseWriter, r *http.Request, user *User, err error) {
	if errors.Is(err, session.ErrUnavailable) {
		a.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Err: err})
		return
	}
	if withoutProof(err) {
		a.denyProofless(w, r, err)
		return
	}
	if errors.Is(err, ErrLoginRequired) && a.isForeignView(r) {
		a.showOnward(w, r, a.site.Seen(r))
		return
	}
	if unconfirmed, ok := errors.AsType[*unconfirmedError](err); ok {
		a.fail(w, r, a.orElsewhere(r, unconfirmed.problem(), nil, a.site.PageOf(r)))
		return
	}
	if a.config.Hooks.Deny != nil {
		a.config.Hooks.Deny(r, user, err)
	}
	var stepUp *StepUpError
	switch {
	case errors.Is(err, ErrLoginRequired):
		a.challenge(w, r, err, nil)
	case errors.As(err, &stepUp):
		a.challenge(w, r, err, stepUp)
	default:
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "forbidden", User: user, Err: a.explainDenial(user, err)})
	}
}

// explainDenial adds, for the log, the likeliest reason why a role is missing.
func (a *Authenticator) explainDenial(user *User, err error) error {
	denied, ok := errors.AsType[*DeniedError](err)
	if !ok || user == nil || len(user.Roles) > 0 || !strings.HasPrefix(denied.Requirement, rolePrefix) {
		return err
	}
	return fmt.Errorf("%w: this user has no roles at all: is %q the claim that holds them (Config.RolesClaim)?", err, a.config.RolesClaim)
}

// challenge asks for a login, such as stepUp wants it unless that is nil: a page is sent to the
// provider, everything else gets 401.
func (a *Authenticator) challenge(w http.ResponseWriter, r *http.Request, err error, stepUp *StepUpError) {
	if !IsPageView(r) || judgedBy(r.Context()) != nil {
		a.answerChallenge(w, r, err, stepUp)
		return
	}
	t := &browser.Transaction{ReturnTo: a.site.Seen(r)}
	if stepUp != nil {
		a.beginStepUp(w, r, t, stepUp.loginOptions(), stepUp)
		return
	}
	if t.Loops = a.logins.Last(r).Loops; t.Loops > browser.MaxLoops {
		a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "login_loop", Err: browser.ErrLoop})
		return
	}
	a.startLogin(w, r, t, LoginOptions{})
}

// loginChallenge is the WWW-Authenticate of a 401 that a login cures. Browsers know no Bearer and
// ask the person nothing.
const loginChallenge = `Bearer realm="session"`

// answerChallenge is the 401 for everything that is no page view (RFC 9110 §15.5.2).
func (a *Authenticator) answerChallenge(w http.ResponseWriter, r *http.Request, err error, stepUp *StepUpError) {
	header, code := challengeOf(stepUp)
	w.Header().Set("WWW-Authenticate", header)
	if WantsPage(r) && !browser.IsPrefetch(r) {
		p := &Problem{Status: http.StatusUnauthorized, Code: code, Err: err}
		if stepUp != nil {
			p.Link = a.stepUpURL(a.site.PageOf(r), stepUp)
		}
		a.fail(w, r, p)
		return
	}
	a.tellScript(w, r, err, stepUp, a.stepUpURL(a.site.PageOf(r), stepUp))
}

// tellScript is answerChallenge for a script, whose page has to go to loginURL.
func (a *Authenticator) tellScript(w http.ResponseWriter, r *http.Request, err error, stepUp *StepUpError, loginURL string) {
	header, code := challengeOf(stepUp)
	w.Header().Set("WWW-Authenticate", header)
	a.log.LogAttrs(r.Context(), slog.LevelDebug, "denied", slog.String("issuer", a.config.Issuer), logtext.Reason(err))
	protectAnswer(w)
	tellHTMX(w, r, loginURL)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": code, "login_url": loginURL})
}

// challengeOf returns the WWW-Authenticate header and the code of a 401 for a login such as stepUp
// wants it, unless that is nil.
func challengeOf(stepUp *StepUpError) (header, code string) {
	if stepUp == nil {
		return loginChallenge, "login_required"
	}
	return stepUp.asChallenge().Header(), oauth.InsufficientAuthentication
}

// IsPageView reports whether r is opening a page in a whole tab, now. By this, guards decide
// whether to send a browser to the provider or to answer 401. Forms, frames, scripts, subresources
// and prefetches aren't page views.
func IsPageView(r *http.Request) bool { return browser.IsPageView(r) }

// WantsPage reports whether a person will see the response to r, so that an error should be a page:
// for a page view, a submitted form or a frame. This package's own errors are pages then, and JSON
// for everything else.
func WantsPage(r *http.Request) bool { return browser.WantsPage(r) }
