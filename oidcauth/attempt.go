package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// An attempt is one refresh: what it found, what it asked for, and what came.
type attempt struct {
	*tokens

	// session is that of the request which began the flight. It is asked to lock and to end, and
	// never written to: its request may be over.
	session *session.Session

	// name and query say which token is needed, began since when.
	name  string
	query access.Request
	began time.Time

	// record, raw and extra are what the newest generation of the session holds: the login's
	// record, the ID token and the claims beyond it.
	record record
	raw    string
	extra  []byte

	// login is the user as raw says, nonce that of the login: what a refreshed ID token is compared
	// with.
	login *User
	nonce string

	// spent is the refresh token that was sent.
	spent string

	// key is what the session's tokens are bound to, nil for Bearer tokens.
	key *jwt.ProofKey

	// answer holds the new tokens, idToken the verified one among them: nil where none came, or
	// where its keys can't be had.
	answer  *oauth.TokenAnswer
	idToken *provider.IDToken

	// grant describes the new access token.
	grant access.Grant

	// token is the outcome: the new access token, or one that somebody else got.
	token *access.Token

	// slim says how much is not kept, because the session would be too large.
	slim int
}

// attempt returns one that has not begun. It knows whose tokens they are, also when it ends before
// it gets the session's lock.
func (t *tokens) attempt(s *session.Session, name string, q access.Request) (*attempt, error) {
	id, err := identityOf(s)
	if err != nil {
		return nil, loginRequired(err)
	}
	r := &attempt{tokens: t, session: s, name: name, query: q, began: time.Now()}
	r.read(s, id.record())
	return r, nil
}

// run takes the steps of a refresh on the newest generation of the session, under its lock. refused
// is what an earlier run came to, nil for the first. Errors: *refusedGrant, *deadGrant, *otherLogin,
// and those of the steps.
func (r *attempt) run(ctx context.Context, latest *session.Session, refused *refusedGrant) error {
	// 1. What somebody else has got meanwhile.
	have, rec, err := r.look(latest, r.name)
	if err != nil {
		return err
	}
	if r.isServed(have, rec) {
		r.token = have
		return nil
	}
	// 2. A refresh token that nobody has used.
	r.read(latest, rec)
	if err := r.takeRefreshToken(ctx, latest, refused); err != nil {
		return err
	}
	// 3. One request.
	answer, err := r.ask(ctx, latest)
	if err != nil {
		return err
	}
	// 4. The same user, or nothing.
	if err := r.verify(ctx, answer); err != nil {
		return err
	}
	// 5. From here on the old refresh token is history, whatever happens.
	if err := r.accept(answer, r.key); err != nil {
		return err
	}
	return r.keep(latest)
}

// ask sends the refresh token. The key is the session's, and stays the same: the refresh token is
// bound to it too (RFC 9449 §5).
func (r *attempt) ask(ctx context.Context, latest *session.Session) (answer *oauth.TokenAnswer, err error) {
	if r.key, err = r.proofKey(latest); err != nil {
		return nil, err
	}
	if since, silent := r.doubts.SilentSince(r.session.ID(), r.spent); silent {
		r.auth.provider.Inquire(ctx, since)
	}
	if answer, err = r.auth.endpoint.Bind(r.key).Token(ctx, r.query.RefreshForm(r.spent, r.record.Resource)); err != nil {
		if oauth.EndsGrant(err, r.name != "") || r.isDoubted(err) {
			return nil, &refusedGrant{token: r.spent, err: err}
		}
		return nil, err
	}
	r.doubts.Drop(r.session.ID(), r.spent) // some providers don't rotate
	return answer, nil
}

// isDoubted reports whether err is the second answer that leaves the refresh token in doubt. Answers
// about an extra, a resource or scope, may be meant for that.
func (r *attempt) isDoubted(err error) bool {
	what, _, ok := oauth.FailureOf(err)
	if !ok || r.name != "" {
		return false
	}
	return r.doubts.Decides(r.session.ID(), r.spent, what, time.Until(r.session.Deadline()), r.auth.provider.AnsweredSince)
}

// isServed reports whether the session holds already what the attempt is for.
func (r *attempt) isServed(have *access.Token, rec *record) bool {
	if r.query.Confirm {
		return !r.mustRevalidate(rec, time.Now())
	}
	return have.Serves(&r.query, time.Now())
}

// accept makes answer the outcome. Without a token that can be used there is none.
func (r *attempt) accept(answer *oauth.TokenAnswer, key *jwt.ProofKey) (err error) {
	r.grant = access.GrantOf(r.name, answer, r.auth.config.TokenLifetime, time.Now())
	r.grant.Inherit(r.record.Access.Of(r.name), r.query.Scopes)
	if r.token, err = r.grant.Token(answer.AccessToken).Bound(key); err != nil {
		r.token = nil
		return err
	}
	r.answer = answer
	return nil
}

// read takes from the session what the answer will be compared with.
func (r *attempt) read(latest *session.Session, rec *record) {
	r.raw, _ = latest.Token(idTokenName)
	r.record, r.login = *rec, userFromClaims(claimsOf(r.raw))
	r.extra, _ = latest.Get(extraName)
	if r.nonce = rec.Nonce; r.nonce == "" {
		r.nonce = nonceOf(r.raw)
	}
}

// takeRefreshToken finds the refresh token to send. One that the provider refused before is not
// sent again.
func (r *attempt) takeRefreshToken(ctx context.Context, latest *session.Session, refused *refusedGrant) error {
	token, _ := latest.Token(refreshTokenName)
	switch {
	case token == "":
		return fmt.Errorf("%w: there is no refresh token", ErrLoginRequired)
	case refused != nil && token == refused.token:
		return (*deadGrant)(refused)
	case r.dead.Elsewhere(ctx, latest.ID(), token, time.Until(latest.Deadline())):
		return errDeadGrant
	}
	r.spent = token
	return nil
}

// verify holds Core §12.2 for the ID token of a refresh, if there is one. One that is of another
// login ends the session, and so does one that the provider can't have signed. Without keys to
// verify it, or with any other flaw, the new tokens are good all the same, and the claims stay what
// they were: §12.2 asks no more, but the FAPI profiles do.
func (r *attempt) verify(ctx context.Context, answer *oauth.TokenAnswer) error {
	if answer.IDToken == "" {
		return nil
	}
	t, err := r.auth.verifier.Refresh(ctx, answer.IDToken, provider.RefreshExpectation{
		Issuer: r.login.Issuer, Subject: r.login.Subject, Nonce: r.nonce,
		IssuedAt: fromSeconds(r.record.Issued), AccessToken: answer.AccessToken,
	})
	switch {
	case err == nil:
		r.idToken = t
		if r.otherSID() {
			r.takeSID(ctx)
		}
	case errors.Is(err, provider.ErrOtherLogin), errors.Is(err, provider.ErrForged), r.auth.config.Advanced.FAPI:
		return &otherLogin{answer: answer, err: err}
	case r.flaws.Allow(r.session.ID()):
		r.auth.log.LogAttrs(ctx, slog.LevelWarn, "refreshed ID token not verified", r.attributes(err)...)
	}
	return nil
}

// maxSIDs bounds the sids that one session is known by.
const maxSIDs = 8

// takeSID prepares for logouts by the sid that the provider has changed to. Where that fails the
// claims stay what they were, as without keys.
func (r *attempt) takeSID(ctx context.Context) {
	err := errManySIDs
	if r.record.SIDs < maxSIDs {
		err = r.auth.recordSID(ctx, &User{Issuer: r.idToken.Issuer, SessionID: r.idToken.SID}, r.idToken.IssuedAt)
	}
	if err == nil {
		return
	}
	r.idToken = nil
	if r.flaws.Allow(r.session.ID()) {
		r.auth.log.LogAttrs(ctx, slog.LevelWarn, "refreshed ID token not kept", r.attributes(err)...)
	}
}

// errManySIDs means that a provider changes the sid with every refresh.
var errManySIDs = errors.New("oidcauth: the provider has changed the sid too often")

// look reads the token called name out of s, nil when there is none, and the record. It costs no
// I/O beyond loading the session.
func (t *tokens) look(s *session.Session, name string) (*access.Token, *record, error) {
	id, err := identityOf(s)
	switch {
	case errors.Is(err, session.ErrNoSession):
		return nil, nil, ErrLoginRequired
	case err != nil:
		return nil, nil, err
	case id.login.Provider != t.auth.key:
		return nil, nil, fmt.Errorf("%w: the session belongs to another provider", ErrLoginRequired)
	case !t.auth.serves():
		return nil, nil, fmt.Errorf("%w: %w", ErrLoginRequired, ErrUnknownProvider)
	case t.stopped(s):
		return nil, nil, errDeadGrant
	}
	rec := id.record()
	granted := t.auth.grantIn(rec, name)
	if granted == nil {
		return nil, rec, nil
	}
	value, ok := s.Token(accessTokenName + name)
	if !ok {
		return nil, rec, nil
	}
	key, err := t.auth.sessionKey(id)
	if err != nil {
		return nil, nil, err
	}
	token, err := granted.Token(value).Bound(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrLoginRequired, err)
	}
	return token, rec, nil
}

// lookFor is look for a request: the token only, and what follows for the response if s is stopped.
func (t *tokens) lookFor(s *session.Session, name string) (*access.Token, error) {
	token, _, err := t.look(s, name)
	if errors.Is(err, errDeadGrant) {
		leaveCookie(s)
	}
	return token, err
}

// proofKey returns the key that the tokens of s are bound to, nil when they are Bearer tokens.
func (t *tokens) proofKey(s *session.Session) (*jwt.ProofKey, error) {
	id, err := identityOf(s)
	if err != nil {
		return nil, err
	}
	return t.auth.sessionKey(id)
}

// stopped reports whether s holds a refresh token that was refused. Who finds that out for a
// request calls leaveCookie.
func (t *tokens) stopped(s *session.Session) bool {
	if !t.dead.Knows(s.ID()) {
		return false
	}
	token, _ := s.Token(refreshTokenName)
	return t.dead.Has(s.ID(), token)
}

// leaveCookie keeps the response of s, whose refresh token was refused, from moving the idle limit
// of its cookie: another process may have set a newer one.
func leaveCookie(s *session.Session) { inside.OfSession(s).LeaveCookie() }
