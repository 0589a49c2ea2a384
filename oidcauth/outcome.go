package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/session"
)

// settle draws the consequences of the attempt, which ended with err, and returns what callers are
// told.
func (r *attempt) settle(ctx context.Context, err error) error {
	switch {
	case r.dead:
		r.tokens.dead.add(ctx, r.auth.log, r.session, r.spent)
		return r.failed(ctx, fmt.Errorf("%w: %w", errDeadGrant, asRefusal(err)))
	case errors.Is(err, errOtherUser):
		// The new tokens are dropped, and nobody goes on as somebody else (Core §12.2).
		r.auth.destroy(ctx, r.session)
		r.auth.revokeTokens(ctx, tokensOf(r.dropped, r.key))
		return r.failed(ctx, fmt.Errorf("%w: %w", ErrLoginRequired, err))
	case r.answer != nil:
		return r.settleNew(ctx, err)
	case err == nil:
		return nil // somebody else's token, which they have reported
	case errors.Is(err, ErrLoginRequired), errors.Is(err, session.ErrNoSession), errors.Is(err, session.ErrUnavailable):
		return loginRequired(err)
	}
	// An outage, or a refusal of what was asked for: the session stays.
	err = asRefusal(err)
	return r.failed(ctx, r.pauses.Failed(r.session.ID()+r.name, r.login.Subject, err))
}

// settleNew settles an attempt that brought new tokens. Those are served even when they can't be
// kept, unless the session has ended meanwhile: then they end with it.
func (r *attempt) settleNew(ctx context.Context, err error) error {
	for errors.Is(err, session.ErrTooLarge) && r.slim < keepNone {
		r.slim++
		r.auth.log.LogAttrs(ctx, slog.LevelWarn, "session too large for its access tokens", r.attributes(err)...)
		err = r.session.Exclusive(ctx, func(_ context.Context, latest *session.Session) error { return r.keep(latest) })
	}
	if errors.Is(err, session.ErrNoSession) || errors.Is(err, ErrLoginRequired) {
		// A logout came first and has revoked the old tokens; these it can't know, nor, if it was
		// by the new sid, that it meant this session.
		r.auth.destroy(ctx, r.session)
		r.auth.revokeTokens(ctx, tokensOf(r.answer, r.key))
		return loginRequired(err)
	}
	if err != nil {
		// The Store is down. The session package remembers the change and stores it later; if this
		// process ends before that, the refresh token is lost.
		r.auth.log.LogAttrs(ctx, slog.LevelError, "refreshed tokens not saved", r.attributes(err)...)
	}
	r.pauses.Succeeded(r.session.ID() + r.name)
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

// tell calls Hooks.Refresh.
func (r *attempt) tell(ctx context.Context, err error) {
	if hook := r.auth.config.Hooks.Refresh; hook != nil {
		hook(ctx, r.user(), exported(err))
	}
}

// user is whose tokens they are, with the claims of the new ID token where there is one.
func (r *attempt) user() *User {
	raw := r.raw
	if r.idToken != nil {
		raw = r.idToken.Raw
	}
	return userOf(&r.record, raw, r.extraNow())
}

// attributes are what both log lines say: who, without telling it, and how long it took.
func (r *attempt) attributes(err error) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("issuer", r.auth.config.Issuer), logtext.Fingerprint("sub", r.login.Subject), logtext.Fingerprint("sid", r.login.SessionID),
		slog.Duration("duration", time.Since(r.began)),
	}
	if err != nil {
		attrs = append(attrs, logtext.Reason(err))
	}
	return attrs
}
