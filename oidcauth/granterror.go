package oidcauth

import (
	"fmt"
	"slices"

	"github.com/signet-go/signet/internal/oauth"
)

// A GrantError is a token endpoint that refused a grant: for a resource or scope that the user or
// client may not have, or because the client's own authentication failed. Its text is for logs, not
// for pages.
type GrantError struct {
	// Code is the endpoint's error code (RFC 6749 §5.2); invalid_client also where it answered 401
	// or 403 without a code.
	Code string

	// Description is the endpoint's error_description, cut and cleaned. It is untrusted text.
	Description string

	// Err is the cause.
	Err error
}

// Error names code and description, and what to try where that is known.
func (e *GrantError) Error() string {
	text := "oidcauth: token refused: " + e.Code
	if e.Description != "" {
		text += fmt.Sprintf(" (%q)", e.Description)
	}
	if hint := oauth.HintIn(e.Err); hint != "" {
		text += "; " + hint
	}
	return text
}

// Unwrap returns the cause.
func (e *GrantError) Unwrap() error { return e.Err }

// asRefusal turns an endpoint's error answer into a *GrantError. Other errors stay: they are
// outages, which callers learn of as *UnavailableErrors.
func asRefusal(err error) error {
	what, refused, ok := oauth.FailureOf(err)
	if !ok || what != oauth.ClientRefused && what != oauth.RequestRefused {
		return err
	}
	return &GrantError{Code: refused.ErrorCode(), Description: refused.Description, Err: err}
}

// grantSurvives are error codes that say something about the client, the request or the provider's
// state, and nothing about the refresh token.
var grantSurvives = []string{
	"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
	"temporarily_unavailable", "server_error", "slow_down", "invalid_dpop_proof", "use_dpop_nonce",
}

// isDead reports whether err means that the refresh token is of no more use. That is invalid_grant
// (RFC 6749 §5.2), but providers have other words for it, and asking them again and again helps
// nobody. A refused extra, a resource or scope, ends no session in such other words.
func (r *attempt) isDead(err error) bool {
	what, refused, ok := oauth.FailureOf(err)
	if !ok || what != oauth.RequestRefused {
		return false // an answer without a code is a proxy's, or a provider out of order
	}
	if refused.Code == "invalid_grant" || refused.Code == "invalid_token" {
		return true
	}
	return r.name == "" && !slices.Contains(grantSurvives, refused.Code)
}
