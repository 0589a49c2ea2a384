package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signet-go/signet/session"
)

// serveSession tells a script of the page who is signed in, for as long as nothing is done with it:
// the route is a look. Other sites get no answer that tells anything, not even by its status or the
// time that it takes.
func (a *Authenticator) serveSession(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	if err := a.sentFromHere(r); err != nil {
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Err: err})
		return
	}
	user, err := a.anybody(r.Context())
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, a.presence(a.sessions.From(r.Context()), user))
	case errors.Is(err, session.ErrUnavailable):
		a.fail(w, r, &Problem{Status: http.StatusServiceUnavailable, Code: "store_unavailable", Err: err})
	case withoutProof(err):
		a.denyProofless(w, r, err)
	default:
		a.nobodyHere(w, r, err)
	}
}

// nobodyHere is the 401 of the session endpoint. Unlike a guard's it leaves htmx where it is: a
// page that asks now and then must not be taken from somebody who writes in it.
func (a *Authenticator) nobodyHere(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("WWW-Authenticate", loginChallenge)
	if WantsPage(r) {
		a.fail(w, r, &Problem{Status: http.StatusUnauthorized, Code: "login_required", Err: err})
		return
	}
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "login_required", "login_url": a.site.LoginURL(a.site.PageOf(r))})
}

// sentFromHere reports why r was sent by another site: to a POST it would be refused.
func (a *Authenticator) sentFromHere(r *http.Request) error {
	asPost := *r
	asPost.Method = http.MethodPost
	return a.csrf.Check(&asPost)
}

// anybody returns the user that is signed in at any Authenticator which shares the sessions, as
// that one's guards judge.
func (a *Authenticator) anybody(ctx context.Context) (*User, error) {
	owner := a
	if id, err := identityOf(a.sessions.From(ctx)); err == nil {
		if other := siblingsOf(a.sessions).find(id.login.Provider); other != nil {
			owner = other
		}
	}
	user, err := guardUser(ctx, []*Authenticator{owner})
	if err != nil {
		return nil, err
	}
	return user.copied(), nil
}

// A presence is what the session endpoint tells.
type presence struct {
	Subject        string     `json:"sub"`
	Name           *string    `json:"name"`
	SessionExpires *time.Time `json:"session_expires_at"`
	IdleExpires    *time.Time `json:"idle_expires_at"`
	LogoutURL      string     `json:"logout_url"`
}

// presence describes the session of user.
func (a *Authenticator) presence(s *session.Session, user *User) presence {
	p := presence{Subject: user.Subject, LogoutURL: a.LogoutURL(), SessionExpires: utc(s.Deadline())}
	if user.Name != "" {
		p.Name = &user.Name
	}
	if a.sessions.Config().IdleTimeout > 0 {
		p.IdleExpires = utc(s.Expires())
	}
	return p
}

// utc returns t for JSON, nil for the zero time.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
