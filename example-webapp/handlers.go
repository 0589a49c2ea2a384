package main

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/example-webapp/internal/demoapi"
	"github.com/signet-go/signet/example-webapp/internal/downstream"
	"github.com/signet-go/signet/example-webapp/internal/gallery"
	"github.com/signet-go/signet/example-webapp/internal/providers"
	"github.com/signet-go/signet/example-webapp/internal/reply"
	"github.com/signet-go/signet/example-webapp/internal/sessionlist"
	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/example-webapp/internal/site"
	"github.com/signet-go/signet/example-webapp/internal/telemetry"
	"github.com/signet-go/signet/example-webapp/internal/view"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// An app is the web application: its routes, and what they need.
//
// Everything in it is set before the first request and never changed, so that handlers share it
// without locks.
type app struct {
	config    *settings.Config
	site      *site.Site
	sessions  *session.Manager
	providers *providers.Set // one or two; the first is OIDC_ISSUER's
	first     *providers.Provider
	second    *providers.Provider // nil without OIDC2_ISSUER
	apis      demoapi.Routes      // take access tokens, and look at no session
	machine   *oidcauth.Machine
	list      *sessionlist.List    // of where somebody is signed in
	telemetry *telemetry.Telemetry // nil without ADMIN_ADDR
	gallery   *gallery.Gallery     // of all error pages
	log       *slog.Logger
	close     func() // when nothing is served any more
}

// handler is the table of routes; everything under /auth/ and /auth2/ is the library's.
//
// Methods and paths are exact: what is not in the table is 404 or 405, and there is no fallback that
// a clever path could reach. What holds for each of them is the site's.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	login := a.providers.Require()
	mux.Handle(settings.OwnPrefix, a.first.Auth)
	if callback := a.config.CallbackPath; !strings.HasPrefix(callback, settings.OwnPrefix) {
		mux.Handle(callback, a.first.Auth)
	}
	a.apis.Register(mux)
	if a.second != nil {
		mux.Handle(settings.SecondPrefix, a.second.Auth)
		mux.Handle("GET "+choosePath, a.providers.Load(a.choose))
	}

	a.addPages(mux, login)
	a.addJSON(mux, login)

	// For machinery: nothing here depends on a session.
	mux.HandleFunc("GET /healthz", oidcauth.Live)
	mux.HandleFunc("GET /readyz", oidcauth.Ready(a.providers.Auths()...))
	mux.Handle("GET /static/", reply.Static(assets, func(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, http.StatusNotFound) }))

	// For other programs: an API for the scripts of our pages, not in the mux since that would clean
	// its paths, and services behind a proxy that asks here first.
	a.site.Scripts = a.providers.Proxy()
	a.providers.ForwardAuth(mux)
	return a.site.Handler(mux)
}

// addPages adds what people see.
func (a *app) addPages(mux *http.ServeMux, login func(http.HandlerFunc) http.Handler) {
	// Load only tells who is there, and nobody when the store can't be asked; the guards send
	// browsers to the provider, and back here.
	mux.Handle("GET /{$}", a.providers.Load(a.pageHandler("home.html", "Home", a.config.Embedded)))
	mux.Handle("GET /profile", login(a.profile))
	mux.Handle("POST /profile/refresh", login(a.refreshAndShow))
	a.list.Register(mux, login)
	mux.Handle("GET /api-calls", login(a.apiCalls))
	mux.Handle("GET /single-page", login(a.pageHandler("single-page.html", "Single page", nil)))
	mux.Handle("GET /admin", a.providers.Require(oidcauth.Role("admin"))(a.pageHandler("admin.html", "Administration", nil)))
	mux.Handle("GET /stepup", a.providers.Require(oidcauth.MaxAge(time.Minute))(a.pageHandler("stepup.html", "Step-up", nil)))
	mux.Handle("GET /errors", a.providers.Load(a.pageHandler("gallery.html", "Error pages", a.gallery)))
	mux.Handle("GET /errors/{code}", a.providers.Load(a.gallery.Show(a.answer, a.refuse)))
}

// addJSON adds what scripts ask for. They can't follow a redirect to another site, so that none is
// sent.
func (a *app) addJSON(mux *http.ServeMux, login func(http.HandlerFunc) http.Handler) {
	mux.Handle("GET /api/me", site.NeverNavigate(login(a.me)))
	mux.Handle("GET /api/call", site.NeverNavigate(login(a.call)))
	if a.config.ExchangeAudience != "" {
		mux.Handle("GET /api/exchange", site.NeverNavigate(a.site.FromHere(login(a.exchange))))
	}
	mux.Handle("POST /api/refresh", site.NeverNavigate(login(a.refresh)))
	mux.Handle("GET /api/machine", site.NeverNavigate(http.HandlerFunc(a.callAsMachine)))
}

// choose is the page on which people choose their provider. With one there is nothing to choose,
// and no such page.
func (a *app) choose(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Choose where to sign in")
	p.LoginURL = "" // the page is the sign-in link
	p.Data = a.providers.Choices(r.URL.Query().Get("return_to"))
	pages.Write(w, http.StatusOK, "choose.html", p)
}

// pageHandler shows a page whose data are the same for all users.
func (a *app) pageHandler(file, title string, data any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := a.newPage(r, title)
		p.Data = data
		show(w, file, p)
	}
}

// A profileView is what /profile shows besides the user. It has no field that could hold a token.
type profileView struct {
	Provider       string
	Claims         []view.Claim
	HasToken       bool
	TokenExpiry    time.Time
	SessionCreated time.Time
	SessionExpires time.Time
	Sessions       []session.Listed // where the user is signed in
	CookieMode     bool
	FreshLogin     bool // is demanded of who signs in again after a sign-out everywhere
}

// profile shows what is known of the user and the session, and when the tokens expire.
func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	list, err := a.list.Of(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	p, s := a.newPage(r, "Profile"), session.From(r.Context())
	data := profileView{
		Provider: a.providers.Of(r).Name, Claims: view.Claims(p.User.Claims), CookieMode: !a.config.Session.ServerSide,
		FreshLogin:     a.config.FreshAfterRevoke,
		SessionCreated: s.Created(), SessionExpires: s.Expires(), Sessions: list,
	}
	data.TokenExpiry, data.HasToken = a.providers.Of(r).Auth.TokenExpiry(r.Context())
	p.Data = data
	show(w, "profile.html", p)
}

// refreshAndShow is /api/refresh for people: a form posts here and comes back to the profile.
//
// 303, so that a reload of the profile does not refresh once more.
func (a *app) refreshAndShow(w http.ResponseWriter, r *http.Request) {
	_, err := a.providers.Of(r).Auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil && !errors.Is(err, oidcauth.ErrLoginRequired) {
		a.fail(w, r, err)
		return
	}
	a.site.Redirect(w, "/profile") // which asks for a login where one is needed
}

// apiCalls shows what the API answers, as the user or as the machine.
//
// It is a GET although it calls somebody: a call of the API changes nothing, here and there, and so
// its result can be reloaded.
func (a *app) apiCalls(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "API calls")
	by := a.providers.Of(r)
	result := apiResult{URL: by.API.Redacted(), As: r.FormValue("as")}
	var body []byte
	var err error
	fail := a.fail
	switch result.As {
	case "user":
		result.Status, body, err = downstream.Get(r.Context(), by.Auth.Client(r.Context()), by.API, a.config.OIDC.Timeout)
		fail = a.failForUser
	case "machine":
		result.Status, body, err = downstream.Get(r.Context(), a.machine.Client(r.Context()), a.config.API, a.config.OIDC.Timeout)
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	result.Body = view.Indented(body)
	p.Data = result
	pages.Write(w, http.StatusOK, "api-calls.html", p)
}

// An apiResult is what /api-calls shows; Status is 0 before a call.
type apiResult struct {
	URL, As, Body string
	Status        int
}
