package oidcauth

import (
	"encoding/json"
	"sync"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/session"
)

// An identity is who is signed in in one generation of a session, for all requests that carry it. It
// is immutable: what a request asks for is decoded then, once. A guard without a requirement asks
// for the login alone, which unpacks nothing.
type identity struct {
	login *packed.Login
	kept  inside.View

	// What follows has a method each.
	once     struct{ record, user, proof sync.Once }
	rec      record
	broken   bool
	whole    *User
	key      *jwt.ProofKey
	keyError error
}

// identityOf returns who is signed in in s, or nil. Any trouble with the store is in the error.
func identityOf(s *session.Session) (*identity, error) {
	if s == nil {
		return nil, session.ErrNoSession
	}
	if err := s.Load(); err != nil {
		return nil, err
	}
	id, _ := inside.OfSession(s).Memo(newIdentity).(*identity)
	if id == nil || !siblingsOf(s.Manager()).knows(id.login) {
		return nil, session.ErrNoSession
	}
	return id, nil
}

// newIdentity reads s. Sessions that no login made have none, and neither have those of whose
// user not all can be told.
func newIdentity(s inside.View) any {
	facts := s.Facts()
	if facts == nil || facts.Login == nil {
		return (*identity)(nil)
	}
	id := &identity{login: facts.Login, kept: s}
	if id.login.Amended {
		if id.record(); id.broken {
			return (*identity)(nil)
		}
	}
	return id
}

// record is what the login left in the session in addition to its tokens. Where it can't be read,
// no access token is known, and the refresh token gets the next one.
func (id *identity) record() *record {
	id.once.record.Do(func() {
		raw, _ := id.kept.Get(recordName)
		if id.broken = json.Unmarshal(raw, &id.rec) != nil; id.broken {
			id.rec = record{}
		}
		id.rec.Login = *id.login
	})
	return &id.rec
}

// user is who is signed in. No token but the ID token is unpacked for it.
func (id *identity) user() *User {
	id.once.user.Do(func() {
		rec := &record{Login: *id.login}
		if id.login.Amended {
			rec = id.record() // nothing else is in it that the user is made of
		}
		extra, _ := id.kept.Get(extraName)
		id.whole = userOf(rec, keptClaims(id.kept), extra)
	})
	return id.whole
}

// copied is a copy of user, for the application.
func (id *identity) copied() *User { return id.user().clone() }

// proof is the DPoP key of the tokens; nil for Bearer tokens.
func (id *identity) proof() (*jwt.ProofKey, error) {
	id.once.proof.Do(func() {
		raw, _ := id.kept.Get(proofKeyName)
		id.key, id.keyError = jwt.StoredProofKey(raw)
	})
	return id.key, id.keyError
}

// keptClaims returns the claims of the ID token in s, for which no other token is unpacked.
func keptClaims(s inside.View) json.RawMessage {
	if raw, ok := s.Claims(idTokenName); ok {
		return raw
	}
	idToken, _ := s.Token(idTokenName)
	return claimsOf(idToken)
}
