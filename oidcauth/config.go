// Package oidcauth signs users in with OpenID Connect.
package oidcauth

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-go/signet/session"
	"golang.org/x/oauth2"
)

// Config: zero values are safe and usual.
type Config struct {
	Issuer, ClientID, ClientSecret, RedirectURL string

	Session  session.Config   // either this
	Sessions *session.Manager // or this, shared

	ClientAuth ClientAuth // zero: client_secret_basic with a secret, none without

	Scopes     []string     // [openid profile email]; openid is always added
	SigningAlg string       // [RS256]
	Mode       ResponseMode // [query]
	UserInfo   UserInfoMode // [on]
	PAR        PARMode      // [auto]
	Login      LoginOptions // sent with every login
	RolesClaim string       // [roles]; exact name, else dotted path
	APIs       []string     // origins that the user's and machines' tokens may go to
	Machines   map[string]MachineConfig

	BackChannelLogout, FrontChannelLogout bool
	KeepTokensAtLogout                    bool // no revocation (RFC 7009) at logout

	LoginTimeout    time.Duration // [15 min]
	Skew            time.Duration // [60 s]
	Timeout         time.Duration // one call to the provider [10 s]
	DiscoveryMaxAge time.Duration // [24 h]
	TokenLifetime   time.Duration // when expires_in is absent [1 h]

	Hooks        Hooks
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
	Logger       *slog.Logger
	HTTPClient   *http.Client

	Advanced Advanced // what banks demand
}

// Advanced groups DPoP, FAPI, JAR, JARM, encryption.
type Advanced struct {
	FAPI           bool
	DPoP           bool
	DecryptionKeys []crypto.PrivateKey // encrypted ID tokens and userinfo
}

// ClientAuth says how the client authenticates at every endpoint (RFC 6749 §2.3, OpenID Connect Core §9, RFC 8705).
type ClientAuth struct {
	Method      AuthMethod
	SecretFunc  func(context.Context) (string, error) // instead of ClientSecret, for secrets that expire
	Key         crypto.Signer                         // private_key_jwt
	Alg, KeyID  string                                // by key type (RSA PS256, P-256 ES256, Ed25519 EdDSA); none
	Audience    string                                // [Issuer]
	Certificate *tls.Certificate                      // tls_client_auth; with private_key_jwt: x5t#S256 and bound tokens
}

type AuthMethod string

const (
	ClientSecretBasic AuthMethod = "client_secret_basic"
	ClientSecretPost  AuthMethod = "client_secret_post"
	PublicClient      AuthMethod = "none"
	PrivateKeyJWT     AuthMethod = "private_key_jwt"
	TLSClientAuth     AuthMethod = "tls_client_auth"
)

type ResponseMode string

const (
	Query    ResponseMode = "" // default of the code flow
	FormPost ResponseMode = "form_post"
)

type PARMode string

const (
	PARAuto    PARMode = ""
	PAROff     PARMode = "off"
	PARRequire PARMode = "require"
)

type UserInfoMode string

const (
	UserInfoOn  UserInfoMode = ""
	UserInfoOff UserInfoMode = "off"
)

// LoginOptions are parameters of one authentication request (Core §3.1.2.1).
type LoginOptions struct {
	ReturnTo  string // a local path; only per login
	Prompt    string
	LoginHint string
	UILocales string
	ACRValues string        // voluntary
	MaxAge    time.Duration // 0: not sent; verified; use MaxAgeZero for max_age=0? (a negative value sends 0)
	Resource  []string      // RFC 8707
	Extra     url.Values    // anything else; never a parameter the library sets
}

// MachineConfig is one named client-credentials client (RFC 6749 §4.4); zero fields fall back to Config's.
type MachineConfig struct {
	ClientID, ClientSecret string
	ClientAuth             ClientAuth
	TokenURL               string // [discovery]
	Issuer                 string
	Scopes                 []string
	Resource               []string
	Extra                  url.Values
	APIs                   []string
	DPoP                   bool
}

// Hooks see what happens; nil fields are skipped.
type Hooks struct {
	Login   func(ctx context.Context, u *User) error // may refuse (error) or enrich u
	Logout  func(ctx context.Context, u *User, reason string)
	Refresh func(ctx context.Context, u *User, err error)
	Deny    func(r *http.Request, u *User, err error)
}

// User is who signed in: plain data.
type User struct {
	Issuer, Subject, SessionID string // SessionID: the provider's sid
	Name, Email                string
	EmailVerified              bool
	Roles                      []string
	ACR                        string
	AMR                        []string
	AuthTime, LoginTime        time.Time
	Claims                     json.RawMessage // ID token's claims and userinfo's, merged
}

var (
	ErrLoginRequired = errors.New("oidcauth: login required")
	ErrState         = errors.New("oidcauth: no login transaction for this callback")
)

// LoginError, DeniedError, StepUpError, UnavailableError: structs that a caller inspects.
type LoginError struct {
	Code, Description string // the provider's, or ours
	Status            int
	Err               error
}
type DeniedError struct{ Requirement string }
type StepUpError struct {
	ACRValues string
	MaxAge    time.Duration
	Scope     string
}
type UnavailableError struct {
	RetryAfter time.Duration
	Err        error
}

func (e *LoginError) Error() string       { return e.Code }
func (e *DeniedError) Error() string      { return e.Requirement }
func (e *StepUpError) Error() string      { return "step up" }
func (e *UnavailableError) Error() string { return "unavailable" }

type Requirement func(*User) error

func Role(name string) Requirement                    { panic("skeleton") }
func Claim(name string, values ...string) Requirement { panic("skeleton") }
func ACR(values ...string) Requirement                { panic("skeleton") }
func AMR(values ...string) Requirement                { panic("skeleton") }
func MaxAge(d time.Duration) Requirement              { panic("skeleton") }

type Authenticator struct{}

func New(c Config) (*Authenticator, error)                                { panic("skeleton") }
func (a *Authenticator) Discover(ctx context.Context) error               { panic("skeleton") }
func (a *Authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("skeleton") }
func (a *Authenticator) LoginURL(returnTo string) string                  { panic("skeleton") }
func (a *Authenticator) LogoutURL() string                                { panic("skeleton") }
func (a *Authenticator) Load(h http.Handler) http.Handler                 { panic("skeleton") }
func (a *Authenticator) RequireLogin(h http.Handler) http.Handler         { panic("skeleton") }
func (a *Authenticator) Require(rs ...Requirement) func(http.Handler) http.Handler {
	panic("skeleton")
}
func (a *Authenticator) Login(w http.ResponseWriter, r *http.Request, o LoginOptions) {
	panic("skeleton")
}
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) { panic("skeleton") }
func (a *Authenticator) Sessions() *session.Manager                    { panic("skeleton") }

type TokenOption func(*tokenRequest)
type tokenRequest struct{}

func Resource(uri string) TokenOption { panic("skeleton") }
func Scope(s ...string) TokenOption   { panic("skeleton") }
func ForceRefresh() TokenOption       { panic("skeleton") }

func (a *Authenticator) TokenSource(ctx context.Context, o ...TokenOption) oauth2.TokenSource {
	panic("skeleton")
}
func (a *Authenticator) Client(ctx context.Context, o ...TokenOption) *http.Client { panic("skeleton") }
func (a *Authenticator) Transport(base http.RoundTripper) http.RoundTripper        { panic("skeleton") }
func (a *Authenticator) Machine(name string) *Machine                              { panic("skeleton") }

type Machine struct{}

func (m *Machine) TokenSource(ctx context.Context) oauth2.TokenSource { panic("skeleton") }
func (m *Machine) Client(ctx context.Context) *http.Client            { panic("skeleton") }

func UserFrom(ctx context.Context) *User                    { panic("skeleton") }
func WithUser(ctx context.Context, u *User) context.Context { panic("skeleton") }
