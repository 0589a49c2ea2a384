// Package demoapi are the APIs of this process that take access tokens: one that the example calls
// with its users' tokens when no other is configured, and /resource, which anybody with a token may
// call.
//
// They are oidcauth's resource servers: which tokens are good is the library's to say, what a caller
// may do theirs. They share nothing with the client that calls them, not even the provider's keys,
// as if they were programs of their own. Start at New.
package demoapi

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
)

// Routes are the APIs by their patterns in a mux. They are complete before the first request.
type Routes map[string]http.Handler

// New makes the APIs that c asks for. c is complete: the issuer of the embedded provider included.
// It does no I/O.
func New(c *settings.Config, log *slog.Logger) (Routes, error) {
	audience := ""
	if c.Embedded {
		audience = c.API.String() // its tokens name the API that they are for
	}
	routes := Routes{}
	err := routes.addDemo("GET /demo/api", c, &c.OIDC, audience, log)
	if err == nil && c.Second != nil {
		err = routes.addDemo("GET /demo2/api", c, &c.Second.OIDC, "", log)
	}
	if err == nil && c.ResourceAudience != "" {
		err = routes.addResource(c, log)
	}
	return routes, err
}

// Register adds them to mux.
func (routes Routes) Register(mux *http.ServeMux) {
	for pattern, h := range routes {
		mux.Handle(pattern, h)
	}
}

// issuer is the provider of client as an API knows it: client asks about tokens that only their
// issuer understands, where it can say who it is.
func issuer(client *oidcauth.Config) oidcauth.TokenIssuer {
	return oidcauth.TokenIssuer{
		Issuer: client.Issuer, Introspect: true, ClientID: client.ClientID, ClientSecret: client.ClientSecret, ClientAuth: client.ClientAuth,
	}
}

// addDemo adds the API behind the default API_URL. With an audience, tokens must be JWTs that are
// meant for it; without one, nobody knows what the provider would call it, and any will do: it is
// here to be called with whatever token there is, and has nothing to protect.
func (routes Routes) addDemo(pattern string, c *settings.Config, client *oidcauth.Config, audience string, log *slog.Logger) error {
	d := &demo{log: log, named: audience != ""}
	r := oidcauth.ResourceConfig{
		URL: c.BaseURL.String(), Issuers: []oidcauth.TokenIssuer{issuer(client)}, InsecureAnyAudience: !d.named,
		Timeout: client.Timeout, Logger: log, ErrorHandler: d.refuse,
	}
	if d.named {
		r.Audience = []string{audience}
		r.Issuers = []oidcauth.TokenIssuer{{Issuer: client.Issuer}}
	}
	server, err := oidcauth.NewResource(r)
	if err == nil {
		routes[pattern] = server.Require()(http.HandlerFunc(greet))
		routes[pattern+"/{$}"] = routes[pattern] // where /proxy/ leads
	}
	return err
}

// greet answers what it read of the token.
func greet(w http.ResponseWriter, r *http.Request) {
	c := oidcauth.CallerFrom(r.Context())
	answer := map[string]any{
		"message": "Hello from the demo API.", "sub": c.Subject, "client_id": c.ClientID, "scope": scopeOf(c),
		"sender_constrained": c.SenderConstrained,
	}
	if !c.Expiry.IsZero() {
		answer["expires_at"] = c.Expiry.UTC().Format(time.RFC3339)
	}
	reply.JSON(w, http.StatusOK, answer)
}

// A demo says what its callers are told in place of the library's refusals.
type demo struct {
	log   *slog.Logger
	named bool // it knows its own name

	unchecked sync.Once // that tokens can't be checked here is a matter of the configuration, and said once
}

// refuse is an oidcauth.ResourceConfig.ErrorHandler. A token that is good for some API, and that
// nobody here can check, is told apart: whoever set this up has to name that API.
func (d *demo) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !d.named && errors.Is(err, oidcauth.ErrUncheckable) {
		d.unchecked.Do(func() { d.log.WarnContext(r.Context(), "demo API can't check this token", "cause", err) })
		w.Header().Del("WWW-Authenticate")
		reply.JSON(w, http.StatusNotImplemented, map[string]string{
			"error": "api_url_needed", "error_description": "The demo API can't check this provider's access tokens: set API_URL to an API that can.",
		})
		return
	}
	refuse(w, r, err)
}

// refuse answers with the code alone: what exactly is wrong with a token is said in the log, for
// only the issuer could do something with it.
func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	var p *oidcauth.Problem
	if !errors.As(err, &p) {
		p = &oidcauth.Problem{Status: http.StatusInternalServerError, Code: "internal"}
	}
	reply.JSON(w, p.Status, map[string]string{"error": p.Code, "reference": p.Reference})
}
