package oidcauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/seal"
	"github.com/signet-go/signet/session"
)

// An Authenticator signs users in at one provider as one client. Make it with New. It is immutable, and safe for concurrent
// use.
type Authenticator struct {
	config   Config
	log      *slog.Logger
	sessions *session.Manager
	provider *provider
	endpoint *endpoint
	verifier *verifier
	sources  *claimSources

	key       string // names issuer and client in what is sealed, so that nothing of another provider's is taken for ours
	origin    string // of RedirectURL
	prefix    string // path of the own routes, with a slash at its end
	routes    map[string]http.HandlerFunc
	csrf      *http.CrossOriginProtection
	transacts *seal.Sealer
	consumed  *consumed
	tokens    *tokens
	machines  map[string]*Machine

	shortLife sync.Once // that pushed requests end early is said once
}

// New makes an Authenticator. It does no I/O: the provider may be down, and its metadata is fetched when the first login needs
// it, or by Discover. The error joins every mistake in c.
func New(c Config) (*Authenticator, error) {
	c = c.clone().withDefaults()
	sessions, err := c.manager()
	if err := errors.Join(c.validate(), err); err != nil {
		return nil, err
	}
	client := outbound.NewClient(c.outbound())
	a := &Authenticator{config: c, log: c.Logger, sessions: sessions, provider: newProvider(&c, client)}
	a.endpoint = newEndpoint(&c, a.provider, client)
	a.verifier = newVerifier(&c, a.provider, client)
	a.sources = newClaimSources(&c)
	redirect, _ := url.Parse(c.RedirectURL)
	a.origin = redirect.Scheme + "://" + redirect.Host
	a.prefix = strings.TrimSuffix(redirect.Path, "callback")
	a.key = providerKey(c.Issuer, c.ClientID)
	a.csrf = http.NewCrossOriginProtection()
	a.transacts = sessions.Sealer("login transaction")
	a.consumed = newConsumed(c.LoginTimeout, sessions.Vault("consumed login"))
	a.tokens, a.machines = newTokens(a), newMachines(a)
	a.routes = a.ownRoutes()
	if err := siblingsOf(sessions).join(a); err != nil {
		return nil, err
	}
	return a, nil
}

// manager returns the session manager that c asks for.
func (c *Config) manager() (*session.Manager, error) {
	if c.Sessions != nil {
		if c.Session.Keys != nil || c.Session.Store != nil {
			return nil, errors.New("oidcauth: Session and Sessions are both set: give one of them")
		}
		return c.Sessions, nil
	}
	if c.Session.Logger == nil {
		c.Session.Logger = c.Logger
	}
	m, err := session.New(c.Session)
	if err != nil {
		return nil, fmt.Errorf("oidcauth: Session: %w", err)
	}
	return m, nil
}

// effectiveSession returns the session configuration in force, whichever field brought it.
func (c *Config) effectiveSession() session.Config {
	if c.Sessions != nil {
		return c.Sessions.Config()
	}
	return c.Session
}

func (c *Config) hasStore() bool        { return c.effectiveSession().Store != nil }
func (c *Config) insecureCookies() bool { return c.effectiveSession().InsecureCookie }

// providerKey names issuer and client in few bytes.
func providerKey(issuer, clientID string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + clientID))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// Discover fetches the provider's metadata now, unless it is known, for readiness checks. It returns an *UnavailableError when
// the provider can't be used.
func (a *Authenticator) Discover(ctx context.Context) error {
	_, err := a.provider.metadata(ctx)
	return err
}

// Sessions returns the session manager, to revoke sessions and to share it with other Authenticators.
func (a *Authenticator) Sessions() *session.Manager { return a.sessions }

// LoginURL returns the path, with query, that starts a login and comes back to returnTo, which follows the rules of
// LoginOptions.ReturnTo.
func (a *Authenticator) LoginURL(returnTo string) string {
	if returnTo = a.returnTo(returnTo); returnTo == "/" {
		return a.prefix + "login"
	}
	return a.prefix + "login?return_to=" + url.QueryEscape(returnTo)
}

// LogoutURL returns the path of the logout route: POST ends the session, GET asks first.
func (a *Authenticator) LogoutURL() string { return a.prefix + "logout" }

// ownRoutes lists the routes that ServeHTTP serves, by path.
func (a *Authenticator) ownRoutes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		"login":      a.serveLogin,
		"callback":   a.serveCallback,
		"logout":     a.serveLogout,
		"signed-out": a.serveSignedOut,
		"style.css":  a.serveStyle,
		"jwks.json":  a.serveKeys,
	}
	if a.config.BackChannelLogout {
		routes["backchannel-logout"] = a.serveBackChannelLogout
	}
	if a.config.FrontChannelLogout {
		routes["frontchannel-logout"] = a.serveFrontChannelLogout
	}
	byPath := make(map[string]http.HandlerFunc, len(routes))
	for name, h := range routes {
		byPath[a.prefix+name] = h
	}
	return byPath
}

// ServeHTTP serves the Authenticator's own routes below the directory of RedirectURL: login, callback, logout, signed-out,
// jwks.json, style.css and, where configured, backchannel-logout and frontchannel-logout. Any other path is 404.
func (a *Authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.protectAnswer(w)
	h, ok := a.routes[r.URL.Path]
	if !ok {
		a.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found", Err: a.explainPath(r)})
		return
	}
	a.sessions.Handler(h).ServeHTTP(w, r)
}

// errMounted is for the programmer.
var errMounted = errors.New("oidcauth: the Authenticator is mounted at the wrong place")

// explainPath says why a request that was sent to one of our routes is not for it.
func (a *Authenticator) explainPath(r *http.Request) error {
	switch {
	case strings.HasPrefix(r.URL.Path, a.prefix):
		return nil
	case strings.HasPrefix(requestURI(r), a.prefix):
		return fmt.Errorf("%w: path %s is not below %s: don't strip the prefix before the Authenticator", errMounted, logtext.Clip(r.URL.Path, 100), a.prefix)
	}
	return fmt.Errorf("%w: path %s is not below %s, where RedirectURL has its routes: mount it there", errMounted, logtext.Clip(r.URL.Path, 100), a.prefix)
}

// isOwnRoute reports whether p leads to one of the own routes, also after cleaning, or to those of an Authenticator that shares the
// sessions.
func (a *Authenticator) isOwnRoute(p string) bool {
	p = path.Clean(p)
	return a.serves(p) || siblingsOf(a.sessions).any(func(other *Authenticator) bool { return other.serves(p) })
}

// serves reports whether a clean path is, or is below, what a serves.
func (a *Authenticator) serves(p string) bool {
	if a.prefix != "/" && (p+"/" == a.prefix || strings.HasPrefix(p, a.prefix)) {
		return true
	}
	_, own := a.routes[p]
	return own
}

// methodNotAllowed answers 405 unless r's method is one of allowed, and reports whether it did.
func (a *Authenticator) methodNotAllowed(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	for _, m := range allowed {
		if r.Method == m {
			return false
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.fail(w, r, &Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed"})
	return true
}
