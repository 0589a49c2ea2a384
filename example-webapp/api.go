package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// The routes under /api/: what a script of this app's pages, a test or a monitor asks. Their answers are JSON, errors
// included, and they never redirect.

// maxAPIBody bounds what /api/call and /api/machine read from the API.
//
// An API that says more is refused as a whole: half an answer would look like an answer.
const maxAPIBody = 1 << 20

// errAPIBody is an API answer that is too large or breaks off.
var errAPIBody = errors.New("the API's answer is too large or incomplete")

// neverNavigate makes every request look like a script's to the guards behind it: the routes under /api/ answer 401 and never
// redirect, whoever asks.
func neverNavigate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		script := r.Clone(r.Context())
		script.Header.Set("Sec-Fetch-Mode", "cors")
		script.Header.Set("Sec-Fetch-Dest", "empty")
		script.Header.Set("Accept", "application/json")
		next.ServeHTTP(w, script)
	})
}

// me is the answer of /api/me; absent values are null.
//
// It holds what other parts of a system may want to know about the session, and no token: whoever can read the answer, a
// script that was injected into a page included, must not be able to act elsewhere as the user.
type me struct {
	// Both together name the user (OpenID Connect Core §5.7).
	Subject string  `json:"sub"`
	Issuer  string  `json:"iss"`
	Name    *string `json:"name"`
	Email   *string `json:"email"`
	// Always a list: a program that reads it needs no case for "none".
	Roles []string `json:"roles"`
	// The provider's name for its session, which its logout tokens bear. It is not this session's identifier.
	SID      *string    `json:"sid"`
	ACR      *string    `json:"acr"`
	AuthTime *time.Time `json:"auth_time"`
	// Of the access token at hand. Asking for a token would refresh it, and a page that polls would then keep refreshing for
	// nobody.
	TokenExpires *time.Time `json:"access_token_expires_at"`
	// If nobody does anything any more: the nearer of idle and absolute limit.
	SessionExpires *time.Time `json:"session_expires_at"`
}

// me answers who is signed in. It asks neither the provider nor, in cookie mode without a Store, anybody else.
func (a *app) me(w http.ResponseWriter, r *http.Request) {
	u := oidcauth.UserFrom(r.Context())
	answer := me{
		Subject: u.Subject, Issuer: u.Issuer, Name: orNull(u.Name), Email: orNull(u.Email), Roles: u.Roles,
		SID: orNull(u.SessionID), ACR: orNull(u.ACR), AuthTime: utcOrNull(u.AuthTime),
		SessionExpires: utcOrNull(session.From(r.Context()).Expires()),
	}
	if answer.Roles == nil {
		answer.Roles = []string{}
	}
	if expiry, ok := a.providerOf(r).auth.TokenExpiry(r.Context()); ok {
		answer.TokenExpires = utcOrNull(expiry)
	}
	reply.JSON(w, http.StatusOK, answer)
}

// orNull tells an absent claim from an empty text, as JSON can and Go's zero value can't.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// utcOrNull makes the time that encoding/json writes as RFC 3339 in UTC. Milliseconds are what sessions are kept in; more
// digits would only look precise.
func utcOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// refresh renews the user's tokens now.
//
// Calls at the same time share one refresh, in this process and, with Redis, across processes: a refresh token is good for
// once at many providers (RFC 9700 §4.14.2), and a second use ends the session there.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := a.providerOf(r).auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil {
		a.failForUser(w, r, err)
		return
	}
	reply.JSON(w, http.StatusOK, map[string]any{"access_token_expires_at": utcOrNull(token.Expiry)})
}

// call asks the API as the user. The token is fetched first, so that a slow provider doesn't use up the API's time.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	by := a.providerOf(r)
	if _, err := by.auth.TokenSource(r.Context()).Token(); err != nil {
		a.failForUser(w, r, err)
		return
	}
	a.forward(w, r, by.auth.Client(r.Context()), by.api, a.failForUser)
}

// callAsMachine asks the API as the application itself.
//
// There is no guard before it: it shows that a machine needs nobody to be signed in. An application of yours would not offer
// such a route to strangers.
func (a *app) callAsMachine(w http.ResponseWriter, r *http.Request) {
	if _, err := a.machine.TokenSource(r.Context()).Token(); err != nil {
		a.fail(w, r, err)
		return
	}
	a.forward(w, r, a.machine.Client(r.Context()), a.config.API, a.fail)
}

// A failer answers a request that failed with an error: app.fail, or app.failForUser.
type failer func(http.ResponseWriter, *http.Request, error)

// forward answers with what the API says, whatever that is, or else leaves the answer to fail.
//
// An API's error is an answer too, and the caller's to understand: this app has no opinion on it.
func (a *app) forward(w http.ResponseWriter, r *http.Request, client *http.Client, api *url.URL, fail failer) {
	status, body, err := a.fetch(r.Context(), client, api)
	if err != nil {
		fail(w, r, err)
		return
	}
	reply.JSON(w, http.StatusOK, map[string]any{"status": status, "body": rawOrText(body)})
}

// fetch calls the API within the configured time and size.
//
// The context ends with the request, so that nobody works for a browser that has left, and the client lets the token go to
// the origin of API_URL only, also behind redirects.
func (a *app) fetch(ctx context.Context, client *http.Client, api *url.URL) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.OIDC.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAPIBody+1))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errAPIBody, err)
	}
	if len(body) > maxAPIBody {
		return 0, nil, errAPIBody
	}
	return resp.StatusCode, body, nil
}

// rawOrText returns JSON as it is and anything else as a string.
//
// Embedding is safe, since json.Marshal escapes what HTML could take for a tag, and the answer's type is application/json
// with nosniff.
func rawOrText(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}
