package oidcauth

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// and is e with what other asks for beside it. Of two lists of classes those count that stand in both; where none does, e's.
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
	both.AMR = slices.Clone(e.AMR)
	for _, method := range other.AMR {
		if !slices.Contains(both.AMR, method) {
			both.AMR = append(both.AMR, method)
		}
	}
	// The lesser is the stricter, a login now above all; zero names none.
	if both.MaxAge == 0 || other.MaxAge != 0 && other.MaxAge < both.MaxAge {
		both.MaxAge = other.MaxAge
	}
	return &both
}

// fingerprint names what e asks for in a few characters, so that a browser that comes back without it is not sent again.
func (e *StepUpError) fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", e.ACRValues, e.AMR, e.MaxAge))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// challenge is the WWW-Authenticate header for e (RFC 9470 §3).
func (e *StepUpError) challenge() string {
	header := `Bearer error="insufficient_user_authentication", error_description="A fresher or stronger login is required"`
	// They may be an API's: what would end the quotes is left out.
	quotable := slices.DeleteFunc(slices.Clone(e.ACRValues), func(acr string) bool { return !validScope(acr) })
	if len(quotable) > 0 {
		header += `, acr_values="` + strings.Join(quotable, " ") + `"`
	}
	if e.MaxAge != 0 {
		header += `, max_age="` + strconv.FormatInt(max(0, int64(e.MaxAge/time.Second)), 10) + `"`
	}
	return header
}

// loginOptions asks for the login that e needs. There is no parameter for methods, so that AMR asks for a login anew and its
// outcome decides.
func (e *StepUpError) loginOptions() LoginOptions {
	o := LoginOptions{MaxAge: e.MaxAge, essentialACR: e.ACRValues, amr: e.AMR}
	if len(e.AMR) > 0 {
		o.Prompt = "login"
	}
	return o
}

// StepUp answers r with the login that e asks for, as a guard does: a page is sent to the provider, everything else gets 401.
// Use it when an API that was called with the user's token answered with e (RFC 9470 §4).
func (a *Authenticator) StepUp(w http.ResponseWriter, r *http.Request, e *StepUpError) {
	a.withSession(w, r, func(w http.ResponseWriter, r *http.Request) { a.deny(w, r, UserFrom(r.Context()), e) })
}
