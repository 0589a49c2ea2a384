package oidcauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/session"
)

// Names of what a login keeps in the session.
const (
	recordName       = "oidc"
	extraName        = "oidc.info" // claims that are not in the ID token
	idTokenName      = "id"
	refreshTokenName = "refresh"
	accessTokenName  = "access" // followed by the grant's name for tokens of a resource or scope
)

// A record is what a login leaves in the session in addition to its tokens: what a guard needs
// without unpacking them, and what is not in them.
type record struct {
	// Login is what guards ask for: kept where it costs nothing to read.
	packed.Login `json:"-"`

	Hooked   bool            `json:"h,omitempty"` // Hooks.Login chose the roles: a refresh leaves them alone
	Vetted   bool            `json:"w,omitempty"` // Hooks.Login left the roles as they were: a refresh may take some away
	Name     *string         `json:"n,omitempty"` // where Hooks.Login changed it
	Email    *string         `json:"e,omitempty"` // where Hooks.Login changed it
	Verified bool            `json:"v,omitempty"` // with Email: Hooks.Login says that it is verified
	Changes  *claims.Changes `json:"c,omitempty"` // what Hooks.Login made of the claims
	Issued   int64           `json:"i"`           // iat of the login's ID token, seconds of the provider's clock
	Context  *authContext    `json:"k,omitempty"` // acr and amr of the login, once the ID token kept has others; a refresh raises neither
	SIDs     int             `json:"s,omitempty"` // how often a refresh brought another sid
	Nonce    string          `json:"o,omitempty"` // the login's nonce, when the ID token kept has none
	Scopes   []string        `json:"q,omitempty"` // what the login asked for, where that was not Config.Scopes
	Resource []string        `json:"u,omitempty"` // what the login's own access token is for (RFC 8707)
	Access   access.Grants   `json:"a,omitempty"` // one for each access token

	// Confirmed is when the latest refresh succeeded, Unix milliseconds, where none of Access
	// tells.
	Confirmed int64 `json:"f,omitempty"`
}

// An authContext is how the user was authenticated at the login (Core §2).
type authContext struct {
	ACR string   `json:"a,omitempty"`
	AMR []string `json:"m,omitempty"`
}

// in returns claims with acr and amr of the login, none where that is not possible.
func (c *authContext) in(raw json.RawMessage) json.RawMessage {
	members, err := claims.ParseOptional(raw)
	if err != nil {
		return nil
	}
	delete(members.Values, "acr")
	delete(members.Values, "amr")
	if c.ACR != "" {
		members.Values["acr"], _ = json.Marshal(c.ACR)
	}
	if len(c.AMR) > 0 {
		members.Values["amr"], _ = json.Marshal(c.AMR)
	}
	restored, _ := json.Marshal(members.Values) // of values that were just parsed
	return restored
}

// saveRecord keeps rec in s.
func saveRecord(s *session.Session, rec *record) error {
	rec.Amended = rec.Name != nil || rec.Email != nil || rec.Changes != nil || rec.Context != nil
	raw, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	login := rec.Login
	return errors.Join(s.Set(recordName, raw), inside.OfSession(s).Amend(func(f *packed.Facts) { f.Login = &login }))
}

// claimsOf returns the claims of a token that was verified before it was kept.
func claimsOf(token string) json.RawMessage {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || !json.Valid(raw) {
		return nil
	}
	return raw
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

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

// grantIn is the grant called name in rec, nil when there is none. The login's own has the scope
// that was asked for where the provider said nothing else (RFC 6749 §5.1).
func (a *core) grantIn(rec *record, name string) *access.Grant {
	found := rec.Access.Of(name)
	if found == nil || found.Scope != "" || name != "" {
		return found
	}
	g := *found
	g.Scope = strings.Join(a.asked(rec.Scopes), " ")
	return &g
}

// asked returns the scopes that a login asked for which keeps them as scopes.
func (a *core) asked(scopes []string) []string {
	if scopes == nil {
		return a.config.Scopes
	}
	return scopes
}

// nonceOf returns the nonce of an ID token that was verified before it was kept.
func nonceOf(idToken string) string {
	var claims struct {
		Nonce string `json:"nonce"`
	}
	_ = json.Unmarshal(claimsOf(idToken), &claims) // verified tokens hold an object
	return claims.Nonce
}
