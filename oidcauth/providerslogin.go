package oidcauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/signet-go/signet/internal/browser"
)

// serveLogin is the login route of no provider: it goes on to the login route of the one that the
// application or the person chooses.
func (p *Providers) serveLogin(w http.ResponseWriter, r *http.Request) {
	if p.desk.methodNotAllowed(w, r, p.loginMethods()...) {
		return
	}
	if !browser.MayStartLogin(r) {
		p.desk.fail(w, r, &Problem{Status: http.StatusUnauthorized, Code: "login_required", Link: p.desk.site.LoginURL(p.desk.site.PageOf(r)), Err: ErrLoginRequired})
		return
	}
	if err := p.desk.csrf.Check(r); err != nil {
		p.desk.fail(w, r, &Problem{Status: http.StatusForbidden, Code: "cross_origin", Err: err})
		return
	}
	params, err := browser.FormOf(w, r)
	if err != nil {
		p.desk.fail(w, r, formProblem(err))
		return
	}
	back := p.desk.site.ReturnTo(r.Context(), params.Get("return_to"))
	switch name, hint, err := p.choiceOf(r, params); {
	case err != nil:
		p.showChooser(w, r, back, true)
	case name == "":
		p.showChooser(w, r, back, false)
	default:
		p.beginAt(w, r, name, LoginOptions{ReturnTo: back, LoginHint: hint})
	}
}

// loginMethods are those of the login route: only an email address is posted.
func (p *Providers) loginMethods() []string {
	if p.config.ByDomain == nil {
		return []string{http.MethodGet}
	}
	return []string{http.MethodGet, http.MethodPost}
}

// errNoDomain means that an email address leads to no provider.
var errNoDomain = errors.New("oidcauth: no provider for this email address")

// choiceOf reads which provider a request for the login route names: "" for none. hint is the email
// address that was typed. The error is errNoDomain.
func (p *Providers) choiceOf(r *http.Request, params url.Values) (name, hint string, err error) {
	if name = p.chosenFor(r); name != "" {
		return name, "", nil
	}
	if r.Method == http.MethodPost {
		email := strings.TrimSpace(params.Get("email"))
		domain, ok := domainOf(email)
		if ok {
			name = p.config.ByDomain(domain)
		}
		if _, err := p.Get(name); err != nil {
			return "", "", errNoDomain
		}
		return name, email, nil
	}
	if name = params.Get("provider"); name != "" {
		return name, "", nil
	}
	return p.only(), "", nil
}

// only is the name of the one provider that there is, "" where there are others, or may be.
func (p *Providers) only() string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if len(p.byName) != 1 || p.config.ByDomain != nil {
		return ""
	}
	for name := range p.byName {
		return name
	}
	return ""
}

// beginAt begins a login at the provider called name.
func (p *Providers) beginAt(w http.ResponseWriter, r *http.Request, name string, o LoginOptions) {
	a, err := p.Get(name)
	if err != nil {
		p.unknown(w, r, name, o.ReturnTo)
		return
	}
	if a.isForeignView(r) {
		a.showOnward(w, r, a.site.LoginURL(o.ReturnTo))
		return
	}
	a.startLogin(w, r, new(browser.Transaction), o)
}

// maxEmail bounds an email address (RFC 5321 §4.5.3.1.3).
const maxEmail = 254

// domainOf returns the domain of an email address, in lower case, and whether it may be one: what
// it is good for is no more than to look a provider up.
func domainOf(email string) (string, bool) {
	at := strings.LastIndexByte(email, '@')
	if at < 1 || len(email) > maxEmail {
		return "", false
	}
	domain := strings.ToLower(email[at+1:])
	isGraphic := isPlain(email) && !strings.ContainsAny(domain, " /\\:?#")
	return domain, domain != "" && isGraphic
}

// choose sends a browser whose login t is to begin, at a provider that nobody has named yet, to
// where one is chosen.
func (a *starter) choose(w http.ResponseWriter, r *http.Request, t *browser.Transaction, o LoginOptions) {
	back := t.ReturnTo
	if back == "" {
		back = a.site.ReturnTo(r.Context(), o.ReturnTo)
	}
	w.Header().Set("Location", a.site.LoginURL(back))
	w.WriteHeader(http.StatusSeeOther)
}
