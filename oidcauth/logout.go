package oidcauth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-go/signet/session"
)

const (
	maxLogoutURL  = 4 << 10         // longer requests to the end_session_endpoint go as a form
	logoutReturns = 5 * time.Minute // how long a return path waits for the provider
)

// Logout ends the browser's session here, revokes its tokens, and sends the browser to the provider's end_session_endpoint, if
// there is one (RP-Initiated Logout §2); it comes back to the signed-out page. Each step may fail without stopping the next.
// The caller has checked that the user wants it: protect the route with http.CrossOriginProtection, as the logout route is.
func (a *Authenticator) Logout(w http.ResponseWriter, r *http.Request) {
	a.withSession(w, r, func(w http.ResponseWriter, r *http.Request) { a.logout(w, r, "/") })
}

// serveLogout is the logout route: GET asks, POST does.
func (a *Authenticator) serveLogout(w http.ResponseWriter, r *http.Request) {
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
	returnTo := "/"
	if r.ContentLength != 0 && r.Header.Get("Content-Type") != "" {
		form, problem := formOf(w, r)
		if problem != nil {
			a.fail(w, r, problem)
			return
		}
		returnTo = a.returnTo(form.Get("return_to"))
	}
	a.logout(w, r, returnTo)
}

// askLogout shows the confirmation page. Its form needs an Origin header, which browsers send as null under no-referrer.
func (a *Authenticator) askLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Referrer-Policy", "same-origin")
	p := page{Action: a.LogoutURL()}
	if returnTo := a.returnTo(r.URL.Query().Get("return_to")); returnTo != "/" {
		p.Fields = map[string]string{"return_to": returnTo}
	}
	a.writePage(w, http.StatusOK, "logout.html", p)
}

// logout takes the steps of Logout.
func (a *Authenticator) logout(w http.ResponseWriter, r *http.Request, returnTo string) {
	ctx := r.Context()
	s := a.sessions.From(ctx)
	p, idToken := a.previousLogin(s, nil), idTokenIn(s)
	// A refresh may have ended since this request loaded the session: the newest tokens are those to revoke. A session that was
	// revoked meanwhile, as by "sign me out everywhere", has these.
	if s.Sync(ctx) == nil {
		p, idToken = a.previousLogin(s, nil), idTokenIn(s)
	}
	// 1. Here.
	a.destroy(ctx, s)
	a.forgetLoops(w, r)
	a.expireTransactions(w, r)
	if p != nil {
		a.ended(ctx, p.user, LogoutByUser)
	}
	if p != nil && p.mine {
		// 2. The tokens.
		a.revokeTokens(ctx, p.refresh, p.access...)
	} else {
		idToken = "" // another provider's hint is none of this one's business
	}
	// 3. At the provider.
	a.protectAnswer(w)
	target, params := a.endSession(ctx, idToken)
	if target == nil {
		a.answerLogout(w, r, a.localTarget(returnTo))
		return
	}
	a.rememberReturn(w, params.Get("state"), returnTo)
	a.sendToProvider(w, r, target, params)
}

// idTokenIn returns the ID token that s holds, or "".
func idTokenIn(s *session.Session) string {
	token, _ := s.Token(idTokenName)
	return token
}

// expireTransactions drops logins under way: whoever signs out does not mean to come back through an old tab.
func (a *Authenticator) expireTransactions(w http.ResponseWriter, r *http.Request) {
	for _, t := range a.pendingTransactions(r) {
		a.expireTransaction(w, t.name)
	}
}

// localTarget is where a logout ends that does not pass by the provider.
func (a *Authenticator) localTarget(returnTo string) string {
	if returnTo == "/" {
		return a.prefix + "signed-out"
	}
	return returnTo
}

// endSession returns the provider's logout endpoint and the parameters for it, or nil when it has none or can't be reached.
func (a *Authenticator) endSession(ctx context.Context, idToken string) (*url.URL, url.Values) {
	meta, err := a.provider.metadata(ctx)
	if err != nil || meta.EndSessionEndpoint == "" {
		return nil, nil
	}
	target, err := url.Parse(meta.EndSessionEndpoint)
	if err != nil {
		return nil, nil
	}
	params := url.Values{}
	params.Set("client_id", a.config.ClientID)
	params.Set("post_logout_redirect_uri", a.origin+a.prefix+"signed-out")
	params.Set("state", randomText())
	if idToken != "" {
		params.Set("id_token_hint", idToken)
	}
	return target, params
}

// sendToProvider sends the browser on: by redirect, or by a form with a button where the URL would be too long for some
// server on the way. The endpoint may have a query of its own, which stays in its URL.
func (a *Authenticator) sendToProvider(w http.ResponseWriter, r *http.Request, target *url.URL, params url.Values) {
	get, query := *target, target.Query()
	maps.Copy(query, params)
	get.RawQuery = query.Encode()
	if len(get.String()) <= maxLogoutURL || hasFetchMetadata(r) && !isTopLevel(r) {
		a.answerLogout(w, r, get.String())
		return
	}
	fields := make(map[string]string, len(params))
	for name := range params {
		fields[name] = params.Get(name)
	}
	w.Header().Set("Referrer-Policy", "same-origin")
	a.writePage(w, http.StatusOK, "leave.html", page{Action: target.String(), Fields: fields})
}

// answerLogout redirects a browser, and tells a script where to go: fetch can't follow to another site.
func (a *Authenticator) answerLogout(w http.ResponseWriter, r *http.Request, target string) {
	if hasFetchMetadata(r) && !isTopLevel(r) {
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

func (a *Authenticator) returnCookie() string { return a.sessions.CookieName() + "-logout" }

func (a *Authenticator) returnCookieOf(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: a.returnCookie(), Value: value, Path: "/", MaxAge: maxAge, Secure: !a.config.insecureCookies(), HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// rememberReturn keeps where the browser goes after it was signed out at the provider.
func (a *Authenticator) rememberReturn(w http.ResponseWriter, state, returnTo string) {
	if returnTo == "/" {
		return
	}
	plain, _ := json.Marshal(logoutReturn{State: state, ReturnTo: returnTo, Until: time.Now().Add(logoutReturns).Unix()})
	sealed, err := a.sessions.Sealer("logout return").Seal(a.returnCookie(), plain)
	if err != nil {
		return // the signed-out page does without
	}
	http.SetCookie(w, a.returnCookieOf(sealed, int(logoutReturns/time.Second)))
}

// serveSignedOut is the post-logout redirect URI (RP-Initiated Logout §3): it goes on to the return path that waits under the
// state, else it shows a fixed page. It never ends or begins anything.
func (a *Authenticator) serveSignedOut(w http.ResponseWriter, r *http.Request) {
	if a.methodNotAllowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	if returnTo := a.waitingReturn(r); returnTo != "" {
		http.SetCookie(w, a.returnCookieOf("", -1))
		w.Header().Set("Location", returnTo)
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	a.writePage(w, http.StatusOK, "signedout.html", page{})
}

// waitingReturn returns the path that waits under the request's state, or "".
func (a *Authenticator) waitingReturn(r *http.Request) string {
	found := r.CookiesNamed(a.returnCookie())
	states := r.URL.Query()["state"]
	if len(found) != 1 || len(states) != 1 {
		return ""
	}
	plain, _, err := a.sessions.Sealer("logout return").Open(a.returnCookie(), found[0].Value)
	if err != nil {
		return ""
	}
	var waiting logoutReturn
	if json.Unmarshal(plain, &waiting) != nil || time.Now().Unix() > waiting.Until ||
		subtle.ConstantTimeCompare([]byte(waiting.State), []byte(states[0])) == 0 {
		return ""
	}
	return a.returnTo(waiting.ReturnTo)
}
