package oidcauthtest

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Settings say how a correct [Provider] behaves. The zero Settings are a strict provider at
// [DefaultIssuer] with [DefaultClient], at which [DefaultUser] is signed in.
type Settings struct {
	// Issuer is the issuer identifier, with or without a path or a trailing slash [DefaultIssuer].
	// For Start it may be a path alone.
	Issuer string

	// Clients are the registered clients [DefaultClient()]. See [Provider.Register].
	Clients []Client
	// User sits at every browser and consents to everything [DefaultUser()]. A different user
	// replaces the one who was signed in at the provider.
	User *User
	// Nobody means that no user is signed in or wants to be: requests with prompt=none get
	// login_required, all others access_denied.
	Nobody bool

	// Alg signs all of the provider's tokens: ID tokens, access tokens, logout tokens and signed
	// userinfo [RS256]. It may be any that [NewKey] supports.
	Alg string
	// Now is the provider's clock [time.Now], which a synctest bubble replaces by itself. It must
	// not call the provider.
	Now func() time.Time

	CodeLifetime        time.Duration // between redirect and token request [1 min]
	AccessTokenLifetime time.Duration // expires_in, and how long resources accept it [10 min]
	IDTokenLifetime     time.Duration // exp − iat [10 min]

	// StaticRefreshTokens answers a refresh without a new refresh token, like providers that don't
	// rotate. If false, each is used once, and a second use revokes the whole family (RFC 9700
	// §4.14.2).
	StaticRefreshTokens bool
	// ReuseGrace is how long a used refresh token is still accepted [0: not at all].
	ReuseGrace time.Duration

	// RequirePAR refuses authorization requests that were not pushed (RFC 9126 §4).
	RequirePAR bool
	// DPoPNonces requires a nonce in each DPoP proof, a new one each time (RFC 9449 §8): the
	// response to each request has the next.
	DPoPNonces bool
	// SignedUserInfo answers userinfo as a JWT (OpenID Connect Core §5.3.2).
	SignedUserInfo bool
}

// Origins that the defaults use. They are different sites, as a provider and an application usually
// are.
const (
	DefaultIssuer = "https://id.provider.test"
	DefaultApp    = "https://app.example.test"
)

// User is somebody who signs in at the provider.
type User struct {
	Subject string // the sub claim
	// Claims are added to ID tokens and to userinfo answers. A name that a protocol claim has is
	// ignored.
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
	// ID and Secret are the credentials; a Secret without an AuthMethod is for HTTP Basic.
	ID, Secret string
	// AuthMethod is the only way in which the client may authenticate [private_key_jwt with Keys,
	// else client_secret_basic with a Secret, else none].
	AuthMethod string
	// Certificate is the one that a client with the AuthMethod tls_client_auth presents (RFC 8705
	// §2), compared byte by byte; its tokens are bound to it. The provider itself speaks no TLS:
	// put it behind a server that asks for certificates.
	Certificate *x509.Certificate
	// Keys verify client assertions and request objects.
	Keys jose.JSONWebKeySet
	// AssertionAudience is the one audience of client assertions [the issuer].
	AssertionAudience string

	// RedirectURIs are where codes may go. Like all that follow they are compared as strings,
	// without any normalization (RFC 9700 §2.1).
	RedirectURIs []string
	// PostLogoutRedirectURIs are where the end_session endpoint may send browsers.
	PostLogoutRedirectURIs []string
	// BackChannelLogoutURI receives logout tokens. The provider sends none by itself: a test posts
	// what [Provider.LogoutToken] returns.
	BackChannelLogoutURI string
	// FrontChannelLogoutURI is what [Provider.FrontChannelLogoutURL] builds upon.
	FrontChannelLogoutURI string

	// RequireDPoP refuses token requests without a DPoP proof (RFC 9449 §5.2).
	RequireDPoP bool
}

// DefaultClient returns the confidential client "app" with the secret "app-secret", whose URLs are
// the library's own routes under [DefaultApp].
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

// method returns the one way in which the client may authenticate.
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

// orDefault returns value unless it is zero.
func orDefault[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// client returns the registered client, nil when there is none.
func (s *Settings) client(id string) *Client {
	for i := range s.Clients {
		if s.Clients[i].ID == id {
			return &s.Clients[i]
		}
	}
	return nil
}
