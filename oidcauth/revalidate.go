package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/session"
)

const (
	// revalidateJitter is the part of RevalidateAfter, in percent, by which sessions are asked
	// about early, so that those which began together don't come together.
	revalidateJitter = 10

	// leastGrace is how long sessions go on, at least, that can't be confirmed in an outage.
	leastGrace = 5 * time.Minute
)

// confirmed is when the provider last confirmed the login of the session, by the login or by a
// refresh that it answered with tokens. There is nothing to write for it: each refresh leaves a
// token with its time. What a clock said that was ahead by more than skew counts for nothing.
func (rec *record) confirmed(now time.Time, skew time.Duration) time.Time {
	latest := now.Add(skew).UnixMilli()
	var at int64
	note := func(ms int64) {
		if ms <= latest {
			at = max(at, ms)
		}
	}
	note(rec.Login)
	note(rec.Confirmed)
	for i := range rec.Access {
		note(rec.Access[i].Created)
	}
	return time.UnixMilli(at)
}

// revalidation says when the session of rec has to be confirmed again, and how long it goes on in
// an outage. The moment of the last confirmation makes the jitter: it is as good as random, and the
// same for all requests and processes.
func (a *Authenticator) revalidation(rec *record, now time.Time) (due, end time.Time) {
	after := a.config.RevalidateAfter
	at := rec.confirmed(now, a.config.Skew)
	jitter := time.Duration(float64(after) * revalidateJitter / 100 * float64(at.UnixMilli()%64) / 64)
	return at.Add(after - jitter), at.Add(after + max(after, leastGrace))
}

// mustRevalidate reports whether the session of rec has to be confirmed now.
func (a *Authenticator) mustRevalidate(rec *record, now time.Time) bool {
	due, _ := a.revalidation(rec, now)
	return a.config.RevalidateAfter > 0 && !now.Before(due)
}

// revalidate makes sure, for a guard, that the provider has confirmed the login of id in s within
// Config.RevalidateAfter, and returns what is then in s. The error is ErrLoginRequired where only a
// login helps, session.ErrUnavailable, or an *unconfirmedError when the outage has lasted too long.
func (a *Authenticator) revalidate(ctx context.Context, s *session.Session, id *identity) (*identity, error) {
	now := time.Now()
	if !a.mustRevalidate(&id.record, now) || inside.OfSession(s).Looks() {
		return id, nil
	}
	_, end := a.revalidation(&id.record, now)
	err := a.tokens.confirm(ctx, s, now.Before(end))
	switch {
	case err == nil:
		confirmed, err := identityOf(s)
		return confirmed, loginRequired(err)
	case errors.Is(err, ErrLoginRequired), errors.Is(err, session.ErrUnavailable):
		return nil, err
	case now.Before(end):
		return id, nil
	}
	return nil, &unconfirmedError{Err: err}
}

// confirm refreshes the tokens of s, unless somebody else does or has done so. With grace it does
// not wait long: the flight goes on, and the next request finds what it brought.
func (t *tokens) confirm(ctx context.Context, s *session.Session, grace bool) error {
	if refresh, _ := s.Token(refreshTokenName); refresh == "" {
		return fmt.Errorf("%w: the provider has not confirmed the login within Config.RevalidateAfter, and there is no refresh token to ask with: most providers give one for offline_access in Config.Scopes", ErrLoginRequired)
	}
	o := t.order(ctx, s, "", access.Request{Confirm: true}, nil)
	o.Hurried = grace
	_, err := t.renewer.Renew(ctx, o)
	return err
}

// An unconfirmedError is a session that the provider has not confirmed for too long, in an outage.
// It says nothing about the user: the session stays.
type unconfirmedError struct {
	// Err is why the last refresh failed.
	Err error
}

// Error names the cause.
func (e *unconfirmedError) Error() string {
	return "oidcauth: the provider has not confirmed the login for longer than Config.RevalidateAfter allows: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *unconfirmedError) Unwrap() error { return e.Err }

// problem is what the browser is told.
func (e *unconfirmedError) problem() *Problem {
	p := &Problem{Status: http.StatusServiceUnavailable, Code: "provider_unavailable", RetryAfter: pace.FirstDelay, Err: e}
	if _, refused := errors.AsType[*GrantError](e.Err); refused {
		p.Status, p.Code, p.RetryAfter = http.StatusBadGateway, "provider_error", 0
	}
	if outage, down := errors.AsType[*pace.Outage](e.Err); down {
		p.RetryAfter = outage.RetryAfter
	}
	return p
}
