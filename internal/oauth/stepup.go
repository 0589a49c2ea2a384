package oauth

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// InsufficientAuthentication is the error of RFC 9470 §3.
const InsufficientAuthentication = "insufficient_user_authentication"

// A StepUp is what a challenge asks of the user's login (RFC 9470 §3).
type StepUp struct {
	// ACRValues are the acceptable classes, best first; nil means any.
	ACRValues []string

	// MaxAge is the greatest age of the login: zero means any, and a negative value that a login
	// now is asked for.
	MaxAge time.Duration

	// Scope has the scope tokens that are asked for.
	Scope string
}

const (
	// maxACRValues and maxStepUpAge bound what an API can ask of a login.
	maxACRValues = 20
	maxACRBytes  = 1 << 10
	maxStepUpAge = 365 * 24 * time.Hour
)

// StepUpIn returns what an API's 401 asks of the user's login; ok is false when it asks nothing.
func StepUpIn(h http.Header) (s StepUp, ok bool) {
	c := tokenChallenge(h)
	if c.Params["error"] != InsufficientAuthentication {
		return StepUp{}, false
	}
	s.Scope = strings.Join(ScopesIn(c.Params["scope"]), " ")
	if acr := strings.Fields(c.Params["acr_values"]); len(acr) > 0 {
		s.ACRValues = bounded(acr)
	}
	if seconds, err := strconv.ParseUint(c.Params["max_age"], 10, 32); err == nil {
		if s.MaxAge = min(time.Duration(seconds)*time.Second, maxStepUpAge); seconds == 0 {
			s.MaxAge = -1 // a login now
		}
	}
	return s, true
}

// bounded returns the first of an API's acr_values: the login that they lead to keeps them in a
// cookie.
func bounded(acr []string) []string {
	size := 0
	for i, value := range acr {
		if size += len(value); i == maxACRValues || size > maxACRBytes {
			return acr[:i]
		}
	}
	return acr
}

// Header is the WWW-Authenticate header for s.
func (s StepUp) Header() string {
	return `Bearer error="` + InsufficientAuthentication + `"` + s.Params()
}

// Params are the parameters of a challenge for s besides its error. What would end their quotes is
// left out: classes may be another API's words.
func (s StepUp) Params() string {
	params := `, error_description="A fresher or stronger login is required"`
	quotable := slices.DeleteFunc(slices.Clone(s.ACRValues), func(acr string) bool { return !IsScope(acr) })
	if len(quotable) > 0 {
		params += `, acr_values="` + strings.Join(quotable, " ") + `"`
	}
	if s.MaxAge != 0 {
		params += `, max_age="` + strconv.FormatInt(max(0, int64(s.MaxAge/time.Second)), 10) + `"`
	}
	return params
}

// IsScope holds RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
func IsScope(scope string) bool {
	for i := range len(scope) {
		if c := scope[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return scope != ""
}

// ScopesIn returns the scope tokens in list; what is none is left out.
func ScopesIn(list string) (scopes []string) {
	for _, s := range strings.Fields(list) {
		if IsScope(s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}
