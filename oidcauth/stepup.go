package oidcauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
)

// and returns e with what other asks for added. Of two lists of classes those count that stand in
// both; where none does, e's.
func (e *StepUpError) and(other *StepUpError) *StepUpError {
	both := *e
	if other == nil {
		return &both
	}
	if both.ACRValues == nil {
		both.ACRValues = other.ACRValues
	}
	common := slices.DeleteFunc(slices.Clone(both.ACRValues), func(v string) bool { return !slices.Contains(other.ACRValues, v) })
	if len(common) > 0 {
		both.ACRValues = common
	}
	both.AMR = union(e.AMR, other.AMR)
	// The lesser is the stricter, a login now above all; zero names none.
	if both.MaxAge == 0 || other.MaxAge != 0 && other.MaxAge < both.MaxAge {
		both.MaxAge = other.MaxAge
	}
	both.Scope = strings.Join(union(strings.Fields(e.Scope), strings.Fields(other.Scope)), " ")
	return &both
}

// union returns list with what more has beyond it.
func union(list, more []string) []string {
	list = slices.Clone(list)
	for _, item := range more {
		if !slices.Contains(list, item) {
			list = append(list, item)
		}
	}
	return list
}

// fingerprint names what e asks for in a few characters, so that a browser that comes back without
// it is not sent again.
func (e *StepUpError) fingerprint() string {
	return logtext.Short(fmt.Sprintf("%q %q %d %q", e.ACRValues, e.AMR, e.MaxAge, e.Scope))
}

// asChallenge is e as a challenge has it.
func (e *StepUpError) asChallenge() oauth.StepUp {
	return oauth.StepUp{ACRValues: e.ACRValues, MaxAge: e.MaxAge}
}

// loginOptions asks for the login that e needs. There is no parameter for methods, so that AMR asks
// for a new login, and its outcome decides.
func (e *StepUpError) loginOptions() LoginOptions {
	o := LoginOptions{MaxAge: e.MaxAge, essentialACR: e.ACRValues, amr: e.AMR, moreScopes: oauth.ScopesIn(e.Scope)}
	if len(e.AMR) > 0 {
		o.Prompt = "login"
	}
	return o
}

// beginStepUp sends a page view to the provider for the login that e asks for, unless it has just
// come back from there: then the provider can't, or won't, and asking again would go on for ever. t
// knows the way back, or o does.
func (a *starter) beginStepUp(w http.ResponseWriter, r *http.Request, t *browser.Transaction, o LoginOptions, e *StepUpError) {
	last := a.logins.Last(r)
	t.Loops, t.Demand, t.Aged = last.Loops, e.fingerprint(), e.MaxAge != 0
	switch {
	case t.Demand == last.Demand:
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: e})
	case t.Loops > browser.MaxLoops:
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: fmt.Errorf("%w: %w", browser.ErrStepUpLoop, e)})
	default:
		a.startLogin(w, r, t, o)
	}
}

// unmet is what err, that a login came back otherwise than it was asked for, means: a guard's
// demand that is not met is no fault in the provider's answer (RFC 9470 §5). What Config.Login asks
// for is owed by every login.
func unmet(t *browser.Transaction, err error) error {
	old := errors.Is(err, provider.ErrNoAuthTime) || errors.Is(err, provider.ErrOldAuthTime)
	if old && (t.Aged || t.Fresh != 0) || errors.Is(err, provider.ErrOtherACR) {
		return &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: err}
	}
	return err
}

// stepUpParameter is the login route's parameter for the login that a guard asks a script's page
// for. It is sealed, so that no link can ask for anything that no guard has asked for.
const stepUpParameter = "step_up"

// stepUpURL is loginURL for the login that e asks for.
func (a *starter) stepUpURL(returnTo string, e *StepUpError) string {
	if e == nil {
		return a.site.LoginURL(returnTo)
	}
	plain, err := json.Marshal(e)
	if err != nil {
		return a.site.LoginURL(returnTo)
	}
	sealed, err := a.logins.Sealer.Seal(stepUpParameter, plain)
	if err != nil {
		return a.site.LoginURL(returnTo)
	}
	q := url.Values{stepUpParameter: {sealed}}
	if returnTo != a.site.Home() {
		q.Set("return_to", returnTo)
	}
	return a.site.At("login") + "?" + q.Encode()
}

// sealedStepUp opens what stepUpURL has sealed.
func (a *starter) sealedStepUp(sealed string) (*StepUpError, error) {
	plain, _, err := a.logins.Sealer.Open(stepUpParameter, sealed)
	if err != nil {
		return nil, errors.New(stepUpParameter + " can't be decrypted: it was modified, or replicas use different session keys")
	}
	e := new(StepUpError)
	return e, json.Unmarshal(plain, e)
}

// StepUp answers r with the login that e asks for, as a guard does: a page is sent to the provider,
// everything else gets 401. Use it when an API called with the user's token responded with e (RFC
// 9470 §4). If e names a Scope, it is requested in addition to those of the session's login. A nil
// e is refused with 403.
func (a *Authenticator) StepUp(w http.ResponseWriter, r *http.Request, e *StepUpError) {
	var err error = e
	if e == nil {
		err = &DeniedError{Requirement: "StepUp", Err: errors.New("called without a StepUpError, which says what login is needed")}
	}
	a.withSession(w, r, func(w http.ResponseWriter, r *http.Request) { a.deny(w, r, UserFrom(r.Context()), err) })
}

// stepUpOf returns what an API's 401 asks of the user's login (RFC 9470 §3), nil when it asks
// nothing.
func stepUpOf(h http.Header) *StepUpError {
	asked, ok := oauth.StepUpIn(h)
	if !ok {
		return nil
	}
	return &StepUpError{ACRValues: asked.ACRValues, MaxAge: asked.MaxAge, Scope: asked.Scope}
}
