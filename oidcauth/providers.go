package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/expiring"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/internal/packed"
	"github.com/signet-go/signet/session"
)

// Providers are the providers at which the users of one application sign in, each under its own
// name: those of a service's tenants, say, which are added and removed while it serves. All share
// one session manager. Create it with NewProviders. It is safe for concurrent use.
//
// Each has its own routes, /auth/NAME/callback among them, so that one provider's response is never
// mistaken for another's (RFC 9700 §4.4). Issuer, Subject and Provider together identify a user,
// and a guard for one name admits only users of that name, whatever their issuer.
//
// An unused provider costs only the memory of its [Config]: it is built when first needed, and
// released after a long idle time.
type Providers struct {
	config   ProvidersConfig
	sessions *session.Manager

	// desk answers where no provider does: it is an Authenticator without one.
	desk   *Authenticator
	routes map[string]http.HandlerFunc

	// public and anywhere are the transports that providers share which bring none of their own.
	public, anywhere http.RoundTripper

	changes sync.Mutex // held by whoever changes what there is, also while the Store is told

	mu      sync.RWMutex
	byName  map[string]*member
	byKey   map[string]*member // also those that were retired
	offered []*member          // in the order of byLabel
	clients map[string]string  // names, by issuer and client
	retired map[string][]*member
	idle    idleness
	ended   expiring.Map[string, int64] // when those were removed whose sessions may be about still
	owed    map[string][]string         // keys whose end the Store was not told of yet, by name
}

// ProvidersConfig is the common configuration of Providers. URL and the session's keys are
// required.
type ProvidersConfig struct {
	// URL is where browsers see the routes, with a path that is not "/":
	// "https://app.example.com/auth/". The callback of NAME is NAME/callback below it.
	URL string

	// StrippedPrefix is that of Config.
	StrippedPrefix string

	// Session configures the session manager that NewProviders makes. Sessions is an existing one
	// to use instead.
	Session  session.Config
	Sessions *session.Manager

	// Choose names the provider at which a request's user signs in: by host, by the path's first
	// segment, or however the application knows. [Providers.RequireAny] then admits only users of
	// that name. "" lets the user choose; an unknown name gets 404. Nil always lets the user
	// choose.
	Choose func(*http.Request) string

	// ByDomain names the provider for email addresses with the given domain, which is in lower case
	// and otherwise exactly as typed, or returns "". The page where users choose a provider then
	// asks for an email address, which is passed on as login_hint. The address proves nothing: only
	// the provider says who signs in. Anyone can find out by trying which domains are known. Nil
	// means that the page doesn't ask.
	ByDomain func(domain string) string

	// SessionEndpoint is that of Config, at session below URL.
	SessionEndpoint bool

	// HTTPClient makes the calls to providers whose own HTTPClient is nil; see [Providers.Add].
	HTTPClient *http.Client

	// Hooks are called for providers whose own hook is nil; ErrorHandler, Pages, Messages,
	// Stylesheet and Logger apply to providers without their own, and to responses that don't come
	// from a provider.
	Hooks        Hooks
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)
	Pages        Pages
	Messages     map[string]Messages
	Stylesheet   string
	Logger       *slog.Logger
}

// NewProviders makes Providers without any provider. It does no I/O. The error joins every mistake
// in c.
func NewProviders(c ProvidersConfig) (*Providers, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	own := c.ofDesk()
	sessions, err := own.manager()
	if err := errors.Join(c.validate(&own), err); err != nil {
		return nil, err
	}
	p := &Providers{
		config: c, sessions: sessions, byName: map[string]*member{}, byKey: map[string]*member{}, clients: map[string]string{}, owed: map[string][]string{}, retired: map[string][]*member{},
		public: outbound.PublicTransport(c.HTTPClient, outbound.Reach{}, nil), anywhere: outbound.Transport(c.HTTPClient),
	}
	p.ended.Limit = maxEnded
	p.desk = newDesk(&own, sessions)
	p.routes = p.ownRoutes()
	p.desk.routes = p.routes
	p.desk.site.Own = maps.Keys(p.routes)
	p.desk.devices.offer()
	return p, siblingsOf(sessions).enter(p)
}

// ofDesk is the configuration of what no provider answers.
func (c *ProvidersConfig) ofDesk() Config {
	own := Config{
		RedirectURL: strings.TrimSuffix(c.URL, "/") + "/" + deskCallback, StrippedPrefix: c.StrippedPrefix, Session: c.Session, Sessions: c.Sessions,
		SessionEndpoint: c.SessionEndpoint, Hooks: c.Hooks, ErrorHandler: c.ErrorHandler, Pages: c.Pages, Messages: c.Messages, Stylesheet: c.Stylesheet,
		Logger: c.Logger,
	}
	return own.withDefaults()
}

// deskCallback is where the callback of a provider without a name would be. Nothing is there.
const deskCallback = "callback"

// validate reports every mistake in c; own is what the desk has of it.
func (c *ProvidersConfig) validate(own *Config) error {
	var mistakes []error
	wrong := func(field, format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("oidcauth: ProvidersConfig.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if err := checkRedirectURL(strings.TrimSuffix(c.URL, "/")); err != nil {
		wrong("URL", `%q: expected where the routes are, with a path, such as "https://app.example.com/auth/": %v`, c.URL, err)
		return errors.Join(mistakes...)
	}
	u, _ := url.Parse(own.RedirectURL)
	own.validateSite(u, wrong)
	if own.insecureCookies() && !outbound.LoopbackHost(u.Hostname()) {
		wrong("Session", "insecure cookies are for loopback hosts only, and URL's host is %q", u.Hostname())
	}
	checkMessages(c.Messages, wrong)
	return errors.Join(mistakes...)
}

// newDesk makes the Authenticator that has no provider.
func newDesk(c *Config, sessions *session.Manager) *Authenticator {
	shared := &core{answers: newAnswers(c, c.site()), config: *c, sessions: sessions, csrf: http.NewCrossOriginProtection()}
	shared.site.Callback = ""
	shared.site.Others = siblingsOf(sessions).serves
	shared.logins = browser.New(shared.loginSettings())
	return &Authenticator{
		returner: &returner{starter: &starter{core: shared}}, signOut: &signOut{core: shared}, devices: &binder{shared},
	}
}

// Add adds a provider under a name: lower-case letters, digits and "-" between them, at most 63
// bytes, and not the name of a route. Fields of c that ProvidersConfig also has may be left out.
// Session, Sessions, RoutePrefix and StrippedPrefix must be left out, and so must RedirectURL
// unless the provider's callback is on a host of its own: its path is always the one below
// ProvidersConfig.URL.
//
// Configuring a provider decides which addresses the application will call. So none of its
// endpoints is called at a loopback, private, link-local or other special-purpose address, whatever
// its names resolve to, nor through a proxy, unless [InsecureAnyAddress] allows it.
//
// Errors: every mistake in c; a name that is taken; an issuer and client that are registered under
// another name.
func (p *Providers) Add(name string, c Config, options ...ProviderOption) error {
	p.changes.Lock()
	defer p.changes.Unlock()
	m, err := p.newMember(name, c, options)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byName[name] != nil {
		return fmt.Errorf("oidcauth: provider %q: it is there already: Replace changes it", name)
	}
	if err := p.vacantLocked(m); err != nil {
		return err
	}
	p.putLocked(m)
	return nil
}

// A ProviderOption is an option for adding a provider.
type ProviderOption func(*placement)

// InsecureAnyAddress lets a provider be called at any address, including those in the application's
// own network, and through the environment's proxy: for a provider that you run yourself. Anyone
// who controls its configuration or its metadata can make the application call addresses that they
// can't reach themselves.
func InsecureAnyAddress() ProviderOption {
	return func(at *placement) { at.anywhere = true }
}

// Sessions returns the session manager that all share.
func (p *Providers) Sessions() *session.Manager { return p.sessions }

// vacantLocked reports why m can't be added to the existing providers.
func (p *Providers) vacantLocked(m *member) error {
	client := providerKey(m.config.Issuer, m.config.ClientID)
	if name, there := p.clients[client]; there && name != m.name {
		return fmt.Errorf("oidcauth: provider %q: issuer %s and client %q are there as %q already", m.name, m.config.Issuer, m.config.ClientID, name)
	}
	if siblingsOf(p.sessions).alone()[client] != nil {
		return fmt.Errorf("oidcauth: provider %q: issuer %s and client %q are those of an Authenticator that shares the sessions", m.name, m.config.Issuer, m.config.ClientID)
	}
	return nil
}

// putLocked makes m the one with its name.
func (p *Providers) putLocked(m *member) {
	if since, ok := p.ended.Get(m.key, time.Now()); ok {
		m.since = since
	}
	if before := p.byKey[m.key]; before != nil {
		before.succeeded.Store(true)
		m.since, m.config.place.finished = before.since, before.config.place.finished
		m.config.place.finished.Cover(m.config.LoginTimeout)
	}
	p.offerLocked(p.byName[m.name], m)
	p.byName[m.name], p.byKey[m.key] = m, m
	p.clients[providerKey(m.config.Issuer, m.config.ClientID)] = m.name
	clientsHere.add(clientAt(m.config.Issuer, m.config.ClientID))
}

// has reports whether the provider with this key is there, and was not retired.
func (p *Providers) has(key string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	m := p.byKey[key]
	return m != nil && m.retired.IsZero()
}

// admits reports whether logins of the provider with this key may end in a session.
func (p *Providers) admits(key string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	m := p.byKey[key]
	return m != nil && m.retired.IsZero() && !m.leaving
}

// knows reports whether the login l belongs to an existing or a retired provider.
func (p *Providers) knows(l *packed.Login) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	m := p.byKey[l.Provider]
	return m != nil && l.Time > m.since
}

// byKeyOf returns the Authenticator with this key, also of a provider that was retired; nil without
// one.
func (p *Providers) byKeyOf(key string) *Authenticator {
	p.mu.RLock()
	m := p.byKey[key]
	p.mu.RUnlock()
	if m == nil {
		return nil
	}
	return m.authenticator()
}

// Ready reports, for readiness probes, whether the sessions' Store answers. It doesn't ask
// providers: one that is down is no reason to keep users from the others.
func (p *Providers) Ready(ctx context.Context) error { return p.sessions.Ready(ctx) }
