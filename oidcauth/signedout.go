package oidcauth

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"

	"github.com/signet-go/signet/internal/inside"
)

// logoutReturns is how long a return path waits for the provider.
const logoutReturns = 5 * time.Minute

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
