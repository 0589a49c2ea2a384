package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// stepUpAge is how old a login may be at /stepup.
const stepUpAge = time.Minute

// An app is the web application: its routes, and what they need.
type app struct {
	config  *config
	auth    *oidcauth.Authenticator
	machine *oidcauth.Machine
	demo    *demoAPI
	log     *slog.Logger
	close   func() // when nothing is served any more
}

// handler returns all routes behind the checks that hold for each of them. Those are the app's own: the library protects what is
// under /auth/ by itself.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	a.routes(mux)
	return a.guard(a.answerUnmatched(mux))
}

// routes is the table of routes; everything under /auth/ is the library's.
func (a *app) routes(mux *http.ServeMux) {
	mux.Handle("/auth/", a.auth)

	// Pages. Load only tells who is there; RequireLogin and Require send browsers to the provider, and back here.
	mux.Handle("GET /{$}", a.auth.Load(http.HandlerFunc(a.home)))
	mux.Handle("GET /profile", a.auth.RequireLogin(http.HandlerFunc(a.profile)))
	mux.Handle("POST /profile/refresh", a.auth.RequireLogin(http.HandlerFunc(a.refreshAndShow)))
	mux.Handle("POST /profile/sign-out-everywhere", a.auth.RequireLogin(http.HandlerFunc(a.signOutEverywhere)))
	mux.Handle("GET /api-calls", a.auth.RequireLogin(http.HandlerFunc(a.apiCalls)))
	mux.Handle("GET /admin", a.auth.Require(oidcauth.Role("admin"))(a.pageHandler("admin.html", "Administration")))
	mux.Handle("GET /stepup", a.auth.Require(oidcauth.MaxAge(stepUpAge))(a.pageHandler("stepup.html", "Step-up")))

	// JSON. A script can't follow a redirect to another site, so these never send one.
	mux.Handle("GET /api/me", neverNavigate(a.auth.RequireLogin(http.HandlerFunc(a.me))))
	mux.Handle("GET /api/call", neverNavigate(a.auth.RequireLogin(http.HandlerFunc(a.call))))
	mux.Handle("POST /api/refresh", neverNavigate(a.auth.RequireLogin(http.HandlerFunc(a.refresh))))
	mux.Handle("GET /api/machine", neverNavigate(http.HandlerFunc(a.callAsMachine)))
	mux.HandleFunc("GET /demo/api", a.demo.serve)

	// For machinery: nothing here depends on a session.
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /static/", staticFiles(a.refusal(http.StatusNotFound)))
}

// refusal is a handler that refuses with status.
func (a *app) refusal(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, status) })
}

// newPage fills in what the layout shows on every page. On public pages, which no guard protects, a session that another
// provider's login left behind counts as nobody.
func (a *app) newPage(r *http.Request, title string) page {
	user := oidcauth.UserFrom(r.Context())
	if user != nil && user.Issuer != a.config.OIDC.Issuer {
		user = nil
	}
	return page{
		Title: title, Path: r.URL.Path, User: user,
		LoginURL: a.auth.LoginURL(r.URL.RequestURI()), LogoutURL: a.auth.LogoutURL(),
	}
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Home")
	p.Data = a.config.Embedded
	render(w, http.StatusOK, "home.html", p)
}

// pageHandler shows a page that needs no data of its own.
func (a *app) pageHandler(file, title string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		render(w, http.StatusOK, file, a.newPage(r, title))
	})
}

// A profile is what /profile shows beside the user. It has no field that could hold a token.
type profile struct {
	Claims             []claim
	TokenExpiry        time.Time // zero: unknown
	TokenProblem       string    // why the expiry is unknown
	SessionCreated     time.Time
	SessionExpires     time.Time
	CookieMode         bool
	RefreshURL, APIURL string
}

// A claim is one row of the claims table.
type claim struct{ Name, Value string }

func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Profile")
	s := session.From(r.Context())
	data := profile{
		Claims: claimRows(p.User.Claims), CookieMode: a.config.Store == storeCookie,
		SessionCreated: s.Created(), SessionExpires: s.Expires(),
	}
	if expiry, err := a.tokenExpiry(r); err == nil {
		data.TokenExpiry = expiry
	} else {
		data.TokenProblem = "The access token can't be renewed at the moment. You stay signed in."
	}
	p.Data, p.Script = data, "/static/countdown.js"
	w.Header().Set("Content-Security-Policy", policyCSP+"; script-src 'self'")
	render(w, http.StatusOK, "profile.html", p)
}

// claimRows lists the members of a JSON object in their order, values as JSON.
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
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// refreshAndShow is /api/refresh for people: a form posts here and comes back to the profile.
func (a *app) refreshAndShow(w http.ResponseWriter, r *http.Request) {
	_, err := a.auth.TokenSource(r.Context(), oidcauth.ForceRefresh()).Token()
	if err != nil && !errors.Is(err, oidcauth.ErrLoginRequired) {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/profile", http.StatusSeeOther) // which asks for a login where one is needed
}

// signOutEverywhere ends all sessions of the user, on every device, and then this one as any logout does.
func (a *app) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	if err := a.auth.Sessions().Revoke(r.Context(), oidcauth.UserFrom(r.Context()).Tag()); err != nil {
		a.fail(w, r, err)
		return
	}
	a.auth.Logout(w, r)
}

// apiCalls shows what the API answers, as the user or as the machine.
func (a *app) apiCalls(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "API calls")
	result := apiResult{URL: a.config.API.Redacted(), As: r.FormValue("as")}
	var body []byte
	var err error
	fail := a.fail
	switch result.As {
	case "user":
		result.Status, body, err = a.fetch(r.Context(), a.auth.Client(r.Context()))
		fail = a.failForUser
	case "machine":
		result.Status, body, err = a.fetch(r.Context(), a.machine.Client(r.Context()))
	}
	if err != nil {
		fail(w, r, err)
		return
	}
	result.Body = indented(body)
	p.Data = result
	render(w, http.StatusOK, "api-calls.html", p)
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

// healthz says that the process answers; it asks nobody else.
func (a *app) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "live"})
}

// readyz says whether logins and sessions work now: metadata loaded (it tries that itself) and the store reachable.
func (a *app) readyz(w http.ResponseWriter, r *http.Request) {
	err := errors.Join(a.auth.Discover(r.Context()), a.auth.Sessions().Ready(r.Context()))
	if err != nil {
		a.log.WarnContext(r.Context(), "not ready", "cause", err)
		w.Header().Set("Retry-After", "5")
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// writeJSON writes v as the whole answer. Values that JSON can't hold are programming errors.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
