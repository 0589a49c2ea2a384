package oidcauth

import (
	"net/http"

	"github.com/signet-go/signet/internal/browser"
)

// Browsers keep a SameSite=Strict cookie from whatever another site has caused, through all
// redirects: from the page that a login comes back to, since the provider's page caused that, and
// from pages that other sites link to. A page of this site that goes on by itself causes the next
// request itself, which then has the cookie.

// strictCookies reports whether session cookies are SameSite=Strict.
func (a *core) strictCookies() bool { return a.sessions.Config().SameSiteStrict }

// comesWithoutSession reports whether browsers keep the session's cookie from the callback.
func (a *core) comesWithoutSession() bool {
	return a.config.ResponseMode.isPost() || a.strictCookies()
}

// isForeignView reports whether another site has led the browser to the page that r opens, so that
// a session cookie which browsers keep from that may be there all the same.
func (a *core) isForeignView(r *http.Request) bool {
	return a.strictCookies() && r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Site") == "cross-site" && browser.IsPageView(r)
}

// showOnward is the page that goes on to target, a path of this site, by itself.
func (a *answers) showOnward(w http.ResponseWriter, r *http.Request, target string) {
	protectAnswer(w)
	a.writePage(w, http.StatusOK, pageOnward, &OnwardPage{a.headOf(w, r, "onward.title"), target})
}
