package oidcauth

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/signet-go/signet/session"
)

// A ResponseMode is how the provider returns from a login (OAuth 2.0 Multiple Response Types §2.1).
type ResponseMode string

// Response modes of the code flow. The JWT modes are those of JARM, for providers that require
// them.
const (
	Query       ResponseMode = ""              // GET with the parameters in the query; response_mode is not sent
	FormPost    ResponseMode = "form_post"     // cross-site POST of a form; needs Secure cookies with SameSite=None
	QueryJWT    ResponseMode = "query.jwt"     // as Query, in one JWT that the provider signs
	FormPostJWT ResponseMode = "form_post.jwt" // as FormPost, in one JWT that the provider signs
)

// A PARMode says whether authorization requests are pushed (RFC 9126).
type PARMode string

// Modes of pushed authorization requests. In each of them, a failed push fails the login.
const (
	// PARAuto pushes if the provider's metadata require it and under Advanced.FAPI. It also pushes
	// requests with authorization_details, claims or id_token_hint, which don't belong in a URL, if
	// the endpoint is published. Everything else is sent plain: at many providers a pushed request
	// expires after a minute, and some check it again after the password.
	PARAuto    PARMode = ""
	PAROn      PARMode = "on"      // pushed whenever the metadata publish the endpoint
	PAROff     PARMode = "off"     // never pushed
	PARRequire PARMode = "require" // a provider without the endpoint fails the login
)

// A UserInfoMode says whether logins fetch userinfo (Core §5.3).
type UserInfoMode string

// Modes of userinfo.
const (
	UserInfoOn  UserInfoMode = ""    // fetched if the provider has the endpoint; fails closed
	UserInfoOff UserInfoMode = "off" // never fetched: for access tokens made for another resource
)

// An AuthMethod is a client authentication method, by its registered name (Core §9, RFC 8705 §2).
type AuthMethod string

// Client authentication methods.
const (
	ClientSecretBasic AuthMethod = "client_secret_basic" // the secret in the Authorization header, form-encoded (RFC 6749 §2.3.1)
	ClientSecretPost  AuthMethod = "client_secret_post"  // the secret in the form
	PublicClient      AuthMethod = "none"                // no secret: PKCE alone protects the code
	PrivateKeyJWT     AuthMethod = "private_key_jwt"     // an assertion that ClientAuth.Key signs (RFC 7523 §2.2)
	TLSClientAuth     AuthMethod = "tls_client_auth"     // also for self-signed certificates, which differ at the provider only
)

// ClientAuth says how the client authenticates at every endpoint of the provider. Only this method
// is used; no other is tried if it fails, since a second attempt would send a code twice.
type ClientAuth struct {
	// Method is the method. Empty means private_key_jwt with a Key, client_secret_basic with a
	// secret, tls_client_auth with a Certificate alone, and none otherwise.
	Method AuthMethod

	// SecretFunc returns the secret in place of Config.ClientSecret, for secrets that expire. It is
	// called for each request, possibly concurrently. If it returns an error or an empty secret,
	// that request fails and nothing is sent. Nil means Config.ClientSecret.
	SecretFunc func(context.Context) (string, error)

	// Key signs client assertions (RFC 7523 §2.2). A KMS or HSM key works: only its Sign method is
	// used.
	Key crypto.Signer

	// Alg is the assertion's algorithm: RS256, PS256, ES256 or EdDSA. Empty means PS256, ES256 or
	// EdDSA by the key's type.
	Alg string

	// KeyID is the assertion's kid. Empty means none.
	KeyID string

	// PublishKeys are public keys, by their kid, that jwks.json contains in addition to Key's.
	// During a rotation these are the next key, before any process signs with it, and the previous
	// one, while some process still does. Nil means none.
	PublishKeys map[string]crypto.PublicKey

	// Audience is the assertion's aud, one exact string. Empty means Config.Issuer. Some providers
	// expect their token URL.
	Audience string

	// Certificate is the client's certificate for mutual TLS (RFC 8705), presented to APIs and to
	// the provider, at its mtls_endpoint_aliases if it has any. With a Method other than
	// tls_client_auth it doesn't authenticate the client, but tokens may be bound to it. A
	// Config.HTTPClient whose Transport isn't an *http.Transport has to present it itself.
	Certificate *tls.Certificate
}

// given reports whether a says anything.
func (a ClientAuth) given() bool { return !reflect.ValueOf(a).IsZero() }

func (a ClientAuth) withDefaults(secret string) ClientAuth {
	if a.Method != "" {
		return a
	}
	switch {
	case a.Key != nil:
		a.Method = PrivateKeyJWT
	case secret != "" || a.SecretFunc != nil:
		a.Method = ClientSecretBasic
	case a.Certificate != nil:
		a.Method = TLSClientAuth
	default:
		a.Method = PublicClient
	}
	return a
}

// LoginOptions are parameters of one authentication request (Core §3.1.2.1). Zero fields fall back
// to Config.Login.
type LoginOptions struct {
	// ReturnTo is the local path, with its query, that the browser comes back to, as the browser
	// sees it: below [Config].StrippedPrefix, where there is one. Anything that could lead off the
	// site, or to one of the Authenticator's own routes, becomes the home page. Empty means the
	// home page: StrippedPrefix and "/".
	ReturnTo string

	// Prompt is sent as prompt: "login", "consent", "select_account", "none". Some providers
	// require "consent" for offline_access. With "none", the browser comes back to ReturnTo signed
	// out if the provider needs to interact with the user (Core §3.1.2.6): remember that you have
	// asked, or the page will loop.
	Prompt string

	// LoginHint is sent as login_hint.
	LoginHint string

	// UILocales are sent as ui_locales: language tags, best first. Nil means Config.Login's, an
	// empty list none.
	UILocales []string

	// ACRValues are sent as acr_values, best first. They are only a preference: the resulting acr
	// is not checked. See [ACR]. Nil means Config.Login's, an empty list none.
	ACRValues []string

	// MaxAge asks for an authentication no older than this (max_age, whole seconds), and the ID
	// token's auth_time is checked. Zero doesn't ask; a negative value asks for authentication now
	// (max_age=0).
	MaxAge time.Duration

	// Resource are the resource indicators of the login's own access token (RFC 8707 §2.1),
	// absolute URIs without fragment: they are sent with the request, with its code and with each
	// refresh of that token. Nil means Config.Login's, an empty list none.
	Resource []string

	// Claims is the claims parameter (Core §5.5), a JSON object. Nil requests only the scopes'
	// claims.
	Claims json.RawMessage

	// Scopes are requested instead of Config.Scopes; openid is always included. The session's
	// tokens have what the provider grants, and a later step-up requests the same scopes. Nil means
	// Config.Scopes, an empty list only openid. New refuses it in Config.Login.
	Scopes []string

	// Persistence says whether the session's cookie outlives the browser: "remember me", or not.
	// Zero means the choice of the same user's current session, otherwise that of
	// session.Config.Persistence. New refuses it in Config.Login. Hooks.Login can override it, with
	// [session.Session.SetPersistence].
	Persistence session.Persistence

	// Extra are additional parameters, such as authorization_details (RFC 9396 §2). Those that the
	// package sets itself are refused: in Config.Login by New, elsewhere with 500.
	Extra url.Values

	// What a guard demands, verified when the login returns.
	essentialACR []string
	amr          []string

	// moreScopes are requested in addition to the others.
	moreScopes []string
}

// A LogoutReason says why a session ended. The log uses it as the reason, too.
type LogoutReason string

// Reasons for the end of a session.
const (
	LogoutByUser     LogoutReason = "user"     // its user signed out here
	LogoutReplaced   LogoutReason = "replaced" // its browser signed in again
	LogoutByProvider LogoutReason = "provider" // the provider signed its user out (Back- or Front-Channel Logout)
)

// Hooks are called for events, for metrics and auditing; nil ones are skipped. Login, Logout and
// Deny run in the request's goroutine, Refresh in a separate one whose context no request cancels:
// a panic there is logged and becomes an error. All may be called concurrently and must not retain
// their arguments.
//
// Two Authenticators with the same Issuer and ClientID that share a session.Manager accept each
// other's sessions. If one's Login admits fewer users than the other's, give each its own Manager
// or client.
type Hooks struct {
	// Login is called before a session begins, and an error refuses the login with 403. ctx carries
	// the new session, and nothing from the one that the browser may have: UserFrom, TokenSource
	// and Client are those of the user who is signing in, and a session.Field, Limit or Tag takes
	// effect when the login does. If a later step fails, the browser's session stays as it was.
	// Nothing is refreshed in the hook: asking for a token that has expired, or for one with a
	// resource or scopes other than the login's, returns ErrLoginRequired.
	//
	// Login may change u's Name, Email, EmailVerified, Roles and Claims; changes of other fields
	// have no effect. Refreshes do not call it again:
	//
	//   - Claims that it added, changed or removed stay as it left them until the next login, even
	//     if a refresh returns something else. Name, Email, EmailVerified and Roles follow changed
	//     Claims unless the fields themselves were changed. Claims that aren't a JSON object ({}
	//     for none) fail the login with 500.
	//   - A changed Email stays, and is not verified unless the hook also sets EmailVerified to
	//     true: a previous true came from the provider and was about the previous address. For the
	//     same reason, if an address in Claims changes without its mark (email_verified,
	//     phone_number_verified), the mark is removed.
	//   - Changed Roles stay. If the hook left Roles alone, a refresh removes those that the
	//     provider has removed, and adds none, since the hook hasn't seen them.
	Login func(ctx context.Context, u *User) error

	// Logout is called when a session has ended. u is nil if only the provider knows who the user
	// was.
	Logout func(ctx context.Context, u *User, reason LogoutReason)

	// Refresh is called after each refresh of a user's tokens; err is nil when it succeeded.
	Refresh func(ctx context.Context, u *User, err error)

	// Device is called when a session was bound to a device, when its bound cookie was renewed, and
	// when either was refused: see [session.Config].DeviceBound.
	Device func(ctx context.Context, e DeviceEvent)

	// Deny is called when a guard refuses a request: err wraps [ErrLoginRequired], is a
	// *[StepUpError], or is what the [Requirement] returned.
	Deny func(r *http.Request, u *User, err error)

	// Observe is called when an [Operation] begins, for metrics and traces. The operation,
	// including its calls to the provider, uses the context that Observe returns, which must be ctx
	// or derived from it. The function it returns is called once, when the operation ends, with the
	// error that callers or browsers are told, or nil. Neither may be nil. Observe is called
	// concurrently, and never with secrets or anything that identifies a user; package oidcauthotel
	// provides one for OpenTelemetry.
	Observe func(ctx context.Context, op Operation) (context.Context, func(err error))
}

// A DeviceEvent is passed to Hooks.Device.
type DeviceEvent struct {
	// User is the user whose session was bound; nil for a renewal or a refusal.
	User *User

	// Thumbprint identifies the key (RFC 7638, SHA-256, base64url); empty if no key is known.
	Thumbprint string

	// Renewal says that the bound cookie was renewed. False means that a key was registered.
	Renewal bool

	// Err is why it was refused, or nil. It is for logs.
	Err error
}

// isJWT reports whether responses come as one signed JWT (JARM §2.3).
func (m ResponseMode) isJWT() bool { return m == QueryJWT || m == FormPostJWT }

// isPost reports whether responses come as a cross-site POST.
func (m ResponseMode) isPost() bool { return m == FormPost || m == FormPostJWT }

// method is how responses come.
func (m ResponseMode) method() string {
	if m.isPost() {
		return http.MethodPost
	}
	return http.MethodGet
}
