package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/gallery"
	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// stepUpAge is how old a login may be at /stepup.
//
// Short enough to be seen at work in a demonstration; an application would take minutes.
const stepUpAge = time.Minute

// An app is the web application: its routes, and what they need.
//
// Everything in it is set before the first request and never changed, so that handlers share it without locks.
type app struct {
	config    *settings.Config
	sessions  *session.Manager
	providers []*identityProvider // one or two; the first is OIDC_ISSUER's
	machine   *oidcauth.Machine
	errors    *gallery.Gallery
	log       *slog.Logger
	close     func() // when nothing is served any more
}

// handler returns all routes behind the checks that hold for each of them. Those are the app's own: the library protects what is
// under /auth/ by itself.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	a.routes(mux)
	return a.guard(a.answerUnmatched(mux))
}

// routes is the table of routes; everything under /auth/ and /auth2/ is the library's.
//
// Methods and paths are exact: what is not in the table is 404 or 405, and there is no fallback that a clever path could
// reach.
func (a *app) routes(mux *http.ServeMux) {
	login := a.require()
	mux.Handle(settings.OwnPrefix, a.providers[0].auth)
	if callback := a.config.CallbackPath; !strings.HasPrefix(callback, settings.OwnPrefix) {
		mux.Handle(callback, a.providers[0].auth)
	}
	mux.Handle("GET /demo/api", a.providers[0].demo)
	if len(a.providers) > 1 {
		mux.Handle(settings.SecondPrefix, a.providers[1].auth)
		mux.Handle("GET /demo2/api", a.providers[1].demo)
		mux.Handle("GET "+choosePath, a.load(a.choose))
	}

	// Pages. load only tells who is there; the guards send browsers to the provider, and back here.
	mux.Handle("GET /{$}", a.load(a.home))
	mux.Handle("GET /profile", login(a.profile))
	mux.Handle("POST /profile/refresh", login(a.refreshAndShow))
	mux.Handle("POST /profile/sign-out-everywhere", login(a.signOutEverywhere))
	mux.Handle("POST /profile/sign-out-elsewhere", login(a.signOutElsewhere))
	mux.Handle("GET /api-calls", login(a.apiCalls))
	mux.Handle("GET /admin", a.require(oidcauth.Role("admin"))(a.pageHandler("admin.html", "Administration")))
	mux.Handle("GET /stepup", a.require(oidcauth.MaxAge(stepUpAge))(a.pageHandler("stepup.html", "Step-up")))
	mux.Handle("GET /errors", a.load(a.errorPages))
	mux.Handle("GET /errors/{code}", a.load(a.errorPage))

	// JSON. A script can't follow a redirect to another site, so these never send one.
	mux.Handle("GET /api/me", neverNavigate(login(a.me)))
	mux.Handle("GET /api/call", neverNavigate(login(a.call)))
	mux.Handle("POST /api/refresh", neverNavigate(login(a.refresh)))
	mux.Handle("GET /api/machine", neverNavigate(http.HandlerFunc(a.callAsMachine)))

	// For machinery: nothing here depends on a session.
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /static/", reply.Static(assets, a.refusal(http.StatusNotFound)))
}

// refusal is a handler that refuses with status.
func (a *app) refusal(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, status) })
}

// newPage fills in what the layout shows on every page.
//
// Of the user it takes what UserFrom gives, also on public pages: asking costs the decoding of a cookie, and no call of
// anybody.
func (a *app) newPage(r *http.Request, title string) page {
	return page{
		Base: a.config.Base(), Title: title, Path: r.URL.Path, User: oidcauth.UserFrom(r.Context()),
		LoginURL: a.loginURL(a.asked(r)), LogoutURL: a.providerOf(r).auth.LogoutURL(),
	}
}

// at is where the browser finds a path of the app's.
func (a *app) at(path string) string { return a.config.Base() + path }

// asked is what the browser asked for, byte for byte: an escaped slash in it is data.
func (a *app) asked(r *http.Request) string { return a.at(r.RequestURI) }

// redirect sends the browser to a page of the app's. The header is set as it stands: http.Redirect would clean what is in it.
func (a *app) redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", a.at(path))
	w.WriteHeader(http.StatusSeeOther)
}

// home is the public page. It must come out whatever is down: with a store that can't be asked it shows nobody as signed in.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Home")
	p.Data = a.config.Embedded
	pages.Write(w, http.StatusOK, "home.html", p)
}

// pageHandler shows a page that needs no data of its own.
func (a *app) pageHandler(file, title string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pages.Write(w, http.StatusOK, file, a.newPage(r, title))
	}
}

// A profile is what /profile shows beside the user. It has no field that could hold a token.
type profile struct {
	Provider       string
	Claims         []claim
	HasToken       bool
	TokenExpiry    time.Time
	SessionCreated time.Time
	SessionExpires time.Time
	CookieMode     bool
	FreshLogin     bool // is demanded of who signs in again after a sign-out everywhere
}

// A claim is one row of the claims table.
type claim struct{ Name, Value string }

// profile shows what is known of the user and the session, and when the tokens expire. It alone may run a script, its own
// file, which counts the times down.
func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Profile")
	s := session.From(r.Context())
	data := profile{
		Provider: a.providerOf(r).name, Claims: claimRows(p.User.Claims), CookieMode: !a.config.Session.ServerSide,
		FreshLogin:     a.config.FreshAfterRevoke,
		SessionCreated: s.Created(), SessionExpires: s.Expires(),
	}
	data.TokenExpiry, data.HasToken = a.providerOf(r).auth.TokenExpiry(r.Context())
	p.Data, p.Script = data, "/static/countdown.js"
	w.Header().Set("Content-Security-Policy", reply.Policy+"; script-src 'self'")
	pages.Write(w, http.StatusOK, "profile.html", p)
}

// claimRows lists the members of a JSON object in their order, values as JSON.
//
// encoding/json into a map would lose the order, and with it the likeness to what the provider sent.
func claimRows(object json.RawMessage) []claim {
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var rows []claim
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return rows
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return rows
		}
		rows = append(rows, claim{Name: name.(string), Value: plain(value)})
	}
	return rows
}

// plain shows JSON strings without quotes, everything else as it is.
//
// Numbers keep their digits: a float64 would round large ones.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// refreshAndShow is /api/refresh for people: a form posts here and comes back to the profile.
//
// 303, so that a reload of the profile does not refresh once more.
func (a *app) refreshAndShow(w http.ResponseWriter, r *http.Request) {
	_, err := a.providerOf(r).auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil && !errors.Is(err, oidcauth.ErrLoginRequired) {
		a.fail(w, r, err)
		return
	}
	a.redirect(w, "/profile") // which asks for a login where one is needed
}

// signOutEverywhere ends all sessions of the user, on every device, and then this one as any logout does.
//
// The mark is set first: when the store fails, the person is told, and is still signed in to try again.
func (a *app) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	if err := a.revoke(r); err != nil {
		a.fail(w, r, err)
		return
	}
	a.providerOf(r).auth.Logout(w, r)
}

// signOutElsewhere ends all other sessions of the user.
func (a *app) signOutElsewhere(w http.ResponseWriter, r *http.Request) {
	if err := a.revoke(r, session.Except(session.From(r.Context()))); err != nil {
		a.fail(w, r, err)
		return
	}
	a.redirect(w, "/profile")
}

// revoke ends the sessions of the user at their provider.
//
// The others are still signed in there, as far as they were: without SESSION_FRESH_AFTER_REVOKE single sign-on lets them in again.
func (a *app) revoke(r *http.Request, options ...session.RevokeOption) error {
	if a.config.FreshAfterRevoke {
		options = append(options, session.DemandFreshLogin)
	}
	return a.sessions.Revoke(r.Context(), oidcauth.UserFrom(r.Context()).Tag(), options...)
}

// apiCalls shows what the API answers, as the user or as the machine.
//
// It is a GET although it calls somebody: a call of the API changes nothing, here and there, and so its result can be
// reloaded.
func (a *app) apiCalls(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "API calls")
	by := a.providerOf(r)
	result := apiResult{URL: by.api.Redacted(), As: r.FormValue("as")}
	var body []byte
	var err error
	fail := a.fail
	switch result.As {
	case "user":
		result.Status, body, err = a.fetch(r.Context(), by.auth.Client(r.Context()), by.api)
		fail = a.failForUser
	case "machine":
		result.Status, body, err = a.fetch(r.Context(), a.machine.Client(r.Context()), a.config.API)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	result.Body = indented(body)
	p.Data = result
	pages.Write(w, http.StatusOK, "api-calls.html", p)
}

// An apiResult is what /api-calls shows; Status is 0 before a call.
type apiResult struct {
	URL, As, Body string
	Status        int
}

// indented makes JSON readable and leaves anything else alone.
func indented(body []byte) string {
	var buf bytes.Buffer
	if json.Indent(&buf, body, "", "  ") != nil {
		return string(body)
	}
	return buf.String()
}

// errorPages lists the app's error answers and the library's. It is open to everybody, since constant texts have nothing to hide.
func (a *app) errorPages(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Error pages")
	p.Data = a.errors.Exhibits()
	pages.Write(w, http.StatusOK, "gallery.html", p)
}

// errorPage shows one of them as it looks.
//
// The status is the real one, so that the page is what a monitor or a cache would see too; it has no Retry-After, since
// there is nothing to wait for.
func (a *app) errorPage(w http.ResponseWriter, r *http.Request) {
	p := a.errors.Find(r.PathValue("code"))
	if p == nil {
		a.refuse(w, r, http.StatusNotFound)
		return
	}
	a.answer(w, r, p)
}

// healthz says that the process answers; it asks nobody else.
//
// A liveness check that asked the provider would have the process restarted for somebody else's outage.
func (a *app) healthz(w http.ResponseWriter, _ *http.Request) {
	reply.JSON(w, http.StatusOK, map[string]string{"status": "live"})
}

// readyz says whether logins and sessions work now: metadata loaded (it tries that itself) and the store reachable.
//
// A load balancer takes its traffic away on 503; sessions that exist would go on all the same. The cause is in the log only,
// since the route is open to strangers.
func (a *app) readyz(w http.ResponseWriter, r *http.Request) {
	if err := a.ready(r); err != nil {
		a.log.WarnContext(r.Context(), "not ready", "cause", err)
		w.Header().Set("Retry-After", "5")
		reply.JSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready"})
		return
	}
	reply.JSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
