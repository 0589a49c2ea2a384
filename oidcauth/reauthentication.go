package oidcauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// A signedIn is who is signed in in the browser that begins a login; nil for nobody.
type signedIn struct {
	user    *User
	mine    bool // this Authenticator made the login
	scopes  []string
	idToken string
}

// signedIn reads who is signed in in s.
func (a *starter) signedIn(s *session.Session) *signedIn {
	id, err := identityOf(s)
	if err != nil {
		return nil
	}
	here := &signedIn{user: id.user(), mine: id.record.Provider == a.key, scopes: id.record.Scopes}
	here.idToken, _ = s.Token(idTokenName)
	return here
}

// mark is the user's mark, "" for nobody.
func (s *signedIn) mark() string {
	if s == nil {
		return ""
	}
	return userMark(s.user)
}

// userMark tells users apart in a few characters.
func userMark(u *User) string {
	sum := sha256.Sum256([]byte(u.Tag()))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// isOther reports whether somebody else has come back from t than the user who was to authenticate
// once more.
func isOther(t *browser.Transaction, u *User) bool { return t.Again() && t.User != userMark(u) }

// addHint tells the provider who is to authenticate once more (Core §3.1.2.1): by the ID token,
// where the request is pushed, since its claims belong neither into URLs nor logs, and else by the
// claim that the application names. A hint that is there already is the application's word.
func (a *starter) addHint(meta *provider.Metadata, t *browser.Transaction, here *signedIn, params url.Values) {
	if !t.Again() || here == nil || !here.mine || params.Has("login_hint") {
		return
	}
	if a.canPush(meta) && a.verifier.KnownStill(here.idToken) {
		params.Set("id_token_hint", here.idToken)
		return
	}
	if a.config.LoginHintClaim == "" {
		return
	}
	var hint string
	if raw, ok := claims.At(here.user.Claims, a.config.LoginHintClaim); ok && json.Unmarshal(raw, &hint) == nil && hint != "" {
		params.Set("login_hint", hint)
	}
}

// loginScopes returns the scopes that a login asks for, nil for those of the configuration. A
// step-up asks for what the session's login had asked for, lest it lose what the user has granted.
func (a *starter) loginScopes(t *browser.Transaction, o LoginOptions, here *signedIn) []string {
	scopes := a.config.Scopes
	switch {
	case o.Scopes != nil:
		scopes = withOpenID(o.Scopes)
	case t.Demand != "" && here != nil && here.mine:
		scopes = a.asked(here.scopes)
	}
	scopes = union(scopes, o.moreScopes)
	if slices.Equal(scopes, a.config.Scopes) {
		return nil
	}
	return scopes
}

// asked returns the scopes that a login asked for which keeps them as scopes.
func (a *core) asked(scopes []string) []string {
	if scopes == nil {
		return a.config.Scopes
	}
	return scopes
}

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
