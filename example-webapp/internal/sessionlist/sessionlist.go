// Package sessionlist lets people see where they are signed in, and end what they don't know: for
// scripts below /api/sessions, and with the forms of the profile page, which need none.
//
// It promises that nobody sees or ends another user's session: the user is always the one who is
// signed in, and an id that is not of their own list is not found. Start at List.
package sessionlist

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/site"
	"github.com/signet-go/signet/example-webapp/internal/view"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A List is what the routes need. Its fields are set before the first request.
type List struct {
	Sessions *session.Manager
	Site     *site.Site
	Fail     func(w http.ResponseWriter, r *http.Request, err error)
	Logout   http.HandlerFunc // ends the session here and at its provider

	// DemandFresh asks users who come back after a sign-out everywhere to authenticate again: else
	// single sign-on lets in again who is still signed in at the provider.
	DemandFresh bool
}

// Register adds the routes, each behind login.
func (l *List) Register(mux *http.ServeMux, login func(http.HandlerFunc) http.Handler) {
	mux.Handle("GET /api/sessions", site.NeverNavigate(l.Site.FromHere(login(l.show))))
	mux.Handle("POST /api/sessions/end", site.NeverNavigate(login(l.then(l.end, noContent))))
	mux.Handle("POST /api/sessions/end-others", site.NeverNavigate(login(l.then(l.endOthers, noContent))))
	mux.Handle("POST /api/sessions/end-all", site.NeverNavigate(login(l.then(l.endAll, noContent))))
	mux.Handle("POST /profile/sessions/end", login(l.then(l.end, l.backToProfile)))
	mux.Handle("POST /profile/sign-out-elsewhere", login(l.then(l.endOthersFresh, l.backToProfile)))
	mux.Handle("POST /profile/sign-out-everywhere", login(l.then(l.markAll, l.Logout)))
}

// then answers with done where do has done its work. When that fails, nobody is told otherwise.
func (l *List) then(do func(*http.Request) error, done http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		switch err := do(r); {
		case errors.Is(err, errNoID):
			l.Site.Refuse(w, r, http.StatusBadRequest)
		case errors.Is(err, session.ErrNoSession):
			l.Site.Refuse(w, r, http.StatusNotFound)
		case err != nil:
			l.Fail(w, r, err)
		default:
			done(w, r)
		}
	}
}

// maxBody is far more than a form with one id takes.
const maxBody = 4 << 10

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// backToProfile is a redirect, so that a reload repeats nothing.
func (l *List) backToProfile(w http.ResponseWriter, _ *http.Request) { l.Site.Redirect(w, "/profile") }

// Of are the sessions of the user of r, newest first.
func (l *List) Of(r *http.Request) ([]session.Listed, error) {
	return l.Sessions.List(r.Context(), oidcauth.UserFrom(r.Context()).Tag())
}

// A row is one session for scripts.
type row struct {
	ID        string     `json:"id"`
	Current   bool       `json:"current"`
	Created   *time.Time `json:"created_at"`
	LastSeen  *time.Time `json:"last_seen_at"`
	Provider  string     `json:"provider"`
	UserAgent string     `json:"user_agent"`
	Address   *string    `json:"address"` // null unless recorded
	Bound     bool       `json:"bound"`
}

func (l *List) show(w http.ResponseWriter, r *http.Request) {
	all, err := l.Of(r)
	if err != nil {
		l.Fail(w, r, err)
		return
	}
	rows := make([]row, len(all))
	for i, s := range all {
		rows[i] = row{
			ID: s.ID, Current: s.Current, Created: view.UTCOrNull(s.Created), LastSeen: view.UTCOrNull(s.LastSeen),
			Provider: s.Place.Provider, UserAgent: s.Place.UserAgent, Bound: s.Bound,
		}
		if s.Place.Address != "" {
			rows[i].Address = &s.Place.Address
		}
	}
	reply.JSON(w, http.StatusOK, rows)
}

// errNoID means that a request names no session, or that its form can't be read.
var errNoID = errors.New("no id")

// end ends the session that the form names.
func (l *List) end(r *http.Request) error {
	id := r.PostFormValue("id")
	if id == "" {
		return errNoID
	}
	return l.Sessions.End(r.Context(), oidcauth.UserFrom(r.Context()).Tag(), id)
}

// endOthers ends all sessions of the user but this one.
func (l *List) endOthers(r *http.Request) error { return l.revokeOthers(r) }

// endOthersFresh is endOthers, and demands a fresh login where that is configured.
func (l *List) endOthersFresh(r *http.Request) error { return l.revokeOthers(r, l.demand()...) }

// endAll ends all sessions of the user. This one comes last: whoever is told of a failure is still
// signed in to try again, and the response takes the cookie away.
func (l *List) endAll(r *http.Request) error {
	if err := l.endOthersFresh(r); err != nil {
		return err
	}
	return session.From(r.Context()).Destroy(r.Context())
}

// markAll ends all sessions of the user for whoever comes next. The logout of this one follows: when
// the store fails, the person is told, and is still signed in to try again.
func (l *List) markAll(r *http.Request) error { return l.revoke(r, l.demand()...) }

// revokeOthers leaves the session of r alone.
func (l *List) revokeOthers(r *http.Request, options ...session.RevokeOption) error {
	return l.revoke(r, append(options, session.Except(session.From(r.Context())))...)
}

// revoke ends the sessions of the user at their provider, also those from before there was a list.
func (l *List) revoke(r *http.Request, options ...session.RevokeOption) error {
	return l.Sessions.Revoke(r.Context(), oidcauth.UserFrom(r.Context()).Tag(), options...)
}

// demand is what a sign-out everywhere asks of who comes back.
func (l *List) demand() []session.RevokeOption {
	if l.DemandFresh {
		return []session.RevokeOption{session.DemandFreshLogin}
	}
	return nil
}

// Address is where a request came from, for the list: the other end of the connection; nil where
// that is not recorded. Behind a proxy it is the proxy: an application of yours would read what its
// own proxy says there.
func Address(recorded bool) func(*http.Request) string {
	if !recorded {
		return nil
	}
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return ""
		}
		return host
	}
}
