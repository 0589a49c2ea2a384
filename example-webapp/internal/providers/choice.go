package providers

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/session"
)

// A Choice is one way to sign in.
//
// Host is shown next to the name, so that a name alone can't impersonate another provider.
type Choice struct{ Name, Host, URL string }

// Choices lists the providers. Each link begins a login there that comes back to returnTo; the
// Authenticator keeps that on this site.
//
// Nothing is begun and nobody is asked before the choice: the page that shows them sets no cookie
// and may be opened by a prefetch, a crawler or a link from anywhere.
func (s *Set) Choices(returnTo string) []Choice {
	choices := make([]Choice, 0, len(s.list))
	for _, p := range s.list {
		host := p.Issuer
		if u, err := url.Parse(host); err == nil {
			host = u.Host
		}
		choices = append(choices, Choice{Name: p.Name, Host: host, URL: p.Auth.LoginURL(returnTo)})
	}
	return choices
}

// LoginURL is where a sign-in link leads that comes back to returnTo.
func (s *Set) LoginURL(returnTo string) string {
	if len(s.list) == 1 {
		return s.list[0].Auth.LoginURL(returnTo)
	}
	return s.ChooseURL + "?return_to=" + url.QueryEscape(returnTo)
}

// offerChoice sends browsers that nobody is signed in with to the page of choice, where guarded
// would send them to the first provider. All other requests are guarded's.
//
// A user whose refresh token has died is not asked again: the guard knows where they came from.
func (s *Set) offerChoice(guarded http.Handler) http.Handler {
	if len(s.list) == 1 {
		return guarded
	}
	return s.Load(func(w http.ResponseWriter, r *http.Request) {
		if oidcauth.IsPageView(r) && nobodyIsSignedIn(r) {
			w.Header().Set("Location", s.LoginURL(s.Asked(r)))
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// nobodyIsSignedIn is certain of it: a store that can't be asked is no answer, and the guard's to
// deal with.
func nobodyIsSignedIn(r *http.Request) bool {
	return oidcauth.UserFrom(r.Context()) == nil && !errors.Is(session.From(r.Context()).Load(), session.ErrUnavailable)
}
