// Package providers lets people sign in with one of several identity providers that share one
// session manager: a browser has one session, whoever it came from, and signing in at one provider
// ends the other's.
//
// It promises that a user's tokens, logout and step-ups are the business of the provider that they
// came from, and that nothing is begun at one before somebody chose it. With a single provider, all
// of this is an Authenticator's own: Require, Load, LoginURL. Start at Set.
package providers

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/oidcauth"
)

// A Provider is one of those that people can sign in with, and what the app does in its users'
// names.
//
// Everything that is somebody's business alone hangs on it, so that no handler has to ask "which
// one" more than once.
type Provider struct {
	Name   string // as people know it
	Issuer string
	Auth   *oidcauth.Authenticator
	API    *url.URL // what is called for its users

	// Proxy lets scripts call the API with its users' tokens.
	Proxy http.Handler
}

// A Set is all of them; the first is the one that is meant when nobody is signed in. It is complete
// before the first request and never changed, so that handlers share it without locks.
type Set struct {
	// ChooseURL is where the browser finds the page on which people choose, when there is more than
	// one.
	ChooseURL string
	// Asked is what the browser asked for.
	Asked func(*http.Request) string

	list []*Provider
}

// Add joins the library to a provider. Its errors name every mistake in o.
func (s *Set) Add(name string, api *url.URL, o oidcauth.Config) (*Provider, error) {
	auth, err := oidcauth.New(o)
	if err != nil {
		return nil, err
	}
	p := &Provider{Name: name, Issuer: o.Issuer, Auth: auth, API: api}
	if p.Proxy, err = newProxy(p, o.Timeout); err != nil {
		return nil, err
	}
	s.list = append(s.list, p)
	return p, nil
}

// Of returns the provider that signed the user of r in, and the first one when nobody is: tokens,
// logouts and step-ups are its business alone.
//
// The issuer tells them apart, which is part of who the user is. The library lets no session pass
// whose login another configuration made, so that a user without a provider here can't be.
func (s *Set) Of(r *http.Request) *Provider {
	if user := oidcauth.UserFrom(r.Context()); user != nil {
		for _, p := range s.list {
			if p.Issuer == user.Issuer {
				return p
			}
		}
	}
	return s.list[0]
}

// Load makes the user known, whichever provider they came from: the providers share their sessions.
func (s *Set) Load(h http.HandlerFunc) http.Handler { return s.list[0].Auth.Load(h) }

// Require guards a page: users of every provider may pass who meet the requirements.
//
// With one provider this is its Authenticator.Require. With two, a role or a login's age counts
// wherever it comes from: an application that trusts one provider's roles only would guard with
// that one's Authenticator.
func (s *Set) Require(requirements ...oidcauth.Requirement) func(http.HandlerFunc) http.Handler {
	guard := oidcauth.RequireAny(s.Auths(), requirements...)
	return func(h http.HandlerFunc) http.Handler { return s.offerChoice(guard(h)) }
}

// Auths are the Authenticators of all.
func (s *Set) Auths() []*oidcauth.Authenticator {
	auths := make([]*oidcauth.Authenticator, 0, len(s.list))
	for _, p := range s.list {
		auths = append(auths, p.Auth)
	}
	return auths
}

// Shutdown waits for refreshes that go on without their requests: a refresh token that is spent
// while its successor is not kept signs the user out.
func (s *Set) Shutdown(ctx context.Context) error {
	problems := make([]error, 0, len(s.list))
	for _, p := range s.list {
		problems = append(problems, p.Auth.Shutdown(ctx))
	}
	return errors.Join(problems...)
}
