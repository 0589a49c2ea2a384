package oidcauth

import (
	"slices"
	"time"

	"github.com/signet-go/signet/session"
)

// keep writes the outcome into the newest generation of the session.
func (r *attempt) keep(s *session.Session) error {
	rec := r.record
	if r.idToken != nil {
		if err := r.keepIDToken(s, &rec); err != nil {
			return err
		}
	}
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

// keepIDToken makes the refreshed ID token the one for claims and logout. auth_time and iat stay the login's: a refresh freshens
// nothing.
func (r *attempt) keepIDToken(s *session.Session, rec *record) error {
	if rec.Nonce = ""; r.idToken.Nonce == "" {
		rec.Nonce = r.nonce
	}
	if !rec.Hooked {
		claims, err := mergeClaims(r.idToken.Claims, r.extra)
		if err != nil {
			claims = r.idToken.Claims
		}
		rec.Roles = rolesOf(claims, r.auth.config.RolesClaim)
	}
	if !r.idToken.SessionExpiry.IsZero() {
		s.Limit(r.idToken.SessionExpiry)
	}
	return s.SetToken(idTokenName, r.idToken.Raw)
}

// keepAccessToken puts the new access token in its place, and drops those that are over. A session that is too large for its
// cookie keeps fewer of them: they can be had again, while the refresh token can't.
func (r *attempt) keepAccessToken(s *session.Session, rec *record) error {
	now := time.Now().UnixMilli()
	kept := slices.DeleteFunc(slices.Clone(rec.Access), func(g grant) bool {
		over := g.Name != "" && g.Expiry <= now
		return g.Name == r.name || over || r.slim >= keepNewest
	})
	if len(kept) >= maxGrants {
		kept = kept[len(kept)-maxGrants+1:]
	}
	value := r.token.value
	if r.slim >= keepNone {
		value = ""
	} else {
		kept = append(kept, r.grant)
	}
	for _, g := range rec.Access {
		if !slices.ContainsFunc(kept, func(k grant) bool { return k.Name == g.Name }) {
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
	keepAll    = iota
	keepNewest // of the access tokens only the one that was just got
	keepNone   // no access token
)
