package oidcauth_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// A suite is the stage for one module of the OpenID Foundation's conformance suite for relying parties: an application and a
// provider on sockets of their own, at two sites, and a browser. Like the suite it judges by the requests that the provider
// receives; what the application answers, which the suite can't see, is asserted beside it.
type suite struct {
	*testing.T
	provider *oidcauthtest.Provider
	auth     *oidcauth.Authenticator
	browser  *oidcauthtest.Browser
	app      string // origin
	log      *logBuffer
	pushes   bool
}

// A plan is a test plan: what all its modules have in common.
type plan struct {
	settings  oidcauthtest.Settings
	client    func(*oidcauthtest.Client)
	configure func(*oidcauth.Config)
	pushes    bool // requests are pushed (RFC 9126)
}

// A module is one module of a plan, under its name there.
type module struct {
	name string
	run  func(*suite)
}

// run runs the modules, each in a fresh process as far as application and provider can tell.
func (p plan) run(t *testing.T, modules []module) {
	for _, m := range modules {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t, p)
			m.run(s)
			s.judge()
		})
	}
}

func newSuite(t *testing.T, p plan) *suite {
	t.Helper()
	var mux http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	s := &suite{T: t, app: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), log: new(logBuffer), pushes: p.pushes}
	client := oidcauthtest.ClientAt(s.app)
	if p.client != nil {
		p.client(&client)
	}
	p.settings.Clients = []oidcauthtest.Client{client}
	s.provider = oidcauthtest.Start(t, p.settings)
	s.metadata(func(*oidcauthtest.Object) {})
	c := s.config()
	if p.configure != nil {
		p.configure(&c)
	}
	var err error
	s.auth, err = oidcauth.New(c)
	require.NoError(t, err)
	mux = s.routes()
	s.browser = oidcauthtest.NewBrowser(nil)
	return s
}

// config is what the application is configured with, unless its plan wants otherwise.
func (s *suite) config() oidcauth.Config {
	return oidcauth.Config{
		Issuer: s.provider.Issuer(), ClientID: "app", ClientSecret: "app-secret",
		RedirectURL:       s.app + "/auth/callback",
		Scopes:            []string{"profile", "email", "offline_access"},
		APIs:              []string{s.provider.Issuer()},
		BackChannelLogout: true, FrontChannelLogout: true,
		Session: session.Config{Keys: []string{testKey}, Store: session.NewMemoryStore()},
		Logger:  slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// routes is the application. Its /resource fetches a resource of the provider's with the user's access token, which is refreshed
// first where the query says so.
func (s *suite) routes() http.Handler {
	mux := appMux(s.auth)
	mux.Handle("/resource/{path...}", s.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var options []oidcauth.TokenOption
		if r.URL.Query().Has("refresh") {
			options = append(options, oidcauth.ForceRefresh())
		}
		answer, err := s.auth.Client(r.Context(), options...).Get(s.provider.Issuer() + "/" + r.PathValue("path"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		defer answer.Body.Close()
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})))
	return mux
}

// metadata publishes the suite's metadata, without a PAR endpoint unless the plan has one, as f bends it.
func (s *suite) metadata(f func(*oidcauthtest.Object)) {
	s.provider.BendMetadata(func(document *oidcauthtest.Object) {
		if !s.pushes {
			document.Delete("pushed_authorization_request_endpoint")
		}
		f(document)
	})
}

// user returns who is signed in, nil for nobody.
func (s *suite) user() (u *oidcauth.User) {
	s.Helper()
	page := s.browser.NewTab().Get(s.app + "/")
	require.Equal(s, http.StatusOK, page.Status, page.Body)
	require.NoError(s, json.Unmarshal([]byte(page.Body), &u))
	return u
}

// signIn completes a login, as far as the userinfo endpoint.
func (s *suite) signIn() {
	s.Helper()
	before := s.provider.Count(oidcauthtest.UserInfo)
	page := s.browser.Get(s.app + "/me")
	require.NoError(s, page.Err)
	require.Equal(s, http.StatusOK, page.Status, "%s\n%s", page.Body, s.log)
	require.Equal(s, s.app+"/me", page.URL)
	require.Equal(s, before+1, s.provider.Count(oidcauthtest.UserInfo))
	require.Equal(s, "alice", s.user().Subject)
}

// refused asserts that a login comes back to an error page, without a session.
func (s *suite) refused() *oidcauthtest.Page {
	s.Helper()
	page := s.browser.Get(s.app + "/me")
	require.NoError(s, page.Err)
	require.GreaterOrEqual(s, page.Status, 400, page.Body)
	require.NotEqual(s, http.StatusInternalServerError, page.Status)
	requireProtected(s.T, page.Header)
	require.Empty(s, page.Header.Get("Location"))
	require.Nil(s, s.user(), "nobody may be signed in")
	return page
}

// judge asserts what every module of the suite enforces.
func (s *suite) judge() {
	s.Helper()
	all := s.provider.Requests()
	require.NotEmpty(s, all)
	require.Equal(s, oidcauthtest.Discovery, all[0].Endpoint, "discovery comes before any other call")
	require.Zero(s, s.provider.Count(oidcauthtest.Unknown), "a path was called that nobody announced")
	challenges := map[string]bool{}
	for _, r := range s.provider.Requests(oidcauthtest.Authorize) {
		s.judgeAuthorize(r.Form)
		require.False(s, challenges[r.Form.Get("code_challenge")], "PKCE challenge reused")
		challenges[r.Form.Get("code_challenge")] = true
	}
	codes := map[string]bool{}
	for _, r := range s.provider.Requests(oidcauthtest.TokenEndpoint) {
		s.judgeToken(r)
		if code := r.Form.Get("code"); code != "" {
			require.False(s, codes[code], "more than one token request for a login")
			codes[code] = true
		}
	}
	require.LessOrEqual(s, len(codes), s.provider.Count(oidcauthtest.Authorize))
	for _, r := range s.provider.Requests(oidcauthtest.UserInfo) {
		require.Regexp(s, "^Bearer .+", r.Header.Get("Authorization"))
		require.Empty(s, r.URL.RawQuery, "a token may be in the query")
		require.Empty(s, r.Body)
	}
}

func (s *suite) judgeAuthorize(form url.Values) {
	s.Helper()
	require.Contains(s, strings.Fields(form.Get("scope")), "openid")
	require.Equal(s, "code", form.Get("response_type"))
	require.Equal(s, "app", form.Get("client_id"))
	require.Equal(s, s.app+"/auth/callback", form.Get("redirect_uri"))
	require.False(s, form.Has("request"))
	require.Equal(s, "S256", form.Get("code_challenge_method"))
	require.Len(s, form.Get("code_challenge"), 43)
	require.Regexp(s, `^[A-Za-z0-9_-]{22,43}$`, form.Get("nonce"))
	require.Regexp(s, `^[A-Za-z0-9_-]{22,}$`, form.Get("state"))
}

// judgeToken asserts client_secret_basic and the parameters of the grant.
func (s *suite) judgeToken(r oidcauthtest.Request) {
	s.Helper()
	require.Empty(s, r.URL.RawQuery)
	require.Regexp(s, "^Basic ", r.Header.Get("Authorization"))
	require.False(s, r.Form.Has("client_secret"))
	if r.Form.Get("grant_type") == "authorization_code" {
		require.Equal(s, s.app+"/auth/callback", r.Form.Get("redirect_uri"))
		require.GreaterOrEqual(s, len(r.Form.Get("code_verifier")), 43)
	}
}

// completes is a module in which the login must reach the userinfo endpoint in spite of what bend does.
func completes(bend func(*suite)) func(*suite) {
	return func(s *suite) {
		bend(s)
		s.signIn()
	}
}

// stops is a module in which the login must end after the token request because of what bend does. That it is because of that
// shows in a login that succeeds once the provider is straight again.
func stops(bend func(*suite)) func(*suite) {
	return func(s *suite) {
		bend(s)
		s.refused()
		require.Equal(s, 1, s.provider.Count(oidcauthtest.TokenEndpoint))
		require.Zero(s, s.provider.Count(oidcauthtest.UserInfo), "userinfo was called with the tokens of a bad answer")
		s.straighten()
		s.signIn()
	}
}

// straighten makes the provider correct again.
func (s *suite) straighten() {
	s.provider.BendIDToken(nil)
	s.provider.BendUserInfo(nil)
	s.provider.BendKeys(nil)
	s.metadata(func(*oidcauthtest.Object) {})
}

// idToken bends the ID token of a login.
func idToken(f func(*oidcauthtest.Token)) func(*suite) {
	return func(s *suite) { s.provider.BendIDToken(f) }
}

// suffixed appends to a claim that is a string.
func suffixed(claim, suffix string) func(*suite) {
	return idToken(func(t *oidcauthtest.Token) { t.Claims.Set(claim, t.Claims.Text(claim)+suffix) })
}

// lacking removes a claim.
func lacking(claim string) func(*suite) {
	return idToken(func(t *oidcauthtest.Token) { t.Claims.Delete(claim) })
}

// asIs bends nothing.
func asIs(*suite) {}
