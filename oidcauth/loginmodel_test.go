package oidcauth_test

import (
	"encoding/json"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A surfer is one of the browsers of a loginHistory, with what the person before it may rely on.
type surfer struct {
	browser *oidcauthtest.Browser
	account string          // who signs in when the provider asks
	known   idp             // whom the provider knows in this browser, as far as it was asked
	here    *modeledLogin   // who signed in last, nil for nobody
	under   []*waitingLogin // the provider has answered, and the application does not know yet
}

// An idp is a session at the provider.
type idp struct{ sub, sid string }

// A modeledLogin is a session of the application.
type modeledLogin struct {
	idp
	ended  bool
	copies []string // of its cookies, which somebody may have kept
	tokens []string // the newest
}

func (l *modeledLogin) lives() bool { return l != nil && !l.ended }

type waitingLogin struct {
	idp
	tab      *oidcauthtest.Tab
	callback *oidcauthtest.Navigation
	dead     bool // the browser was signed out since
}

// A loginWorld lets a loginHistory happen, and compares what comes with the model.
type loginWorld struct {
	*world
	stored   bool
	surfers  [2]*surfer
	at       *surfer // whose step it is
	logins   []*modeledLogin
	demanded map[string]time.Time // since when a fresh login is demanded of a user
	asked    int                  // how often a browser was sent to the provider in this step
	issued   [][]string           // the tokens of each token request in this step
	useless  []string             // tokens that nobody has any more
	err      error                // the first thing that is not as it should be
}

func (w *loginWorld) expect(ok bool, format string, args ...any) {
	if !ok && w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// begins has s signed in by a login of these tokens. At many providers one revocation ends all tokens of a user: those of a session
// that the same user replaces are left alone.
func (w *loginWorld) begins(s *surfer, of idp, tokens []string) {
	if s.here.lives() && s.here.sub != of.sub {
		w.useless = append(w.useless, s.here.tokens...)
	}
	w.end(func(l *modeledLogin) bool { return l == s.here })
	s.here = &modeledLogin{idp: of, tokens: tokens}
	w.logins = append(w.logins, s.here)
}

// keepCopy remembers the cookies of who is signed in.
func (w *loginWorld) keepCopy(s *surfer) {
	if !s.here.lives() {
		return
	}
	w.browser = s.browser
	s.here.copies = append(s.here.copies, w.cookies())
}

// end ends those sessions that match.
func (w *loginWorld) end(match func(*modeledLogin) bool) {
	for _, l := range w.logins {
		l.ended = l.ended || match(l)
	}
}

// What comes from elsewhere: logout tokens for who is known at the provider, by what they name, and revocations of a user.
const (
	subAndSID = iota + 1
	sidAlone
	subAlone // the last of the logout tokens
	revocation
	freshRevocation // with the demand of a fresh login
	signOut         // in another tab, whose answer gets lost
)

func (w *loginWorld) fromElsewhere(what int, who idp) {
	switch {
	case !w.stored || who.sub == "":
	case what > subAlone:
		var options []session.RevokeOption
		if what == freshRevocation {
			options, w.demanded[who.sub] = append(options, session.DemandFreshLogin), time.Now()
		}
		user := &oidcauth.User{Issuer: w.provider.Issuer(), Subject: who.sub}
		err := w.auth.Sessions().Revoke(w.Context(), user.Tag(), options...)
		w.expect(err == nil, "Revoke: %v", err)
		w.end(func(l *modeledLogin) bool { return l.sub == who.sub })
	default:
		named := map[int]idp{subAndSID: who, sidAlone: {sid: who.sid}, subAlone: {sub: who.sub}}[what]
		status := w.postLogoutToken(w.provider.LogoutToken("app", named.sub, named.sid)).StatusCode
		w.expect(status == 200, "a logout token is answered %d", status)
		w.end(func(l *modeledLogin) bool { return l.sid == named.sid || named.sid == "" && l.sub == named.sub })
	}
}

// check compares each browser, and each copy of a cookie, with the model.
func (w *loginWorld) check() {
	synctest.Wait()
	for i, s := range w.surfers {
		page := s.browser.NewTab().Get(app + "/")
		var u *oidcauth.User
		w.expect(json.Unmarshal([]byte(page.Body), &u) == nil, "browser %d gets %d %s", i, page.Status, page.Body)
		w.expect((u != nil) == s.here.lives(), "browser %d is signed in: %t, and shows %v", i, s.here.lives(), u)
		if u != nil && w.err == nil {
			w.expect(idp{u.Subject, u.SessionID} == s.here.idp, "browser %d is signed in as %v, and shows %v", i, s.here.idp, u)
			w.expect(!u.AuthTime.Before(w.demanded[u.Subject].Truncate(time.Second)), "browser %d is signed in without the fresh login that was demanded", i)
		}
	}
	for _, l := range w.logins {
		for _, copied := range l.copies {
			body := w.send(copied, "/").Body.String()
			w.expect(!l.ended || body == "null\n", "the session of %v has ended, and a copy of its cookie shows %s", l.idp, body)
		}
	}
	revoked := w.revoked()
	for _, token := range w.useless {
		w.expect(revoked[token] != "", "a token that nobody has any more was not revoked")
	}
}
