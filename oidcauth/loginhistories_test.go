package oidcauth_test

import (
	"flag"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// A loginHistory is what two browsers, a provider and an administrator do. Each step makes sense after any other, so that a long one
// can be made shorter.
type loginHistory []loginStep

// A loginStep is an action of or at a browser.
type loginStep struct {
	do  loginAction
	in  int // which browser
	arg int
}

type loginAction int

const (
	goes      loginAction = iota // a tab goes to the provider by loginPaths[arg], and waits there
	comesBack                    // the tab that waits longest comes back, while arg comes from elsewhere
	renews                       // the tokens are refreshed, while arg comes from elsewhere
	hears                        // arg comes from elsewhere
	leaves                       // signs out here
	changes                      // another account at the provider
	rests                        // a minute passes
)

var (
	loginPaths = [...]string{"/auth/login?return_to=/me", "/now", "/recent"}
	greatest   = [...]int{goes: len(loginPaths) - 1, comesBack: signOut, renews: signOut, hears: freshRevocation, rests: 0} // arg
	loginDeck  = slices.Concat(slices.Repeat([]loginAction{goes, comesBack}, 4), []loginAction{renews, renews, hears, hears, hears, leaves, changes, rests})
)

func loginSteps() *rapid.Generator[loginStep] {
	return rapid.Custom(func(t *rapid.T) loginStep {
		do := rapid.SampledFrom(loginDeck).Draw(t, "do")
		return loginStep{do, rapid.IntRange(0, 1).Draw(t, "in"), rapid.IntRange(0, greatest[do]).Draw(t, "arg")}
	})
}

// newLoginWorld has the browsers of Alice and of Bob, and an application in this mode.
func newLoginWorld(t *testing.T, mode func(*oidcauth.Config)) *loginWorld {
	w := &loginWorld{demanded: map[string]time.Time{}}
	w.world = newTokenWorld(t, mode, noPAR, func(c *oidcauth.Config) {
		w.stored = c.Session.Store != nil
		c.BackChannelLogout, c.SigningAlg, c.Logger = w.stored, "ES256", slog.New(slog.DiscardHandler)
	})
	w.mux.Handle("/recent", w.auth.Require(oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
	w.mux.Handle("/now", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.auth.Login(rw, r, oidcauth.LoginOptions{MaxAge: -1, ReturnTo: "/me"})
	}))
	for i, account := range []string{"alice", "bob"} {
		w.surfers[i] = &surfer{browser: oidcauthtest.NewBrowser(w.network), account: account}
	}
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Alg, s.CodeLifetime = "ES256", time.Hour })
	w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) {
		w.asked++
		w.at.known = idp{a.User.Subject, a.Session}
	})
	w.provider.BendTokens(func(a *oidcauthtest.TokenAnswer) {
		w.issued = append(w.issued, []string{a.Text("access_token"), a.Text("refresh_token")})
	})
	return w
}

func (w *loginWorld) step(s loginStep) {
	time.Sleep(10 * time.Second) // past every tie
	w.at, w.issued, w.asked = w.surfers[s.in], nil, 0
	w.provider.Configure(func(c *oidcauthtest.Settings) { c.User = &oidcauthtest.User{Subject: w.at.account} })
	switch s.do {
	case goes:
		w.goes(w.at, loginPaths[s.arg])
	case comesBack:
		w.comesBack(w.at, s.arg)
	case renews:
		w.renews(w.at, s.arg)
	case hears:
		if s.arg > 0 {
			w.fromElsewhere(s.arg, w.at.known)
		}
	case leaves:
		w.leaves(w.at)
	case changes:
		w.at.account = map[string]string{"alice": "bob", "bob": "alice"}[w.at.account]
	case rests:
		time.Sleep(time.Minute)
	}
	w.check()
}

func (w *loginWorld) goes(s *surfer, path string) {
	tab := s.browser.NewTab()
	tab.PauseAt(app + "/auth/callback")
	if page := tab.Get(app + path); page.Paused != nil {
		s.under = append(s.under, &waitingLogin{idp: s.known, tab: tab, callback: page.Paused})
	}
}

// meanwhile has something come while the next token request is at the provider, and tells whether it has.
func (w *loginWorld) meanwhile(what int, s *surfer, who idp) *bool {
	came := new(bool)
	if what == 0 {
		return came
	}
	w.browser = s.browser
	cookies := w.cookies()
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Times(1, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			*came = w.stored
			if what == signOut {
				go w.postLogout(cookies)
				if s.here.lives() {
					s.here.ended = true
					w.useless = append(w.useless, s.here.tokens[0]) // the refresh token may be spent
				}
			} else {
				w.fromElsewhere(what, who)
			}
			time.Sleep(8 * time.Second)
			next.ServeHTTP(rw, r)
		})
	}))
	return came
}

func (w *loginWorld) comesBack(s *surfer, during int) {
	if len(s.under) == 0 {
		return
	}
	l := s.under[0]
	s.under = s.under[1:]
	came := w.meanwhile(during, s, l.idp)
	l.tab.PauseAt("")
	page := l.tab.Go(l.callback)
	w.provider.Intercept(oidcauthtest.TokenEndpoint)
	switch accepted := strings.HasPrefix(page.Exchanges[0].Location, app); {
	case l.dead:
		w.expect(!accepted, "a login goes on, from before the browser was signed out")
	case *came && during <= subAlone:
		w.expect(!accepted && w.asked == 0, "a login that the provider has ended leads to %s", page.URL)
		w.useless = append(w.useless, w.issued[0]...)
	case accepted:
		w.begins(s, l.idp, w.issued[0])
	default:
		w.expect(!w.demanded[l.sub].IsZero() && w.asked > 0, "a login of %s is answered %d %s", l.sub, page.Status, page.Body)
		if !s.here.lives() || s.here.sub != l.sub {
			w.useless = append(w.useless, w.issued[0]...)
		}
	}
	if w.asked > 0 { // once more: for a fresh login, or for what /recent wants
		w.expect(page.Status == http.StatusOK, "a login that was sent once more is answered %d %s", page.Status, page.Body)
		w.begins(s, s.known, w.issued[len(w.issued)-1])
	}
	w.keepCopy(s)
}

func (w *loginWorld) renews(s *surfer, during int) {
	defer w.keepCopy(s)
	lived := s.here.lives()
	if lived {
		w.meanwhile(during, s, s.here.idp)
	}
	page := s.browser.NewTab().Get(app + "/token?force")
	time.Sleep(10 * time.Second) // whoever waits no more has left a refresh under way
	w.provider.Intercept(oidcauthtest.TokenEndpoint)
	w.expect((page.Status == http.StatusOK) == s.here.lives() || during == signOut, "a refresh is answered %d %s", page.Status, page.Body)
	switch {
	case !lived:
		w.expect(len(w.issued) == 0, "nobody is signed in, and a token comes")
	case len(w.issued) == 0: // the sign-out was faster
		w.expect(during == signOut, "the session lives, and was not refreshed")
		w.useless = append(w.useless, s.here.tokens...)
	case s.here.lives():
		s.here.tokens = w.issued[0]
	default:
		w.useless = append(w.useless, w.issued[0]...)
	}
}

func (w *loginWorld) leaves(s *surfer) {
	tab := s.browser.NewTab()
	tab.Get(app + "/auth/logout")
	page := tab.Submit("/auth/logout", nil)
	w.expect(page.Status == http.StatusOK, "a sign-out is answered %d %s", page.Status, page.Body)
	s.known = idp{}
	if s.here.lives() {
		s.here.ended = true
		w.useless = append(w.useless, s.here.tokens...)
		for _, l := range s.under {
			l.dead = true
		}
	}
}

// Without flags every run makes the same histories. For as many new ones as you like:
//
//	go test ./oidcauth -run TestLoginHistories -rapid.checks=100000 -rapid.seed=0
func init() {
	for name, value := range map[string]string{"rapid.checks": "300", "rapid.seed": "1", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

func TestLoginHistories(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				h := loginHistory(rapid.SliceOfN(loginSteps(), 0, 24).Draw(rt, "steps"))
				var err error
				synctest.Test(t, func(t *testing.T) {
					w := newLoginWorld(t, mode)
					for i := 0; i < len(h) && err == nil; i++ {
						w.step(h[i])
						err = w.err
					}
				})
				if err != nil {
					rt.Fatalf("%v\n%v", err, h)
				}
			})
		})
	}
}
