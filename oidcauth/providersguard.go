package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/signet-go/signet/session"
)

// Load is [Authenticator.Load] for users of every provider.
func (p *Providers) Load(h http.Handler) http.Handler { return p.desk.Load(h) }

// Peek is [Authenticator.Peek] for users of every provider.
func (p *Providers) Peek(h http.Handler) http.Handler { return p.desk.Peek(h) }

// Require is [Authenticator.Require] for users of the provider with this name only: users of any
// other count as signed out, even with the same issuer. The provider need not exist yet. While it
// doesn't, signed-out users get 404 with the code unknown_provider. It panics if name isn't a valid
// name.
func (p *Providers) Require(name string, requirements ...Requirement) func(http.Handler) http.Handler {
	if err := checkName(name); err != nil {
		panic(err)
	}
	return p.guarding(func(*http.Request) string { return name }, requirements)
}

// RequireAny is [Authenticator.Require] for users of the provider that ProvidersConfig.Choose names
// for the request or, if it names none, of any provider. A signed-out browser is then sent to the
// provider that it used last, or to the page where users choose one if there is none or the user
// signed out there, and comes back.
func (p *Providers) RequireAny(requirements ...Requirement) func(http.Handler) http.Handler {
	return p.guarding(p.chosenFor, requirements)
}

// chosenFor is what the application chooses for r, "" for nothing.
func (p *Providers) chosenFor(r *http.Request) string {
	if p.config.Choose == nil {
		return ""
	}
	return p.config.Choose(r)
}

// guarding returns the middleware of guards; nameFor is "" where a request is for users of every
// provider.
func (p *Providers) guarding(nameFor func(*http.Request) string, requirements []Requirement) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		guard := besideTokens(p.sessions.Handler, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name := nameFor(r)
			user, err := p.admitted(r.Context(), name, requirements)
			if err == nil {
				h.ServeHTTP(w, r)
				return
			}
			if name != "" {
				r = demanding(r)
			}
			p.deny(w, r, name, user, err)
		}))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, p.desk.site.Prefix) {
				p.ServeHTTP(w, r)
				return
			}
			guard.ServeHTTP(w, r)
		})
	}
}

// admitted decides whether the user in ctx may pass a guard of the provider called name, or of
// every one.
func (p *Providers) admitted(ctx context.Context, name string, requirements []Requirement) (*User, error) {
	a, err := p.concerned(ctx, name)
	if err != nil {
		return nil, err
	}
	return admitted(ctx, []*Authenticator{a}, requirements)
}

// concerned returns the Authenticator whose user the one in ctx is, if that is the one called name,
// or name is "". The error is ErrLoginRequired for strangers.
func (p *Providers) concerned(ctx context.Context, name string) (*Authenticator, error) {
	id, err := identityOf(p.sessions.From(ctx))
	if err == nil {
		if own := nameIn(id.login.Provider); own == "" || name != "" && own != name {
			return nil, ErrLoginRequired
		}
		if a := p.byKeyOf(id.login.Provider); a != nil {
			return a, nil
		}
		return nil, ErrLoginRequired
	}
	if !errors.Is(err, session.ErrNoSession) || withoutProof(err) {
		return nil, err
	}
	if u, _ := ctx.Value(userKey{}).(*User); u != nil && u.Provider != "" && (name == "" || u.Provider == name) {
		if a, err := p.Get(u.Provider); err == nil {
			return a, nil
		}
	}
	return nil, ErrLoginRequired
}

// deny answers a request that a guard of the provider called name refused, or one of every provider:
// at the provider that is concerned or named, else where one is chosen.
func (p *Providers) deny(w http.ResponseWriter, r *http.Request, name string, user *User, err error) {
	if a, concerned := p.concerned(r.Context(), name); concerned == nil && a.serves() {
		a.deny(w, r, user, err)
		return
	}
	if last, left := p.remembered(r); name == "" && !left {
		name = last
	}
	if name == "" {
		p.desk.deny(w, r, user, err)
		return
	}
	a, unknown := p.Get(name)
	if unknown != nil {
		p.unknown(w, r, name, p.desk.site.PageOf(r))
		return
	}
	a.deny(w, r, user, err)
}
