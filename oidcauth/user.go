package oidcauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/session"
)

// A User is the signed-in user: plain data, copied for each call of UserFrom.
type User struct {
	// Issuer and Subject together identify the user permanently (Core §5.7); no other claim does.
	Issuer, Subject string

	// Provider is the provider's name among [Providers]; empty for a standalone Authenticator. If
	// several names share an issuer, the same Issuer and Subject may occur under each: those are
	// different users.
	Provider string

	// SessionID is the provider's sid, if it gives one (Back-Channel Logout §2.1).
	SessionID string

	// Name is the name claim, else preferred_username. Email is the email claim; trust it only with
	// EmailVerified, which is the email_verified claim: true, or the string "true" if the provider
	// itself writes that in the ID token or at userinfo.
	Name, Email   string
	EmailVerified bool

	// Roles are the values of the claim that Config.RolesClaim names; nil if there are none.
	Roles []string

	// ACR and AMR say how the user was authenticated (Core §2).
	ACR string
	AMR []string

	// AuthTime is when the user was authenticated, by the provider's clock; zero if it didn't say.
	// LoginTime is when the login finished here.
	AuthTime, LoginTime time.Time

	// Claims are the claims of the ID token, of userinfo and of Advanced.ClaimsProviders, as one
	// JSON object, with what Hooks.Login made of them.
	Claims json.RawMessage

	maxAge *time.Duration // what the login was verified for
	caller *Caller        // whose claims these are, where they are an access token's
}

// Tag identifies the user to session.Manager.Revoke, which ends all of their sessions ("sign out
// everywhere"). It is empty for nil.
func (u *User) Tag() string {
	if u == nil {
		return ""
	}
	return userTag(u.Provider, u.Issuer, u.Subject)
}

// HasRole reports whether u has exactly this role. A nil User has none.
func (u *User) HasRole(role string) bool { return u != nil && slices.Contains(u.Roles, role) }

type userKey struct{}

// WithUser returns a context in which UserFrom returns a copy of u and guards admit u, for testing
// handlers without a provider. A loaded session takes precedence. It has no tokens: asking for one
// returns ErrLoginRequired. A nil u means that no user is signed in.
func WithUser(ctx context.Context, u *User) context.Context {
	return context.WithValue(ctx, userKey{}, u.clone())
}

// withUser is the user whom WithUser has put into a context.
type withUser User

func (u *withUser) copied() *User { return (*User)(u).clone() }

// UserFrom returns the signed-in user that [Authenticator.Load], [Authenticator.RequireLogin],
// [Authenticator.Require] or [WithUser] put into ctx, or nil. It is also nil while the session's
// Store is unavailable: [session.Session.Load] distinguishes the two. If Authenticators with
// different session managers are nested, it is the innermost user. Each call returns a copy.
func UserFrom(ctx context.Context) *User {
	for s := session.From(ctx); s != nil; s = s.Outer() {
		if siblingsOf(s.Manager()).none() {
			continue // the application's own sessions, which know no users
		}
		id, err := identityOf(s)
		if err == nil {
			return id.copied()
		}
		if !errors.Is(err, session.ErrNoSession) {
			break // nobody knows whose it is
		}
	}
	u, _ := ctx.Value(userKey{}).(*User)
	return u.clone()
}

// clone returns a deep copy.
func (u *User) clone() *User {
	if u == nil {
		return nil
	}
	c := *u
	c.Claims = slices.Clone(u.Claims)
	texts := slices.Concat(u.Roles, u.AMR) // one allocation: each handler has a copy
	if u.Roles != nil {
		c.Roles = texts[:len(u.Roles):len(u.Roles)]
	}
	if u.AMR != nil {
		c.AMR = texts[len(u.Roles):]
	}
	return &c
}

// userOf builds the user of a session from what the ID token and extra tell.
func userOf(rec *record, told json.RawMessage, extra []byte) *User {
	if merged, err := claims.Merge(told, extra); err == nil {
		told = merged
	}
	if rec.Context != nil {
		told = rec.Context.in(told)
	}
	u := userFromClaims(told)
	if rec.Changes != nil {
		u.overlay(userFromClaims(rec.Changes.In(told)))
	}
	u.Provider = nameIn(rec.Provider)
	u.Roles, u.LoginTime = slices.Clone(rec.Roles), time.UnixMilli(rec.Time)
	u.AuthTime = fromSeconds(rec.AuthTime)
	if rec.Name != nil {
		u.Name = *rec.Name
	}
	if rec.Email != nil {
		u.Email, u.EmailVerified = *rec.Email, rec.Verified
	}
	if rec.MaxAge != nil {
		age := time.Duration(*rec.MaxAge) * time.Second
		u.maxAge = &age
	}
	return u
}

// overlay takes from told what Hooks.Login may change. Who the user is, and how they were
// authenticated, only the provider says.
func (u *User) overlay(told *User) {
	u.Claims, u.Name, u.Email, u.EmailVerified = told.Claims, told.Name, told.Email, told.EmailVerified
}

// userFromClaims reads the claims that User has fields for. Claims of an unexpected type are as
// absent.
func userFromClaims(raw json.RawMessage) *User {
	told := claims.Pick(raw, "iss", "sub", "sid", "name", "preferred_username", "email", "email_verified", "acr", "amr")
	u := &User{
		Claims: raw, Issuer: claims.Text(told[0]), Subject: claims.Text(told[1]), SessionID: claims.Text(told[2]),
		Name: cmp.Or(claims.Text(told[3]), claims.Text(told[4])), Email: claims.Text(told[5]),
		EmailVerified: claims.Verified(told[6]), ACR: claims.Text(told[7]),
	}
	amr := told[8]
	if method := claims.Text(amr); method != "" {
		u.AMR = []string{method} // some providers send one string
	} else {
		u.AMR = claims.Texts(amr)
	}
	return u
}

// Tags under which sessions are revoked. Each names the issuer, since subjects and sids are unique
// only there, and the provider's name where it has one, so that one tenant's logouts reach its own
// sessions alone, whoever else has a client at its issuer.
func userTag(name, issuer, subject string) string    { return joinTag("user", name, issuer, subject) }
func subjectTag(name, issuer, subject string) string { return joinTag("sub", name, issuer, subject) }
func sidTag(name, issuer, sid string) string         { return joinTag("sid", name, issuer, sid) }
func withoutSIDTag(name, issuer, subject string) string {
	return joinTag("nosid", name, issuer, subject)
}

// providerTag is that of all sessions of one provider of a registry, whose key has issuer and client
// in it.
func providerTag(name, key string) string { return joinTag("provider", name, key) }

// joinTag puts the provider's name, which has neither "@" nor controls in it, into the kind: what
// follows may hold anything.
func joinTag(kind, name string, parts ...string) string {
	if name != "" {
		kind += "@" + name
	}
	return kind + "\x1f" + strings.Join(parts, "\x1f")
}

// writeJSON answers a script.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone, and nothing is left to do then
}

// IDToken returns the ID token of the user who is signed in in ctx, as the provider signed it,
// decrypted if it was encrypted: for APIs that take it as an assertion, say. It was verified when
// it was issued, may have expired since, and contains personal data; it proves nothing beyond who
// this session's user is. Errors: ErrLoginRequired if this Authenticator has signed no user in, or
// the user comes from WithUser; session.ErrUnavailable.
func (a *Authenticator) IDToken(ctx context.Context) (string, error) {
	s := a.sessions.From(ctx)
	id, err := identityOf(s)
	switch {
	case errors.Is(err, session.ErrNoSession):
		return "", ErrLoginRequired
	case err != nil:
		return "", err
	case id.login.Provider != a.key:
		return "", fmt.Errorf("%w: the session belongs to another provider", ErrLoginRequired)
	}
	raw, ok := s.Token(idTokenName)
	if !ok {
		return "", ErrLoginRequired
	}
	return raw, nil
}
