package oidcauthotel

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// Outcomes. A refusal is somebody's answer; a failure is trouble of the provider, the Store or ours,
// which an operator should hear of.
const (
	ok      = "ok"
	refused = "refused"
	failed  = "failed"
)

// outcome is what err says, in attributes of few values.
func outcome(err error) []attribute.KeyValue {
	if err == nil {
		return []attribute.KeyValue{outcomeKey.String(ok)}
	}
	kind := refused
	if !ours(err) {
		kind = failed
	}
	return []attribute.KeyValue{outcomeKey.String(kind), errorTypeKey.String(errorType(err))}
}

// ours reports whether err is an orderly answer: everything works, and the answer is no.
func ours(err error) bool {
	problem, isProblem := errors.AsType[*oidcauth.Problem](err)
	_, isGrant := errors.AsType[*oidcauth.GrantError](err)
	switch {
	case isProblem:
		return problem.Status < http.StatusInternalServerError
	case isGrant:
		return true
	}
	return errors.Is(err, oidcauth.ErrLoginRequired) || errors.Is(err, context.Canceled)
}

// grantCodes are the error codes of RFC 6749 §5.2, RFC 8707 §2 and RFC 9449 §5. A provider may send
// any text in their place, and no text of its choice becomes a time series.
var grantCodes = []string{"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target", "invalid_dpop_proof"}

// errorType is the code of err, where it is one of a known set.
func errorType(err error) string {
	if problem, is := errors.AsType[*oidcauth.Problem](err); is {
		return problem.Code
	}
	if grant, is := errors.AsType[*oidcauth.GrantError](err); is {
		if slices.Contains(grantCodes, grant.Code) {
			return grant.Code
		}
		return "other_grant_error"
	}
	if _, is := errors.AsType[*oidcauth.UnavailableError](err); is {
		return "provider_unavailable"
	}
	switch {
	case errors.Is(err, oidcauth.ErrLoginRequired):
		return "login_required"
	case errors.Is(err, session.ErrUnavailable):
		return "store_unavailable"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "_OTHER" // as the semantic conventions have it
}

// denial is why a guard refused.
func denial(err error) string {
	if _, is := errors.AsType[*oidcauth.StepUpError](err); is {
		return "step_up"
	}
	if errors.Is(err, oidcauth.ErrLoginRequired) {
		return "login_required"
	}
	return "denied"
}
