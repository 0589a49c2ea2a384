package oidcauth

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/signet-go/signet/session"
)

// Config describes one client at one OpenID provider. Issuer, ClientID, RedirectURL and the
// session's keys are required; every other field's zero value is safe and usual. New copies it,
// with its lists and maps: later changes have no effect.
type Config struct {
	// Issuer is the provider's issuer identifier, exactly as its metadata publishes it, trailing
	// slash included (OpenID Connect Discovery §4.3). It is an https URL; plain http is accepted
	// for loopback hosts only.
	Issuer string

	// Tenants lists the tenants whose users may sign in where Issuer is a template, such as
	// "https://login.microsoftonline.com/{tenantid}/v2.0". The iss of each token must be the
	// template with its tid claim, and that tid must be listed. Required with a template; nil
	// otherwise.
	Tenants []string

	// ClientID is the client's identifier at the provider (RFC 6749 §2.2).
	ClientID string

	// ClientSecret is the client's secret. Empty means that ClientAuth says how the client
	// authenticates, or that it is a public client.
	ClientSecret string

	// RedirectURL is the absolute URL of the callback, as registered at the provider: any path but
	// "/". Every absolute URL is made from it, never from a Host or Forwarded header.
	RedirectURL string

	// RoutePrefix is the path below which the Authenticator serves its other routes, such as
	// "/auth/": mount it there and, when that lies elsewhere, at the callback's path. Empty means
	// the directory of the callback.
	RoutePrefix string

	// StrippedPrefix is the path below which browsers see this application, such as "/shop", where
	// a proxy removes it from each request. RedirectURL is as browsers see it, and has it;
	// RoutePrefix and the routes that this process serves are without. Links, redirects and return
	// paths have it again, also those that you give: after a login for "/shop/cart" the browser
	// comes back to "/shop/cart". Empty means that nothing is removed.
	StrippedPrefix string

	// Session configures the session manager that New makes; Session.Keys is required unless
	// Sessions is set.
	Session session.Config

	// Sessions is a manager made elsewhere, for several Authenticators that share sessions. It
	// replaces Session.
	Sessions *session.Manager

	// ClientAuth says how the client authenticates at the provider's endpoints. In its zero value
	// [ClientAuth].Method follows from ClientSecret: client_secret_basic with one, none without.
	ClientAuth ClientAuth

	// Scopes are asked for at every login; openid is always among them. Nil means openid, profile
	// and email. Add offline_access where the provider gives refresh tokens for it.
	Scopes []string

	// SigningAlg is the one accepted algorithm of ID tokens, logout tokens and signed userinfo.
	// Empty means RS256. Unsigned tokens and HMAC are never accepted.
	SigningAlg string

	// ResponseMode is how the provider returns from a login. Empty means Query.
	ResponseMode ResponseMode

	// UserInfo says whether a login fetches the user's claims from the userinfo endpoint (Core
	// §5.3). Empty means UserInfoOn: it is fetched where the provider has the endpoint, and a
	// failure fails the login.
	UserInfo UserInfoMode

	// PAR says whether authorization requests are pushed (RFC 9126). Empty means PARAuto.
	PAR PARMode

	// Login holds parameters that every login sends; options given to Authenticator.Login win. Its
	// ReturnTo is not used.
	Login LoginOptions

	// LoginHintClaim names the claim whose value is sent as login_hint when the signed-in user is
	// to authenticate once more, for a step-up or with prompt=none (Core §3.1.2.1): "email",
	// "preferred_username" or whatever the provider takes there. It stands in URLs, histories and
	// logs. Empty sends none. Where requests can be pushed, id_token_hint says it better, and is
	// sent instead.
	LoginHintClaim string

	// RolesClaim names the claim that holds the user's roles: an exact name, else a dotted path
	// such as "realm_access.roles". Empty means "roles". Its value is a string or a list of
	// strings.
	RolesClaim string

	// APIs lists the origins ("https://api.example.com") that access tokens may be sent to. Empty
	// means none: Client and Transport refuse every request. Plain http is accepted for loopback
	// hosts only.
	APIs []string

	// Machines are the application's own clients by name (client credentials, RFC 6749 §4.4).
	Machines map[string]MachineConfig

	// BackChannelLogout serves backchannel-logout beside the callback (OpenID Connect Back-Channel
	// Logout 1.0). It needs a session Store. False answers 404.
	BackChannelLogout bool

	// FrontChannelLogout serves frontchannel-logout (OpenID Connect Front-Channel Logout 1.0). It
	// needs a session Store. False answers 404.
	FrontChannelLogout bool

	// SessionEndpoint serves session below RoutePrefix, where a script of the page asks who is
	// signed in and until when, without keeping the session alive by asking (see
	// [Authenticator.Peek]). GET answers 200 with a JSON object: sub; name, null where it is
	// unknown; session_expires_at, and idle_expires_at where there is an idle limit, else null (RFC
	// 3339, UTC); logout_url, to POST to. It is 401 when nobody is signed in, with login_url; 403
	// for requests of other sites; 503 while the Store can't be asked. With Config.Sessions it
	// knows the users of every Authenticator that shares them. False answers 404.
	SessionEndpoint bool

	// ListSessions enters each login into the list of its user's sessions (see
	// [session.Session.Enlist]), so that people see where they are signed in, and end what they
	// don't know: session.Manager.List, End and EndOthers, with the Tag of [UserFrom]. It needs a
	// session Store, where the browser's User-Agent is then kept, sealed. False keeps no list.
	ListSessions bool

	// RecordAddress returns the address that the list shows of a login: of the request's RemoteAddr,
	// say, or of a header that your proxy sets and no client can. Nil records none.
	RecordAddress func(*http.Request) string

	// FrameAncestors are origins that may frame the front-channel logout page, beside those of the
	// issuer and its end_session_endpoint.
	FrameAncestors []string

	// KeepTokensAtLogout leaves the tokens alone at logout. False revokes them (RFC 7009) where the
	// provider has the endpoint. Set it where revoking ends the user's other sessions too, as at
	// Google.
	KeepTokensAtLogout bool

	// LoginTimeout is how long a login may take at the provider. Zero means 15 minutes.
	LoginTimeout time.Duration

	// Skew is the tolerated difference between the provider's clock and ours. Zero means 60
	// seconds; at most 10 minutes.
	Skew time.Duration

	// Timeout bounds one call to the provider. Zero means 10 seconds. With HTTPClient set, both
	// bounds hold.
	Timeout time.Duration

	// DiscoveryMaxAge is how long provider metadata is used before it is fetched again. Zero means
	// 24 hours.
	DiscoveryMaxAge time.Duration

	// TokenLifetime is taken for access tokens whose answer has no expires_in. Zero means 1 hour.
	TokenLifetime time.Duration

	// RevalidateAfter is how long a session is served by guards that the provider has not
	// confirmed, by the login or by any refresh that it answered with tokens. Up to a tenth sooner,
	// a guarded request refreshes first, once for all that come at the same time; where there is no
	// refresh token, a new login is asked for. A user who was disabled at a provider that sends no
	// logout token is so noticed. While the provider can't be reached the session goes on for as
	// long again, at least 5 minutes; then guards answer 503, and the session stays.
	// [Authenticator.Load], [Authenticator.Peek] and streams that are open don't ask. Zero means
	// never.
	RevalidateAfter time.Duration

	// Hooks see, and some may refuse, what happens.
	Hooks Hooks

	// ErrorHandler writes error answers in place of the built-in page and JSON. Its error is always
	// a *Problem, and WantsPage tells which of the two the request expects. The headers that
	// protect the answer are set before the call. The 401 that guards give to scripts stays theirs.
	// Nil means the built-in answers.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)

	// Pages write the pages that people see, in place of the built-in ones; ErrorHandler has the
	// first word about problems. Nil means the built-in pages.
	Pages Pages

	// Messages are translations of the built-in texts, by language tag ("de", "pt-BR"): each answer
	// is in the language that the browser prefers among these and English (Accept-Language, RFC 9110
	// §12.5.4), titles and advice of a Problem included. [English] lists the texts; what a translation
	// lacks is English. Nil means English alone.
	Messages map[string]Messages

	// Stylesheet is the URL path of the style sheet that the built-in pages link to. Empty means
	// the built-in one.
	Stylesheet string

	// Logger receives the events that the package documentation lists. Nil means slog.Default().
	Logger *slog.Logger

	// HTTPClient makes the calls to the provider. It takes an instrumented transport; redirects and
	// cookies stay off. Its connections should be closed after less idle time than the provider
	// allows, or a refresh token may be lost with one. Nil means a client with short time-outs and
	// TLS 1.2 or newer, whose connections are idle for 3 seconds at most.
	HTTPClient *http.Client

	// Advanced holds what high-security deployments demand. The zero value asks for none of it.
	Advanced Advanced

	// place is what Providers know of it; nil for an Authenticator that stands alone.
	place *placement
}

const (
	defaultLoginTimeout    = 15 * time.Minute
	defaultSkew            = time.Minute
	defaultTimeout         = 10 * time.Second
	defaultDiscoveryMaxAge = 24 * time.Hour
	defaultTokenLifetime   = time.Hour
	maxSkew                = 10 * time.Minute
)

// clone returns a copy of c that shares no list or map with it.
func (c Config) clone() Config {
	c.Tenants, c.Scopes = slices.Clone(c.Tenants), slices.Clone(c.Scopes)
	c.APIs, c.FrameAncestors = slices.Clone(c.APIs), slices.Clone(c.FrameAncestors)
	c.Advanced.DecryptionKeys = slices.Clone(c.Advanced.DecryptionKeys)
	c.Login.Resource, c.Login.Claims = slices.Clone(c.Login.Resource), slices.Clone(c.Login.Claims)
	c.Login.UILocales, c.Login.ACRValues = slices.Clone(c.Login.UILocales), slices.Clone(c.Login.ACRValues)
	c.Login.Extra = cloneValues(c.Login.Extra)
	c.Machines, c.Messages = maps.Clone(c.Machines), maps.Clone(c.Messages)
	for name, m := range c.Machines {
		c.Machines[name] = m.clone()
	}
	return c
}

// cloneValues returns a copy of v that shares no list with it.
func cloneValues(v url.Values) url.Values {
	v = maps.Clone(v)
	for name, values := range v {
		v[name] = slices.Clone(values)
	}
	return v
}

// withDefaults returns a copy of c in which every zero field has its documented meaning.
func (c Config) withDefaults() Config {
	c.LoginTimeout = orDuration(c.LoginTimeout, defaultLoginTimeout)
	c.Skew = orDuration(c.Skew, defaultSkew)
	c.Timeout = orDuration(c.Timeout, defaultTimeout)
	c.DiscoveryMaxAge = orDuration(c.DiscoveryMaxAge, defaultDiscoveryMaxAge)
	c.TokenLifetime = orDuration(c.TokenLifetime, defaultTokenLifetime)
	c.ClientAuth = c.ClientAuth.withDefaults(c.ClientSecret)
	if c.SigningAlg == "" {
		c.SigningAlg = "RS256"
	}
	if c.RolesClaim == "" {
		c.RolesClaim = "roles"
	}
	if c.Scopes == nil {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	c.Scopes = withOpenID(c.Scopes)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c.withFAPI()
}

func orDuration(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// withOpenID returns scopes with openid in front, once.
func withOpenID(scopes []string) []string {
	out := []string{"openid"}
	for _, s := range scopes {
		if s != "openid" {
			out = append(out, s)
		}
	}
	return out
}
