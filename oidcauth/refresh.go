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
	// leaseWait is how long a refresh may wait, in addition to its own call, for one of another
	// process to end. The lease of a process that died is over before, after 15 s.
	leaseWait = 16 * time.Second

	// validPatience is how long a request waits for a refresh while the token at hand is still
	// good.
	validPatience = 2 * time.Second
)

// errLook means that a token would have to be refreshed where nothing may be.
var errLook = errors.New("oidcauth: the access token is no longer usable, and Peek never refreshes")

// manyUsers is how many users have to be told that there are too many requests, before it counts
// for all: a provider may count by user, and one who asks too often must not keep the others from
// their tokens.
const manyUsers = 3

// errDeadGrant means that the provider refused the session's refresh token for good.
var errDeadGrant = fmt.Errorf("%w: the provider no longer accepts the refresh token", ErrLoginRequired)

// tokens refreshes the tokens of users.
//
// A rotating refresh token is good for one use; a second one makes the provider suspect a thief and
// revoke all that came from the login (RFC 9700 §4.14.2). So requests of one session that want the
// same token share one flight in this process; flights of one session follow each other under the
// session's lock, which reaches other processes through the Store; and each looks again, under the
// lock, for a token that somebody else has got meanwhile.
type tokens struct {
	// auth is the Authenticator whose users' tokens they are.
	auth *Authenticator

	// apis are where tokens may go.
	apis access.APIs

	// base sends the requests to them; nil means http.DefaultTransport.
	base http.RoundTripper

	// renewer joins requests for one token of one session, and spaces out what fails.
	renewer *access.Renewer[landing]

	// dead are the sessions that only a new login helps.
	dead *access.DeadGrants

	// doubts are refresh tokens that may be dead.
	doubts access.Doubts

	// flaws says when a session's ID tokens that are not kept are logged.
	flaws pace.Sparing
}

// newTokens returns what refreshes the tokens of a's users.
func newTokens(a *Authenticator) *tokens {
	t := &tokens{
		auth:    a,
		apis:    access.NewAPIs("Config.APIs", a.config.APIs),
		base:    apiTransport(a.config.ClientAuth.Certificate),
		dead:    access.NewDeadGrants(inside.OfManager(a.sessions).Vault("dead grant"), a.log),
		renewer: access.NewRenewer[landing](a.log),
	}
	t.renewer.Limit, t.renewer.Patience = 2*a.config.Timeout+leaseWait, validPatience
	t.renewer.Pauses.Enough, t.renewer.Hopeless = manyUsers, ErrLoginRequired
	return t
}

// renewed returns a token in place of have, which is absent, stale or rejected.
func (t *tokens) renewed(ctx context.Context, s *session.Session, name string, q access.Request, have *access.Token) (*access.Token, error) {
	if s.Pending() {
		return have.Or(&q, fmt.Errorf("%w: the login isn't finished, and tokens aren't refreshed before that", ErrLoginRequired))
	}
	if inside.OfSession(s).Looks() {
		return have.Or(&q, errLook)
	}
	// Without a refresh token there is nothing to take the session's lock for.
	if refresh, _ := s.Token(refreshTokenName); refresh == "" {
		return have.Or(&q, fmt.Errorf("%w: the access token is no longer usable, and there is no refresh token: most providers issue one for offline_access in Config.Scopes", ErrLoginRequired))
	}
	return t.renewer.Renew(ctx, t.order(ctx, s, name, q, have))
}

// loginRequired turns the end of a session into what callers compare.
func loginRequired(err error) error {
	if errors.Is(err, session.ErrNoSession) {
		return fmt.Errorf("%w: the session has ended", ErrLoginRequired)
	}
	return err
}

// orderName is the same for all requests that want the token called name of s.
func orderName(s *session.Session, name string) string { return s.ID() + "\x00" + name }

// order is that of the token called name in place of have.
func (t *tokens) order(ctx context.Context, s *session.Session, name string, q access.Request, have *access.Token) *access.Order[landing] {
	return &access.Order[landing]{
		Name: orderName(s, name), Query: &q, Have: have,
		Fetch: func(ctx context.Context) (landing, error) { return t.refresh(ctx, s, name, q) },
		Land:  func(l landing, err error) (*access.Token, error) { return t.landed(ctx, s, name, &q, l, err) },
	}
}

// A landing is what a refresh brought to all who wait for it.
type landing struct {
	token *access.Token

	// refreshed says that the refresh has got the token, and not found it.
	refreshed bool

	// session is that of the request which began the refresh: it knows whether that has ended it.
	session *session.Session
}

// landed is what a request gets that waited for a refresh: its token, which then serves the whole
// request. One that the refresh has only found may have come for an earlier request, and be over.
// The response of s then carries what the refresh has published.
func (t *tokens) landed(ctx context.Context, s *session.Session, name string, q *access.Request, l landing, err error) (*access.Token, error) {
	if err != nil {
		inside.OfSession(s).JoinEnd(inside.OfSession(l.session))
		if errors.Is(err, errDeadGrant) {
			leaveCookie(s)
		}
		return nil, err
	}
	if err := t.adopt(ctx, s); err != nil {
		return l.token, err
	}
	if !l.refreshed && !q.Confirm && !l.token.Serves(q, time.Now()) {
		return l.token, access.ErrOld
	}
	inside.OfSession(s).Keep(keptToken(s, name), l.token)
	return l.token, nil
}

// adopt makes s what the refresh has published, so that the response carries the new cookie. A
// response that has begun can't; the next one will.
func (t *tokens) adopt(ctx context.Context, s *session.Session) error {
	if err := s.Sync(ctx); errors.Is(err, session.ErrNoSession) {
		return loginRequired(err)
	}
	return nil
}

// refresh gets the token called name, and publishes what it gets to all requests of the session. It
// runs apart from every request.
func (t *tokens) refresh(ctx context.Context, s *session.Session, name string, q access.Request) (l landing, err error) {
	ctx, end := t.auth.observeCall(ctx, OperationRefresh)
	defer func() { end(exported(err)) }()
	l.session = s
	defer pace.Recovered(ctx, t.auth.log, &err) // so that a landing knows its session all the same
	if err := t.renewer.Pauses.Check(orderName(s, name)); err != nil {
		return l, err // a refresh has failed since the caller looked
	}
	r, err := t.attempt(s, name, q)
	if err != nil {
		return l, err
	}
	err = s.Exclusive(ctx, func(ctx context.Context, latest *session.Session) error { return r.run(ctx, latest, nil) })
	if refused, ok := errors.AsType[*refusedGrant](err); ok {
		// Another process may have been faster, in spite of the lease: look once more.
		err = s.Exclusive(ctx, func(ctx context.Context, latest *session.Session) error { return r.run(ctx, latest, refused) })
	}
	if err = r.settle(ctx, err); err != nil {
		return l, err
	}
	l.token, l.refreshed = r.token, r.answer != nil
	return l, nil
}

// Shutdown waits until no refresh of a user's tokens is in flight, or until ctx ends, whose error
// it then returns. Call it after http.Server.Shutdown: a refresh continues after the request that
// started it is gone, and if a refresh token is used but its successor isn't saved, the user is
// signed out. It stops nothing, and the Authenticator can still be used afterward.
func (a *Authenticator) Shutdown(ctx context.Context) error { return a.tokens.renewer.Wait(ctx) }

// revalidation says when the session of rec has to be confirmed again, and how long it goes on in
// an outage. There is nothing to write for it: each refresh leaves a token with its time.
func (t *tokens) revalidation(rec *record, now time.Time) (due, end time.Time) {
	c := access.Confirmation{After: t.auth.config.RevalidateAfter, Skew: t.auth.config.Skew}
	return c.Due(c.Last(now, rec.Access, rec.Time, rec.Confirmed))
}

// mustRevalidate reports whether the session of rec has to be confirmed now.
func (t *tokens) mustRevalidate(rec *record, now time.Time) bool {
	due, _ := t.revalidation(rec, now)
	return t.auth.config.RevalidateAfter > 0 && !now.Before(due)
}

// revalidate makes sure, for a guard, that the provider has confirmed the login of id in s within
// Config.RevalidateAfter, and returns what is then in s. The error is ErrLoginRequired where only a
// login helps, session.ErrUnavailable, or an *unconfirmedError when the outage has lasted too long.
func (t *tokens) revalidate(ctx context.Context, s *session.Session, id *identity) (*identity, error) {
	if t.auth.config.RevalidateAfter <= 0 {
		return id, nil // without a look at the record
	}
	now := time.Now()
	if !t.mustRevalidate(id.record(), now) || !t.auth.serves() || inside.OfSession(s).Looks() {
		return id, nil
	}
	_, end := t.revalidation(id.record(), now)
	err := t.confirm(ctx, s, now.Before(end))
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
		return fmt.Errorf("%w: the provider has not confirmed the login within Config.RevalidateAfter, and there is no refresh token to ask with: most providers issue one for offline_access in Config.Scopes", ErrLoginRequired)
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

// keptToken is under which a request keeps the token called name that it got for s.
func keptToken(s *session.Session, name string) string { return "token " + s.ID() + " " + name }
