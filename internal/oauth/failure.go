package oauth

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/pace"
)

// A Failure is what a failed call to an endpoint of the provider means. Every consequence, at a
// login, a refresh or for a machine, begins with it.
type Failure int

const (
	// Senseless means that there is an answer, and nothing in it can be understood.
	Senseless Failure = iota

	// Transient means that there is no answer, or one that asks for patience. The same request may
	// work later.
	Transient

	// ClientRefused means that the provider does not accept the client's authentication, whatever
	// is asked for.
	ClientRefused

	// Silent means that the token endpoint refuses without a word, with 400 and nothing that says
	// why.
	Silent

	// Unusable means that the token endpoint says that it has issued tokens, and its answer can't
	// be used.
	Unusable

	// RequestRefused means that the provider refuses what was asked for, with a code that says why
	// (RFC 6749 §5.2).
	RequestRefused
)

// FailureOf classifies the error of a call to an endpoint; ok is false when err is of something
// else.
func FailureOf(err error) (f Failure, e *Error, ok bool) {
	e, ok = errors.AsType[*Error](err)
	if !ok {
		return Senseless, nil, false
	}
	return e.failure(), e, true
}

// aboutTheRequest are error codes that say something about a grant or a request with whatever
// status: there are providers that send invalid_grant with 403. All other codes are read by their
// status, for providers have many words for a client whose secret is wrong: invalid_request,
// unauthorized_client, none.
var aboutTheRequest = []string{
	"invalid_grant", "invalid_token", "invalid_code", "invalid_scope", "invalid_target", "invalid_redirect_uri",
	"invalid_request_object", "unsupported_grant_type", "access_denied", "invalid_dpop_proof", "use_dpop_nonce",
}

// Failure says what e means.
func (e *Error) failure() Failure {
	unauthorized := e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	switch {
	case e.isTransient():
		return Transient
	case e.Endpoint == "userinfo": // which authenticates no client
	case e.Code == "invalid_client", unauthorized && !slices.Contains(aboutTheRequest, e.Code):
		return ClientRefused
	}
	switch {
	case e.Code != "" && e.isVerdict():
		return RequestRefused
	case e.Endpoint == "token" && e.wordless && e.Status == http.StatusBadRequest:
		return Silent
	case e.Endpoint == "token" && e.wordless && e.Status == http.StatusOK:
		return Unusable
	}
	return Senseless
}

// isVerdict reports whether the code is the endpoint's own. With a status that it never sends for a
// refusal (RFC 6749 §5.2), only a code that is known is: the rest is what frameworks say of a path
// that they don't serve, as while a provider starts.
func (e *Error) isVerdict() bool {
	switch e.Status {
	case http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return slices.Contains(aboutTheRequest, e.Code)
}

// isTransient reports whether e says that the same request may work later. An invalid_grant with a
// status of 500 is no verdict, but a provider that can't read its own database.
func (e *Error) isTransient() bool {
	switch e.Code {
	case "temporarily_unavailable", "server_error", "slow_down":
		return true
	}
	switch {
	case e.Status == 0, e.Status >= http.StatusInternalServerError, e.Status == http.StatusTooManyRequests, e.Status == http.StatusRequestTimeout:
		return true
	}
	return e.RetryAfter > 0 && !slices.Contains(aboutTheRequest, e.Code) // which a gateway may add to anything
}

// grantSurvives are error codes that say something about the client, the request or the provider's
// state, and nothing about the refresh token.
var grantSurvives = []string{
	"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
	"temporarily_unavailable", "server_error", "slow_down", "invalid_dpop_proof", "use_dpop_nonce",
}

// EndsGrant reports whether err means that the refresh token is of no more use. That is
// invalid_grant (RFC 6749 §5.2), but providers have other words for it, and asking them again and
// again helps nobody. A refused extra, a resource or scope, ends no session in such other words.
func EndsGrant(err error, extra bool) bool {
	what, refused, ok := FailureOf(err)
	if !ok || what != RequestRefused {
		return false // an answer without a code is a proxy's, or a provider out of order
	}
	if refused.Code == "invalid_grant" || refused.Code == "invalid_token" {
		return true
	}
	return !extra && !slices.Contains(grantSurvives, refused.Code)
}

// ErrorCode is the provider's error code, or the one that it should have sent with a client that it
// doesn't accept.
func (e *Error) ErrorCode() string {
	if e.Code == "" && e.failure() == ClientRefused {
		return "invalid_client"
	}
	return e.Code
}

// SilentPause is the least time between two tries of what was refused without a word.
const SilentPause = 5 * time.Second

// Pause implements pace.Failure. Maintenance affects all callers, and so do too many requests when
// several callers have heard of them.
func (e *Error) Pause() (time.Duration, pace.Audience) {
	switch {
	case e.RetryAfter > 0 && e.Status == http.StatusTooManyRequests:
		return e.RetryAfter, pace.ManyCallers
	case e.RetryAfter > 0:
		return e.RetryAfter, pace.Everybody
	case e.failure() == Silent:
		return SilentPause, pace.Caller
	}
	return 0, pace.Caller
}

// Final implements pace.Failure: a client or a request that is refused is so again.
func (e *Error) Final() bool {
	what := e.failure()
	return what == ClientRefused || what == RequestRefused
}
