package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/signet-go/signet/session"
)

// grantSurvives are error codes that say something about the client, the request or the provider's state, and nothing about the
// refresh token.
var grantSurvives = []string{
	"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target",
	"temporarily_unavailable", "server_error", "slow_down", "invalid_dpop_proof", "use_dpop_nonce",
}

// isDead reports whether err means that the refresh token is of no more use. That is invalid_grant (RFC 6749 §5.2), but
// providers have other words for it, and asking them again and again helps nobody. A refused extra, a resource or
// scope, ends no session in such other words.
func (r *attempt) isDead(err error) bool {
	refused, ok := errors.AsType[*endpointError](err)
	if !ok || refused.Code == "" || isTransient(refused) {
		return false
	}
	if refused.Code == "invalid_grant" || refused.Code == "invalid_token" {
		return true
	}
	return r.name == "" && !slices.Contains(grantSurvives, refused.Code)
}

// isTransient reports whether e says that the same request may work later.
func isTransient(e *endpointError) bool {
	switch e.Code {
	case "temporarily_unavailable", "server_error", "slow_down":
		return true
	}
	return e.Status == 0 || e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests ||
		e.Status == http.StatusRequestTimeout || e.RetryAfter > 0
}

// settle draws the consequences of the attempt, which ended with err, and returns what callers are told.
func (r *attempt) settle(ctx context.Context, err error) error {
	switch {
	case r.dead:
		r.tokens.dead.add(ctx, r.auth.log, r.session, r.spent)
		return r.failed(ctx, fmt.Errorf("%w: %w", errDeadGrant, asRefusal(err)))
	case errors.Is(err, errOtherUser):
		r.auth.destroy(ctx, r.session)
		return r.failed(ctx, fmt.Errorf("%w: %w", ErrLoginRequired, err))
	case r.answer != nil:
		return r.settleNew(ctx, err)
	case err == nil:
		return nil // somebody else's token, and theirs to report
	case errors.Is(err, ErrLoginRequired), errors.Is(err, session.ErrNoSession), errors.Is(err, session.ErrUnavailable):
		return loginRequired(err)
	}
	err = asRefusal(err)
	return r.failed(ctx, r.pauses.failed(r.session.ID()+r.name, err))
}

// settleNew settles an attempt that brought new tokens. Those are served even when they can't be kept, unless the session has
// ended meanwhile: then they end with it.
func (r *attempt) settleNew(ctx context.Context, err error) error {
	for errors.Is(err, session.ErrTooLarge) && r.slim < keepNone {
		r.slim++
		r.auth.log.LogAttrs(ctx, slog.LevelWarn, "session too large for its access tokens", r.attributes(err)...)
		err = r.session.Exclusive(ctx, func(_ context.Context, latest *session.Session) error { return r.keep(latest) })
	}
	if errors.Is(err, session.ErrNoSession) || errors.Is(err, ErrLoginRequired) {
		r.auth.revokeTokens(ctx, r.answer.RefreshToken, r.answer.AccessToken)
		return loginRequired(err)
	}
	if err != nil {
		r.auth.log.LogAttrs(ctx, slog.LevelError, "refreshed tokens not saved", r.attributes(err)...)
	}
	r.pauses.succeeded(r.session.ID() + r.name)
	r.auth.log.LogAttrs(ctx, slog.LevelInfo, "token refreshed", r.attributes(nil)...)
	r.tell(ctx, nil)
	return nil
}

// failed tells log and hook of err, and returns it.
func (r *attempt) failed(ctx context.Context, err error) error {
	r.auth.log.LogAttrs(ctx, slog.LevelWarn, "token refresh failed", r.attributes(err)...)
	r.tell(ctx, err)
	return err
}

func (r *attempt) tell(ctx context.Context, err error) {
	if hook := r.auth.config.Hooks.Refresh; hook != nil {
		hook(ctx, r.user(), err)
	}
}

// user is whose tokens they are, with the claims of the new ID token where there is one.
func (r *attempt) user() *User {
	raw := r.raw
	if r.idToken != nil {
		raw = r.idToken.Raw
	}
	return userOf(&r.record, raw, r.extra)
}

func (r *attempt) attributes(err error) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("issuer", r.auth.config.Issuer), fingerprint("sub", r.login.Subject), fingerprint("sid", r.login.SessionID),
		slog.Duration("duration", time.Since(r.began)),
	}
	if err != nil {
		attrs = append(attrs, reason(err))
	}
	return attrs
}

// A GrantError is a token endpoint that refused a grant: for a resource or scope that the user or client may not have, or
// because the client's own authentication failed. Its text is for logs, not for pages.
type GrantError struct {
	// Code is the endpoint's error code (RFC 6749 §5.2).
	Code string

	// Description is the endpoint's error_description, cut and cleaned. It is untrusted text.
	Description string

	// Err is the cause.
	Err error
}

// Error names code and description.
func (e *GrantError) Error() string {
	text := "oidcauth: token refused: " + e.Code
	if e.Description != "" {
		text += fmt.Sprintf(" (%q)", e.Description)
	}
	return text
}

// Unwrap returns the cause.
func (e *GrantError) Unwrap() error { return e.Err }

// asRefusal turns an endpoint's error answer into a *GrantError. Other errors stay.
func asRefusal(err error) error {
	refused, ok := errors.AsType[*endpointError](err)
	if !ok || refused.Code == "" || isTransient(refused) {
		return err
	}
	return &GrantError{Code: refused.Code, Description: refused.Description, Err: err}
}
