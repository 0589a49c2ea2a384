package view

import (
	"time"

	"github.com/signet-go/signet/oidcauth"
)

// A Me is the answer of /api/me; absent values are null.
//
// It holds what other parts of a system may want to know about the session, and no token: whoever
// can read the answer, a script that was injected into a page included, must not be able to act
// elsewhere as the user.
type Me struct {
	// Both together name the user (OpenID Connect Core §5.7).
	Subject string  `json:"sub"`
	Issuer  string  `json:"iss"`
	Name    *string `json:"name"`
	Email   *string `json:"email"`
	// Always a list: a program that reads it needs no case for "none".
	Roles []string `json:"roles"`
	// The provider's name for its session, which its logout tokens bear. It is not this session's
	// identifier.
	SID      *string    `json:"sid"`
	ACR      *string    `json:"acr"`
	AuthTime *time.Time `json:"auth_time"`
	// Of the access token at hand. Asking for a token would refresh it, and a page that polls would
	// then keep refreshing for nobody.
	TokenExpires *time.Time `json:"access_token_expires_at"`
	// If nobody does anything any more: the nearer of idle and absolute limit.
	SessionExpires *time.Time `json:"session_expires_at"`
}

// NewMe returns what is known of u and their session. A zero time is absent.
func NewMe(u *oidcauth.User, tokenExpires, sessionExpires time.Time) Me {
	m := Me{
		Subject: u.Subject, Issuer: u.Issuer, Name: orNull(u.Name), Email: orNull(u.Email), Roles: u.Roles,
		SID: orNull(u.SessionID), ACR: orNull(u.ACR), AuthTime: UTCOrNull(u.AuthTime),
		TokenExpires: UTCOrNull(tokenExpires), SessionExpires: UTCOrNull(sessionExpires),
	}
	if m.Roles == nil {
		m.Roles = []string{}
	}
	return m
}

// orNull tells an absent claim from an empty text, as JSON can and Go's zero value can't.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// UTCOrNull makes the time that encoding/json writes as RFC 3339 in UTC. Milliseconds are what
// sessions are kept in; more digits would only look precise.
func UTCOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
