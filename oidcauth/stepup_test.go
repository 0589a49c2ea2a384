package oidcauth_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// newStepUpWorld makes a world with somebody signed in for ten minutes, and a page at /guarded with these requirements.
func newStepUpWorld(t *testing.T, requirements ...oidcauth.Requirement) *world {
	t.Helper()
	w := newWorld(t)
	w.mux.Handle("/guarded", w.auth.Require(requirements...)(http.HandlerFunc(writeUser)))
	w.signIn()
	time.Sleep(10 * time.Minute)
	return w
}

func (w *world) authorizations() int { return w.provider.Count(oidcauthtest.Authorize) }

// strengthens has the provider authenticate users with these methods.
func strengthens(methods ...string) func(*oidcauthtest.Authorization) {
	return func(a *oidcauthtest.Authorization) { a.AMR = methods }
}

func TestAPageStepsUpOnceAndIsShown(t *testing.T) {
	for name, row := range map[string]struct {
		requirements []oidcauth.Requirement
		decide       func(*oidcauthtest.Authorization)
		asked        map[string]string // parameters of the request
		claims       string            // of the claims parameter
	}{
		"for a fresh login": {
			requirements: []oidcauth.Requirement{oidcauth.MaxAge(time.Minute)},
			asked:        map[string]string{"max_age": "60"},
		},
		"for an authentication context": {
			requirements: []oidcauth.Requirement{oidcauth.ACR("gold", "platinum")},
			asked:        map[string]string{"acr_values": "gold platinum"},
			claims:       `{"id_token":{"acr":{"essential":true,"values":["gold","platinum"]}}}`,
		},
		"for authentication methods": {
			requirements: []oidcauth.Requirement{oidcauth.AMR("pwd", "hwk")},
			decide:       strengthens("hwk", "pwd", "user"),
			asked:        map[string]string{"prompt": "login"},
		},
		"for all of them at once": {
			requirements: []oidcauth.Requirement{oidcauth.ACR("gold"), oidcauth.AMR("hwk"), oidcauth.AMR("pwd"), oidcauth.MaxAge(time.Hour), oidcauth.MaxAge(5 * time.Minute)},
			decide:       strengthens("hwk", "pwd"),
			asked:        map[string]string{"acr_values": "gold", "prompt": "login", "max_age": "300"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStepUpWorld(t, row.requirements...)
				w.provider.BendAuthorization(row.decide)
				before := w.authorizations()
				page := w.browser.Get(app + "/guarded?tab=1")
				require.Equal(t, http.StatusOK, page.Status, page.Body)
				require.Equal(t, app+"/guarded?tab=1", page.URL)
				require.Equal(t, before+1, w.authorizations(), "one try")
				request := w.authenticationRequest()
				for parameter, want := range row.asked {
					require.Equal(t, want, request.Get(parameter))
				}
				if row.claims != "" {
					require.JSONEq(t, row.claims, request.Get("claims"))
				}
				require.Equal(t, http.StatusOK, w.browser.Get(app+"/guarded").Status)
				require.Equal(t, before+1, w.authorizations(), "the login is good now")
			})
		})
	}
}

func TestAProviderThatDoesNotStepUpIsAskedOnce(t *testing.T) {
	old := func(tok *oidcauthtest.Token) { tok.Claims.Set("auth_time", time.Now().Add(-time.Hour).Unix()) }
	for name, row := range map[string]struct {
		requirement oidcauth.Requirement
		bend        func(*oidcauthtest.Token)
		status      int
	}{
		"with an old auth_time":         {oidcauth.MaxAge(time.Minute), old, http.StatusForbidden},
		"with no auth_time":             {oidcauth.MaxAge(time.Minute), func(tok *oidcauthtest.Token) { tok.Claims.Delete("auth_time") }, http.StatusForbidden},
		"with another acr":              {oidcauth.ACR("gold"), func(tok *oidcauthtest.Token) { tok.Claims.Set("acr", "silver") }, http.StatusForbidden},
		"with no acr":                   {oidcauth.ACR("gold"), func(tok *oidcauthtest.Token) { tok.Claims.Delete("acr") }, http.StatusForbidden},
		"with an acr that is a list":    {oidcauth.ACR("gold"), func(tok *oidcauthtest.Token) { tok.Claims.Set("acr", []string{"gold"}) }, http.StatusBadGateway},
		"with the same methods":         {oidcauth.AMR("hwk"), func(*oidcauthtest.Token) {}, http.StatusForbidden},
		"with another method as a text": {oidcauth.AMR("hwk"), func(tok *oidcauthtest.Token) { tok.Claims.Set("amr", "otp") }, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newStepUpWorld(t, row.requirement)
				w.provider.BendIDToken(row.bend)
				was, before := w.user(), w.authorizations()
				page := w.browser.Get(app + "/guarded")
				require.Equal(t, row.status, page.Status, page.Body)
				requireProtected(t, page.Header)
				require.Equal(t, before+1, w.authorizations(), "one try")
				require.NotNil(t, was)
				require.Equal(t, was, w.user(), "the session of before stays as it was, time of login included")
			})
		})
	}
}

func TestARequirementThatNoLoginMeetsIsRefusedAfterOneTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStepUpWorld(t, func(*oidcauth.User) error { return &oidcauth.StepUpError{ACRValues: []string{"gold"}} })
		before := w.authorizations()
		page := w.browser.Get(app + "/guarded")
		require.Equal(t, http.StatusForbidden, page.Status, page.Body)
		requireProtected(t, page.Header)
		require.Equal(t, before+1, w.authorizations())
		require.Equal(t, http.StatusForbidden, w.browser.Reload().Status)
		require.Equal(t, before+1, w.authorizations(), "nor right after")
		time.Sleep(time.Minute)
		w.browser.Reload()
		require.Equal(t, before+2, w.authorizations(), "the next day is another try")
	})
}

func TestGuardsThatUndoEachOtherEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStepUpWorld(t)
		inner := w.auth.Require(oidcauth.ACR("silver"))(http.HandlerFunc(writeUser))
		w.mux.Handle("/both", w.auth.Require(oidcauth.ACR("gold"))(inner))
		before := w.authorizations()
		page := w.browser.Get(app + "/both")
		require.NoError(t, page.Err, "too many redirects")
		require.GreaterOrEqual(t, page.Status, 400)
		require.LessOrEqual(t, w.authorizations()-before, 4)
	})
}

func TestWhatIsNoPageIsToldWhatLoginItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStepUpWorld(t, oidcauth.ACR("gold", `sil"ver`), oidcauth.MaxAge(time.Minute))
		require.NotNil(t, w.user()) // which moves the idle limit, and the cookie with it
		asked := len(w.provider.Requests())
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			page := w.browser.NewTab().Fetch(app+"/guarded", oidcauthtest.FetchOptions{Method: method})
			require.Equal(t, http.StatusUnauthorized, page.Status)
			require.Contains(t, page.Body, `"error":"insufficient_user_authentication"`)
			require.Contains(t, loginURLOf(t, page), "/auth/login?step_up=")
			require.Equal(t, `Bearer error="insufficient_user_authentication", error_description="A fresher or stronger login is required", `+
				`acr_values="gold", max_age="60"`, page.Header.Get("WWW-Authenticate"))
			require.Empty(t, page.Header.Values("Set-Cookie"))
		}
		require.Len(t, w.provider.Requests(), asked, "no traffic to the provider")
	})
}

// newResourceWorld makes a world whose /call answers with the API's words, and asks for a new login when the API does.
func newResourceWorld(t *testing.T) *world {
	w := newWorld(t, func(c *oidcauth.Config) { c.APIs = []string{oidcauthtest.DefaultIssuer} })
	w.mux.Handle("/call", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		client := &http.Client{Transport: w.auth.Transport(w.network)}
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, w.provider.URL(oidcauthtest.API), nil)
		answer, err := client.Do(req)
		if stepUp, ok := errors.AsType[*oidcauth.StepUpError](err); ok {
			w.auth.StepUp(rw, r, stepUp)
			return
		}
		require.NoError(w, err)
		defer answer.Body.Close()
		rw.WriteHeader(answer.StatusCode)
	})))
	w.signIn()
	time.Sleep(10 * time.Minute)
	return w
}

func TestAnAPIsWishForAnotherLoginIsPassedOn(t *testing.T) {
	const challenge = `DPoP algs="ES256", Bearer error="insufficient_user_authentication", acr_values="gold platinum", max_age="5"`
	synctest.Test(t, func(t *testing.T) {
		w := newResourceWorld(t)
		w.provider.Intercept(oidcauthtest.API, oidcauthtest.Times(1, oidcauthtest.Challenge(challenge)))
		before := w.authorizations()
		page := w.browser.Get(app + "/call")
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Equal(t, app+"/call", page.URL)
		require.Equal(t, before+1, w.authorizations())
		request := w.authenticationRequest()
		require.Equal(t, "gold platinum", request.Get("acr_values"))
		require.Equal(t, "5", request.Get("max_age"))
		require.Equal(t, "gold", w.user().ACR)
	})
}

func TestAnAPIThatIsNeverContentIsAskedTwice(t *testing.T) {
	for name, challenge := range map[string]string{
		"for an acr":           `Bearer error="insufficient_user_authentication", acr_values="gold"`,
		"for a fresh login":    `Bearer error="insufficient_user_authentication", max_age="0"`,
		"for something":        `Bearer error="insufficient_user_authentication"`,
		"for a year or longer": `Bearer error="insufficient_user_authentication", max_age="99999999999999999999"`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newResourceWorld(t)
				w.provider.Intercept(oidcauthtest.API, oidcauthtest.Challenge(challenge))
				before := w.authorizations()
				page := w.browser.Get(app + "/call")
				require.Equal(t, http.StatusForbidden, page.Status, page.Body)
				require.Equal(t, before+1, w.authorizations(), "one try")
				require.Equal(t, 2, w.provider.Count(oidcauthtest.API))
				require.NotNil(t, w.user())
				fetched := w.browser.NewTab().Fetch(app+"/call", oidcauthtest.FetchOptions{})
				require.Equal(t, http.StatusUnauthorized, fetched.Status)
				require.Contains(t, fetched.Header.Get("WWW-Authenticate"), "insufficient_user_authentication")
			})
		})
	}
}

func TestAStepUpIsAskedOfTheProviderThatSignedTheUserIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		second := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://second.provider.test", Clients: []oidcauthtest.Client{{
			ID: "app", Secret: "app-secret", RedirectURIs: []string{app + "/auth2/callback"},
		}}})
		w.network.Handle(second.Issuer(), second)
		other, err := oidcauth.New(oidcauth.Config{
			Issuer: second.Issuer(), ClientID: "app", ClientSecret: "app-secret", RedirectURL: app + "/auth2/callback",
			Sessions: w.auth.Sessions(), HTTPClient: w.network.Client(), Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		w.mux.Handle("/auth2/", other)
		both := []*oidcauth.Authenticator{w.auth, other}
		w.mux.Handle("/joint", oidcauth.RequireAny(both, oidcauth.MaxAge(time.Minute))(http.HandlerFunc(writeUser)))
		require.Equal(t, http.StatusOK, w.browser.Get(app+"/auth2/login").Status)
		time.Sleep(10 * time.Minute)
		page := w.browser.Get(app + "/joint")
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		require.Contains(t, page.Body, second.Issuer())
		require.Zero(t, w.authorizations())
	})
}

func TestStepUpNeedsNoSession(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, app+"/x", nil)
	r.Header.Set("Accept", "text/html")
	answer := httptest.NewRecorder()
	w.auth.StepUp(answer, r, &oidcauth.StepUpError{MaxAge: time.Minute})
	require.Equal(t, http.StatusSeeOther, answer.Code)
	require.True(t, strings.HasPrefix(answer.Header().Get("Location"), w.provider.Issuer()))
}

func TestASilentLoginThatPagesAskForAgainAndAgainEnds(t *testing.T) {
	w := newWorld(t)
	w.mux.Handle("/silent", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if session.From(r.Context()).Load() != nil {
			w.auth.Login(rw, r, oidcauth.LoginOptions{Prompt: "none", ReturnTo: "/silent"})
		}
	})))
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.Nobody = true })
	page := w.browser.Get(app + "/silent")
	require.NoError(t, page.Err)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.LessOrEqual(t, w.authorizations(), 4)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestARequirementOfNothingIsAMistake(t *testing.T) {
	require.Panics(t, func() { oidcauth.ACR() }, "nobody could meet it")
	require.Panics(t, func() { oidcauth.AMR() }, "everybody would pass")
}
