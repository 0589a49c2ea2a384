package devprovider

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

// cookieName holds the single sign-on session at the embedded provider.
//
// It has no __Host- prefix, which would need Secure: some browsers refuse that on http://127.0.0.1,
// and the provider is for development on loopback only.
const cookieName = "devprovider_sso"

// maxSessions bounds the sessions that the provider remembers; the oldest login goes first.
const maxSessions = 1000

// A User is one of the people who can sign in at the embedded provider.
//
// Subjects are opaque, as at real providers, so that nobody is tempted to take a name or an address
// for one.
type User struct {
	Subject, Username, Password, Name, Email string
	Roles                                    []string
}

// Users are all users. Their passwords aren't secret: the login page shows them.
var Users = []User{
	{Subject: "u-1001", Username: "alice", Password: "wonderland", Name: "Alice Adams", Email: "alice@example.com", Roles: []string{"admin", "user"}},
	{Subject: "u-1002", Username: "bob", Password: "builder", Name: "Bob Brown", Email: "bob@example.com", Roles: []string{"user"}},
}

// userWhere returns the first user that is what ok says.
func userWhere(ok func(User) bool) (User, bool) {
	i := slices.IndexFunc(Users, ok)
	if i < 0 {
		return User{}, false
	}
	return Users[i], true
}

// A signOn is one browser's login at the provider: the reason that a second app, or a second login,
// asks no password.
type signOn struct {
	subject  string
	sid      string // what ID tokens say; the cookie's value is another secret
	authTime time.Time
}

// logins is the embedded provider's login policy: who is signed in, and the pages that ask. Safe
// for concurrent use.
//
// The provider's library calls its methods with a request and the state of the protocol; what is
// kept here is only who is signed in at the provider, as every provider keeps it along with its
// clients' sessions.
type logins struct {
	mu       sync.Mutex
	sessions map[string]signOn // by cookie value
}

// newLogins returns one without sessions.
func newLogins() *logins {
	return &logins{sessions: make(map[string]signOn)}
}

// authenticate decides one authentication request (OpenID Connect Core §3.1.2.3): by the sign-on
// session when it is good enough for prompt and max_age, else by the form.
//
// A finished request is refused, since its form may still stand in another tab, and a code must not
// be issued twice for one request.
func (d *logins) authenticate(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
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
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeLoginRequired, "no user is signed in")
	}
	return d.askPassword(w, http.StatusOK, as, as.LoginHint, "")
}

// mustAsk reports whether the request wants the password again although s lives.
//
// A max_age of 0 always asks, which is how a step-up asks for a login now.
func mustAsk(as *goidc.AuthnSession, s signOn) bool {
	prompt := strings.Fields(string(as.Prompt))
	if slices.Contains(prompt, "login") || slices.Contains(prompt, "select_account") {
		return true
	}
	return as.MaxAuthnAgeSecs != nil && time.Since(s.authTime) >= time.Duration(*as.MaxAuthnAgeSecs)*time.Second
}

// submit handles the posted form.
//
// The same answer for an unknown name and a wrong password, by habit: the names are on the page.
func (d *logins) submit(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession) (goidc.Status, error) {
	if r.PostFormValue("action") != "sign-in" {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, "the user declined")
	}
	username := r.PostFormValue("username")
	user, ok := userWhere(func(u User) bool { return u.Username == username })
	if !ok || subtle.ConstantTimeCompare([]byte(user.Password), []byte(r.PostFormValue("password"))) != 1 {
		return d.askPassword(w, http.StatusUnauthorized, as, username, "Wrong username or password. Both are listed below.")
	}
	return grant(as, d.begin(w, r, user))
}

// grant finishes the request: everything that was asked for is granted.
//
// There is no consent page; prompt=consent is taken as given.
func grant(as *goidc.AuthnSession, s signOn) (goidc.Status, error) {
	as.Subject = s.subject
	as.GrantedScopes = as.Scopes
	as.GrantedResources = as.Resources
	as.Store = map[string]any{"auth_time": s.authTime.Unix(), "sid": s.sid}
	return goidc.StatusSuccess, nil
}

// askPassword shows the form, with what was typed before but for the password. StatusPending keeps
// the request waiting for its answer.
func (d *logins) askPassword(w http.ResponseWriter, status int, as *goidc.AuthnSession, username, problem string) (goidc.Status, error) {
	render(w, status, "login.html", page{
		Title: "Sign in", Action: "/authorize/" + as.ID, Username: username, Problem: problem, Users: Users,
	})
	return goidc.StatusPending, nil
}

// begin starts a sign-on session under a new id, whatever the browser had before.
//
// The new id keeps somebody from planting a session of theirs in another's browser (fixation).
func (d *logins) begin(w http.ResponseWriter, r *http.Request, user User) signOn {
	d.end(w, r)
	s := signOn{subject: user.Subject, sid: rand.Text(), authTime: time.Now()}
	id := rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sessions) >= maxSessions {
		d.dropOldestLocked()
	}
	d.sessions[id] = s
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return s
}

// dropOldestLocked makes room.
func (d *logins) dropOldestLocked() {
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
func (d *logins) current(r *http.Request) (signOn, bool) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return signOn{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[cookie.Value]
	return s, ok
}

// end forgets the browser's sign-on session.
func (d *logins) end(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, cookie.Value)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// endSID forgets the session that ID tokens call sid: a logout that is posted from another site
// comes without our cookie.
//
// The caller has verified the ID token that names the sid: it is proof enough that the client means
// this session.
func (d *logins) endSID(sid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, s := range d.sessions {
		if s.sid == sid {
			delete(d.sessions, id)
		}
	}
}

// logout ends the sign-on session. A verified id_token_hint shows that the client knows the
// session; without one anybody could have made the link, so a person confirms it (RP-Initiated
// Logout §2).
func (d *logins) logout(w http.ResponseWriter, r *http.Request, ls *goidc.LogoutSession) (goidc.Status, error) {
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
		render(w, http.StatusOK, "logout.html", page{Title: "Sign out", Action: "/logout/" + ls.ID})
		return goidc.StatusPending, nil
	}
	return goidc.StatusSuccess, nil
}

// signedOut is the page after a logout that names nowhere to go.
func (d *logins) signedOut(w http.ResponseWriter, _ *http.Request, _ *goidc.LogoutSession) error {
	render(w, http.StatusOK, "message.html", page{Title: "Signed out", Message: "You're signed out of the development provider."})
	return nil
}

// renderError shows what can't be sent back to the client: with a wrong redirect_uri there is
// nobody to send it to.
//
// Sending the browser on with an error to an address that is not registered would make the provider
// an open redirector (RFC 9700 §4.11.2).
func (d *logins) renderError(w http.ResponseWriter, _ *http.Request, err error) error {
	refusal := page{Title: "Request refused", Message: "The development provider can't continue. Its log line names the cause."}
	status := http.StatusInternalServerError
	var problem goidc.Error
	if errors.As(err, &problem) {
		status, refusal.Problem = problem.StatusCode(), string(problem.Code)+": "+problem.Description
	}
	render(w, status, "message.html", refusal)
	return nil
}

// claims are the ID token's (OpenID Connect Core §2).
//
// acr is the first value that was asked for: whatever an application wants to try, this provider
// claims to have done. It would be a lie anywhere else.
func (d *logins) claims(_ context.Context, g *goidc.Grant) map[string]any {
	claims := profileClaims(g)
	if user, ok := userWhere(func(u User) bool { return u.Subject == g.Subject }); ok {
		claims["roles"] = user.Roles
	}
	claims["auth_time"], claims["sid"], claims["amr"] = g.Store["auth_time"], g.Store["sid"], []string{"pwd"}
	if acr := strings.Fields(g.AuthParams.ACRValues); len(acr) > 0 {
		claims["acr"] = acr[0]
	}
	return claims
}

// userInfo are the claims at the userinfo endpoint.
func (d *logins) userInfo(_ context.Context, g *goidc.Grant) map[string]any {
	return profileClaims(g)
}

// profileClaims are what the granted scopes ask for (OpenID Connect Core §5.4).
func profileClaims(g *goidc.Grant) map[string]any {
	claims := make(map[string]any)
	user, _ := userWhere(func(u User) bool { return u.Subject == g.Subject })
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
