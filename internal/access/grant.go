package access

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/oauth"
)

// A Grant describes one access token at rest, apart from its value.
type Grant struct {
	Name    string `json:"n,omitempty"` // of resource and scope; empty is the login's own
	Type    string `json:"t,omitempty"` // empty is Bearer
	Expiry  int64  `json:"x"`           // Unix milliseconds
	Created int64  `json:"c"`           // Unix milliseconds
	Scope   string `json:"s,omitempty"` // as granted, where the provider said so

	// Details are the authorization_details as granted (RFC 9396 §7), nil where the provider did
	// not say.
	Details json.RawMessage `json:"d,omitempty"`
}

// GrantOf describes the access token of answer, which came now. It has life where the answer does
// not say when it expires.
func GrantOf(name string, answer *oauth.TokenAnswer, life time.Duration, now time.Time) Grant {
	expiry := answer.Expiry
	if expiry.IsZero() {
		expiry = now.Add(life)
	}
	g := Grant{Name: name, Expiry: expiry.UnixMilli(), Created: now.UnixMilli(), Scope: answer.Scope, Details: answer.Details}
	if answer.TokenType != "Bearer" {
		g.Type = answer.TokenType
	}
	return g
}

// Inherit fills in what the answer to a refresh left out: the scopes that were asked for, else all
// that was granted before (RFC 6749 §6); before is nil where nothing was.
func (g *Grant) Inherit(before *Grant, scopes []string) {
	if g.Scope == "" && len(scopes) > 0 {
		g.Scope = strings.Join(scopes, " ")
	}
	if before == nil {
		return
	}
	if g.Scope == "" {
		g.Scope = before.Scope
	}
	if g.Details == nil {
		g.Details = before.Details
	}
}

// Token is the access token that g describes.
func (g *Grant) Token(value string) *Token {
	t := &Token{
		Value: value, Kind: g.Type, Created: time.UnixMilli(g.Created), Expiry: time.UnixMilli(g.Expiry),
		Scope: g.Scope, Details: g.Details,
	}
	if t.Kind == "" {
		t.Kind = "Bearer"
	}
	return t
}

// maxGrants bounds the access tokens that a session holds besides the newest.
const maxGrants = 7

// Grants describe the access tokens of one session, in the order in which they came.
type Grants []Grant

// Of returns the grant called name, nil when there is none.
func (l Grants) Of(name string) *Grant {
	i := slices.IndexFunc(l, func(g Grant) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return &l[i]
}

// Beside returns those that remain along with a newer token called name: what is over goes, and of
// too many the oldest.
func (l Grants) Beside(name string, now time.Time) Grants {
	kept := slices.DeleteFunc(slices.Clone(l), func(g Grant) bool {
		return g.Name == name || g.Name != "" && g.Expiry <= now.UnixMilli()
	})
	return kept[max(0, len(kept)-maxGrants):]
}
