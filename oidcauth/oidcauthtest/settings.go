package oidcauthtest

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Settings say how a correct [Provider] behaves. The zero Settings are a strict
// provider at [DefaultIssuer] with [DefaultClient], at which [DefaultUser] is signed in.
type Settings struct {
	// Issuer is the issuer identifier, with or without a path or a trailing
	// slash [DefaultIssuer]. For Start it may be a path alone.
	Issuer string

	Clients []Client // [DefaultClient()]
	User    *User    // who sits before every browser [DefaultUser()]
	Nobody  bool     // nobody does: prompt=none is login_required, all else access_denied

	Alg string           // signs ID tokens, logout tokens and signed userinfo [RS256]
	Now func() time.Time // the provider's clock [time.Now]

	CodeLifetime        time.Duration // [1 min]
	AccessTokenLifetime time.Duration // [10 min]
	IDTokenLifetime     time.Duration // [10 min]

	// StaticRefreshTokens answers a refresh without a new refresh token, as
	// providers that do not rotate do. Zero: each is used once, and a second use
	// revokes the whole family (RFC 9700 §4.14.2).
	StaticRefreshTokens bool
	// ReuseGrace accepts a used refresh token again for so long [0: never].
	ReuseGrace time.Duration

	RequirePAR     bool // refuses authorization requests that were not pushed (RFC 9126 §4)
	DPoPNonces     bool // demands a fresh nonce in each DPoP proof (RFC 9449 §8)
	SignedUserInfo bool // answers userinfo as a JWT (OpenID Connect Core §5.3.2)
}

// Names of the world that the defaults describe. The two are different sites, as
// a provider and an application mostly are.
const (
	DefaultIssuer = "https://id.provider.test"
	DefaultApp    = "https://app.example.test"
)

// User is somebody who signs in at the provider.
type User struct {
	Subject string
	// Claims are added to ID tokens and to userinfo answers. A name that a
	// protocol claim has is ignored.
	Claims map[string]any
}

// DefaultUser returns Alice, with the usual claims and the role "user".
func DefaultUser() *User {
	return &User{Subject: "alice", Claims: map[string]any{
		"name": "Alice Adams", "email": "alice@example.test", "email_verified": true, "roles": []string{"user"},
	}}
}

// Client is one registered client (OpenID Connect Dynamic Client Registration §2).
type Client struct {
	ID, Secret string
	// AuthMethod is the one way in which the client may authenticate
	// [private_key_jwt with Keys, else client_secret_basic with a Secret, else none].
	AuthMethod string
	// Keys verify client assertions and request objects.
	Keys jose.JSONWebKeySet
	// AssertionAudience is the one audience of client assertions [the issuer].
	AssertionAudience string

	RedirectURIs           []string // compared exactly
	PostLogoutRedirectURIs []string // compared exactly
	BackChannelLogoutURI   string
	FrontChannelLogoutURI  string

	RequireDPoP bool // refuses token requests without a DPoP proof
}

// DefaultClient returns the confidential client "app" with the secret
// "app-secret", whose URLs are the library's own routes under [DefaultApp].
func DefaultClient() Client { return ClientAt(DefaultApp) }

// ClientAt returns DefaultClient with its URLs under another origin.
func ClientAt(origin string) Client {
	return Client{
		ID: "app", Secret: "app-secret",
		RedirectURIs:           []string{origin + "/auth/callback"},
		PostLogoutRedirectURIs: []string{origin + "/auth/signed-out"},
		BackChannelLogoutURI:   origin + "/auth/backchannel-logout",
		FrontChannelLogoutURI:  origin + "/auth/frontchannel-logout",
	}
}

func (c *Client) method() string {
	switch {
	case c.AuthMethod != "":
		return c.AuthMethod
	case len(c.Keys.Keys) > 0:
		return "private_key_jwt"
	case c.Secret != "":
		return "client_secret_basic"
	}
	return "none"
}

// withDefaults returns a copy of s whose zero fields have their defaults.
func (s Settings) withDefaults() Settings {
	s.Clients = slices.Clone(s.Clients)
	if len(s.Clients) == 0 {
		s.Clients = []Client{DefaultClient()}
	}
	if s.User == nil {
		s.User = DefaultUser()
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	s.Issuer = orDefault(s.Issuer, DefaultIssuer)
	s.Alg = orDefault(s.Alg, "RS256")
	s.CodeLifetime = orDefault(s.CodeLifetime, time.Minute)
	s.AccessTokenLifetime = orDefault(s.AccessTokenLifetime, 10*time.Minute)
	s.IDTokenLifetime = orDefault(s.IDTokenLifetime, 10*time.Minute)
	return s
}

func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (s *Settings) client(id string) *Client {
	for i := range s.Clients {
		if s.Clients[i].ID == id {
			return &s.Clients[i]
		}
	}
	return nil
}
