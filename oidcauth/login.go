package oidcauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/session"
)

// Login sends the browser to the provider's authorization endpoint (Core §3.1.2.1), or answers with
// an error page. Use it for a sign-in with special options; otherwise a link to LoginURL is enough.
func (a *Authenticator) Login(w http.ResponseWriter, r *http.Request, o LoginOptions) {
	t := &browser.Transaction{Silent: o.Prompt == "none"}
	if t.Silent {
		t.Loops = a.logins.Last(r).Loops
	}
	a.withSession(w, r, func(w http.ResponseWriter, r *http.Request) {
		if t.Loops > browser.MaxLoops {
			a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "login_loop", variant: "silent_loop", Err: browser.ErrSilentLoop})
			return
		}
		a.startLogin(w, r, t, o)
	})
}

// withSession runs h with the request's session loaded. A request that was judged by its access
// token has none: what its cookie stands for is not the caller's to change.
func (a *starter) withSession(w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	if judgedBy(r.Context()) != nil {
		a.fail(w, r, &Problem{Status: http.StatusUnauthorized, Code: "login_required", Err: fmt.Errorf("%w: an access token has no session", ErrLoginRequired)})
		return
	}
	a.sessions.Handler(h).ServeHTTP(w, r)
}

// serveLogin is the login route: a link of the application's, or a login that a third party
// initiates (Core §4), of which only iss, login_hint and target_link_uri are read.
func (a *starter) serveLogin(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	if !browser.MayStartLogin(r) {
		link := a.site.LoginURL(a.site.ReturnTo(r.Context(), r.URL.Query().Get("return_to")))
		a.fail(w, r, &Problem{Status: http.StatusUnauthorized, Code: "login_required", Link: link, Err: ErrLoginRequired})
		return
	}
	if a.isForeignView(r) {
		a.showOnward(w, r, a.site.Seen(r)) // the session that the login replaces is in the next request
		return
	}
	params, err := browser.FormOf(w, r)
	if err != nil {
		a.fail(w, r, formProblem(err))
		return
	}
	o, err := a.requestedLogin(params)
	if err == nil && r.Method == http.MethodPost {
		err = checkPostedLogin(r, params)
	}
	if err != nil {
		a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err})
		return
	}
	if !params.Has(stepUpParameter) || params.Has("iss") {
		a.startLogin(w, r, new(browser.Transaction), o)
		return
	}
	stepUp, err := a.sealedStepUp(params.Get(stepUpParameter))
	if err != nil {
		a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "invalid_request", Err: err})
		return
	}
	wanted := stepUp.loginOptions()
	wanted.ReturnTo = o.ReturnTo
	a.beginStepUp(w, r, new(browser.Transaction), wanted, stepUp)
}

// loginParameters are the parameters of the login route: the application's, and those of Core §4.
var loginParameters = []string{"return_to", "iss", "login_hint", "target_link_uri", stepUpParameter}

// checkPostedLogin accepts a POST that is a login of a third party's, which has an iss (Core §4),
// all of it in the form. Any other cross-site POST has no business here.
func checkPostedLogin(r *http.Request, form url.Values) error {
	switch {
	case hasAny(r.URL.Query(), loginParameters):
		return errors.New("login parameters in the query of a POST")
	case !form.Has("iss"):
		return errors.New("a POST needs iss")
	}
	return nil
}

// requestedLogin reads the parameters of the login route.
func (a *starter) requestedLogin(params url.Values) (LoginOptions, error) {
	for _, name := range loginParameters {
		if len(params[name]) > 1 {
			return LoginOptions{}, errors.New("parameter given more than once: " + name)
		}
	}
	if !params.Has("iss") {
		return LoginOptions{ReturnTo: params.Get("return_to"), Prompt: a.requestedPrompt(params)}, nil
	}
	if !a.provider.Issuers.Allow(params.Get("iss")) {
		return LoginOptions{}, errors.New("iss of a third-party-initiated login is not our issuer")
	}
	hint := params.Get("login_hint")
	if len(hint) > 512 {
		return LoginOptions{}, errors.New("login_hint is longer than 512 bytes")
	}
	target := strings.TrimPrefix(params.Get("target_link_uri"), a.site.Origin)
	return LoginOptions{ReturnTo: target, LoginHint: hint}, nil
}

// requestedPrompt returns the one prompt that a link may ask for: the choice of another account,
// which harms nobody. Consent that the configuration asks for is still asked for.
func (a *starter) requestedPrompt(params url.Values) string {
	if params.Get("prompt") != promptSelect {
		return ""
	}
	if slices.Contains(strings.Fields(a.config.Login.Prompt), "consent") {
		return promptSelect + " consent"
	}
	return promptSelect
}

// promptSelect has the provider let the person choose an account (Core §3.1.2.1).
const promptSelect = "select_account"

// startLogin sends the browser to the provider with a new transaction.
func (a *starter) startLogin(w http.ResponseWriter, r *http.Request, t *browser.Transaction, o LoginOptions) {
	protectAnswer(w)
	if a.provider == nil {
		a.choose(w, r, t, o)
		return
	}
	r, end := a.observe(r, OperationLogin)
	defer end()
	if err := o.check(); err != nil {
		a.fail(w, r, &Problem{Status: http.StatusInternalServerError, Code: "internal", Err: err})
		return
	}
	target, err := a.prepareLogin(r, t, a.config.Login.overriddenBy(o))
	lost := ""
	if err == nil {
		lost, err = a.logins.Begin(w, r, t)
	}
	if err != nil {
		a.fail(w, r, a.failedToBegin(r, t, cmp.Or(t.ReturnTo, a.site.ReturnTo(r.Context(), o.ReturnTo)), err))
		return
	}
	if lost != "" {
		a.site.LogLost(r.Context(), lost, a.site.BackFrom(t), browser.ErrNoRoom)
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// prepareLogin fills in t and returns the URL to send the browser to.
func (a *starter) prepareLogin(r *http.Request, t *browser.Transaction, o LoginOptions) (string, error) {
	ctx := r.Context()
	s := a.sessions.From(ctx)
	if err := s.Load(); err != nil && !errors.Is(err, session.ErrNoSession) {
		return "", err
	}
	if a.comesWithoutSession() {
		if err := inside.OfSession(s).Deposit(ctx); err != nil {
			return "", err
		}
	}
	meta, err := a.provider.Metadata(ctx)
	if err != nil {
		return "", err
	}
	here := a.signedIn(s)
	t.Session, t.User, t.Scopes = cmp.Or(s.ID(), inside.OfSession(s).Unproven(), t.Session), cmp.Or(here.mark(), t.User), a.loginScopes(t, o, here)
	a.fillIn(ctx, t, o)
	params := a.authorizationParameters(t, o)
	if a.config.Advanced.DPoP {
		thumbprint, err := newLoginKey(t)
		if err != nil {
			return "", err
		}
		params.Set("dpop_jkt", thumbprint)
	}
	claims, err := oauth.EssentialClaims(o.Claims, o.essentialACR)
	if err != nil {
		return "", err
	}
	if claims != nil {
		params.Set("claims", string(claims))
	}
	a.addHint(meta, t, here, params)
	return a.authorizationURL(ctx, meta, params)
}

// fillIn gives t what it is told by and what it asks for.
func (a *starter) fillIn(ctx context.Context, t *browser.Transaction, o LoginOptions) {
	t.Provider = a.key
	t.State, t.Nonce, t.Verifier = randomText(), randomText(), oauth2.GenerateVerifier()
	t.Began = time.Now().UnixMilli()
	t.ACR, t.AMR, t.Resource, t.Persistence = o.essentialACR, o.amr, o.Resource, byte(o.Persistence)
	if t.ReturnTo == "" {
		t.ReturnTo = a.site.ReturnTo(ctx, o.ReturnTo)
	}
	if t.ReturnTo == a.site.Home() {
		t.ReturnTo = ""
	}
	t.Only = t.Only || demanded(ctx)
	if o.MaxAge != 0 {
		age := max(0, int64(o.MaxAge/time.Second))
		t.MaxAge = &age
	}
}

// overriddenBy returns o with the fields that are set in other replaced.
func (o LoginOptions) overriddenBy(other LoginOptions) LoginOptions {
	merged := other
	merged.Prompt = cmp.Or(other.Prompt, o.Prompt)
	merged.LoginHint = cmp.Or(other.LoginHint, o.LoginHint)
	merged.MaxAge = cmp.Or(other.MaxAge, o.MaxAge)
	if other.UILocales == nil {
		merged.UILocales = o.UILocales
	}
	if other.ACRValues == nil {
		merged.ACRValues = o.ACRValues
	}
	if other.Resource == nil {
		merged.Resource = o.Resource
	}
	if other.Claims == nil {
		merged.Claims = o.Claims
	}
	merged.Extra = url.Values{}
	maps.Copy(merged.Extra, o.Extra)
	maps.Copy(merged.Extra, other.Extra)
	return merged
}

// check reports what the application got wrong in o.
func (o LoginOptions) check() error {
	for _, name := range slices.Sorted(maps.Keys(o.Extra)) {
		if slices.Contains(ownParameters, name) {
			return fmt.Errorf("oidcauth: LoginOptions.Extra: %q is set by the package; use its own field instead", name)
		}
	}
	if o.Persistence > session.Transient {
		return fmt.Errorf("oidcauth: LoginOptions.Persistence: %d is neither session.Persistent nor session.Transient", o.Persistence)
	}
	for _, scope := range o.Scopes {
		if !oauth.IsScope(scope) {
			return fmt.Errorf("oidcauth: LoginOptions.Scopes: %q is not a scope token (RFC 6749 §3.3)", scope)
		}
	}
	return nil
}

// randomText returns 128 random bits: what guessing would have to find within one login.
func randomText() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func hasAny(values url.Values, names []string) bool {
	return slices.ContainsFunc(names, values.Has)
}
