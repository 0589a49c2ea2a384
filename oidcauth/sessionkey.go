package oidcauth

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/session"
)

// proofKeyName is under which a session keeps the DPoP key that its tokens are bound to: 32 opaque
// bytes, sealed with the rest, so that whichever process has the session can prove its tokens.
const proofKeyName = "oidc.dpop"

var errNoProofKey = errors.New("there is no DPoP key")

// newLoginKey makes the key that all tokens of the login will be bound to, and notes it in t. It
// returns the thumbprint for dpop_jkt (RFC 9449 §10).
func newLoginKey(t *browser.Transaction) (thumbprint string, err error) {
	key, err := jwt.NewProofKey()
	if err != nil {
		return "", err
	}
	if t.DPoPKey, err = key.Bytes(); err != nil {
		return "", err
	}
	return key.Thumbprint()
}

// loginKey returns the key of the login in t, nil when tokens are not to be bound. A login that was
// begun without a key, by a process that is configured otherwise, has to be begun again: its code
// is worth a Bearer token to anybody. The error is a *Problem.
func (a *core) loginKey(t *browser.Transaction) (*jwt.ProofKey, error) {
	key, err := jwt.StoredProofKey(t.DPoPKey)
	if err == nil && key == nil && a.config.Advanced.DPoP {
		err = errNoProofKey
	}
	if err != nil {
		return nil, &Problem{Status: http.StatusBadRequest, Code: "no_transaction", Err: fmt.Errorf("%w: %w", ErrState, err)}
	}
	return key, nil
}

// keepLoginKey puts the key of the login into its session.
func keepLoginKey(s *session.Session, t *browser.Transaction) error {
	if t.DPoPKey == nil {
		return nil
	}
	return s.Set(proofKeyName, t.DPoPKey)
}

// sessionKey returns the key that the tokens of id's session are bound to, nil for Bearer tokens.
// Where Advanced.DPoP demands one and there is none, or it is broken, only a new login helps, which
// the error says: no token goes out unproven.
func (a *core) sessionKey(id *identity) (*jwt.ProofKey, error) {
	key, err := id.proof()
	if err == nil && key == nil && a.config.Advanced.DPoP {
		err = errNoProofKey
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLoginRequired, err)
	}
	return key, nil
}
