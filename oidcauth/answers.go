package oidcauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/internal/logtext"
	"github.com/signet-go/signet/session"
)

// pagePolicy lets the built-in pages load their style sheet and nothing else.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// answers are the pages and the JSON that the package answers with. They know the application's
// site, not who is signed in how.
type answers struct {
	site *browser.Site

	// issuer and clientID are for the log.
	issuer, clientID string
	log              *slog.Logger

	// pages, stylesheet and handler are the Config's Pages, Stylesheet and ErrorHandler; texts has its
	// Messages.
	pages      Pages
	texts      *languages
	stylesheet string
	handler    func(http.ResponseWriter, *http.Request, error)

	// observer is Hooks.Observe, or nil.
	observer func(context.Context, Operation) (context.Context, func(error))
}

// newAnswers returns the answers of an application that is at site.
func newAnswers(c *Config, site *browser.Site) *answers {
	return &answers{
		site: site, issuer: c.Issuer, clientID: c.ClientID, log: c.Logger, pages: c.Pages, texts: newLanguages(c.Messages),
		stylesheet: c.Stylesheet, handler: c.ErrorHandler, observer: c.Hooks.Observe,
	}
}

// protectAnswer sets the headers that every answer of the own routes carries. The referrer policy
// keeps codes and states out of other sites' logs.
func protectAnswer(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", pagePolicy)
}

// fail answers with p: it completes p's texts, logs the cause and writes a page or JSON. It is the
// one way in which the package reports failures.
func (a *answers) fail(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.Err = exported(p.Err)
	a.complete(r, p)
	a.logProblem(r, p)
	observed(r.Context(), p)
	protectAnswer(w)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	if p.SignOutURL != "" {
		allowForm(w)
	}
	if p.Status == http.StatusUnauthorized {
		tellHTMX(w, r, p.Link)
		if w.Header().Get("WWW-Authenticate") == "" {
			w.Header().Set("WWW-Authenticate", loginChallenge)
		}
	}
	if a.handler != nil {
		a.handler(w, r, p)
		return
	}
	if WantsPage(r) {
		a.showProblem(w, r, p)
		return
	}
	writeProblemJSON(w, p)
}

// allowForm lets the page have a form to our own routes: under no-referrer browsers send its Origin
// as null.
func allowForm(w http.ResponseWriter) { w.Header().Set("Referrer-Policy", "same-origin") }

// complete fills in what p's code implies.
func (a *answers) complete(r *http.Request, p *Problem) {
	key := p.Code
	text, known := problemTexts[key]
	if !known {
		key = "internal"
		text = problemTexts[key]
	}
	if closer, ok := problemVariants[p.variant]; ok {
		key, text = p.variant, closer
	}
	if p.Reference == "" {
		p.Reference = rand.Text()[:10]
	}
	p.Frame = frameTarget(r)
	a.completeLink(r, p, text.link)
	if p.Status == http.StatusServiceUnavailable && p.RetryAfter <= 0 {
		p.RetryAfter = time.Second
	}
	if slices.Contains(accountProblems, p.Code) {
		a.offerOtherAccount(r, p)
	}
	a.texts.translate(r, p, key)
}

// completeLink lets p lead on to where link says, unless it knows better.
func (a *answers) completeLink(r *http.Request, p *Problem, link string) {
	if p.LinkText == "" {
		p.LinkText = link
	}
	if p.Status == http.StatusServiceUnavailable {
		p.LinkText = linkRetry
	}
	switch {
	case p.Link != "":
	case p.LinkText == linkRetry:
		p.Link = a.retryURL(r)
	case p.LinkText == linkLogin, p.LinkText == linkEnter:
		p.Link = a.site.LoginURL(a.site.PageOf(r))
	case p.LinkText == linkHome:
		p.Link = a.site.Home()
	}
	if p.Link == "" {
		p.LinkText = ""
	}
}

// retryURL is where the person tries again what r could not do: the login, or the page. A callback
// is not to be repeated, since its code may be spent; and "" is for what people don't ask for
// themselves.
func (a *answers) retryURL(r *http.Request) string {
	switch {
	case !a.site.IsRoute(r.URL.Path):
		return a.site.PageOf(r)
	case r.URL.Path == a.site.Prefix+"login":
		return a.site.LoginURL(a.site.ReturnTo(r.Context(), r.URL.Query().Get("return_to")))
	case r.URL.Path == a.site.Callback:
		return a.site.At("login")
	}
	return ""
}

// accountProblems are the codes of refusals that another account might not meet.
var accountProblems = []string{"forbidden", "access_denied", "step_up_failed"}

// offerOtherAccount has p show who is signed in and, since single sign-on would bring the same
// account again, how another can be.
func (a *answers) offerOtherAccount(r *http.Request, p *Problem) {
	if p.User == nil {
		p.User = UserFrom(r.Context())
	}
	if p.User != nil {
		p.SignOutURL = a.site.At("logout")
	}
	if p.SwitchURL == "" {
		p.SwitchURL = a.switchURL(a.site.PageOf(r))
	}
}

// switchURL is loginURL for another account.
func (a *answers) switchURL(returnTo string) string {
	target := a.site.LoginURL(returnTo)
	if strings.Contains(target, "?") {
		return target + "&prompt=" + promptSelect
	}
	return target + "?prompt=" + promptSelect
}

// logProblem writes the cause to the log: an error when it is ours or the provider's, a warning
// when it is the request's.
func (a *answers) logProblem(r *http.Request, p *Problem) {
	level := slog.LevelWarn
	switch {
	case errors.Is(p.Err, browser.ErrPrefetch):
		level = slog.LevelDebug
	case p.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	case p.Code == "device_refused" && (errors.Is(p.Err, session.ErrNoSession) || errors.Is(p.Err, inside.ErrBound)):
		level = slog.LevelInfo // after a logout, and where two pages have asked for the same
	case errors.Is(p.Err, errMounted): // nobody else would tell
	case p.Code == "not_found" || p.Code == "unknown_provider" || p.Code == "method_not_allowed" || errors.Is(p.Err, ErrLoginRequired):
		level = slog.LevelDebug
	}
	event := problemTexts[p.Code].event
	if ended, ok := endedEarly(r.Context(), p.Err); ok {
		level, event = ended, "request ended early"
	}
	a.log.LogAttrs(r.Context(), level, event,
		slog.String("code", p.Code), slog.Int("status", p.Status), slog.String("reference", p.Reference),
		slog.String("issuer", a.issuer), slog.String("client_id", a.clientID), slog.String("path", logtext.Clip(r.URL.Path, 200)), logtext.Reason(p.Err))
}

// endedEarly reports whether err only means that the request with ctx has ended before the Store or
// the provider had answered: then nothing is wrong with them, and nobody should be called for it. A
// sender who hangs up is no news; a request's own deadline may have been too short, or the answer
// too late.
func endedEarly(ctx context.Context, err error) (level slog.Level, ended bool) {
	unanswered := errors.Is(err, session.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch why := ctx.Err(); {
	case why == nil || !unanswered:
		return 0, false
	case errors.Is(why, context.Canceled):
		return slog.LevelDebug, true
	}
	return slog.LevelWarn, true
}

// writeProblemJSON is the answer for whoever does not ask for HTML.
func writeProblemJSON(w http.ResponseWriter, p *Problem) {
	body := map[string]string{"error": p.Code, "message": p.Title + ". " + p.Advice, "reference": p.Reference}
	if p.Status == http.StatusUnauthorized && p.Link != "" {
		body["login_url"] = p.Link
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone, and nothing is left to do then
}

// methodNotAllowed answers 405 unless r's method is one of allowed, and reports whether it did.
func (a *answers) methodNotAllowed(w http.ResponseWriter, r *http.Request, allowed ...string) bool {
	for _, m := range allowed {
		if r.Method == m {
			return false
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	a.fail(w, r, &Problem{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed"})
	return true
}

// tellHTMX has htmx open target in the whole tab, if it sent r.
func tellHTMX(w http.ResponseWriter, r *http.Request, target string) {
	if browser.KindOf(r) == browser.HTMX {
		w.Header().Set("HX-Redirect", target)
	}
}
