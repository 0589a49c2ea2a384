package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// maxAPIBody bounds what /api/call and /api/machine read from the API.
const maxAPIBody = 1 << 20

// errAPIBody is an API answer that is too large or breaks off.
var errAPIBody = errors.New("the API's answer is too large or incomplete")

// userOnly lets signed-in requests through and answers others itself: the routes under /api/ never redirect, whoever asks. A store
// that can't be reached is not a sign-out.
func (a *app) userOnly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if oidcauth.UserFrom(r.Context()) != nil {
			next(w, r)
			return
		}
		err := session.From(r.Context()).Load()
		if err == nil || !errors.Is(err, session.ErrUnavailable) {
			err = oidcauth.ErrLoginRequired
		}
		a.failAPI(w, r, err)
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
	if expiry, err := a.tokenExpiry(r); err == nil {
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
	t = t.UTC().Truncate(time.Second)
	return &t
}

// tokenExpiry returns when the user's access token expires.
func (a *app) tokenExpiry(r *http.Request) (time.Time, error) {
	token, err := a.auth.TokenSource(r.Context()).Token()
	if err != nil {
		return time.Time{}, err
	}
	return token.Expiry, nil
}

// refresh renews the user's tokens now.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	token, err := a.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil {
		a.failAPI(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token_expires_at": utcOrNull(token.Expiry)})
}

// call asks the API as the user. The token is fetched first, so that a slow provider doesn't use up the API's time.
func (a *app) call(w http.ResponseWriter, r *http.Request) {
	if _, err := a.auth.TokenSource(r.Context()).Token(); err != nil {
		a.failAPI(w, r, err)
		return
	}
	a.forward(w, r, a.auth.Client(r.Context()))
}

// callAsMachine asks the API as the application itself.
func (a *app) callAsMachine(w http.ResponseWriter, r *http.Request) {
	if _, err := a.machine.TokenSource(r.Context()).Token(); err != nil {
		a.failAPI(w, r, err)
		return
	}
	a.forward(w, r, a.machine.Client(r.Context()))
}

// forward answers with what the API says, whatever that is.
func (a *app) forward(w http.ResponseWriter, r *http.Request, client *http.Client) {
	status, body, err := a.fetch(r.Context(), client)
	if err != nil {
		a.failAPI(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": status, "body": rawOrText(body)})
}

// fetch calls the API within the configured time and size.
func (a *app) fetch(ctx context.Context, client *http.Client) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.config.OIDC.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.config.API.String(), nil)
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

// failAPI answers an error of the token or API calls, with a fixed text for the browser and the cause for the log.
func (a *app) failAPI(w http.ResponseWriter, r *http.Request, err error) {
	var stepUp *oidcauth.StepUpError
	var down *oidcauth.UnavailableError
	var timeout net.Error
	switch {
	case errors.Is(err, oidcauth.ErrLoginRequired):
		a.loginRequired(w)
		return
	case errors.As(err, &stepUp):
		a.stepUpRequired(w, stepUp)
		return
	case errors.Is(err, session.ErrUnavailable):
		a.unavailable(w, r, time.Second, err)
	case errors.As(err, &down):
		a.unavailable(w, r, down.RetryAfter, err)
	case errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()):
		a.badGateway(w, r, http.StatusGatewayTimeout, "time_out", err)
	default:
		a.badGateway(w, r, http.StatusBadGateway, "no_answer", err)
	}
}

// loginRequired is the 401 of the routes under /api/.
func (a *app) loginRequired(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Session realm="signet example"`)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "login_required", "login_url": a.auth.LoginURL("/profile")})
}

// stepUpRequired passes on that the API wants a fresher or stronger login (RFC 9470 §3).
func (a *app) stepUpRequired(w http.ResponseWriter, e *oidcauth.StepUpError) {
	w.Header().Set("WWW-Authenticate", `Session realm="signet example"`)
	answer := map[string]any{"error": "insufficient_user_authentication", "login_url": a.auth.LoginURL("/profile")}
	if e.ACRValues != "" {
		answer["acr_values"] = e.ACRValues
	}
	if e.MaxAge > 0 {
		answer["max_age"] = int(e.MaxAge.Seconds())
	}
	writeJSON(w, http.StatusUnauthorized, answer)
}

func (a *app) unavailable(w http.ResponseWriter, r *http.Request, retryAfter time.Duration, err error) {
	seconds := max(1, int(retryAfter.Round(time.Second).Seconds()))
	w.Header().Set("Retry-After", fmt.Sprint(seconds))
	a.badGateway(w, r, http.StatusServiceUnavailable, "unavailable", err)
}

// badGateway answers and logs a failure that is not the browser's, with one reference in both places.
func (a *app) badGateway(w http.ResponseWriter, r *http.Request, status int, code string, err error) {
	id := reference()
	a.log.WarnContext(r.Context(), "call failed", "path", r.URL.Path, "status", status, "reference", id, "cause", err)
	writeJSON(w, status, map[string]string{"error": code, "reference": id})
}
