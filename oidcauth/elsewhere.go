package oidcauth

import (
	"context"
	"net/http"
	"slices"

	"github.com/signet-go/signet/internal/browser"
)

// failEverywhere are the codes of logins that would fail at another provider as well, or whose end
// another account would not be.
var failEverywhere = []string{"internal", "login_loop", "session_too_large", "step_up_failed", "store_unavailable"}

// orElsewhere lets p, a login of a's that came to nothing, offer another of Providers. The login is
// t, or nil where it is not known, and was to come back to back.
func (a *core) orElsewhere(r *http.Request, p *Problem, t *browser.Transaction, back string) *Problem {
	isStepUp := t != nil && t.Demand != ""
	if a.config.place == nil || isStepUp || p.variant == "signed_in" || slices.Contains(failEverywhere, p.Code) {
		return p
	}
	p.ChooseURL = a.config.place.registry.elsewhere(asBegun(r, t), a.name(), back)
	return p
}

// failedToBegin is the answer to r, which was to begin a login that comes back to back.
func (a *core) failedToBegin(r *http.Request, t *browser.Transaction, back string, err error) *Problem {
	p := loginProblem(err)
	isPage := browser.IsPageView(r) && !a.site.IsRoute(r.URL.Path) // asking for it again begins another login
	if problemTexts[p.Code].link == linkLogin && !isPage {
		p.Link = a.site.LoginURL(back)
	}
	return a.orElsewhere(r, p, t, back)
}

// elsewhere is the path at which whoever sent r may choose another provider than the one called
// name, and comes back to back. It is "" where there is none to choose, or somebody else chooses.
func (p *Providers) elsewhere(r *http.Request, name, back string) string {
	if demanded(r.Context()) || p.chosenFor(r) != "" || !p.offersBeside(name) {
		return ""
	}
	return p.desk.site.LoginURL(back)
}

// demandedKey is the context key of requests that lead to one of several providers alone, for
// a guard takes no users of another.
type demandedKey struct{}

// demanding marks r as one.
func demanding(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), demandedKey{}, true))
}

// demanded reports whether the request with ctx is one.
func demanded(ctx context.Context) bool {
	marked, _ := ctx.Value(demandedKey{}).(bool)
	return marked
}

// asBegun marks r where such a request has begun the login t.
func asBegun(r *http.Request, t *browser.Transaction) *http.Request {
	if t == nil || !t.Only {
		return r
	}
	return demanding(r)
}

// offersBeside reports whether the page on which a provider is chosen has another than the one
// called name, or may have.
func (p *Providers) offersBeside(name string) bool {
	if p.config.ByDomain != nil {
		return true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.ContainsFunc(p.offered, func(m *member) bool { return m.name != name && !m.leaving })
}

// wanted is where r, a request for a route of a provider that is not there, was to come back to. The
// request that it returns is r, marked as the one that began the login.
func (p *Providers) wanted(r *http.Request, route string) (*http.Request, string) {
	switch route {
	case "login":
		return r, p.desk.site.ReturnTo(r.Context(), r.URL.Query().Get("return_to"))
	case "callback": // the login may be this browser's all the same
		if t, _ := p.desk.logins.Open(r, r.URL.Query().Get("state")); t != nil {
			return asBegun(r, t), p.desk.site.BackFrom(t)
		}
	}
	return r, p.desk.site.Home()
}
