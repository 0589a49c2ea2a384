package oidcauth

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/browser"
)

// maxLogoutHeader bounds the header of a redirect to the end_session_endpoint; what is longer goes as
// a form.
const maxLogoutHeader = 4 << 10

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
