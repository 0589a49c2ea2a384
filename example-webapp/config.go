package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/signet-go/signet/example-webapp/internal/demoapi"
	"github.com/signet-go/signet/example-webapp/internal/gallery"
	"github.com/signet-go/signet/example-webapp/internal/providers"
	"github.com/signet-go/signet/example-webapp/internal/sessionlist"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/example-webapp/internal/site"
	"github.com/signet-go/signet/example-webapp/internal/store"
	"github.com/signet-go/signet/example-webapp/internal/telemetry"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

const (
	// machineName is what the library's configuration calls the application's own client.
	machineName = "demo"
	// choosePath is the page on which people choose their provider, where there are two.
	choosePath = "/choose"
)

// newApp joins configuration and library. It does no I/O: a provider or a Redis that is down heals
// later.
func newApp(c *settings.Config, log *slog.Logger) (*app, error) {
	kept, closeStore := store.Open(c, log)
	a := &app{config: c, log: log, close: closeStore, gallery: gallery.New(c.Base())}
	a.site = &site.Site{URL: c.BaseURL, Posted: c.PostedPaths(), Refuse: a.refuse, Log: log}
	a.providers = &providers.Set{ChooseURL: a.site.At(choosePath), Asked: a.site.Asked}
	s := c.Session
	var err error
	if a.telemetry, err = telemetry.New(c.AdminAddr); err == nil {
		s.Store, s.Logger = a.telemetry.Store(kept), log
		a.sessions, err = session.New(s)
	}
	if err == nil {
		err = a.addProviders()
	}
	if err != nil {
		closeStore()
		return nil, fmt.Errorf("configuration:\n%w", err)
	}
	a.list = &sessionlist.List{
		Sessions: a.sessions, Site: a.site, Fail: a.fail, DemandFresh: c.FreshAfterRevoke,
		Logout: func(w http.ResponseWriter, r *http.Request) { a.providers.Of(r).Auth.Logout(w, r) },
	}
	return a, nil
}

// authConfig adds to what the environment says about a provider what this app wants of any.
//
// Hosts of other people's APIs would be listed in APIs by hand; here there is one, which the
// operator named.
func (a *app) authConfig(o oidcauth.Config) oidcauth.Config {
	o.Sessions, o.Logger = a.sessions, a.log
	// A proxy that serves the app below a path strips it: the browser has it, the routes of this
	// process don't.
	o.StrippedPrefix = a.config.Base()
	// The library's errors come out as pages like the app's own, and its few pages wear the app's
	// style.
	o.ErrorHandler, o.Stylesheet = a.authError, a.site.At("/static/app.css")
	// Both need a Store for their marks, which there is in every mode: one process has a memory,
	// several share a Redis.
	o.BackChannelLogout, o.FrontChannelLogout = true, true
	// People see where they are signed in; their address is kept only where the operator says so.
	o.ListSessions, o.RecordAddress = true, sessionlist.Address(a.config.RecordAddress)
	// A page may ask /auth/session as often as it likes.
	o.SessionEndpoint = true
	o.Hooks = a.telemetry.Hooks(o.Hooks)
	// Access tokens go to this origin and nowhere else, also behind redirects.
	o.APIs = []string{a.config.API.Scheme + "://" + a.config.API.Host}
	return o
}

// addProviders makes the Authenticators: one, or two that share the session manager.
func (a *app) addProviders() error {
	c := a.config
	o := a.authConfig(c.OIDC)
	// The application's own client: the same credentials, without a user.
	o.Machines = map[string]oidcauth.MachineConfig{machineName: {Scopes: c.MachineScopes}}
	var err error
	if a.first, err = a.providers.Add(c.ProviderName(), c.API, o); err != nil {
		return err
	}
	a.machine = a.first.Auth.Machine(machineName)
	if a.apis, err = demoapi.New(c, a.log); err != nil {
		return err
	}
	if c.Second != nil {
		a.second, err = a.providers.Add(c.Second.Name, c.SecondAPI(), a.authConfig(c.Second.OIDC))
	}
	return err
}
