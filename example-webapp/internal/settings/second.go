package settings

import (
	"github.com/signet-go/signet/oidcauth"
)

// A Second is another way to sign in, in addition to config.OIDC. Subjects mean something only at
// their own issuer only, so that the same person has two accounts here.
type Second struct {
	// Shown as text, so that it may be anything. Empty never: the issuer's host stands in.
	Name string // as the page calls it on which people choose
	OIDC oidcauth.Config
}

// readSecond reads the OIDC2_ variables, after all others: what they don't name (scopes,
// algorithms, timeouts) is as at the first provider. The callback is its own: two providers that
// answer at one could be mixed up (RFC 9700 §4.4).
func (c *Config) readSecond(e *env) {
	if e.getenv("OIDC2_ISSUER") == "" {
		for _, name := range []string{"OIDC2_CLIENT_ID", "OIDC2_CLIENT_SECRET", "OIDC2_NAME"} {
			if e.getenv(name) != "" {
				e.mistake(name, "has no meaning without OIDC2_ISSUER")
			}
		}
		return
	}
	o := c.OIDC
	o.Issuer, o.ClientID = e.issuer("OIDC2_ISSUER"), e.getenv("OIDC2_CLIENT_ID")
	o.RedirectURL, o.RoutePrefix = c.BaseURL.JoinPath(SecondPrefix, "callback").String(), SecondPrefix
	o.ClientSecret, o.ClientAuth = c.secondClientAuth(e.getenv("OIDC2_CLIENT_SECRET"))
	o.Advanced.SignedRequests = o.Advanced.SignedRequests && o.ClientAuth.Key != nil // where a secret stands in for the key, there is none
	if o.Issuer == c.OIDC.Issuer {
		e.mistake("OIDC2_ISSUER", "want another issuer than that of OIDC_ISSUER: users are told apart by it")
	}
	if o.ClientID == "" {
		e.mistake("OIDC2_CLIENT_ID", "required with OIDC2_ISSUER")
	}
	switch {
	case UsesSecret(&o) && o.Advanced.FAPI:
		e.mistake("OIDC2_CLIENT_SECRET", "OIDC_FAPI wants no secrets: unset it, so that the client authenticates as at the first provider")
	case UsesSecret(&o) && o.ClientSecret == "":
		e.mistake("OIDC2_CLIENT_SECRET", "required by %s", o.ClientAuth.Method)
	}
	c.Second = &Second{Name: e.text("OIDC2_NAME", HostOf(o.Issuer)), OIDC: o}
}

// secondClientAuth says how the client authenticates at the second provider: with its secret when
// it has one there, else as at the first. A key or a certificate may be registered at both; a
// secret is never shown to another provider than its own.
func (c *Config) secondClientAuth(secret string) (string, oidcauth.ClientAuth) {
	auth := c.OIDC.ClientAuth
	auth.Audience = "" // the issuer: another one was named for the first provider
	if secret != "" && !c.UsesSecret() {
		auth = oidcauth.ClientAuth{Method: oidcauth.ClientSecretBasic}
	}
	return secret, auth
}
