package oidcauth

import (
	"errors"
	"net/http"
	"slices"
)

// A failure is what a failed call to an endpoint of the provider means. Every consequence, at a login, a refresh or for a
// machine, begins with it.
type failure int

const (
	// failedSenseless: there is an answer, and nothing in it can be understood.
	failedSenseless failure = iota

	// failedTransient: there is no answer, or one that asks for patience. The same request may work later.
	failedTransient

	// failedClient: the provider does not accept the client's authentication, whatever is asked for.
	failedClient

	// failedSilent: the token endpoint refuses without a word, with 400 and nothing that says why.
	failedSilent

	// failedUnusable: the token endpoint says that it has issued tokens, and its answer can't be used.
	failedUnusable

	// failedRequest: the provider refuses what was asked for, with a code that says why (RFC 6749 §5.2).
	failedRequest
)

// failureOf classifies the error of a call to an endpoint; ok is false when err is of something else.
func failureOf(err error) (f failure, e *endpointError, ok bool) {
	e, ok = errors.AsType[*endpointError](err)
	if !ok {
		return failedSenseless, nil, false
	}
	return e.failure(), e, true
}

// aboutTheRequest are error codes that say something about a grant or a request beside whatever status: there are providers that
// send invalid_grant with 403. All other codes are read by their status, for providers have many words for a client whose secret
// is wrong: invalid_request, unauthorized_client, none.
var aboutTheRequest = []string{
	"invalid_grant", "invalid_token", "invalid_code", "invalid_scope", "invalid_target", "invalid_redirect_uri",
	"invalid_request_object", "unsupported_grant_type", "access_denied", "invalid_dpop_proof", "use_dpop_nonce",
}

// failure says what e means.
func (e *endpointError) failure() failure {
	unauthorized := e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	switch {
	case e.isTransient():
		return failedTransient
	case e.Endpoint == "userinfo": // which authenticates no client
	case e.Code == "invalid_client", unauthorized && !slices.Contains(aboutTheRequest, e.Code):
		return failedClient
	}
	switch {
	case e.Code != "":
		return failedRequest
	case e.Endpoint == "token" && e.wordless && e.Status == http.StatusBadRequest:
		return failedSilent
	case e.Endpoint == "token" && e.wordless && e.Status == http.StatusOK:
		return failedUnusable
	}
	return failedSenseless
}

// isTransient reports whether e says that the same request may work later. An invalid_grant beside a status of 500 is no verdict,
// but a provider that can't read its own database.
func (e *endpointError) isTransient() bool {
	switch e.Code {
	case "temporarily_unavailable", "server_error", "slow_down":
		return true
	}
	return e.Status == 0 || e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests ||
		e.Status == http.StatusRequestTimeout || e.RetryAfter > 0
}

// errorCode is the provider's error code, or the one that it should have sent with a client that it doesn't accept.
func (e *endpointError) errorCode() string {
	if e.Code == "" && e.failure() == failedClient {
		return "invalid_client"
	}
	return e.Code
}
