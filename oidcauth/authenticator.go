package oidcauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/jwt"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/internal/oauth"
	"github.com/signet-go/signet/internal/pace"
	"github.com/signet-go/signet/internal/provider"
	"github.com/signet-go/signet/session"
)

// An Authenticator signs users in at one provider as one client. Make it with New. It is immutable,
// and safe for concurrent use.
type Authenticator struct {
	*returner
	*signOut

	routes   map[string]http.HandlerFunc
	tokens   *tokens
	devices  *binder
	machines map[string]*Machine

	// exchanges get tokens for other APIs; what they get for callers is bound to callersKey.
	exchanges  *access.Exchanges
	callersKey func() (*jwt.ProofKey, error)
}

// A core is what everything that one client does at one provider shares.
type core struct {
	*answers

	config   Config
	sessions *session.Manager
	provider *provider.Provider
	endpoint *oauth.Endpoint
	verifier *provider.Verifier

	// key names issuer and client in what is sealed, so that nothing of another provider's is taken
	// for ours.
	key string

	csrf    *http.CrossOriginProtection
	logins  *browser.Logins
	logouts *logoutNumbers
}

// A starter sends browsers to the provider's authorization endpoint.
type starter struct {
	*core

	// pushPlaces are for the pushes that wait for the provider. Callbacks have places of their own:
	// a push needs no credentials, so that strangers can take all of these.
	pushPlaces pace.Places

	shortLife sync.Once // that pushed requests end early is said once
}

// A returner takes browsers back from the provider, and begins sessions.
type returner struct {
	*starter

	// callbackPlaces are for the callbacks that wait for the provider.
	callbackPlaces pace.Places

	claimsProviders *provider.ClaimsProviders
}

// A signOut ends sessions, here and at the provider, at the wish of the person or of the provider.
type signOut struct {
	*core

	nothing pace.Brake // of the lines about front-channel requests without effect
}

// maxPlaces bounds how many requests of one kind wait for the provider at once. More are turned
// away with 503: a slow provider must not fill the memory.
const maxPlaces = 64

// New makes an Authenticator. It does no I/O: the provider may be down, and its metadata is fetched
// when the first login needs it, or by Discover. The error joins every mistake in c.
func New(c Config) (*Authenticator, error) {
	c = c.clone().withDefaults()
	sessions, err := c.manager()
	if err := errors.Join(c.validate(), err); err != nil {
		return nil, err
	}
	a := build(&c, sessions)
	if err := siblingsOf(sessions).join(a); err != nil {
		return nil, err
	}
	clientsHere.add(c.ClientID)
	a.devices.offer()
	return a, nil
}

// build makes an Authenticator of a valid c, whose defaults are filled in.
func build(c *Config, sessions *session.Manager) *Authenticator {
	shared := newCore(c, sessions)
	a := &Authenticator{
		returner: &returner{starter: &starter{core: shared, pushPlaces: pace.NewPlaces(maxPlaces)}, callbackPlaces: pace.NewPlaces(maxPlaces), claimsProviders: newClaimsProviders(c)},
		signOut:  &signOut{core: shared}, devices: &binder{shared},
	}
	a.nothing.Burst, a.nothing.Interval = 1, nothingEvery
	a.tokens, a.machines = newTokens(a), newMachines(a)
	a.exchanges, a.callersKey = newExchanges(c, "", a.endpoint), sync.OnceValues(jwt.NewProofKey)
	a.routes = a.ownRoutes()
	a.site.Own = maps.Keys(a.routes)
	a.site.Others = siblingsOf(sessions).serves
	return a
}

// newCore makes what the parts of an Authenticator share.
func newCore(c *Config, sessions *session.Manager) *core {
	client := c.caller()
	a := &core{answers: newAnswers(c, c.site()), config: *c, sessions: sessions, provider: provider.New(c.providerVia(client))}
	a.endpoint = c.endpointAt(a.provider, client)
	a.verifier = provider.NewVerifier(a.provider, c.verifier())
	a.key = c.key()
	a.csrf = http.NewCrossOriginProtection()
	a.logins = browser.New(a.loginSettings())
	a.logouts = newLogoutNumbers(sessions, a.name(), c.Issuer)
	return a
}

// Discover fetches the provider's metadata now unless it is already known, for readiness checks. It
// returns an *UnavailableError if the provider can't be used.
func (a *Authenticator) Discover(ctx context.Context) error {
	_, err := a.provider.Metadata(ctx)
	return exported(err)
}

// Sessions returns the session manager, to revoke sessions or to share it with other
// Authenticators.
func (a *Authenticator) Sessions() *session.Manager { return a.sessions }

// LoginURL returns the path, with query, that starts a login and comes back to returnTo, which
// follows the rules of LoginOptions.ReturnTo. Both are as the browser sees them.
func (a *Authenticator) LoginURL(returnTo string) string {
	return a.site.LoginURL(a.site.ReturnTo(context.Background(), returnTo))
}

// LogoutURL returns the path of the logout route: POST ends the session, GET asks first.
func (a *Authenticator) LogoutURL() string { return a.site.At("logout") }

// routeNames are the routes below the prefix, whether they are served or not: no callback may take
// the place of one.
var routeNames = []string{"login", "logout", "signed-out", "style.css", "jwks.json", "backchannel-logout", "frontchannel-logout", "session", deviceStart, deviceRefresh}

// ownRoutes lists the routes that ServeHTTP serves, by path.
func (a *Authenticator) ownRoutes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		a.site.Callback:              a.serveCallback,
		a.site.Prefix + "login":      a.serveLogin,
		a.site.Prefix + "logout":     a.serveLogout,
		a.site.Prefix + "signed-out": a.serveSignedOut,
		a.site.Prefix + "style.css":  a.serveStyle,
		a.site.Prefix + "jwks.json":  a.serveKeys,
	}
	if a.config.BackChannelLogout {
		routes[a.site.Prefix+"backchannel-logout"] = a.serveBackChannelLogout
	}
	if a.config.FrontChannelLogout {
		routes[a.site.Prefix+"frontchannel-logout"] = a.serveFrontChannelLogout
	}
	if a.config.SessionEndpoint {
		routes[a.site.Prefix+"session"] = a.Peek(http.HandlerFunc(a.serveSession)).ServeHTTP
	}
	if a.bindsDevices() {
		routes[a.site.Prefix+deviceStart] = a.devices.serveStart
		routes[a.site.Prefix+deviceRefresh] = a.devices.serveRefresh
	}
	return routes
}

// ServeHTTP serves the Authenticator's own routes: the callback at the path of RedirectURL and,
// below Config.RoutePrefix, login, logout, signed-out, jwks.json, style.css and, where configured,
// backchannel-logout, frontchannel-logout and session. Any other path is 404.
func (a *Authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protectAnswer(w)
	h, ok := a.routes[r.URL.Path]
	if !ok {
		a.Peek(http.HandlerFunc(a.serveNotFound)).ServeHTTP(w, r)
		return
	}
	a.sessions.Handler(h).ServeHTTP(w, r)
}

// serveNotFound answers a path that is no route; the page may show who is signed in.
func (a *Authenticator) serveNotFound(w http.ResponseWriter, r *http.Request) {
	a.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found", Err: a.explainPath(r)})
}

// errMounted is for the programmer.
var errMounted = errors.New("oidcauth: the Authenticator is mounted in the wrong place")

// explainPath says why a request that was sent to one of our routes is not for it.
func (a *Authenticator) explainPath(r *http.Request) error {
	switch {
	case strings.HasPrefix(r.URL.Path, a.site.Prefix):
		return nil
	case strings.HasPrefix(browser.RequestURI(r), a.site.Prefix):
		return fmt.Errorf("%w: path %s is not below %s: don't strip the prefix before the Authenticator", errMounted, logtext.Clip(r.URL.Path, 100), a.site.Prefix)
	case a.site.Base != "" && strings.HasPrefix(r.URL.Path, a.site.Base+"/"):
		return fmt.Errorf("%w: path %s still has the prefix %s, which StrippedPrefix says a proxy removes: have the proxy remove it, or leave StrippedPrefix empty", errMounted, logtext.Clip(r.URL.Path, 100), a.site.Base)
	}
	return fmt.Errorf("%w: path %s is not below %s, where RedirectURL has its routes: mount it there", errMounted, logtext.Clip(r.URL.Path, 100), a.site.Prefix)
}

// serveKeys serves the client's public keys (jwks_uri of OpenID Connect Registration §2), so that a
// provider fetches them rather than being told of each rotation: of assertions and request objects,
// of mutual TLS, and those to encrypt tokens with. A client without keys has no such route.
func (a *Authenticator) serveKeys(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	set := a.config.publicKeys()
	if len(set.Keys) == 0 {
		a.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found"})
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(set) // the client may be gone
}
