package oidcauth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/internal/access"
	"github.com/signet-go/signet/internal/logtext"
)

// ownRoutes are the routes that belong to no provider.
func (p *Providers) ownRoutes() map[string]http.HandlerFunc {
	at := p.desk.site.Prefix
	routes := map[string]http.HandlerFunc{
		at + "login":      p.serveLogin,
		at + "logout":     p.desk.serveLogout,
		at + "signed-out": p.desk.serveSignedOut,
		at + "style.css":  p.desk.serveStyle,
	}
	if p.config.SessionEndpoint {
		routes[at+"session"] = p.desk.Peek(http.HandlerFunc(p.desk.serveSession)).ServeHTTP
	}
	if p.desk.bindsDevices() {
		routes[at+deviceStart], routes[at+deviceRefresh] = p.desk.devices.serveStart, p.desk.devices.serveRefresh
	}
	return routes
}

// routesOfUsers are those of a provider that serve its users also where it was retired, or is not
// known yet: they ask nothing of it.
var routesOfUsers = []string{"logout", "signed-out", deviceStart, deviceRefresh}

// ServeHTTP serves the routes below ProvidersConfig.URL: login, where users choose a provider;
// logout, signed-out and session, for whichever provider made the session; and below NAME those of
// that provider, as in [Authenticator.ServeHTTP]. If there is no such provider, or no longer, it
// answers 404 with the code unknown_provider, and signed-in users can still sign out.
func (p *Providers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protectAnswer(w)
	if h, ok := p.routes[r.URL.Path]; ok {
		p.sessions.Handler(h).ServeHTTP(w, r)
		return
	}
	rest, below := strings.CutPrefix(r.URL.Path, p.desk.site.Prefix)
	name, route, _ := strings.Cut(rest, "/")
	if !below || route == "" {
		p.desk.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "not_found", Err: p.desk.explainPath(r)})
		return
	}
	a, err := p.Get(name)
	switch {
	case err == nil:
		a.ServeHTTP(w, r)
	case slices.Contains(routesOfUsers, route) && p.routes[p.desk.site.Prefix+route] != nil:
		p.sessions.Handler(p.routes[p.desk.site.Prefix+route]).ServeHTTP(w, r)
	default:
		r, back := p.wanted(r, route)
		p.unknown(w, r, name, back)
	}
}

// unknown answers what is for a provider that is not there, and was to lead back to back. Nothing of
// the browser's is touched: another process may know the provider, or this one in a moment.
func (p *Providers) unknown(w http.ResponseWriter, r *http.Request, name, back string) {
	err := fmt.Errorf("%w: %s", ErrUnknownProvider, logtext.Clip(name, 63))
	p.desk.fail(w, r, &Problem{Status: http.StatusNotFound, Code: "unknown_provider", ChooseURL: p.elsewhere(r, name, back), Err: err})
}

// LoginURL returns the path that starts a login at the provider that the user chooses, and comes
// back to returnTo, as [Authenticator.LoginURL].
func (p *Providers) LoginURL(returnTo string) string { return p.desk.LoginURL(returnTo) }

// LogoutURL returns the path of the logout route, for users of every provider: POST ends the
// session, GET asks first.
func (p *Providers) LogoutURL() string { return p.desk.LogoutURL() }

// Logout is [Authenticator.Logout] at the provider that made the session. If that was removed, it
// only ends the session here.
func (p *Providers) Logout(w http.ResponseWriter, r *http.Request) { p.desk.Logout(w, r) }

// TokenSource is [Authenticator.TokenSource] of the provider that made the session. Users of a
// retired provider have no tokens: ErrLoginRequired.
func (p *Providers) TokenSource(ctx context.Context, options ...TokenOption) oauth2.TokenSource {
	a, err := p.owner(ctx)
	if err != nil {
		return &tokenSource{err: err}
	}
	return a.TokenSource(ctx, options...)
}

// Client is [Authenticator.Client] of the provider that made the session, with the errors of
// TokenSource.
func (p *Providers) Client(ctx context.Context, options ...TokenOption) *http.Client {
	a, err := p.owner(ctx)
	if err != nil {
		return &http.Client{Transport: refusing{err}}
	}
	return a.Client(ctx, options...)
}

// A refusing transport sends nothing.
type refusing struct{ err error }

// RoundTrip returns the error.
func (t refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	return (&access.Transport{Err: t.err, Rules: clientRules}).RoundTrip(r)
}

// From returns the provider that made the session in ctx. Errors: ErrLoginRequired if no user is
// signed in or the user comes from WithUser, wrapped together with ErrUnknownProvider if the
// provider was retired; session.ErrUnavailable.
func (p *Providers) From(ctx context.Context) (*Authenticator, error) {
	a, err := p.owner(ctx)
	if err == nil && !a.serves() {
		return nil, fmt.Errorf("%w: %w", ErrLoginRequired, ErrUnknownProvider)
	}
	return a, err
}

// owner is From for whoever asks nothing of a provider that was retired.
func (p *Providers) owner(ctx context.Context) (*Authenticator, error) {
	id, err := identityOf(p.sessions.From(ctx))
	if err != nil {
		return nil, loginRequired(err)
	}
	if a := siblingsOf(p.sessions).find(id.login.Provider); a != nil {
		return a, nil
	}
	return nil, ErrLoginRequired
}
