package oidcauth

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/outbound"
	"github.com/signet-go/signet/session"
)

// ErrUnknownProvider means that Providers has no provider with this name, or no longer has it.
var ErrUnknownProvider = errors.New("oidcauth: there is no provider with this name")

// A placement is what an Authenticator has of the Providers that it belongs to.
type placement struct {
	registry *Providers
	name     string

	// finished are the logins whose callback came: also those of before it was built, or replaced
	// by one with the same issuer and client.
	finished *browser.Memory

	// label is what people read who are offered the provider.
	label   string
	offered bool

	// anywhere lifts the bounds on the addresses that are called.
	anywhere bool
}

// name is that among Providers, "" for an Authenticator that stands alone.
func (a *core) name() string {
	if a.config.place == nil {
		return ""
	}
	return a.config.place.name
}

// serves reports whether a has a provider, and still has it: what was removed is called no more.
func (a *core) serves() bool {
	return a.provider != nil && (a.config.place == nil || a.config.place.registry.has(a.key))
}

// client makes the calls of c, which is in this place.
func (p *placement) client(c *Config) *http.Client {
	s := c.outbound()
	switch {
	case p.anywhere && c.HTTPClient == nil && s.Certificate == nil:
		s.Base = &http.Client{Transport: p.registry.anywhere}
	case p.anywhere:
	case c.HTTPClient == nil && s.Certificate == nil:
		s.Base = &http.Client{Transport: p.registry.public}
	default:
		s.Base, s.Certificate = &http.Client{Transport: outbound.PublicTransport(c.HTTPClient, outbound.Reach{}, s.Certificate)}, nil
	}
	return outbound.NewClient(s)
}

// stays reports, as an error, that a was removed, or is just being: then no login of its ends in a
// session.
func (a *core) stays() error {
	if a.config.place == nil || a.config.place.registry.admits(a.key) {
		return nil
	}
	return ErrUnknownProvider
}

// succeeds reports whether the provider with this key had a's name before.
func (a *core) succeeds(key string) bool { return a.name() != "" && nameIn(key) == a.name() }

// left answers a callback of t that found its provider removed: where another has the name, the
// login starts over there. A code is only redeemed at the provider that issued it.
func (a *core) left(w http.ResponseWriter, r *http.Request, t *browser.Transaction) {
	p := a.config.place.registry
	next, err := p.Get(a.name())
	if err != nil || next.key == t.Provider {
		p.unknown(w, asBegun(r, t), a.name(), a.site.BackFrom(t))
		return
	}
	next.loginAnew(w, r, t)
}

// loginAnew begins the login t, that was one at the provider which had a's name before, at the one
// that has it now. Where two processes don't agree on which that is, it comes to an end.
func (a *starter) loginAnew(w http.ResponseWriter, r *http.Request, t *browser.Transaction) {
	a.logins.Expire(w, t.State)
	if t.Loops >= browser.MaxLoops {
		a.fail(w, r, &Problem{Status: http.StatusBadRequest, Code: "login_loop", Err: errDisagree})
		return
	}
	next := &browser.Transaction{Loops: t.Loops + 1, Demand: t.Demand, Only: t.Only, Session: t.Session, User: t.User, Silent: t.Silent}
	var o LoginOptions
	if t.Silent {
		o.Prompt = "none"
	}
	if t.MaxAge != nil && t.Aged {
		o.MaxAge, next.Aged = cmp.Or(time.Duration(*t.MaxAge)*time.Second, -1), true
	}
	a.startLogin(w, r, next, o.askedBy(t))
}

// errDisagree is for the operator.
var errDisagree = errors.New("oidcauth: replicas have had different providers under this name for long")

// askedBy is o with what t asked for.
func (o LoginOptions) askedBy(t *browser.Transaction) LoginOptions {
	o.ReturnTo, o.essentialACR, o.amr, o.Resource, o.Scopes = t.ReturnTo, t.ACR, t.AMR, t.Resource, t.Scopes
	o.Persistence = session.Persistence(t.Persistence)
	return o
}
