package oidcauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// The plan of RP-initiated logout: oidcc-client-rp-initiated-logout-rp-basic.
func TestConformanceRPInitiatedLogout(t *testing.T) {
	plan{}.run(t, []module{
		{"oidcc-client-test-rp-init-logout", func(s *suite) {
			s.signIn()
			replay := s.keepCookie()
			page := s.signOut()
			require.Equal(s, s.app+"/auth/signed-out?state="+s.judgeEndSession().Get("state"), page.URL)
			replay()
			require.Nil(s, s.user(), "the old cookie is dead")
		}},
		{"oidcc-client-test-rp-init-logout-other-state", func(s *suite) {
			s.signIn()
			s.returnFromLogout(func(state string) url.Values { return url.Values{"state": {state + "_INVALID"}} })
			page := s.signOut("return_to", "/?bye")
			require.Equal(s, s.app+"/auth/signed-out?state="+s.judgeEndSession().Get("state")+"_INVALID", page.URL)
		}},
		{"oidcc-client-test-rp-init-logout-no-state", func(s *suite) {
			s.signIn()
			s.returnFromLogout(func(string) url.Values { return nil })
			page := s.signOut("return_to", "/?bye")
			s.judgeEndSession()
			require.Equal(s, s.app+"/auth/signed-out", page.URL)
		}},
	})
}

// signOut presses the application's button, with these form values, and asserts that the user is signed out on a page.
func (s *suite) signOut(form ...string) *oidcauthtest.Page {
	s.Helper()
	s.browser.Get(s.app + "/auth/logout")
	changes := url.Values{}
	for i := 0; i < len(form); i += 2 {
		changes.Set(form[i], form[i+1])
	}
	page := s.browser.Post("/auth/logout", changes)
	require.NoError(s, page.Err)
	require.Equal(s, http.StatusOK, page.Status, page.Body)
	require.Nil(s, s.user())
	return page
}

// returnFromLogout has the provider's logout come back with parameters of the test's making.
func (s *suite) returnFromLogout(params func(state string) url.Values) {
	s.provider.Intercept(oidcauthtest.EndSession, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			back, err := url.Parse(r.FormValue("post_logout_redirect_uri"))
			if err == nil {
				back.RawQuery = params(r.FormValue("state")).Encode()
				w.Header().Set("Location", back.String())
			}
			w.WriteHeader(http.StatusSeeOther)
		})
	})
}

// judgeEndSession asserts what the suite demands of the one request to the end_session_endpoint.
func (s *suite) judgeEndSession() url.Values {
	s.Helper()
	require.Equal(s, 1, s.provider.Count(oidcauthtest.EndSession))
	request := s.provider.Last(oidcauthtest.EndSession).Form
	hint := oidcauthtest.ParseToken(request.Get("id_token_hint"))
	require.NotNil(s, hint)
	require.Equal(s, "alice", hint.Claims.Text("sub"))
	require.Equal(s, "app", request.Get("client_id"))
	require.Equal(s, s.app+"/auth/signed-out", request.Get("post_logout_redirect_uri"))
	require.NotEmpty(s, request.Get("state"))
	return request
}

// keepCookie returns a function that puts the session cookie of now back.
func (s *suite) keepCookie() func() {
	s.Helper()
	old := s.browser.Cookie(s.app, "__Host-session")
	require.NotNil(s, old)
	return func() {
		refused := s.browser.SetCookie(s.app, &http.Cookie{Name: old.Name, Value: old.Value, Path: "/", Secure: true, HttpOnly: true})
		require.Empty(s, refused)
	}
}

// The plan of back-channel logout: oidcc-client-back-channel-logout-rp-basic.
func TestConformanceBackChannelLogout(t *testing.T) {
	events := "http://schemas.openid.net/event/backchannel-logout"
	refused := func(bend func(*oidcauthtest.Token)) func(*suite) {
		return backChannelModule(http.StatusBadRequest, bend)
	}
	plan{}.run(t, []module{
		{"oidcc-client-test-rp-backchannel-rpinitlogout", backChannelModule(http.StatusOK, func(*oidcauthtest.Token) {})},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-alg-none", refused(func(t *oidcauthtest.Token) { t.Unsign("none") })},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-wrong-alg", func(s *suite) {
			other := oidcauthtest.ForeignKey("ES256")
			s.provider.BendKeys(func(keys []*oidcauthtest.Object) []*oidcauthtest.Object { return append(keys, other.JWK()) })
			refused(func(t *oidcauthtest.Token) { t.SignWith(other) })(s)
		}},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-no-event", refused(func(t *oidcauthtest.Token) { t.Claims.Delete("events") })},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-wrong-event", refused(func(t *oidcauthtest.Token) {
			t.Claims.Set("events", map[string]any{events + "1": struct{}{}})
		})},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-with-nonce", refused(func(t *oidcauthtest.Token) { t.Claims.Set("nonce", "n") })},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-wrong-aud", refused(func(t *oidcauthtest.Token) { t.Claims.Set("aud", "app1") })},
		{"oidcc-client-test-rp-backchannel-rpinitlogout-wrong-iss", refused(func(t *oidcauthtest.Token) {
			t.Claims.Set("iss", t.Claims.Text("iss")+"1")
		})},
	})
}

// backChannelModule has the provider post a logout token while the browser signs out there. The suite's modules end with the
// answer to it; then the same kind of token is posted against a living session.
func backChannelModule(want int, bend func(*oidcauthtest.Token)) func(*suite) {
	return func(s *suite) {
		s.signIn()
		var answers []answered
		s.atLogout(func(sid string) { answers = append(answers, s.postLogoutToken(sid, bend)) })
		s.signOut()
		s.judgeEndSession()
		require.Len(s, answers, 1)
		answers[0].require(s, want)

		s.provider.Intercept(oidcauthtest.EndSession)
		s.signIn()
		s.postLogoutToken(s.user().SessionID, bend).require(s, want)
		require.Equal(s, want == http.StatusOK, s.user() == nil)
	}
}

// atLogout calls f with the sid of the id_token_hint while a request to the end_session_endpoint waits.
func (s *suite) atLogout(f func(sid string)) {
	s.provider.Intercept(oidcauthtest.EndSession, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hint := oidcauthtest.ParseToken(r.FormValue("id_token_hint")); hint != nil {
				f(hint.Claims.Text("sid"))
			}
			next.ServeHTTP(w, r)
		})
	})
}

// answered is how a logout token was answered. It is looked at in the test's own goroutine.
type answered struct {
	status  int
	control string
	err     error
}

func (a answered) require(s *suite, status int) {
	s.Helper()
	require.NoError(s, a.err)
	require.Equal(s, status, a.status)
	require.Contains(s, a.control, "no-store")
}

// postLogoutToken sends a logout token as the suite does: with both sub and sid, a claim and a form field that nobody knows.
func (s *suite) postLogoutToken(sid string, bend func(*oidcauthtest.Token)) answered {
	token := s.provider.LogoutToken("app", "alice", sid, func(t *oidcauthtest.Token) { t.Claims.Set("urn:unknown", "claim") }, bend)
	answer, err := http.PostForm(s.app+"/auth/backchannel-logout", url.Values{"logout_token": {token}, "unknown": {"field"}})
	if err != nil {
		return answered{err: err}
	}
	_ = answer.Body.Close()
	return answered{answer.StatusCode, answer.Header.Get("Cache-Control"), nil}
}

// The plan of front-channel logout, oidcc-client-front-channel-logout-rp-basic, and a module of oidcc-client-logout-test-plan. The
// suite's best result is REVIEW, a person's look at the frame; here the browser tells that it may be shown.
func TestConformanceFrontChannelLogout(t *testing.T) {
	plan{}.run(t, []module{
		{"oidcc-client-test-rp-frontchannel-rpinitlogout", func(s *suite) {
			s.signIn()
			replay := s.keepCookie()
			s.returnsPageWithFrame()
			s.browser.Get(s.app + "/auth/logout")
			page := s.browser.Submit("/auth/logout", nil)
			require.Equal(s, http.StatusOK, page.Status)
			s.judgeEndSession()
			s.loadFrame(page.Body)
			replay()
			require.Nil(s, s.user())
		}},
		{"oidcc-client-test-rp-frontchannel-opinitlogout", func(s *suite) {
			s.signIn()
			sid := s.user().SessionID
			tab := s.browser.NewTab()
			tab.Show(s.provider.Issuer()+"/frontchannel_logout_handler", "")
			frame := tab.Frame(s.provider.FrontChannelLogoutURL("app", sid))
			require.NoError(s, frame.Err)
			require.Equal(s, http.StatusOK, frame.Status)
			require.Nil(s, s.user())
		}},
	})
}

// returnsPageWithFrame has the end_session_endpoint answer with a page that frames the application's front-channel logout.
func (s *suite) returnsPageWithFrame() {
	s.provider.Intercept(oidcauthtest.EndSession, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hint := oidcauthtest.ParseToken(r.FormValue("id_token_hint"))
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<iframe src='%s'></iframe>", s.provider.FrontChannelLogoutURL("app", hint.Claims.Text("sid")))
		})
	})
}

// loadFrame loads the frame of a page in the browser's tab.
func (s *suite) loadFrame(body string) {
	s.Helper()
	_, src, _ := strings.Cut(body, "src='")
	src, _, found := strings.Cut(src, "'")
	require.True(s, found, body)
	frame := s.browser.Frame(src)
	require.NoError(s, frame.Err, "the frame may be shown")
	require.Equal(s, http.StatusOK, frame.Status)
}

// What a logout token must not be, beyond the suite's modules and the rows of TestABentLogoutTokenEndsNothing.
func TestABadLogoutTokenEndsNoSession(t *testing.T) {
	s := newSuite(t, plan{})
	s.signIn()
	sid := s.user().SessionID
	for name, bend := range map[string]func(*oidcauthtest.Token){
		"an empty audience":             func(t *oidcauthtest.Token) { t.Claims.Set("aud", []string{}) },
		"two of a claim":                func(t *oidcauthtest.Token) { t.Claims.Add("sid", "another") },
		"a sid in other letters beside": func(t *oidcauthtest.Token) { t.Claims.Set("SID", "another") },
		"a type that is a number":       func(t *oidcauthtest.Token) { t.Header.Set("typ", 7) },
		"no signature, oddly spelled":   func(t *oidcauthtest.Token) { t.Unsign("nOnE") },
		"an empty signature":            func(t *oidcauthtest.Token) { t.Key = nil },
		"a key that nobody published":   func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.ForeignKey("RS256")) },
		"the public key as an HMAC key": func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.HMACKey(s.provider.Key().PublicPEM())) },
		"an algorithm of the same key":  func(t *oidcauthtest.Token) { t.SignWith(oidcauthtest.SignerKey(t.Key.Signer(), "PS256", t.Key.ID)) },
		"a claims set that is cut":      func(t *oidcauthtest.Token) { t.Claims.Replace(`{"iss":`) },
		"a claims set that is a list":   func(t *oidcauthtest.Token) { t.Claims.Replace(`[]`) },
		"a claims set that is too deep": func(t *oidcauthtest.Token) {
			t.Claims.Set("x", json.RawMessage(strings.Repeat("[", 10000)+strings.Repeat("]", 10000)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.postLogoutToken(sid, bend).require(s, http.StatusBadRequest)
			require.NotNil(t, s.user())
		})
	}
	s.postLogoutToken(sid, func(*oidcauthtest.Token) {}).require(s, http.StatusOK)
	require.Nil(t, s.user(), "positive control")
}
