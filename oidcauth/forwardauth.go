package oidcauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/inside"
	"github.com/signet-go/signet/session"
)

// ForwardAuth returns a handler for a proxy that asks before it passes a request on to a service
// which knows nothing of logins: auth_request of nginx, forward_auth of Caddy, forwardAuth of
// Traefik, ext_authz of Envoy. It judges as Require does, whatever its own method, path and query
// are. Mount it where only the proxy can ask.
//
// It answers 200 with the user in four headers, which are always present: X-Auth-Issuer,
// X-Auth-Subject, X-Auth-Name and X-Auth-Roles, the roles joined by commas. Values are
// percent-encoded UTF-8, or "-" if there is none. The proxy must delete these headers from every
// incoming request first, or visitors can forge them.
//
// The requested page is taken from X-Original-URL, as nginx is configured to send it, or
// X-Forwarded-Proto, -Host and -Uri; its method from X-Original-Method or X-Forwarded-Method. It is
// used only as the page that a login returns to, if it is on this site. If a login is needed and
// X-Original-URL was sent, the answer is 401 with the login in Location, since nginx doesn't pass
// redirects on; otherwise it is 303 for a page view and 401 with JSON for the rest. Users who don't
// meet the requirements get 403; 503 means that the Store is unavailable.
//
// Like [Authenticator.Peek], it sets no cookie, since proxies lose them, and refreshes no token. In
// cookie mode it doesn't extend the session; if sessions are kept in the Store, the idle limit
// moves there.
func (a *Authenticator) ForwardAuth(requirements ...Requirement) http.Handler {
	return a.Peek(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protectAnswer(w)
		asked, back := a.askedFor(r)
		user, err := admitted(r.Context(), []*Authenticator{a}, requirements)
		if err != nil {
			a.denyForward(w, asked, back, user, err)
			return
		}
		inside.OfSession(a.sessions.From(r.Context())).CountLook()
		writeIdentity(w.Header(), UserFrom(r.Context()))
		w.WriteHeader(http.StatusOK)
	}))
}

// askedFor returns the request that the proxy asks about, as far as r tells, and the page to come
// back to.
func (a *Authenticator) askedFor(r *http.Request) (asked *http.Request, back string) {
	asked = r.WithContext(r.Context())
	asked.Method = http.MethodGet
	for _, name := range []string{"X-Forwarded-Method", "X-Original-Method"} {
		if method := r.Header.Get(name); method != "" {
			asked.Method = method
		}
	}
	original := strings.Join(r.Header.Values("X-Original-URL"), ", ")
	if !fromNginx(r) {
		original = r.Header.Get("X-Forwarded-Proto") + "://" + r.Header.Get("X-Forwarded-Host") + r.Header.Get("X-Forwarded-Uri")
	}
	back = a.site.PageAt(r.Context(), original)
	asked.RequestURI = strings.TrimPrefix(back, a.site.Base)
	if u, err := url.ParseRequestURI(asked.RequestURI); err == nil {
		asked.URL = u // for the links of an answer, and for Hooks.Deny
	}
	return asked, back
}

// fromNginx reports whether the proxy is one that passes no redirect on, and says so.
func fromNginx(r *http.Request) bool { return len(r.Header.Values("X-Original-URL")) > 0 }

// denyForward answers about a request that may not pass.
func (a *Authenticator) denyForward(w http.ResponseWriter, asked *http.Request, back string, user *User, err error) {
	stepUp, _ := errors.AsType[*StepUpError](err)
	switch {
	case withoutProof(err) && !errors.Is(err, session.ErrDeviceRequired):
		a.devices.askProof(w, asScript(asked), err)
		return
	case stepUp == nil && !errors.Is(err, ErrLoginRequired):
		a.deny(w, asked, user, err)
		return
	}
	if a.config.Hooks.Deny != nil {
		a.config.Hooks.Deny(asked, user, err)
	}
	login := a.stepUpURL(back, stepUp)
	switch {
	case fromNginx(asked):
		w.Header().Set("Location", login)
	case IsPageView(asked):
		w.Header().Set("Location", login)
		w.WriteHeader(http.StatusSeeOther)
		return
	default:
		if page := a.site.PageOf(asked); page != a.site.Home() {
			login = a.stepUpURL(page, stepUp) // the page whose script it was, not what the script wanted
		}
	}
	a.tellScript(w, asked, err, stepUp, login)
}

// writeIdentity says who u is, to a service that believes the proxy before it.
func writeIdentity(h http.Header, u *User) {
	roles := make([]string, len(u.Roles))
	for i, role := range u.Roles {
		roles[i] = identityValue(role)
	}
	h.Set("X-Auth-Issuer", identityValue(u.Issuer))
	h.Set("X-Auth-Subject", identityValue(u.Subject))
	h.Set("X-Auth-Name", identityValue(u.Name))
	if h.Set("X-Auth-Roles", strings.Join(roles, ",")); len(roles) == 0 {
		h.Set("X-Auth-Roles", identityValue(""))
	}
}

// identityValue returns text as it stands in a header: percent-encoded but for the unreserved
// characters of RFC 3986 §2.3, so that it never ends a value of a list. There is always something:
// some proxies take an empty header for one that is not there, and leave the visitor's.
func identityValue(text string) string {
	switch text {
	case "":
		return "-"
	case "-":
		return "%2D"
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
