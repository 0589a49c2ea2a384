package main

import (
	"bytes"
	"fmt"
	"go/format"
	"net/url"
	"slices"
	"strings"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// redirect is the redirect URI to write, or an example.
func (x *examination) redirect() string {
	if x.patient.redirect != "" {
		return x.patient.redirect
	}
	return "https://shop.example.com/auth/callback"
}

// literal writes the configuration that fits the provider, with only the fields that it needs.
func (x *examination) literal() string {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, "\t"+format+"\n", args...) }
	b.WriteString("oidcauth.Config{\n")
	line("Issuer: %q,", x.metadata.Issuer)
	line("ClientID: %q,", first(x.patient.clientID, "YOUR-CLIENT-ID"))
	x.writeAuth(line)
	line("RedirectURL: %q,", x.redirect())
	if scopes := x.scopes(); !slices.Equal(scopes, defaultScopes) {
		line("Scopes: []string{%s},", quoted(scopes))
	}
	if len(x.algs) > 0 && x.algs[0] != "RS256" {
		line("SigningAlg: %q,", x.algs[0])
	}
	if mode := x.responseMode(); mode != oidcauth.Query {
		line("ResponseMode: %q,", string(mode))
	}
	if x.flag("backchannel_logout_supported") {
		line("// BackChannelLogout: true, // with Session.Store; the URL to register: %s", x.beside("backchannel-logout"))
	}
	line("Session: session.Config{Keys: strings.Fields(os.Getenv(%q))}, // openssl rand -base64 32", "SESSION_KEYS")
	b.WriteString("}\n")
	formatted, err := format.Source(b.Bytes())
	if err != nil {
		return b.String()
	}
	return string(formatted)
}

// writeAuth writes what client authentication needs: the secret that most clients have, or what the
// provider takes instead.
func (x *examination) writeAuth(line func(string, ...any)) {
	const secret = `ClientSecret: os.Getenv("OIDC_CLIENT_SECRET"),`
	switch ours := x.authMethods(); {
	case len(ours) == 0 || slices.Contains(ours, "client_secret_basic"):
		line(secret)
	case slices.Contains(ours, "client_secret_post"):
		line(secret)
		line("ClientAuth: oidcauth.ClientAuth{Method: oidcauth.ClientSecretPost},")
	case ours[0] == "private_key_jwt":
		line("ClientAuth: oidcauth.ClientAuth{Method: oidcauth.PrivateKeyJWT, Key: key}, // register its public half, or /auth/jwks.json")
	case ours[0] == "tls_client_auth":
		line("ClientAuth: oidcauth.ClientAuth{Method: oidcauth.TLSClientAuth, Certificate: certificate},")
	}
}

// defaultScopes are what an empty Config.Scopes asks for.
var defaultScopes = []string{"openid", "profile", "email"}

// scopes are the default ones that the provider lists, all of them where it lists none, and
// offline_access where refresh tokens come by it. Keycloak's come without, and with it they outlive
// the user's logout there.
func (x *examination) scopes() []string {
	listed := x.metadata.ScopesSupported
	if len(listed) == 0 {
		return defaultScopes
	}
	scopes := slices.DeleteFunc(slices.Clone(defaultScopes), func(scope string) bool {
		return scope != "openid" && !slices.Contains(listed, scope)
	})
	if slices.Contains(listed, "offline_access") && !isKeycloak(x.metadata.Issuer) {
		scopes = append(scopes, "offline_access")
	}
	return scopes
}

// responseMode is the usual one where the provider has it.
func (x *examination) responseMode() oidcauth.ResponseMode {
	for _, mode := range []oidcauth.ResponseMode{oidcauth.FormPost, oidcauth.QueryJWT, oidcauth.FormPostJWT} {
		if !slices.Contains(x.metadata.ResponseModes, "query") && slices.Contains(x.metadata.ResponseModes, string(mode)) {
			return mode
		}
	}
	return oidcauth.Query
}

// beside is the URL of another of the library's routes.
func (x *examination) beside(route string) string {
	u, err := url.Parse(x.redirect())
	if err != nil {
		return route
	}
	u.Path = u.Path[:strings.LastIndex(u.Path, "/")+1] + route
	return u.String()
}

// tryConfig reports whether New takes the configuration. The secret is made up and goes nowhere.
func (x *examination) tryConfig() bool {
	c := oidcauth.Config{
		Issuer: x.metadata.Issuer, ClientID: first(x.patient.clientID, "client"), ClientSecret: "not-sent-anywhere", RedirectURL: x.redirect(),
		ResponseMode: x.responseMode(), Session: session.Config{Keys: []string{session.NewKey()}},
	}
	if len(x.algs) > 0 {
		c.SigningAlg = x.algs[0]
	}
	_, err := oidcauth.New(c)
	if err == nil {
		return true
	}
	for _, mistake := range strings.Split(err.Error(), "\n") {
		x.add(trouble, "configuration", "%s", mistake)
	}
	return false
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func quoted(texts []string) string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = fmt.Sprintf("%q", text)
	}
	return strings.Join(all, ", ")
}
