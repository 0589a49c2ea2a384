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

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// maxAPIBody bounds what /api/call and /api/machine read from the API.
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
type me struct {
	Subject        string     `json:"sub"`
	Issuer         string     `json:"iss"`
	Name           *string    `json:"name"`
	Email          *string    `json:"email"`
	Roles          []string   `json:"roles"`
	SID            *string    `json:"sid"`
	ACR            *string    `json:"acr"`
	AuthTime       *time.Time `json:"auth_time"`
	TokenExpires   *time.Time `json:"access_token_expires_at"`
	SessionExpires *time.Time `json:"session_expires_at"`
}

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
	writeJSON(w, http.StatusOK, answer)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func utcOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// refresh renews the user's tokens now.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := a.providerOf(r).auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil {
		a.failForUser(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token_expires_at": utcOrNull(token.Expiry)})
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
func (a *app) forward(w http.ResponseWriter, r *http.Request, client *http.Client, api *url.URL, fail failer) {
	status, body, err := a.fetch(r.Context(), client, api)
	if err != nil {
		fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": status, "body": rawOrText(body)})
}

// fetch calls the API within the configured time and size.
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
func rawOrText(body []byte) any {
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}
