package oidcauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// A signedIn is who is signed in in the browser that begins a login; nil for nobody.
type signedIn struct {
	user    *User
	mine    bool // this Authenticator made the login
	scopes  []string
	idToken string
}

// signedIn reads who is signed in in s.
func (a *starter) signedIn(s *session.Session) *signedIn {
	id, err := identityOf(s)
	if err != nil {
		return nil
	}
	here := &signedIn{user: id.user(), mine: id.record.Provider == a.key, scopes: id.record.Scopes}
	here.idToken, _ = s.Token(idTokenName)
	return here
}

// mark is the user's mark, "" for nobody.
func (s *signedIn) mark() string {
	if s == nil {
		return ""
	}
	return userMark(s.user)
}

// userMark tells users apart in a few characters.
func userMark(u *User) string {
	sum := sha256.Sum256([]byte(u.Tag()))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// isOther reports whether somebody else has come back from t than the user who was to authenticate
// once more.
func isOther(t *browser.Transaction, u *User) bool { return t.Again() && t.User != userMark(u) }

// addHint tells the provider who is to authenticate once more (Core §3.1.2.1): by the ID token,
// where the request is pushed, since its claims belong neither into URLs nor logs, and else by the
// claim that the application names. A hint that is there already is the application's word.
func (a *starter) addHint(meta *provider.Metadata, t *browser.Transaction, here *signedIn, params url.Values) {
	if !t.Again() || here == nil || !here.mine || params.Has("login_hint") {
		return
	}
	if a.canPush(meta) && a.verifier.KnownStill(here.idToken) {
		params.Set("id_token_hint", here.idToken)
		return
	}
	if a.config.LoginHintClaim == "" {
		return
	}
	var hint string
	if raw, ok := claims.At(here.user.Claims, a.config.LoginHintClaim); ok && json.Unmarshal(raw, &hint) == nil && hint != "" {
		params.Set("login_hint", hint)
	}
}

// loginScopes returns the scopes that a login asks for, nil for those of the configuration. A
// step-up asks for what the session's login had asked for, lest it lose what the user has granted.
func (a *starter) loginScopes(t *browser.Transaction, o LoginOptions, here *signedIn) []string {
	scopes := a.config.Scopes
	switch {
	case o.Scopes != nil:
		scopes = withOpenID(o.Scopes)
	case t.Demand != "" && here != nil && here.mine:
		scopes = a.asked(here.scopes)
	}
	scopes = union(scopes, o.moreScopes)
	if slices.Equal(scopes, a.config.Scopes) {
		return nil
	}
	return scopes
}

// asked returns the scopes that a login asked for which keeps them as scopes.
func (a *core) asked(scopes []string) []string {
	if scopes == nil {
		return a.config.Scopes
	}
	return scopes
}
