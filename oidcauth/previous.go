package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// A previous login is what a new one takes the place of, or a logout ends.
type previous struct {
	user    *User
	same    bool  // it is of the same issuer and subject as the new one
	owner   *core // the one that made it: its provider, log and hooks are those of the session
	tokens  tokenSet
	idToken string
}

// previousLogin reads what the browser's session holds before a login replaces it.
func (a *core) previousLogin(s *session.Session, next *User) *previous {
	id, err := identityOf(s)
	if err != nil {
		return nil
	}
	p := &previous{user: id.user().clone(), owner: a.ownerOf(id), tokens: tokensIn(s, id)}
	p.same = next != nil && p.user.Issuer == next.Issuer && p.user.Subject == next.Subject
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
// sessions.
func (a *core) ownerOf(id *identity) *core {
	if id.record.Provider == a.key {
		return a
	}
	return siblingsOf(a.sessions).find(id.record.Provider).core // never nil: identityOf knows it
}

// tokensIn returns the tokens that s holds.
func tokensIn(s *session.Session, id *identity) tokenSet {
	var t tokenSet
	t.refresh, _ = s.Token(refreshTokenName)
	for _, g := range id.record.Access {
		if token, ok := s.Token(accessTokenName + g.Name); ok {
			t.access = append(t.access, token)
		}
	}
	t.key, _ = id.proof() // without a key that can be read, they are revoked as bearer tokens
	return t
}

// keepsFields reports whether what the application keeps in s goes over to the next login: when s
// was nobody's or the same user's, such as the cart of a visitor who signs in.
func keepsFields(s *session.Session, p *previous) bool {
	_, somebodys := s.Get(recordName)
	return !somebodys || p != nil && p.same
}

// dropLogin revokes the tokens of a login that came to nothing for err, since nobody will have
// them; l is nil where there are none. They are left alone while the same user's session goes on:
// at many providers one revocation ends all tokens of the user's, the session's too.
func (a *core) dropLogin(r *http.Request, l *login, err error) {
	if l == nil || a.goesOn(r, l, err) {
		return
	}
	a.revokeTokens(r.Context(), l.tokens())
}

// goesOn reports whether the browser has a session of l's user, which the failure of l leaves to
// it.
func (a *core) goesOn(r *http.Request, l *login, err error) bool {
	_, stale := errors.AsType[*session.FreshLoginError](err)
	if errors.Is(err, session.ErrNoSession) && !stale {
		return false // a logout of the provider's was faster, and ended all
	}
	s := a.sessions.From(r.Context())
	if inside.OfSession(s).Unproven() != "" {
		return true // whose it is, is nothing to tell
	}
	p := a.previousLogin(s, l.user)
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

const (
	// revokeTimeout bounds how long a logout waits for tokens to be revoked, and
	// refreshRevokeTimeout how much of it the refresh token may take.
	revokeTimeout        = 3 * time.Second
	refreshRevokeTimeout = 2 * time.Second
)

// A tokenSet is what a login brought that the provider can take back: key is what the tokens are
// bound to, nil for Bearer tokens.
type tokenSet struct {
	refresh string
	access  []string
	key     *jwt.ProofKey
}

// tokensOf returns those of t.
func tokensOf(t *oauth.TokenAnswer, key *jwt.ProofKey) tokenSet {
	return tokenSet{refresh: t.RefreshToken, access: []string{t.AccessToken}, key: key}
}

// revokeTokens tells the provider that tokens are of no more use (RFC 7009), so that nobody else
// finds one, each once, as far as they can be revoked within revokeTimeout. Failures are logged,
// and stop nothing. It does nothing where the provider has no endpoint for it, or not for us, or
// Config.KeepTokensAtLogout is set.
//
// The refresh token comes first: many providers take the access tokens of its grant with it, and
// some then call those unknown, which is no failure any more.
func (a *core) revokeTokens(ctx context.Context, t tokenSet) {
	if a.config.KeepTokensAtLogout {
		return
	}
	// The browser that signs out may be gone before the provider has answered.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	if !a.mayRevoke(ctx) {
		return
	}
	level := slog.LevelWarn
	if t.refresh != "" {
		first, cancel := context.WithTimeout(ctx, refreshRevokeTimeout)
		if a.revoke(first, t.key, t.refresh, "refresh_token", slog.LevelWarn) {
			level = slog.LevelDebug
		}
		cancel()
	}
	var all sync.WaitGroup
	for _, token := range t.access {
		if token != "" {
			all.Go(func() { a.revoke(ctx, t.key, token, "access_token", level) })
		}
	}
	all.Wait()
}

// mayRevoke reports whether the provider takes tokens back from clients that authenticate as we do.
func (a *core) mayRevoke(ctx context.Context) bool {
	m, err := a.provider.Metadata(ctx)
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "token not revoked", slog.String("issuer", a.config.Issuer), logtext.Reason(err))
		return false
	}
	method := a.config.ClientAuth.Method
	if m.RevocationEndpoint != "" && provider.LacksAuthMethod(m.RevocationAuthMethods, string(method)) {
		a.log.LogAttrs(ctx, slog.LevelInfo, "tokens left to expire", slog.String("issuer", a.config.Issuer),
			slog.String("method", string(method)), slog.Any("supported", m.RevocationAuthMethods))
		return false
	}
	return m.RevocationEndpoint != ""
}

// revoke takes back one token, logs a failure at level, and reports success.
func (a *core) revoke(ctx context.Context, key *jwt.ProofKey, token, kind string, level slog.Level) bool {
	err := a.endpoint.Bind(key).Revoke(ctx, token, kind)
	if err != nil {
		a.log.LogAttrs(ctx, level, "token not revoked", slog.String("issuer", a.config.Issuer), slog.String("kind", kind), logtext.Reason(err))
	}
	return err == nil
}
