package oidcauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/session"
)

// A refusedGrant is a refresh token that the provider won't take any more, while the session may
// have a newer one by now.
type refusedGrant struct {
	token string
	err   error
}

// Error is the cause's text.
func (e *refusedGrant) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *refusedGrant) Unwrap() error { return e.err }

// A deadGrant is a refusedGrant that is also the session's newest.
type deadGrant refusedGrant

// Error is the cause's text.
func (e *deadGrant) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *deadGrant) Unwrap() error { return e.err }

// An otherLogin is an answer with whose ID token the session can't go on.
type otherLogin struct {
	answer *oauth.TokenAnswer
	err    error
}

// Error names the cause.
func (e *otherLogin) Error() string {
	return "oidcauth: the refreshed ID token is not of this login: " + e.err.Error()
}

// Unwrap returns the cause.
func (e *otherLogin) Unwrap() error { return e.err }

// settle draws the consequences of the attempt, which ended with err, and returns what callers are
// told.
func (r *attempt) settle(ctx context.Context, err error) error {
	dead, isDead := errors.AsType[*deadGrant](err)
	other, isOther := errors.AsType[*otherLogin](err)
	switch {
	case isDead:
		r.dead.Add(ctx, r.session.ID(), dead.token, time.Until(r.session.Deadline()))
		return r.failed(ctx, fmt.Errorf("%w: %w", errDeadGrant, asRefusal(err)))
	case isOther:
		// The new tokens are dropped, and nobody goes on as somebody else (Core §12.2).
		r.auth.destroy(ctx, r.session)
		r.auth.revokeTokens(ctx, other.answer.Set(r.key))
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
	return r.failed(ctx, r.renewer.Pauses.Failed(orderName(r.session, r.name), r.login.Subject, err))
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
		r.auth.revokeTokens(ctx, r.answer.Set(r.key))
		return loginRequired(err)
	}
	if err != nil {
		// The Store is down. The session package remembers the change and stores it later; if this
		// process ends before that, the refresh token is lost.
		r.auth.log.LogAttrs(ctx, slog.LevelError, "refreshed tokens not saved", r.attributes(err)...)
	}
	r.renewer.Pauses.Succeeded(orderName(r.session, r.name))
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
	return userOf(&r.record, claimsOf(raw), r.extraNow())
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

// keep writes the outcome into the newest generation of the session.
func (r *attempt) keep(s *session.Session) error {
	rec := r.record // a copy: when this fails, it is done again from the start
	if r.idToken != nil {
		if err := r.keepIDToken(s, &rec); err != nil {
			return err
		}
	}
	// An answer without a refresh token means that the old one stays good (RFC 6749 §6).
	if r.answer.RefreshToken != "" {
		if err := s.SetToken(refreshTokenName, r.answer.RefreshToken); err != nil {
			return err
		}
	}
	if err := r.keepAccessToken(s, &rec); err != nil {
		return err
	}
	return saveRecord(s, &rec)
}

// keepIDToken makes the refreshed ID token the one for claims and logout. auth_time, acr, amr and
// iat stay the login's: a refresh freshens nothing, and raises nothing.
func (r *attempt) keepIDToken(s *session.Session, rec *record) error {
	// The nonce is in the ID token, or else has to be remembered for the next one.
	if rec.Nonce = ""; r.idToken.Nonce == "" {
		rec.Nonce = r.nonce
	}
	if err := cmp.Or(r.keepContext(s, rec), r.keepExtra(s)); err != nil {
		return err
	}
	// Roles that the application chose are not the provider's to change.
	if !rec.Hooked {
		claims, err := claims.Merge(r.idToken.Claims, r.extraNow())
		if err != nil {
			claims = r.idToken.Claims
		}
		rec.Roles = r.rolesNow(claims)
		r.record.Roles = rec.Roles
	}
	if !r.idToken.SessionExpiry.IsZero() {
		if err := s.Limit(r.idToken.SessionExpiry); err != nil {
			return err
		}
	}
	return s.SetToken(idTokenName, r.idToken.Raw)
}

// keepContext keeps how the user was authenticated at the login, and ties the session to the sid
// that it has from now on.
func (r *attempt) keepContext(s *session.Session, rec *record) error {
	now := userFromClaims(r.idToken.Claims)
	if rec.Context == nil && (now.ACR != r.login.ACR || !slices.Equal(now.AMR, r.login.AMR)) {
		rec.Context = &authContext{ACR: r.login.ACR, AMR: r.login.AMR}
		r.record.Context = rec.Context
	}
	if !r.otherSID() {
		return nil
	}
	rec.SIDs = r.record.SIDs + 1
	return s.TagAt(sidTag(nameIn(rec.Provider), r.idToken.Issuer, r.idToken.SID), r.idToken.IssuedAt)
}

// otherSID reports whether the refreshed ID token has another sid than the one before.
func (r *attempt) otherSID() bool {
	return r.idToken.SID != "" && r.idToken.SID != r.login.SessionID
}

// rolesNow are the roles by refreshed claims. Where Hooks.Login had its say there are none that it
// has not let pass: it may withhold a role from every user, and found none to remove at the login.
func (r *attempt) rolesNow(refreshed json.RawMessage) []string {
	roles := claims.Roles(refreshed, r.auth.config.RolesClaim)
	if !r.record.Vetted && r.auth.config.Hooks.Login == nil {
		return roles
	}
	return slices.DeleteFunc(roles, func(role string) bool { return !slices.Contains(r.record.Roles, role) })
}

// keepExtra drops what userinfo said at the login and the new ID token speaks otherwise of.
func (r *attempt) keepExtra(s *session.Session) error {
	extra := r.extraNow()
	if len(extra) == len(r.extra) {
		return nil
	}
	if len(extra) == 0 {
		return s.Delete(extraName)
	}
	return s.Set(extraName, extra)
}

// extraNow is what remains of the claims beyond the ID token once there is a new one.
func (r *attempt) extraNow() json.RawMessage {
	if r.idToken == nil {
		return r.extra
	}
	return claims.WithoutMoved(r.extra, claimsOf(r.raw), r.idToken.Claims)
}

// keepAccessToken puts the new access token in its place, and drops those that are over. A session
// that is too large for its cookie keeps fewer of them: they can be had again, while the refresh
// token can't.
func (r *attempt) keepAccessToken(s *session.Session, rec *record) error {
	var kept access.Grants
	if r.slim < keepNewest {
		kept = rec.Access.Beside(r.name, time.Now())
	}
	value := r.token.Value
	if rec.Confirmed = 0; r.slim >= keepNone {
		value, rec.Confirmed = "", r.grant.Created
	} else {
		kept = append(kept, r.grant)
	}
	for _, g := range rec.Access {
		if kept.Of(g.Name) == nil {
			if err := s.SetToken(accessTokenName+g.Name, ""); err != nil {
				return err
			}
		}
	}
	rec.Access = kept
	return s.SetToken(accessTokenName+r.name, value)
}

// How much a session keeps that is too large otherwise.
const (
	// keepNewest is, of the access tokens, only the one that was just got. Below it is all that has
	// not expired.
	keepNewest = iota + 1

	// keepNone is no access token: each request that wants one refreshes.
	keepNone
)
