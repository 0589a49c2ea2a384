package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// A login is what a completed authentication response established.
type login struct {
	answer *oauth.TokenAnswer
	key    *jwt.ProofKey // what its tokens are bound to, nil for Bearer tokens
	token  *provider.IDToken
	extra  []byte // claims of userinfo and of other sources beyond the ID token's
	user   *User
	record record
	fresh  time.Time // since when the user is known to have authenticated, by our clock
}

// lostTo is a *lostLogin of l, nil where err is.
func (l *login) lostTo(err error) error {
	if err == nil {
		return nil
	}
	return &lostLogin{login: l, err: err}
}

// misfit is what a login has come to whose ID token was refused with err: with a token, it is good,
// and only the authentication is not what was asked for.
func (l *login) misfit(t *browser.Transaction, err error) error {
	if l.token == nil {
		return afterCode(err)
	}
	l.user = userFromClaims(l.token.Claims)
	l.user.Provider = nameIn(l.record.Provider)
	return l.lostTo(unmet(t, err))
}

// addClaims fetches userinfo where it is asked for, and what sources say that are trusted, and
// keeps what the ID token does not say.
func (a *returner) addClaims(ctx context.Context, e *oauth.Endpoint, l *login) (err error) {
	var info json.RawMessage
	if a.config.UserInfo != UserInfoOff {
		if info, err = e.Userinfo(ctx, l.answer, l.token.Subject); err != nil {
			return err
		}
	}
	told, err := claims.Merge(l.token.Claims, info)
	if err != nil {
		return &LoginError{Code: "invalid_userinfo", Err: err}
	}
	told = a.claimsProviders.Complete(ctx, l.token.Subject, told, l.token.Claims, info)
	l.extra = claims.Beyond(told, l.token.Claims)
	return nil
}

// identify tells from the claims who signs in, and how.
func (a *returner) identify(t *browser.Transaction, l *login) error {
	now := time.Now()
	merged, err := claims.Merge(l.token.Claims, l.extra)
	if err != nil {
		return &LoginError{Code: "invalid_userinfo", Err: err}
	}
	l.record = record{
		Login:  packed.Login{Provider: a.key, Time: now.UnixMilli(), AuthTime: seconds(l.token.AuthTime), MaxAge: t.MaxAge},
		Issued: seconds(l.token.IssuedAt), Scopes: t.Scopes, Resource: t.Resource,
	}
	l.fresh = a.freshSince(t, l.token.AuthTime)
	l.record.Roles = claims.Roles(merged, a.config.RolesClaim)
	l.user = userOf(&l.record, claimsOf(l.token.Raw), l.extra)
	if missing := missingAMR(l.user, t.AMR); missing != "" {
		return &Problem{Status: http.StatusForbidden, Code: "step_up_failed", Err: &StepUpError{AMR: t.AMR}}
	}
	return nil
}

// admit asks Hooks.Login (step 9). ctx carries the session to come, so that whatever the hook
// reaches from it is of the person who signs in.
func (a *returner) admit(ctx context.Context, l *login) error {
	if a.config.Hooks.Login == nil {
		return nil
	}
	changed := l.user.clone()
	if err := a.config.Hooks.Login(ctx, changed); err != nil {
		return &DeniedError{Requirement: "Hooks.Login", Err: err}
	}
	l.record.Vetted = true
	if err := l.keepClaims(changed.Claims); err != nil {
		return &Problem{Status: http.StatusInternalServerError, Code: "internal", Err: err}
	}
	l.keepChanges(changed, a.config.RolesClaim)
	return nil
}

// keepChanges records what Hooks.Login changed apart from the claims. What it changed only there is
// read from there.
func (l *login) keepChanges(changed *User, rolesClaim string) {
	if changed.Name != l.user.Name {
		l.record.Name = &changed.Name
	}
	if changed.Email != l.user.Email || changed.EmailVerified != l.user.EmailVerified {
		// A mark that was there before is the provider's, of its own address.
		l.record.Email, l.record.Verified = &changed.Email, changed.EmailVerified && !l.user.EmailVerified
	}
	roles := changed.Roles
	if slices.Equal(roles, l.user.Roles) {
		roles = claims.Roles(changed.Claims, rolesClaim)
	}
	if !slices.Equal(roles, l.user.Roles) {
		l.record.Roles, l.record.Hooked = roles, true
	}
	l.user = userOf(&l.record, claimsOf(l.token.Raw), l.extra)
}

// beginSession takes steps 9 and 10: the login's session is made separately from the browser's, the
// application is asked about it, and only then it takes the other's place. With an error nothing
// has changed.
func (a *returner) beginSession(r *http.Request, t *browser.Transaction, l *login) (err error) {
	s := a.sessions.From(r.Context())
	demand := inside.OfSession(s).WaiveProof() // it ends, whoever's it is
	defer func() {
		if err != nil {
			demand() // nobody is told of it
		}
	}()
	previous := a.previousLogin(s, l.user)
	ctx, next, err := s.Prepare(r.Context(), keepsFields(s, previous))
	if err != nil {
		return err
	}
	defer next.Destroy(ctx) //nolint:errcheck // it does nothing once next has begun, and no I/O before
	err = errors.Join(a.fillSession(next, t, l), a.enlist(r, next, l.user), next.SetPersistence(persistenceOf(t, s, previous)))
	if err != nil {
		return err
	}
	if err = errors.Join(a.stays(), a.admit(ctx, l)); err == nil {
		err = l.keepClaimsIn(next)
	}
	if err != nil {
		return err
	}
	// Before the session begins, so that a front-channel logout that finds the sid leaves a mark
	// that is seen then.
	if err := a.recordSID(r.Context(), l.user, l.token.IssuedAt); err != nil {
		return err
	}
	previous = a.newestPrevious(r.Context(), s, l.user, previous)
	if err := a.putInPlace(r, s, next, t); err != nil {
		return err
	}
	a.endPrevious(r.Context(), previous)
	return nil
}

// putInPlace has next begin in the place of s.
func (a *returner) putInPlace(r *http.Request, s, next *session.Session, t *browser.Transaction) error {
	// The session that was current when the login began may be another than the request's, or
	// absent from it: a cross-site form_post comes without Lax cookies.
	if err := s.Replace(r.Context(), next, t.Session); err != nil {
		return err
	}
	// What was removed before is seen here, and what is removed later ends the session.
	err := a.stays()
	if err != nil {
		a.destroy(r.Context(), s)
	}
	return err
}

// wayBack is where the browser of u goes, who has a session now: where the login was started, or
// home, if u is somebody else than who was to authenticate once more and has asked for nothing.
func (a *returner) wayBack(ctx context.Context, t *browser.Transaction, u *User) string {
	if !isOther(t, u) {
		return a.site.BackFrom(t)
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "another user took the session's place", slog.String("issuer", a.config.Issuer),
		logtext.Fingerprint("sub", u.Subject), slog.String("during", t.Purpose()))
	return a.site.Home()
}

// enlist enters s, a session to come, into the list of its user's.
func (a *returner) enlist(r *http.Request, s *session.Session, u *User) error {
	if !a.config.ListSessions {
		return nil
	}
	at := session.Place{Provider: u.Issuer, UserAgent: r.UserAgent()}
	if a.config.RecordAddress != nil {
		at.Address = a.config.RecordAddress(r)
	}
	return s.Enlist(u.Tag(), at)
}

// fillSession writes the login into s, a session to come.
func (a *returner) fillSession(s *session.Session, t *browser.Transaction, l *login) error {
	l.record.Access = access.Grants{access.GrantOf("", l.answer, a.config.TokenLifetime, time.Now())}
	for name, token := range map[string]string{
		idTokenName: l.token.Raw, accessTokenName: l.answer.AccessToken, refreshTokenName: l.answer.RefreshToken,
	} {
		if token == "" {
			continue
		}
		if err := s.SetToken(name, token); err != nil {
			return err
		}
	}
	if err := l.tag(s); err != nil {
		return err
	}
	if !l.token.SessionExpiry.IsZero() {
		if err := s.Limit(l.token.SessionExpiry); err != nil {
			return err
		}
	}
	return errors.Join(keepLoginKey(s, t), l.keepClaimsIn(s))
}

// keepClaimsIn writes into s what Hooks.Login may change.
func (l *login) keepClaimsIn(s *session.Session) error {
	if len(l.extra) == 0 {
		return errors.Join(s.Delete(extraName), saveRecord(s, &l.record))
	}
	return errors.Join(s.Set(extraName, l.extra), saveRecord(s, &l.record))
}

// tags are what logouts by the provider name the login by.
func (l *login) tags() []string {
	t, name := l.token, nameIn(l.record.Provider)
	bySID := withoutSIDTag(name, t.Issuer, t.Subject)
	if t.SID != "" {
		bySID = sidTag(name, t.Issuer, t.SID)
	}
	return []string{subjectTag(name, t.Issuer, t.Subject), bySID}
}

// tag lets logouts by the provider, and Revoke, find s.
func (l *login) tag(s *session.Session) error {
	err := s.TagFresh(l.user.Tag(), l.fresh)
	if name := nameIn(l.record.Provider); name != "" {
		err = errors.Join(err, s.Tag(providerTag(name, l.record.Provider)))
	}
	for _, tag := range l.tags() {
		err = errors.Join(err, s.TagAt(tag, l.token.IssuedAt))
	}
	return err
}

// keepClaims records what Hooks.Login made of the claims.
func (l *login) keepClaims(changed json.RawMessage) (err error) {
	if l.record.Changes, err = claims.ChangesOf(l.user.Claims, changed); err != nil {
		return fmt.Errorf("oidcauth: Hooks.Login left invalid Claims: %w", err)
	}
	l.extra = l.record.Changes.Without(l.extra)
	return nil
}

// freshSince is since when the user of a login is known to have authenticated, by our clock: since
// it began, where max_age=0 was asked for and verified, and since auth_time, as far as the
// provider's clock may be ahead. A login that was begun for the sake of a revocation came after it,
// whatever the clocks of two processes say.
func (a *returner) freshSince(t *browser.Transaction, authTime time.Time) time.Time {
	since := authTime.Add(-a.config.Skew)
	if authTime.IsZero() {
		since = time.UnixMilli(0)
	}
	if t.MaxAge == nil || *t.MaxAge != 0 {
		return since
	}
	for _, known := range []time.Time{t.BeganAt(), time.UnixMilli(t.Fresh + 1)} {
		if known.After(since) {
			since = known
		}
	}
	return since
}
