package settings

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/oidcauth"
)

// readLogin reads what every login asks for.
//
// offline_access is among the default scopes, since a show-case has refreshes to show. The
// library's own default leaves it out.
func (c *Config) readLogin(e *env) {
	c.OIDC.Scopes = e.scopes("OIDC_SCOPES")
	if len(c.OIDC.Scopes) == 0 {
		c.OIDC.Scopes = []string{"openid", "profile", "email", "offline_access"}
	}
	if mode := e.oneOf("OIDC_RESPONSE_MODE", "query", "form_post", "query.jwt", "form_post.jwt"); mode != "query" {
		c.OIDC.ResponseMode = oidcauth.ResponseMode(mode)
	}
	if !e.flag("OIDC_USERINFO", true) {
		c.OIDC.UserInfo = oidcauth.UserInfoOff
	}
	if par := e.oneOf("OIDC_PAR", "auto", "on", "off", "require"); par != "auto" {
		c.OIDC.PAR = oidcauth.PARMode(par)
	}
	c.OIDC.LoginTimeout = e.duration("OIDC_LOGIN_TIMEOUT", 15*time.Minute)
	c.OIDC.RevalidateAfter = e.durationOrNever("OIDC_REVALIDATE_AFTER")
	c.OIDC.RolesClaim = e.text("OIDC_ROLES_CLAIM", "roles")
	c.OIDC.Login = oidcauth.LoginOptions{
		Prompt:    e.text("OIDC_PROMPT", ""),
		ACRValues: e.words("OIDC_ACR_VALUES"),
		MaxAge:    e.maxAge("OIDC_MAX_AGE"),
		Resource:  e.resources("OIDC_RESOURCE"),
	}
}

// maxAge reads seconds, as the protocol writes them. Unset is 0 (not sent); 0 is negative, as
// oidcauth.LoginOptions wants it.
//
// Core §3.1.2.1 gives max_age no upper bound; 31 bits, some 68 years, keep the arithmetic on
// durations safe.
func (e *env) maxAge(name string) time.Duration {
	v := e.getenv(name)
	if v == "" {
		return 0
	}
	seconds, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		e.mistake(name, "want seconds such as 3600, got %q", v)
	}
	if seconds == 0 {
		return -1
	}
	return time.Duration(seconds) * time.Second
}

// resources reads resource indicators: absolute URIs without fragment (RFC 8707 §2).
//
// They are compared as texts at the provider, so that they are passed on as written.
func (e *env) resources(name string) []string {
	list := e.words(name)
	for _, r := range list {
		if u, err := url.Parse(r); err != nil || !u.IsAbs() || strings.Contains(r, "#") {
			e.mistake(name, "want absolute URIs without fragment, got %q", r)
		}
	}
	return list
}
