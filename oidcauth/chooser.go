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
	return s != "" && strings.TrimSpace(s) == s && utf8.RuneCountInString(s) <= maxLabel && isPlain(s)
}

// isPlain reports whether s is text without controls and marks that can't be seen.
func isPlain(s string) bool { return utf8.ValidString(s) && strings.IndexFunc(s, isHidden) < 0 }

// isHidden reports whether nothing is seen of c: controls, fillers and selectors, and the blank
// pattern of Braille.
func isHidden(c rune) bool {
	return !unicode.IsGraphic(c) || c == '\u2800' || unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// A ChooserPage asks where to sign in. It has Choices, a form that posts email to Action, both, or
// neither if nothing is offered.
type ChooserPage struct {
	Page

	// Choices are the last provider used, even if it isn't offered, and then the offered ones.
	Choices []Choice

	// Action is where a form with Fields and the field email posts to, or "" for no form. Unknown
	// means that no provider was found for the email address entered before.
	Action  string
	Fields  map[string]string
	Unknown bool
}

// A Choice is a provider at which a person can sign in, through a link to URL. If the provider isn't
// offered, Label is its name.
type Choice struct {
	Name, Label, URL string
	Last             bool // the browser signed in there last
}

// showChooser writes the page on which a provider is chosen, from which a login comes back to back.
func (p *Providers) showChooser(w http.ResponseWriter, r *http.Request, back string, unknown bool) {
	last, _ := p.remembered(r)
	page := &ChooserPage{Page: p.desk.headOf(w, r, "choose.title"), Choices: p.choices(last, back), Unknown: unknown}
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

// choices are the providers that are offered: the one of last time first, and then by label. None of
// them is built: whoever looks at the page would keep them all in use. back was judged.
func (p *Providers) choices(last, back string) []Choice {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var all []Choice
	if m := p.byName[last]; m != nil && !m.leaving {
		// Also where it is not offered: the browser names it itself, by its cookie.
		all = append(all, Choice{Name: last, Label: cmp.Or(m.config.place.label, last), URL: p.desk.site.LoginURLOf(last, back), Last: true})
	}
	for _, m := range p.offered {
		if len(all) == maxOffers {
			break
		}
		if m.name != last && !m.leaving {
			all = append(all, Choice{Name: m.name, Label: m.config.place.label, URL: p.desk.site.LoginURLOf(m.name, back)})
		}
	}
	return all
}

// byLabel is the order of p.offered.
func byLabel(a, b *member) int {
	return cmp.Or(strings.Compare(a.config.place.label, b.config.place.label), strings.Compare(a.name, b.name))
}

// offerLocked puts m among those that are offered, if it is to be, in the place of before, which may
// be nil.
func (p *Providers) offerLocked(before, m *member) {
	if before != nil {
		p.withdrawLocked(before)
	}
	if m.config.place.offered {
		i, _ := slices.BinarySearchFunc(p.offered, m, byLabel)
		p.offered = slices.Insert(p.offered, i, m)
	}
}

// withdrawLocked takes m from those that are offered.
func (p *Providers) withdrawLocked(m *member) {
	if i, found := slices.BinarySearchFunc(p.offered, m, byLabel); found {
		p.offered = slices.Delete(p.offered, i, i+1)
	}
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

// leftMark stands behind the name in the cookie of a browser whose user has signed out there. No
// name has a dot.
const leftMark = ".signed-out"

// forgo has the browser that sent r, and whose user signs out, choose again, though the provider of
// last time stays the first choice: nobody who signs out means to be signed in again by the next
// page view, as a provider does that still knows them.
func (a *core) forgo(w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie(a.providerCookie("", 0).Name)
	if err == nil && checkName(c.Value) == nil {
		http.SetCookie(w, a.providerCookie(c.Value+leftMark, int(rememberedFor/time.Second)))
	}
}

// remembered is the name of the provider at which the browser that sent r signed in last, if it is
// still there; "" for none. left reports that its user has signed out since.
func (p *Providers) remembered(r *http.Request) (name string, left bool) {
	c, err := r.Cookie(p.desk.providerCookie("", 0).Name)
	if err != nil {
		return "", false
	}
	name, left = strings.CutSuffix(c.Value, leftMark)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.byName[name] == nil {
		return "", false
	}
	return name, left
}
