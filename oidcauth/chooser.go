package oidcauth

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Offered lists a provider on the page where users choose one, under a label of at most 64 visible
// characters. Everyone who signs in can see it. Providers without this option are reached through
// their own login routes, ProvidersConfig.Choose and ProvidersConfig.ByDomain, so a service doesn't
// reveal who its customers are.
func Offered(label string) ProviderOption {
	return func(at *placement) { at.offered, at.label = true, label }
}

const (
	maxLabel  = 64  // characters
	maxOffers = 100 // on one page
)

// isLabel reports whether a label, which a tenant may have written, can stand on a page: nothing in
// it is invisible, or turns the text around it.
func isLabel(s string) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= maxLabel && isPlain(s)
}

// isPlain reports whether s is text without controls and marks that can't be seen.
func isPlain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) }) < 0
}

// A ChooserPage asks where to sign in. It has Choices, a form that posts email to Action, both, or
// neither if nothing is offered.
type ChooserPage struct {
	Page

	// Choices are the offered providers, the last one used first.
	Choices []Choice

	// Action is where a form with Fields and the field email posts to, or "" for no form. Unknown
	// means that no provider was found for the email address entered before.
	Action  string
	Fields  map[string]string
	Unknown bool
}

// A Choice is a provider at which a person can sign in, through a link to URL.
type Choice struct {
	Name, Label, URL string
	Last             bool // the browser signed in there last
}

// showChooser writes the page on which a provider is chosen, from which a login comes back to back.
func (p *Providers) showChooser(w http.ResponseWriter, r *http.Request, back string, unknown bool) {
	page := &ChooserPage{Page: p.desk.headOf(w, r, "choose.title"), Choices: p.choices(p.remembered(r), back), Unknown: unknown}
	if p.config.ByDomain != nil {
		allowForm(w)
		page.Action, page.Fields = p.desk.site.At("login"), map[string]string{"return_to": back}
	}
	status := http.StatusOK
	if unknown {
		status = http.StatusNotFound
	}
	p.desk.writePage(w, status, pageChooser, page)
}

// choices are the providers that are offered, last first, and then by label. None of them is built:
// whoever looks at the page would keep them all in use. back was judged.
func (p *Providers) choices(last, back string) []Choice {
	var all []Choice
	p.mu.RLock()
	for name, m := range p.byName {
		if m.config.place.offered && !m.leaving {
			all = append(all, Choice{Name: name, Label: m.config.place.label, Last: name == last})
		}
	}
	p.mu.RUnlock()
	slices.SortFunc(all, func(a, b Choice) int {
		switch {
		case a.Last:
			return -1
		case b.Last:
			return 1
		}
		return cmp.Or(strings.Compare(a.Label, b.Label), strings.Compare(a.Name, b.Name))
	})
	all = all[:min(len(all), maxOffers)]
	for i := range all {
		all[i].URL = p.desk.site.LoginURLOf(all[i].Name, back)
	}
	return all
}

// rememberedFor is how long a browser goes back to the provider of last time.
const rememberedFor = 180 * 24 * time.Hour

// remember has the browser come back to a, among Providers, when it has to sign in again.
func (a *core) remember(w http.ResponseWriter) {
	if a.name() != "" {
		http.SetCookie(w, a.providerCookie(a.name(), int(rememberedFor/time.Second)))
	}
}

// providerCookie names the provider of last time. It is not sealed: it says no more than a link to
// that provider's login does, and whoever forges it has chosen.
func (a *core) providerCookie(name string, maxAge int) *http.Cookie {
	return a.logins.NewCookie(a.logins.Cookie+"-provider", name, maxAge)
}

// remembered is the name of the provider at which the browser that sent r signed in last, if it is
// still there; "" for none.
func (p *Providers) remembered(r *http.Request) string {
	c, err := r.Cookie(p.desk.providerCookie("", 0).Name)
	if err != nil {
		return ""
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.byName[c.Value] == nil {
		return ""
	}
	return c.Value
}
