package oidcauth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signet-go/signet/internal/browser"
	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

const (
	maxLogoutHeader = 4 << 10         // of a redirect to the end_session_endpoint; what is longer goes as a form
	logoutReturns   = 5 * time.Minute // how long a return path waits for the provider
)

// Logout ends the browser's session here, revokes its tokens, and sends the browser to the
// provider's end_session_endpoint, if there is one (RP-Initiated Logout §2); it comes back to the
// signed-out page. Each step may fail without stopping the next. With several Authenticators on one
// session.Manager, provider, log and hook are those of the one that made the session. The caller
// has checked that the user wants it: protect the route with http.CrossOriginProtection, as the
// logout route is.
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) {
	a.withSession(w, r, func(w http.ResponseWriter, r *http.Request) { a.logout(w, r, a.site.Home()) })
}

// serveLogout is the logout route: GET asks, POST does.
func (a *signOut) serveLogout(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	if r.Method == http.MethodGet {
		a.askLogout(w, r)
		return
	}
	if err := a.csrf.Check(r); err != nil {
		a.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Err: err})
		return
	}
	a.logout(w, r, a.site.ReturnTo(r.Context(), postedReturn(w, r)))
}

// postedReturn is the return_to of a posted form, urlencoded or multipart, and "" where the body
// holds none that can be read, or several. Nothing in a body is a reason not to sign out
// (RP-Initiated Logout §2), so that errors are no matter.
func postedReturn(w http.ResponseWriter, r *http.Request) string {
	r.Body = http.MaxBytesReader(w, r.Body, browser.MaxForm)
	_ = r.ParseMultipartForm(browser.MaxForm) //nolint:gosec // bounded above; also urlencoded, and in memory, since no more is read than fits there
	if values := r.PostForm["return_to"]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// askLogout shows the confirmation page. Its form needs an Origin header, which browsers send as
// null under no-referrer.
func (a *signOut) askLogout(w http.ResponseWriter, r *http.Request) {
	allowForm(w)
	p := &LogoutPage{Page: a.headOf(w, r, "logout.title"), Action: a.site.At("logout")}
	if returnTo := a.site.ReturnTo(r.Context(), r.URL.Query().Get("return_to")); returnTo != a.site.Home() {
		p.Fields = map[string]string{"return_to": returnTo}
	}
	a.writePage(w, http.StatusOK, pageLogout, p)
}

// logout takes the steps of Logout: for the provider that made the session, whichever route was
// used.
func (a *signOut) logout(w http.ResponseWriter, r *http.Request, returnTo string) {
	r, end := a.observe(r, OperationLogout)
	defer end()
	r, cancel := toItsEnd(r)
	defer cancel()
	ctx := r.Context()
	s := a.sessions.From(ctx)
	unproven := withoutProof(inside.OfSession(s).LoadWithin(ctx))
	inside.OfSession(s).WaiveProof() // who wants to sign out may
	nobody := errors.Is(inside.OfSession(s).LoadWithin(ctx), session.ErrNoSession)
	p := a.newestPrevious(ctx, s, nil, a.previousLogin(s, nil))
	if p != nil && unproven {
		p.idToken = "" // whoever has only copied the cookie would read in it whose it is
	}
	// 1. Here. Whoever signs out does not mean to come back through an old tab; but a request
	// without a session may be another site's, which Lax cookies don't come with, and leaves logins
	// under way alone.
	a.destroy(ctx, s)
	a.logins.ForgetLoops(w, r)
	if !nobody {
		a.logins.ExpireAll(w, r)
	}
	protectAnswer(w)
	if p == nil { // nobody was signed in here, and may be at the provider
		a.leave(w, r, "", returnTo)
		return
	}
	p.owner.ended(ctx, p.user, LogoutByUser)
	// 2. The tokens.
	p.owner.revokeTokens(ctx, p.tokens)
	// 3. At the provider.
	(&signOut{core: p.owner}).leave(w, r, p.idToken, returnTo)
}

// logoutTime bounds a logout whose sender does not wait for it.
const logoutTime = 30 * time.Second

// toItsEnd returns r with a context that does not end with its sender: whoever signs out may close
// the tab at once, providers wait for a few seconds only, and frames go with their pages. A logout
// that was asked for is to come about.
func toItsEnd(r *http.Request) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), logoutTime)
	return r.WithContext(ctx), cancel
}

// leave sends the browser on to sign out at the provider, where that has an endpoint for it, and to
// returnTo in the end.
func (a *signOut) leave(w http.ResponseWriter, r *http.Request, idToken, returnTo string) {
	clearAhead(w)
	target, params := a.endSession(r.Context(), idToken)
	if target == nil {
		a.answerLogout(w, r, a.localTarget(returnTo))
		return
	}
	a.rememberReturn(w, params.Get("state"), returnTo)
	a.sendToProvider(w, r, target, params)
}

// clearAhead has the browser forget the pages that it fetched or rendered ahead for who was signed
// in before: neither no-store nor a changed cookie keeps it from showing them. Cookies are not
// cleared: browsers would clear those of the whole site.
func clearAhead(w http.ResponseWriter) {
	w.Header().Add("Clear-Site-Data", `"prefetchCache", "prerenderCache"`)
}

// localTarget is where a logout ends that does not pass by the provider.
func (a *signOut) localTarget(returnTo string) string {
	if returnTo == a.site.Home() {
		return a.site.At("signed-out")
	}
	return returnTo
}

// endSession returns the provider's logout endpoint and the parameters for it, or nil when it has
// none or can't be reached.
func (a *signOut) endSession(ctx context.Context, idToken string) (*url.URL, url.Values) {
	if !a.serves() {
		return nil, nil
	}
	meta, err := a.provider.Metadata(ctx)
	if err != nil || meta.EndSessionEndpoint == "" {
		return nil, nil
	}
	target, err := url.Parse(meta.EndSessionEndpoint)
	if err != nil {
		return nil, nil
	}
	params := url.Values{}
	params.Set("client_id", a.config.ClientID)
	params.Set("post_logout_redirect_uri", a.site.Origin+a.site.At("signed-out"))
	params.Set("state", randomText())
	if a.verifier.KnownStill(idToken) {
		params.Set("id_token_hint", idToken)
	}
	return target, params
}

// sendToProvider sends the browser on: by redirect, or by a form with a button where the redirect
// would be too long for some server on the way. The endpoint may have a query of its own, which
// stays in its URL. A script gets the address in the body, as long as it may be; htmx gets it in
// the header and can't use the form, so that it goes without the hint.
func (a *signOut) sendToProvider(w http.ResponseWriter, r *http.Request, target *url.URL, params url.Values) {
	get, query := *target, target.Query()
	maps.Copy(query, params)
	get.RawQuery = query.Encode()
	if a.redirectSize(w, r, get.String()) > maxLogoutHeader {
		switch {
		case browser.FollowsRedirects(r):
			a.leaveByForm(w, r, target, params)
			return
		case browser.KindOf(r) == browser.HTMX:
			query.Del("id_token_hint")
			get.RawQuery = query.Encode()
		}
	}
	a.answerLogout(w, r, get.String())
}

// leaveByForm is the page whose form leads to the provider.
func (a *signOut) leaveByForm(w http.ResponseWriter, r *http.Request, target *url.URL, params url.Values) {
	fields := make(map[string]string, len(params))
	for name := range params {
		fields[name] = params.Get(name)
	}
	allowForm(w)
	head := a.headOf(w, r, "leave.title")
	head.User, head.LogoutURL = nil, ""
	a.writePage(w, http.StatusOK, pageLeave, &LeavePage{head, target.String(), fields})
}

// serverLines are what net/http adds to the header of a redirect: status line, Date,
// Content-Length, Connection, the last line end.
const serverLines = "HTTP/1.1 303 See Other\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"

// redirectSize is the size of the whole header of a redirect to target: proxies have one buffer for
// all of it, often of a memory page. The session's own cookies, which leave with the first byte,
// are counted by what the request brought.
func (a *signOut) redirectSize(w http.ResponseWriter, r *http.Request, target string) int {
	size := len(serverLines) + len("Location: \r\n") + len(target) + len("Vary: Cookie\r\n")
	for name, values := range w.Header() {
		for _, value := range values {
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	c := a.sessions.Config()
	for _, cookie := range r.Cookies() {
		if chunk, ours := strings.CutPrefix(cookie.Name, a.sessions.CookieName()); ours && (chunk == "" || chunk[0] == '.') {
			gone := http.Cookie{Name: cookie.Name, Path: c.CookiePath, Domain: c.CookieDomain, MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
			size += len("Set-Cookie: \r\n") + len(gone.String())
		}
	}
	return size
}

// answerLogout redirects a browser, and tells a script where to go: fetch can't follow to another
// site. htmx, which would put what it is told into the page, goes by itself.
func (a *signOut) answerLogout(w http.ResponseWriter, r *http.Request, target string) {
	if browser.KindOf(r) == browser.HTMX {
		tellHTMX(w, r, target)
		return
	}
	if !browser.FollowsRedirects(r) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"logout_url": target}) // the client may be gone
		return
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

// A logoutReturn waits in a sealed cookie for the provider to send the browser back.
type logoutReturn struct {
	State    string `json:"s"`
	ReturnTo string `json:"r"`
	Until    int64  `json:"u"` // Unix seconds
}

func (a *signOut) returnCookie() string { return a.sessions.CookieName() + "-logout" }

func (a *signOut) returnCookieOf(value string, maxAge int) *http.Cookie {
	return a.logins.NewCookie(a.returnCookie(), value, maxAge)
}

// rememberReturn keeps where the browser goes after it was signed out at the provider.
func (a *signOut) rememberReturn(w http.ResponseWriter, state, returnTo string) {
	if returnTo == a.site.Home() {
		return
	}
	plain, _ := json.Marshal(logoutReturn{State: state, ReturnTo: returnTo, Until: time.Now().Add(logoutReturns).Unix()})
	sealed, err := inside.OfManager(a.sessions).Sealer("logout return").Seal(a.returnCookie(), plain)
	if err != nil {
		return // the signed-out page does without
	}
	http.SetCookie(w, a.returnCookieOf(sealed, int(logoutReturns/time.Second)))
}

// serveSignedOut is the post-logout redirect URI (RP-Initiated Logout §3): it goes on to the return
// path that waits under the state, else it shows a fixed page. It never ends or begins anything.
func (a *signOut) serveSignedOut(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	if returnTo := a.waitingReturn(r); returnTo != "" {
		http.SetCookie(w, a.returnCookieOf("", -1))
		w.Header().Set("Location", returnTo)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	a.showSignedOut(w, r)
}

// waitingReturn returns the path that waits under the request's state, or "".
func (a *signOut) waitingReturn(r *http.Request) string {
	found := r.CookiesNamed(a.returnCookie())
	states := r.URL.Query()["state"]
	if len(found) != 1 || len(states) != 1 {
		return ""
	}
	plain, _, err := inside.OfManager(a.sessions).Sealer("logout return").Open(a.returnCookie(), found[0].Value)
	if err != nil {
		return ""
	}
	var waiting logoutReturn
	if json.Unmarshal(plain, &waiting) != nil || time.Now().Unix() > waiting.Until ||
		subtle.ConstantTimeCompare([]byte(waiting.State), []byte(states[0])) == 0 {
		return ""
	}
	return a.site.ReturnTo(r.Context(), waiting.ReturnTo)
}
