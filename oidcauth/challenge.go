package oidcauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/oauth"
)

const (
	// maxACRValues and maxStepUpAge bound what an API can ask of a login.
	maxACRValues = 20
	maxACRBytes  = 1 << 10
	maxStepUpAge = 365 * 24 * time.Hour
)

// stepUpOf returns what an API's 401 asks of the user's login (RFC 9470 §3), nil when it asks
// nothing.
func stepUpOf(h http.Header) *StepUpError {
	c := oauth.TokenChallenge(h)
	if c.Params["error"] != "insufficient_user_authentication" {
		return nil
	}
	e := &StepUpError{Scope: strings.Join(scopesIn(c.Params["scope"]), " ")}
	if acr := strings.Fields(c.Params["acr_values"]); len(acr) > 0 {
		e.ACRValues = bounded(acr)
	}
	if seconds, err := strconv.ParseUint(c.Params["max_age"], 10, 32); err == nil {
		if e.MaxAge = min(time.Duration(seconds)*time.Second, maxStepUpAge); seconds == 0 {
			e.MaxAge = -1 // a login now
		}
	}
	return e
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

// scopesIn returns the scope tokens in list; what is none is left out.
func scopesIn(list string) (scopes []string) {
	for _, s := range strings.Fields(list) {
		if validScope(s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}
