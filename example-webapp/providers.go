package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/example-webapp/internal/demoapi"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// machineName is what the library's configuration calls the application's own client.
const machineName = "demo"

// An identityProvider is one of the one or two that people can sign in with, and what the app does in its users' names.
//
// Everything that is somebody's business alone hangs on it, so that no handler has to ask "which one" more than once.
type identityProvider struct {
	name   string // as people know it
	issuer string
	auth   *oidcauth.Authenticator
	api    *url.URL     // what /api/call asks for its users
	demo   *demoapi.API // believes this issuer's tokens and no others
}

// addProviders makes the Authenticators. They share one session manager: a browser has one session, whoever it came from, and
// signing in at one provider ends the other's.
func (a *app) addProviders(sessions *session.Manager) error {
	c := a.config
	name, audience := settings.HostOf(c.OIDC.Issuer), ""
	if c.Embedded {
		name, audience = "Development provider", c.API.String()
	}
	first := &identityProvider{name: name, api: c.API, demo: demoapi.New(c.BaseURL.JoinPath("/demo/api").String(), audience, &c.OIDC, a.log)}
	o := a.authConfig(c.OIDC, sessions)
	// The application's own client: the same credentials, without a user.
	o.Machines = map[string]oidcauth.MachineConfig{machineName: {Scopes: c.MachineScopes}}
	if err := a.add(first, o); err != nil {
		return err
	}
	a.machine = first.auth.Machine(machineName)
	if c.Second == nil {
		return nil
	}
	second := &identityProvider{name: c.Second.Name, api: c.API, demo: demoapi.New(c.BaseURL.JoinPath("/demo2/api").String(), "", &c.Second.OIDC, a.log)}
	if c.APIIsOurs() {
		second.api = c.BaseURL.JoinPath("/demo2/api")
	}
	return a.add(second, a.authConfig(c.Second.OIDC, sessions))
}

// add joins the library to p. Its errors name every mistake in o.
func (a *app) add(p *identityProvider, o oidcauth.Config) error {
	auth, err := oidcauth.New(o)
	if err != nil {
		return err
	}
	p.issuer, p.auth = o.Issuer, auth
	a.providers = append(a.providers, p)
	return nil
}

// authConfig adds to what the environment says about a provider what this app wants of any.
//
// Hosts of other people's APIs would be listed in APIs by hand; here there is one, which the operator named.
func (a *app) authConfig(o oidcauth.Config, sessions *session.Manager) oidcauth.Config {
	o.Sessions, o.Logger = sessions, a.log
	// A proxy that serves the app below a path strips it: the browser has it, the routes of this process don't.
	o.StrippedPrefix = a.config.Base()
	// The library's errors come out as pages like the app's own, and its few pages wear the app's style.
	o.ErrorHandler, o.Stylesheet = a.authError, a.at("/static/app.css")
	// Both need a Store for their marks, which there is in every mode: one process has a memory, several share a Redis.
	o.BackChannelLogout, o.FrontChannelLogout = true, true
	// A page may ask /auth/session as often as it likes.
	o.SessionEndpoint = true
	// Access tokens go to this origin and nowhere else, also behind redirects.
	o.APIs = []string{a.config.API.Scheme + "://" + a.config.API.Host}
	return o
}

// providerOf returns the provider that signed the user of r in, and the first one when nobody is: tokens, logouts and step-ups are
// its business alone.
//
// The issuer tells them apart, which is part of who the user is. The library lets no session pass whose login another
// configuration made, so that a user without a provider here can't be.
func (a *app) providerOf(r *http.Request) *identityProvider {
	if user := oidcauth.UserFrom(r.Context()); user != nil {
		for _, p := range a.providers {
			if p.issuer == user.Issuer {
				return p
			}
		}
	}
	return a.providers[0]
}

// load makes the user known, whichever provider they came from: the providers share their sessions.
func (a *app) load(h http.HandlerFunc) http.Handler { return a.providers[0].auth.Load(h) }

// require guards a page: users of every provider may pass who meet the requirements.
//
// With one provider this is its Authenticator.Require. With two, a role or a login's age counts wherever it comes from: an
// application that trusts one provider's roles only would guard with that one's Authenticator.
func (a *app) require(requirements ...oidcauth.Requirement) func(http.HandlerFunc) http.Handler {
	auths := make([]*oidcauth.Authenticator, 0, len(a.providers))
	for _, p := range a.providers {
		auths = append(auths, p.auth)
	}
	guard := oidcauth.RequireAny(auths, requirements...)
	return func(h http.HandlerFunc) http.Handler { return a.offerChoice(guard(h)) }
}

// ready says whether logins work at every provider, and whether sessions can be read.
//
// One provider that is down makes the app not ready although the other's users could sign in: this is the strict reading,
// for a test bench. An operator of two providers might take a single one for enough.
func (a *app) ready(r *http.Request) error {
	problems := []error{a.sessions.Ready(r.Context())}
	for _, p := range a.providers {
		if err := p.auth.Discover(r.Context()); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(problems...)
}

// settle waits for refreshes that go on without their requests: a refresh token that is spent while its successor is not kept signs
// the user out.
func (a *app) settle(ctx context.Context) error {
	problems := make([]error, 0, len(a.providers))
	for _, p := range a.providers {
		problems = append(problems, p.auth.Shutdown(ctx))
	}
	return errors.Join(problems...)
}
