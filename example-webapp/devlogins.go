package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// devCookie holds the single sign-on session at the embedded provider.
//
// It has no __Host- prefix, which would need Secure: some browsers refuse that on http://127.0.0.1, and the provider is for
// development on loopback only.
const devCookie = "devprovider_sso"

// maxDevSessions bounds the sessions that the provider remembers; the oldest login goes first.
const maxDevSessions = 1000

// A devUser is one of the people who can sign in at the embedded provider.
//
// Subjects are opaque, as at real providers, so that nobody is tempted to take a name or an address for one.
type devUser struct {
	Subject, Username, Password, Name, Email string
	Roles                                    []string
}

// devUsers are everybody. Their passwords are no secret: the login page shows them.
var devUsers = []devUser{
	{Subject: "u-1001", Username: "alice", Password: "wonderland", Name: "Alice Adams", Email: "alice@example.com", Roles: []string{"admin", "user"}},
	{Subject: "u-1002", Username: "bob", Password: "builder", Name: "Bob Brown", Email: "bob@example.com", Roles: []string{"user"}},
}

// devUserWhere returns the first user that is what ok says.
func devUserWhere(ok func(devUser) bool) (devUser, bool) {
	i := slices.IndexFunc(devUsers, ok)
	if i < 0 {
		return devUser{}, false
	}
	return devUsers[i], true
}

// A devSession is one browser's login at the provider: the reason that a second app, or a second login, asks no password.
type devSession struct {
	subject  string
	sid      string // what ID tokens say; the cookie's value is another secret
	authTime time.Time
}

// devLogins is the embedded provider's login policy: who is signed in, and the pages that ask. Safe for concurrent use.
//
// The provider's library calls its methods with a request and the state of the protocol; what is kept here is only who is
// signed in at the provider, as every provider keeps it beside its clients' sessions.
type devLogins struct {
	mu       sync.Mutex
	sessions map[string]devSession // by cookie value
}

// newDevLogins returns one without sessions.
func newDevLogins() *devLogins {
	return &devLogins{sessions: make(map[string]devSession)}
}

// authenticate decides one authentication request (OpenID Connect Core §3.1.2.3): by the sign-on session when it is good
// enough for prompt and max_age, else by the form.
//
// A finished request is refused, since its form may still stand in another tab, and a code must not be issued twice for one
// request.
func (d *devLogins) authenticate(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
	if as.Status == goidc.StatusSuccess || as.Status == goidc.StatusFailure {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeInvalidRequest, "this sign-in is already finished")
	}
	if r.Method == http.MethodPost && r.PostFormValue("action") != "" {
		return d.submit(w, r, as)
	}
	if s, ok := d.current(r); ok && !mustAsk(as, s) {
		return grant(as, s)
	}
	if hasScope(string(as.Prompt), string(goidc.PromptTypeNone)) {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeLoginRequired, "nobody is signed in")
	}
	return d.askPassword(w, http.StatusOK, as, as.LoginHint, "")
}

// mustAsk reports whether the request wants the password again although s lives.
//
// A max_age of 0 always asks, which is how a step-up asks for a login now.
func mustAsk(as *goidc.AuthnSession, s devSession) bool {
	prompt := strings.Fields(string(as.Prompt))
	if slices.Contains(prompt, "login") || slices.Contains(prompt, "select_account") {
		return true
	}
	return as.MaxAuthnAgeSecs != nil && time.Since(s.authTime) >= time.Duration(*as.MaxAuthnAgeSecs)*time.Second
}

// submit handles the posted form.
//
// The same answer for an unknown name and a wrong password, by habit: the names are on the page.
func (d *devLogins) submit(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession) (goidc.Status, error) {
	if r.PostFormValue("action") != "sign-in" {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, "the person declined")
	}
	username := r.PostFormValue("username")
	user, ok := devUserWhere(func(u devUser) bool { return u.Username == username })
	if !ok || subtle.ConstantTimeCompare([]byte(user.Password), []byte(r.PostFormValue("password"))) != 1 {
		return d.askPassword(w, http.StatusUnauthorized, as, username, "Username or password is wrong. Both are listed below.")
	}
	return grant(as, d.begin(w, r, user))
}

// grant finishes the request: everything that was asked for is granted.
//
// There is no consent page; prompt=consent is taken as given.
func grant(as *goidc.AuthnSession, s devSession) (goidc.Status, error) {
	as.Subject = s.subject
	as.GrantedScopes = as.Scopes
	as.GrantedResources = as.Resources
	as.Store = map[string]any{"auth_time": s.authTime.Unix(), "sid": s.sid}
	return goidc.StatusSuccess, nil
}

// askPassword shows the form, with what was typed before but for the password. StatusPending keeps the request waiting for
// its answer.
func (d *devLogins) askPassword(w http.ResponseWriter, status int, as *goidc.AuthnSession, username, problem string) (goidc.Status, error) {
	renderDev(w, status, "dev-login.html", devPage{
		Title: "Sign in", Action: "/authorize/" + as.ID, Username: username, Problem: problem, Users: devUsers,
	})
	return goidc.StatusPending, nil
}

// begin starts a sign-on session under a new id, whatever the browser had before.
//
// The new id keeps somebody from planting a session of theirs in another's browser (fixation).
func (d *devLogins) begin(w http.ResponseWriter, r *http.Request, user devUser) devSession {
	d.end(w, r)
	s := devSession{subject: user.Subject, sid: rand.Text(), authTime: time.Now()}
	id := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sessions) >= maxDevSessions {
		d.dropOldest()
	}
	d.sessions[id] = s
	http.SetCookie(w, &http.Cookie{Name: devCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return s
}

// dropOldest makes room; the caller holds the lock.
func (d *devLogins) dropOldest() {
	oldest := ""
	for id, s := range d.sessions {
		if oldest == "" || s.authTime.Before(d.sessions[oldest].authTime) {
			oldest = id
		}
	}
	delete(d.sessions, oldest)
}

// current returns the browser's sign-on session.
//
// An unknown id is nobody: the cookie may be from before a restart.
func (d *devLogins) current(r *http.Request) (devSession, bool) {
	cookie, err := r.Cookie(devCookie)
	if err != nil {
		return devSession{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[cookie.Value]
	return s, ok
}

// end forgets the browser's sign-on session.
func (d *devLogins) end(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(devCookie)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, cookie.Value)
	http.SetCookie(w, &http.Cookie{Name: devCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// endSID forgets the session that ID tokens call sid: a logout that is posted from another site comes without our cookie.
//
// The caller has verified the ID token that names the sid: it is proof enough that the client means this session.
func (d *devLogins) endSID(sid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, s := range d.sessions {
		if s.sid == sid {
			delete(d.sessions, id)
		}
	}
}

// logout ends the sign-on session. A verified id_token_hint shows that the client knows the session; without one anybody could
// have made the link, so a person confirms it (RP-Initiated Logout §2).
func (d *devLogins) logout(w http.ResponseWriter, r *http.Request, ls *goidc.LogoutSession) (goidc.Status, error) {
	confirmed := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/"+ls.ID)
	switch {
	case ls.Status == goidc.StatusSuccess:
		return goidc.StatusFailure, errors.New("this logout is already finished")
	case confirmed:
		d.end(w, r)
	case ls.IDTokenHintClaims != nil:
		sid, _ := ls.IDTokenHintClaims["sid"].(string)
		if s, ok := d.current(r); ok && s.sid == sid {
			d.end(w, r)
		}
		d.endSID(sid)
	default:
		renderDev(w, http.StatusOK, "dev-logout.html", devPage{Title: "Sign out", Action: "/logout/" + ls.ID})
		return goidc.StatusPending, nil
	}
	return goidc.StatusSuccess, nil
}

// signedOut is the page after a logout that names nowhere to go.
func (d *devLogins) signedOut(w http.ResponseWriter, _ *http.Request, _ *goidc.LogoutSession) error {
	renderDev(w, http.StatusOK, "dev-message.html", devPage{Title: "Signed out", Message: "You are signed out of the development provider."})
	return nil
}

// renderError shows what can't be sent back to the client: with a wrong redirect_uri there is nobody to send it to.
//
// Sending the browser on with an error to an address that is not registered would make the provider an open redirector (RFC
// 9700 §4.11.2).
func (d *devLogins) renderError(w http.ResponseWriter, _ *http.Request, err error) error {
	page := devPage{Title: "Request refused", Message: "The development provider can't continue. Its log line names the cause."}
	status := http.StatusInternalServerError
	var problem goidc.Error
	if errors.As(err, &problem) {
		status, page.Problem = problem.StatusCode(), string(problem.Code)+": "+problem.Description
	}
	renderDev(w, status, "dev-message.html", page)
	return nil
}

// claims are the ID token's (OpenID Connect Core §2).
//
// acr is the first value that was asked for: whatever an application wants to try, this provider claims to have done. It
// would be a lie anywhere else.
func (d *devLogins) claims(_ context.Context, g *goidc.Grant) map[string]any {
	claims := profileClaims(g)
	if user, ok := devUserWhere(func(u devUser) bool { return u.Subject == g.Subject }); ok {
		claims["roles"] = user.Roles
	}
	claims["auth_time"], claims["sid"], claims["amr"] = g.Store["auth_time"], g.Store["sid"], []string{"pwd"}
	if acr := strings.Fields(g.AuthParams.ACRValues); len(acr) > 0 {
		claims["acr"] = acr[0]
	}
	return claims
}

// userInfo are the claims at the userinfo endpoint.
func (d *devLogins) userInfo(_ context.Context, g *goidc.Grant) map[string]any {
	return profileClaims(g)
}

// profileClaims are what the granted scopes ask for (OpenID Connect Core §5.4).
func profileClaims(g *goidc.Grant) map[string]any {
	claims := make(map[string]any)
	user, _ := devUserWhere(func(u devUser) bool { return u.Subject == g.Subject })
	if hasScope(g.Scopes, "profile") {
		claims["name"], claims["preferred_username"] = user.Name, user.Username
	}
	if hasScope(g.Scopes, "email") {
		claims["email"], claims["email_verified"] = user.Email, true
	}
	return claims
}

// hasScope reports whether the space-separated list holds s.
func hasScope(list, s string) bool {
	return slices.Contains(strings.Fields(list), s)
}
