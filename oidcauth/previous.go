package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/session"
)

// A previous login is what a new one takes the place of, or a logout ends.
type previous struct {
	user    *User
	same    bool  // it is of the same issuer and subject as the new one
	owner   *core // the one that made it: its provider, log and hooks are those of the session
	tokens  oauth.TokenSet
	idToken string
}

// previousLogin reads what the browser's session holds before a login replaces it.
func (a *core) previousLogin(s *session.Session, next *User) *previous {
	id, err := identityOf(s)
	if err != nil {
		return nil
	}
	owner := a.ownerOf(id)
	if owner == nil {
		return nil
	}
	p := &previous{user: id.user().clone(), owner: owner, tokens: tokensIn(s, id)}
	p.same = next != nil && p.user.Tag() == next.Tag()
	p.idToken, _ = s.Token(idTokenName)
	return p
}

// newestPrevious is previousLogin of what s holds by now: a refresh may have ended since the
// request looked, and the newest tokens are those to revoke. Of a session that has ended meanwhile,
// as by "sign me out everywhere", p is the latest that is known.
func (a *core) newestPrevious(ctx context.Context, s *session.Session, next *User, p *previous) *previous {
	if s.Sync(context.WithoutCancel(ctx)) != nil {
		return p
	}
	return a.previousLogin(s, next)
}

// ownerOf is that of the Authenticator that made id's login: a itself, or one that shares its
// sessions. It is nil if that was removed just now: the session has no provider.
func (a *core) ownerOf(id *identity) *core {
	if id.login.Provider == a.key {
		return a
	}
	if other := siblingsOf(a.sessions).find(id.login.Provider); other != nil {
		return other.core
	}
	return nil
}

// tokensIn returns the tokens that s holds.
func tokensIn(s *session.Session, id *identity) oauth.TokenSet {
	var t oauth.TokenSet
	t.Refresh, _ = s.Token(refreshTokenName)
	for _, g := range id.record().Access {
		if token, ok := s.Token(accessTokenName + g.Name); ok {
			t.Access = append(t.Access, token)
		}
	}
	t.Key, _ = id.proof() // without a key that can be read, they are revoked as bearer tokens
	return t
}

// keepsFields reports whether what the application keeps in s goes over to the next login: when s
// was nobody's or the same user's, such as the cart of a visitor who signs in.
func keepsFields(s *session.Session, p *previous) bool {
	facts := inside.OfSession(s).Facts()
	return facts == nil || facts.Login == nil || p != nil && p.same
}

// dropLogin revokes the tokens of a login that came to nothing, since nobody will have them. They
// are left alone while the same user's session goes on: at many providers one revocation ends all
// tokens of the user's, the session's too.
func (a *core) dropLogin(r *http.Request, lost *lostLogin) {
	if !a.goesOn(r, lost) {
		a.revokeTokens(r.Context(), lost.login.answer.Set(lost.login.key))
	}
}

// goesOn reports whether the browser has a session of the user whose login was lost, which that
// leaves to it.
func (a *core) goesOn(r *http.Request, lost *lostLogin) bool {
	_, stale := errors.AsType[*session.FreshLoginError](lost.err)
	if errors.Is(lost.err, session.ErrNoSession) && !stale {
		return false // a logout of the provider's was faster, and ended all
	}
	s := a.sessions.From(r.Context())
	if inside.OfSession(s).Unproven() != "" {
		return true // whose it is, is nothing to tell
	}
	p := a.previousLogin(s, lost.login.user)
	return p != nil && p.same
}

// endPrevious tells hook and log of the session that a login replaced, and revokes its tokens when
// they are somebody else's.
func (a *core) endPrevious(ctx context.Context, p *previous) {
	if p == nil || p.same {
		return
	}
	p.owner.ended(ctx, p.user, LogoutReplaced)
	p.owner.revokeTokens(ctx, p.tokens)
}

// ended tells log and hook that a session ended.
func (a *core) ended(ctx context.Context, u *User, reason LogoutReason) {
	var subject, sid string
	if u != nil {
		subject, sid = u.Subject, u.SessionID
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "logout", slog.String("issuer", a.config.Issuer), slog.String("client_id", a.config.ClientID), slog.String("reason", string(reason)),
		logtext.Fingerprint("sub", subject), logtext.Fingerprint("sid", sid))
	if a.config.Hooks.Logout != nil {
		a.config.Hooks.Logout(ctx, u, reason)
	}
}

// destroy ends s. The browser's cookie goes even when the store can't be told.
func (a *core) destroy(ctx context.Context, s *session.Session) {
	if err := s.Destroy(ctx); err != nil && !errors.Is(err, session.ErrNoSession) {
		a.log.LogAttrs(ctx, slog.LevelError, "store unavailable", slog.String("during", "logout"), logtext.Reason(err))
	}
}

// revokeTokens tells the provider that tokens are of no more use, unless the configuration keeps
// them.
func (a *core) revokeTokens(ctx context.Context, tokens oauth.TokenSet) {
	if !a.config.KeepTokensAtLogout && a.serves() {
		a.endpoint.RevokeAll(ctx, tokens)
	}
}

// persistenceOf is that of the session to come: what the login was asked for, else that of s, where
// the same user signs in once more.
func persistenceOf(t *browser.Transaction, s *session.Session, p *previous) session.Persistence {
	if t.Persistence == 0 && p != nil && p.same {
		if facts := inside.OfSession(s).Facts(); facts != nil {
			return session.Persistence(facts.Persistent)
		}
	}
	return session.Persistence(t.Persistence)
}
