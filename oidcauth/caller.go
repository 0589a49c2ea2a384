package oidcauth

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/claims"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/internal/strictjson"
)

// A Caller calls an API with an access token. It is plain data, copied for each call of
// [CallerFrom]. Subject is the user and ClientID the application that calls on their behalf;
// [Caller.IsClient] reports whether a client calls for itself. A Caller is not a [User]: what the
// user may do is one question, how much of that this token conveys is another, which its Scopes
// answer.
type Caller struct {
	// Issuer is the authorization server. Subject is the token's sub, which has meaning only
	// together with Issuer, and ClientID its client_id or azp; each is "" if the token doesn't say.
	Issuer, Subject, ClientID string

	// Actor is the sub of act (RFC 8693 §4.1): who acts for Subject, if the token was exchanged in
	// a way that shows both. Empty means that the token names no actor.
	Actor string

	// Scopes are what was granted, Audience is whom the token is for, and Roles are the values of
	// the claim that ResourceConfig.RolesClaim names. Nil means none.
	Scopes, Audience, Roles []string

	// ACR and AMR say how the user was authenticated, and AuthTime when (RFC 9068 §2.2.1); zero if
	// the token doesn't say.
	ACR      string
	AMR      []string
	AuthTime time.Time

	// Expiry is when the token expires; zero if it was introspected and its issuer did not say.
	Expiry time.Time

	// SenderConstrained reports that the token is bound to the caller's key or certificate, whose
	// possession this request has proved (RFC 9449, RFC 8705).
	SenderConstrained bool

	// Claims are all claims of the token, or of its issuer's introspection response, as one JSON
	// object.
	Claims json.RawMessage
}

// IsClient reports whether a client calls for itself, with no user behind it: the token has no sub,
// a sub that equals its client's id (RFC 9068 §2.2), or idtyp app, as Entra ID writes it. Keycloak
// gives service accounts a sub like a user's: recognize them by their ClientID. A nil Caller is not
// a client.
func (c *Caller) IsClient() bool {
	if c == nil {
		return false
	}
	if c.Subject == "" || c.Subject == c.ClientID {
		return true
	}
	kind, _ := claims.At(c.Claims, "idtyp")
	return string(kind) == `"app"`
}

// HasScope reports whether exactly this scope was granted. A nil Caller has none.
func (c *Caller) HasScope(scope string) bool { return c != nil && slices.Contains(c.Scopes, scope) }

// CallerFrom returns the caller whose access token a [ResourceServer]'s guard has accepted for the
// request of ctx, or nil if it wasn't judged by a token: then [UserFrom] says who is signed in. If
// there is a Caller, UserFrom returns nil. Each call returns a copy.
func CallerFrom(ctx context.Context) *Caller {
	if j := judgedBy(ctx); j != nil {
		return j.caller.clone()
	}
	return nil
}

// clone returns a deep copy.
func (c *Caller) clone() *Caller {
	d := *c
	d.Scopes, d.Audience, d.Roles, d.AMR = slices.Clone(c.Scopes), slices.Clone(c.Audience), slices.Clone(c.Roles), slices.Clone(c.AMR)
	d.Claims = slices.Clone(c.Claims)
	return &d
}

// callerOf is who t speaks for.
func callerOf(t *provider.AccessToken, rolesClaim string) *Caller {
	c := &Caller{
		Issuer: t.Issuer, Subject: t.Subject, ClientID: t.ClientID, Actor: t.Actor, Scopes: strings.Fields(t.Scope), Audience: t.Audience,
		Roles: claims.RolesIn(t.Object, t.Claims, rolesClaim), ACR: t.ACR, AMR: t.AMR, AuthTime: t.AuthTime, Expiry: t.Expiry,
		SenderConstrained: t.Thumbprint != "" || t.Certificate != "", Claims: t.Claims,
	}
	if len(c.Scopes) == 0 {
		c.Scopes = nil
	}
	return c
}

// user is c as requirements see it; o are its claims.
func (c *Caller) user(o strictjson.Object) *User {
	u := &User{Issuer: c.Issuer, Subject: c.Subject, Roles: c.Roles, ACR: c.ACR, AMR: c.AMR, AuthTime: c.AuthTime, Claims: c.Claims, caller: c}
	text := func(name string) string {
		s, _ := o.Text(name) // what has an odd type is as absent, as in a User of a session
		return s
	}
	u.SessionID, u.Name, u.Email = text("sid"), cmp.Or(text("name"), text("preferred_username")), text("email")
	u.EmailVerified = claims.Verified(o.Values["email_verified"])
	return u
}

// A judged request is one whose access token has passed. It prints as nothing, since it holds the
// token.
type judged struct {
	caller *Caller

	// token is what the caller has sent, by who has judged it.
	token string
	by    *ResourceServer
}

// String and GoString keep the token out of logs and debug dumps.
func (j *judged) String() string { return "judged request (redacted)" }

// GoString is String.
func (j *judged) GoString() string { return j.String() }

type judgedKey struct{}

// judgedBy returns what the request of ctx was judged by, nil where it was no access token.
func judgedBy(ctx context.Context) *judged {
	j, _ := ctx.Value(judgedKey{}).(*judged)
	return j
}

// as returns r as its handlers see it: of the caller, and of no session.
func (j *judged) as(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(WithUser(inside.Without(r.Context()), nil), judgedKey{}, j))
}

// besideTokens is h, whose requests pass through wrap unless they were judged by an access token
// before: then nothing may look at their cookies.
func besideTokens(wrap func(http.Handler) http.Handler, h http.Handler) http.Handler {
	wrapped := wrap(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if judgedBy(r.Context()) != nil {
			h.ServeHTTP(w, r)
			return
		}
		wrapped.ServeHTTP(w, r)
	})
}

// clientsHere are the ClientIDs of all Authenticators of this process. ID tokens are made out to
// them, and so is nothing else that a ResourceServer takes without a type that tells it apart.
var clientsHere clientNames

// clientNames are names that are added. They are safe for concurrent use.
type clientNames struct{ names sync.Map }

func (c *clientNames) add(name string) { c.names.Store(name, true) }

// clientAt names a client of Providers, which anybody may have registered under any name: it means
// something at its issuer alone.
func clientAt(issuer, clientID string) string { return issuer + "\x00" + clientID }

// isClient reports whether an Authenticator of this process is a client of this name, at i where it
// is one of Providers.
func (i *TokenIssuer) isClient(name string) bool {
	if i.Auth != nil && i.Auth.config.ClientID == name {
		return true
	}
	issuer := i.Issuer
	if i.Auth != nil {
		issuer = i.Auth.config.Issuer
	}
	return clientsHere.has(name) || clientsHere.has(clientAt(issuer, name))
}

func (c *clientNames) has(name string) bool {
	_, ok := c.names.Load(name)
	return ok
}
