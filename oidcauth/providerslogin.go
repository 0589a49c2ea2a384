package oidcauth

import (
	"net/http"

	"github.com/signet-go/signet/internal/browser"
)

// remembered is the name of the provider at which the browser that sent r signed in last, "" for
// none.
func (p *Providers) remembered(*http.Request) string { return "" }

// serveLogin is the login route of no provider: it goes on to the login route of the one that the
// application or the person chooses.
func (p *Providers) serveLogin(w http.ResponseWriter, r *http.Request) {
	if p.desk.methodNotAllowed(w, r, http.MethodGet) {
		return
	}
	name := p.chosenFor(r)
	if name == "" {
		name = r.URL.Query().Get("provider")
	}
	if name == "" {
		if all := p.List(); len(all) == 1 {
			name = all[0].Name
		}
	}
	a, err := p.Get(name)
	if err != nil {
		p.unknown(w, r, name)
		return
	}
	w.Header().Set("Location", a.LoginURL(r.URL.Query().Get("return_to")))
	w.WriteHeader(http.StatusSeeOther)
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
