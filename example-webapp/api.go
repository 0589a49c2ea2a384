package main

import (
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-go/signet/example-webapp/internal/downstream"
	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/view"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// The routes under /api/: what a script of this app's pages, a test or a monitor asks. Their
// answers are JSON, errors included, and they never redirect.

// me answers who is signed in. It asks neither the provider nor, in cookie mode without a Store,
// anybody else.
func (a *app) me(w http.ResponseWriter, r *http.Request) {
	var tokenExpires time.Time
	if at, ok := a.providers.Of(r).Auth.TokenExpiry(r.Context()); ok {
		tokenExpires = at
	}
	reply.JSON(w, http.StatusOK, view.NewMe(oidcauth.UserFrom(r.Context()), tokenExpires, session.From(r.Context()).Expires()))
}

// refresh renews the user's tokens now.
//
// Calls at the same time share one refresh, in this process and, with Redis, across processes: a
// refresh token is good for once at many providers (RFC 9700 §4.14.2), and a second use ends the
// session there.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := a.providers.Of(r).Auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil {
		a.failForUser(w, r, err)
		return
	}
	reply.JSON(w, http.StatusOK, map[string]any{"access_token_expires_at": view.UTCOrNull(token.Expiry)})
}

// call asks the API as the user.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	by := a.providers.Of(r)
	a.forward(w, r, by.Auth.TokenSource(r.Context()), by.Auth.Client(r.Context()), by.API, a.failForUser)
}

// exchange is call with another token: one for EXCHANGE_AUDIENCE, got for the user's (RFC 8693).
//
// An API in the middle of a chain must not pass on the token that it was called with.
func (a *app) exchange(w http.ResponseWriter, r *http.Request) {
	by := a.providers.Of(r)
	e := by.Auth.Exchange(r.Context(), oidcauth.Audience(a.config.ExchangeAudience))
	a.forward(w, r, e.TokenSource(), e.Client(), by.API, a.failForUser)
}

// callAsMachine asks the API as the application itself.
//
// There is no guard before it: it shows that a machine needs nobody to be signed in. An application
// of yours would not offer such a route to strangers.
func (a *app) callAsMachine(w http.ResponseWriter, r *http.Request) {
	a.forward(w, r, a.machine.TokenSource(r.Context()), a.machine.Client(r.Context()), a.config.API, a.fail)
}

// forward answers with what the API says, whatever that is, or else leaves the answer to fail. The
// token is fetched first, so that a slow provider doesn't use up the API's time.
//
// An API's error is an answer too, and the caller's to understand: this app has no opinion on it.
func (a *app) forward(w http.ResponseWriter, r *http.Request, tokens oauth2.TokenSource, client *http.Client, api *url.URL, fail func(http.ResponseWriter, *http.Request, error)) {
	if _, err := tokens.Token(); err != nil {
		fail(w, r, err)
		return
	}
	status, body, err := downstream.Get(r.Context(), client, api, a.config.OIDC.Timeout)
	if err != nil {
		fail(w, r, err)
		return
	}
	reply.JSON(w, http.StatusOK, map[string]any{"status": status, "body": view.RawOrText(body)})
}
