package main

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/example-webapp/internal/settings"
	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// choosePath is the page on which people choose their provider. With one provider there is nothing to choose, and no such page.
const choosePath = "/choose"

// A choice is one way to sign in.
//
// Host is shown beside the name, so that a name alone can't pass for somebody else's.
type choice struct{ Name, Host, URL string }

// choose lists the providers. Each link begins a login there that comes back to return_to; LoginURL keeps that on this site.
//
// Nothing is begun and nobody is asked before the choice: the page sets no cookie and may be opened by a prefetch, a crawler
// or a link from anywhere.
func (a *app) choose(w http.ResponseWriter, r *http.Request) {
	p := a.newPage(r, "Choose where to sign in")
	p.LoginURL = "" // the page is the sign-in link
	returnTo := r.URL.Query().Get("return_to")
	choices := make([]choice, 0, len(a.providers))
	for _, provider := range a.providers {
		choices = append(choices, choice{Name: provider.name, Host: settings.HostOf(provider.issuer), URL: provider.auth.LoginURL(returnTo)})
	}
	p.Data = choices
	pages.Write(w, http.StatusOK, "choose.html", p)
}

// loginURL is where a sign-in link leads that comes back to returnTo.
func (a *app) loginURL(returnTo string) string {
	if len(a.providers) == 1 {
		return a.providers[0].auth.LoginURL(returnTo)
	}
	return a.at(choosePath) + "?return_to=" + url.QueryEscape(returnTo)
}

// offerChoice sends browsers that nobody is signed in with to the page of choice, where guarded would send them to the first
// provider. All other requests are guarded's.
//
// A user whose refresh token has died is not asked again: the guard knows where they came from.
func (a *app) offerChoice(guarded http.Handler) http.Handler {
	if len(a.providers) == 1 {
		return guarded
	}
	return a.load(func(w http.ResponseWriter, r *http.Request) {
		if oidcauth.IsPageView(r) && nobodyIsSignedIn(r) {
			w.Header().Set("Location", a.loginURL(a.asked(r)))
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// nobodyIsSignedIn is certain of it: a store that can't be asked is no answer, and the guard's to deal with.
func nobodyIsSignedIn(r *http.Request) bool {
	return oidcauth.UserFrom(r.Context()) == nil && !errors.Is(session.From(r.Context()).Load(), session.ErrUnavailable)
}
