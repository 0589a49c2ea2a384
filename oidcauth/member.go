package oidcauth

import (
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/outbound"
)

// A member is one provider of a registry.
type member struct {
	registry  *Providers
	name, key string
	config    Config // complete and valid
	since     int64  // logins until then don't count any more, Unix milliseconds

	// Under registry.mu: one that was retired is called no more, and forgotten when the last of its
	// sessions is over; one that is leaving lets no login come to its end.
	retired time.Time
	leaving bool

	// succeeded says that another has its key, and its memory of finished logins.
	succeeded atomic.Bool

	mu   sync.Mutex
	auth *Authenticator // nil while nobody needs it
	used time.Time
}

// namePattern is that of providers' names: those of a host's label, so that hosts can name them.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// checkName reports what is wrong with the name of a provider.
func checkName(name string) error {
	switch {
	case !namePattern.MatchString(name):
		return fmt.Errorf("oidcauth: provider %q: expected a name of lower-case letters and digits, with \"-\" between them, of at most 63 bytes", name)
	case slices.Contains(deskNames, name):
		return fmt.Errorf("oidcauth: provider %q: the name is that of a route: choose another", name)
	}
	return nil
}

// deskNames are the first segments of paths that no provider may take.
var deskNames = []string{"login", "logout", "signed-out", "session", "device", "choose", deskCallback}

// newMember makes a provider of c, or reports every mistake in it.
func (p *Providers) newMember(name string, c Config, options []ProviderOption) (*member, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if c.Session.Keys != nil || c.Session.Store != nil || c.Sessions != nil || c.RoutePrefix != "" || c.StrippedPrefix != "" {
		return nil, fmt.Errorf("oidcauth: provider %q: Session, Sessions, RoutePrefix and StrippedPrefix are those of ProvidersConfig: leave them empty", name)
	}
	at := &placement{registry: p, name: name}
	for _, option := range options {
		if option != nil {
			option(at)
		}
	}
	c = p.completed(name, c.clone())
	c.place = at
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("oidcauth: provider %q: %w", name, err)
	}
	if err := at.check(&c); err != nil {
		return nil, fmt.Errorf("oidcauth: provider %q: %w", name, err)
	}
	at.finished = browser.NewMemory(c.LoginTimeout, inside.OfManager(p.sessions).Vault("consumed login"), maxFinishedOfMember)
	return &member{registry: p, name: name, key: c.key(), config: c}, nil
}

// maxFinishedOfMember is how many logins at one provider may finish within LoginTimeout where there
// is no Store: one provider must not fill the memory for the others.
const maxFinishedOfMember = 20_000

// check reports what in c does not go together with the place.
func (at *placement) check(c *Config) error {
	base, _ := url.Parse(at.registry.callbackOf(at.name))
	if u, _ := url.Parse(c.RedirectURL); u.Path != base.Path {
		return fmt.Errorf("RedirectURL: %q: the path of its callback is %q", c.RedirectURL, base.Path)
	}
	if at.offered && !isLabel(at.label) {
		return fmt.Errorf("Offered: %q: expected a label of at most %d characters that can all be seen", at.label, maxLabel)
	}
	host := outbound.IssuerHost(c.Issuer)
	if at.anywhere {
		return nil
	}
	if err := (outbound.Reach{}).CheckHost(host); err != nil || outbound.LoopbackHost(host) {
		return fmt.Errorf("issuer %q is no public address: InsecureAnyAddress lets a provider of your own be called there", c.Issuer)
	}
	return nil
}

// callbackOf is the URL of the callback of the provider called name.
func (p *Providers) callbackOf(name string) string {
	return strings.TrimSuffix(p.config.URL, "/") + "/" + name + "/callback"
}

// completed is c with what all providers have in common, and its defaults filled in.
func (p *Providers) completed(name string, c Config) Config {
	own := &p.config
	c.Sessions, c.StrippedPrefix = p.sessions, own.StrippedPrefix
	if c.RedirectURL == "" {
		c.RedirectURL = p.callbackOf(name)
	}
	if c.HTTPClient == nil && own.HTTPClient != nil && c.ClientAuth.Certificate != nil {
		c.HTTPClient = own.HTTPClient
	}
	if c.ErrorHandler == nil {
		c.ErrorHandler = own.ErrorHandler
	}
	if c.Pages == nil {
		c.Pages = own.Pages
	}
	if c.Messages == nil {
		c.Messages = own.Messages
	}
	if c.Stylesheet == "" {
		c.Stylesheet = own.Stylesheet
	}
	if c.Logger == nil {
		c.Logger = own.Logger
	}
	c.Logger = c.Logger.With(slog.String("provider", name))
	c.Hooks = c.Hooks.beside(own.Hooks)
	return c.withDefaults()
}

// beside returns h, with other's hooks where h has none.
func (h Hooks) beside(other Hooks) Hooks {
	if h.Login == nil {
		h.Login = other.Login
	}
	if h.Logout == nil {
		h.Logout = other.Logout
	}
	if h.Refresh == nil {
		h.Refresh = other.Refresh
	}
	if h.Device == nil {
		h.Device = other.Device
	}
	if h.Deny == nil {
		h.Deny = other.Deny
	}
	if h.Observe == nil {
		h.Observe = other.Observe
	}
	return h
}
