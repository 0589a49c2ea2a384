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
// session's keys are required; the zero value of every other field is safe and the usual choice.
// New copies it, including lists and maps: later changes have no effect.
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

	// StrippedPrefix is the path under which browsers see this application, such as "/shop", if a
	// proxy removes it from each request. RedirectURL includes it; RoutePrefix and the routes that
	// this process serves do not. Links, redirects and return paths include it too, even those you
	// pass in: a login for "/shop/cart" returns to "/shop/cart". Empty means that nothing is
	// removed.
	StrippedPrefix string

	// Session configures the session manager that New makes; Session.Keys is required unless
	// Sessions is set.
	Session session.Config

	// Sessions is an existing manager, for several Authenticators that share sessions. It replaces
	// Session.
	Sessions *session.Manager

	// ClientAuth says how the client authenticates at the provider's endpoints. With the zero
	// value, [ClientAuth].Method follows from ClientSecret: client_secret_basic if there is one,
	// otherwise none.
	ClientAuth ClientAuth

	// Scopes are requested at every login; openid is always included. Nil means openid, profile and
	// email. Add offline_access if the provider issues refresh tokens for it.
	Scopes []string

	// SigningAlg is the one accepted algorithm of ID tokens, logout tokens and signed userinfo.
	// Empty means RS256. Unsigned tokens and HMAC are never accepted.
	SigningAlg string

	// ResponseMode is how the provider returns from a login. Empty means Query.
	ResponseMode ResponseMode

	// UserInfo says whether a login fetches the user's claims from the userinfo endpoint (Core
	// §5.3). Empty means UserInfoOn: they are fetched if the provider has that endpoint, and a
	// failure fails the login.
	UserInfo UserInfoMode

	// PAR says whether authorization requests are pushed (RFC 9126). Empty means PARAuto.
	PAR PARMode

	// Login holds parameters that every login sends; options given to Authenticator.Login win. Its
	// ReturnTo is not used.
	Login LoginOptions

	// LoginHintClaim names the claim whose value is sent as login_hint when the signed-in user
	// should authenticate again, for a step-up or with prompt=none (Core §3.1.2.1): "email",
	// "preferred_username" or another that the provider accepts. The value ends up in URLs,
	// histories and logs. Empty sends none. If requests can be pushed, id_token_hint is sent
	// instead.
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

	// BackChannelLogout serves backchannel-logout next to the callback (OpenID Connect Back-Channel
	// Logout 1.0). It needs a session Store. False answers 404.
	BackChannelLogout bool

	// FrontChannelLogout serves frontchannel-logout (OpenID Connect Front-Channel Logout 1.0). It
	// needs a session Store. False answers 404.
	FrontChannelLogout bool

	// SessionEndpoint serves session below RoutePrefix, where scripts can ask who is signed in and
	// until when without extending the session (see [Authenticator.Peek]). GET answers 200 with a
	// JSON object: sub; name, or null if unknown; session_expires_at, and idle_expires_at or null
	// without an idle limit (RFC 3339, UTC); logout_url, to POST to. It answers 401 with login_url
	// when no user is signed in, 403 to other sites, and 503 while the Store is unavailable. With
	// Config.Sessions it knows the users of every Authenticator that shares them. False answers
	// 404.
	SessionEndpoint bool

	// ListSessions adds each login to its user's list of sessions (see [session.Session.Enlist]),
	// so users can see where they are signed in and end sessions they don't recognize:
	// session.Manager.List, End and EndOthers, with the Tag of [UserFrom]. It needs a session
	// Store, which then also holds the browser's User-Agent, sealed. False keeps no list.
	ListSessions bool

	// RecordAddress returns the address that the list shows for a login: from the request's
	// RemoteAddr, say, or from a header that only your proxy can set. Nil records none.
	RecordAddress func(*http.Request) string

	// FrameAncestors are origins that may frame the front-channel logout page, in addition to those
	// of the issuer and its end_session_endpoint.
	FrameAncestors []string

	// KeepTokensAtLogout keeps the tokens valid at logout. False revokes them (RFC 7009) if the
	// provider has a revocation endpoint. Set it if revoking also ends the user's other sessions,
	// as at Google.
	KeepTokensAtLogout bool

	// LoginTimeout is how long a login may take at the provider. Zero means 15 minutes.
	LoginTimeout time.Duration

	// Skew is the tolerated difference between the provider's clock and this machine's. Zero means
	// 60 seconds; at most 10 minutes.
	Skew time.Duration

	// Timeout bounds one call to the provider. Zero means 10 seconds. If HTTPClient has a timeout,
	// too, the shorter one applies.
	Timeout time.Duration

	// DiscoveryMaxAge is how long provider metadata is used before it is fetched again. Zero means
	// 24 hours.
	DiscoveryMaxAge time.Duration

	// TokenLifetime is assumed for access tokens issued without expires_in. Zero means 1 hour.
	TokenLifetime time.Duration

	// RevalidateAfter is how long guards accept a session that the provider hasn't confirmed, by
	// the login or a successful refresh. After that, or up to a tenth earlier, a guarded request
	// refreshes first, once for all concurrent requests; without a refresh token, a new login is
	// required. This detects users disabled at a provider that sends no logout token. While the
	// provider is unreachable, the session continues for the same period again, at least 5 minutes;
	// then guards answer 503, and the session is kept. [Authenticator.Load], [Authenticator.Peek]
	// and open streams don't revalidate. Zero means never.
	RevalidateAfter time.Duration

	// Hooks are called when something happens; some can refuse it.
	Hooks Hooks

	// ErrorHandler writes error responses in place of the built-in page and JSON. Its error is
	// always a *Problem, and WantsPage says which of the two the request expects. The headers that
	// protect the response are set before the call. It isn't used for the 401 that guards send to
	// scripts. Nil means the built-in responses.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)

	// Pages writes the pages that people see, in place of the built-in ones; for problems,
	// ErrorHandler takes precedence. Nil means the built-in pages.
	Pages Pages

	// Messages are translations of the built-in texts, by language tag ("de", "pt-BR"): each
	// response is in the language that the browser prefers among these and [English]
	// (Accept-Language, RFC 9110 §12.5.4), including a Problem's title and advice. English lists
	// the texts; anything missing from a translation is in English. Nil means only English.
	Messages map[string]Messages

	// Stylesheet is the URL path of the style sheet that the built-in pages link to. Empty means
	// the built-in one.
	Stylesheet string

	// Logger receives the events that the package documentation lists. Nil means slog.Default().
	Logger *slog.Logger

	// HTTPClient makes the calls to the provider. Its transport may be instrumented; redirects and
	// cookies stay off. It should close idle connections sooner than the provider does, or a
	// refresh token may be lost with one. Nil means a client with short timeouts and TLS 1.2 or
	// newer, which closes connections after 3 idle seconds.
	HTTPClient *http.Client

	// Advanced holds the settings that high-security deployments require. The zero value turns all
	// of them off.
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
