package oidcauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// altered returns the callback's URL with its query changed.
func altered(t *testing.T, n *oidcauthtest.Navigation, change func(url.Values)) string {
	t.Helper()
	u, err := url.Parse(n.URL)
	require.NoError(t, err)
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return u.String()
}

// requireRefused asserts an error page that began no session and sent nothing to the provider.
func requireRefused(t *testing.T, w *world, page *oidcauthtest.Page) {
	t.Helper()
	require.GreaterOrEqual(t, page.Status, 400, page.Body)
	require.Less(t, page.Status, 500, page.Body)
	require.Empty(t, page.Header.Get("Location"))
	requireProtected(t, page.Header)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint), "no token request")
	require.False(t, w.hasSession())
}

func TestAResponseThatIsNotThisLoginsIsRefused(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for name, change := range map[string]func(url.Values){
		"without state":                     func(q url.Values) { q.Del("state") },
		"with an empty state":               func(q url.Values) { q.Set("state", "") },
		"with another state":                func(q url.Values) { q.Set("state", q.Get("state")+"1") },
		"with the state cut":                func(q url.Values) { q.Set("state", q.Get("state")[1:]) },
		"with two codes":                    func(q url.Values) { q.Add("code", "b") },
		"with two states":                   func(q url.Values) { q.Add("state", "b") },
		"with two issuers":                  func(q url.Values) { q.Add("iss", q.Get("iss")) },
		"with code and error":               func(q url.Values) { q.Set("error", "access_denied") },
		"with neither code nor error":       func(q url.Values) { q.Del("code") },
		"with an empty code":                func(q url.Values) { q.Set("code", "") },
		"from another issuer":               func(q url.Values) { q.Set("iss", "https://evil.example") },
		"with the issuer removed":           func(q url.Values) { q.Del("iss") },
		"with an empty issuer":              func(q url.Values) { q.Set("iss", "") },
		"with a slash after the issuer":     func(q url.Values) { q.Set("iss", q.Get("iss")+"/") },
		"with the issuer in capitals":       func(q url.Values) { q.Set("iss", strings.ToUpper(q.Get("iss"))) },
		"with the issuer's default port":    func(q url.Values) { q.Set("iss", q.Get("iss")+":443") },
		"with the issuer escaped":           func(q url.Values) { q.Set("iss", url.QueryEscape(q.Get("iss"))) },
		"with a code of 100 kB":             func(q url.Values) { q.Set("code", long) },
		"with a state of 100 kB":            func(q url.Values) { q.Set("state", long) },
		"with an issuer of 100 kB":          func(q url.Values) { q.Set("iss", long) },
		"with a zero byte in the state":     func(q url.Values) { q.Set("state", "\x00") },
		"with a line end in the state":      func(q url.Values) { q.Set("state", "\n") },
		"with an invalid byte in the state": func(q url.Values) { q.Set("state", "\xff") },
		"with a surrogate in the state":     func(q url.Values) { q.Set("state", "\xed\xa0\x80") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cb := w.callbackURL()
			page := w.browser.Get(altered(t, cb, change))
			requireRefused(t, w, page)
			require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status, "the true response still completes the login")
			require.NotNil(t, w.user())
		})
	}
}

func TestACallbackNobodyStartedIsRefused(t *testing.T) {
	w, attacker := newWorld(t), newWorld(t)
	requireRefused(t, w, w.browser.Get(app+"/auth/callback?code=attacker&state=attackers"))
	requireRefused(t, w, w.browser.Get(attacker.callbackURL().URL))
}

func TestTwoBrowsersCantSwapTheirCallbacks(t *testing.T) {
	w := newWorld(t)
	mine := w.callbackURL()
	other := oidcauthtest.NewBrowser(w.network)
	tab := other.NewTab()
	tab.PauseAt(app + "/auth/callback")
	theirs := tab.Get(app + "/me").Paused
	require.NotNil(t, theirs)
	requireRefused(t, w, w.browser.Get(theirs.URL))
	page := other.Get(mine.URL)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestACallbackWithoutTransactionLeavesTheSessionAlone(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	before := w.browser.Cookie(app, "__Host-session").Value
	w.provider.Forget()
	page := w.browser.Get(app + "/auth/callback?code=attacker&state=attackers")
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.Body, `href="/"`)
	require.Equal(t, before, w.browser.Cookie(app, "__Host-session").Value)
	require.Equal(t, "alice", w.user().Subject)
}

func TestACodeIsSentOnce(t *testing.T) {
	w := newWorld(t)
	cb := w.callbackURL()
	saved := w.browser.Cookies(app + "/auth/callback")
	require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status)
	for _, c := range saved {
		w.browser.SetCookie(app, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	page := w.browser.Get(cb.URL)
	require.Equal(t, http.StatusBadRequest, page.Status, "a replay, with the transaction cookie put back")
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestALostTokenAnswerIsNotAskedForAgain(t *testing.T) {
	w := newWorld(t)
	cb := w.callbackURL()
	w.provider.Intercept(oidcauthtest.TokenEndpoint, oidcauthtest.Drop())
	page := w.browser.Get(cb.URL)
	require.GreaterOrEqual(t, page.Status, 502)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
	w.provider.Intercept(oidcauthtest.TokenEndpoint)
	require.Equal(t, http.StatusBadRequest, w.browser.Get(cb.URL).Status)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
	w.signIn()
}

func TestALoginExpires(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) { c.LoginTimeout = time.Nanosecond })
	cb := w.callbackURL()
	page := w.browser.Get(cb.URL)
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.Body, "has expired", "the page says what happened")
	require.NotContains(t, page.Body, "alice")
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
}

func TestOnlyTheConfiguredMethodReachesTheCallback(t *testing.T) {
	w := newWorld(t)
	cb := w.callbackURL()
	u, err := url.Parse(cb.URL)
	require.NoError(t, err)
	page := w.browser.Post(app+"/auth/callback", u.Query())
	require.Equal(t, http.StatusMethodNotAllowed, page.Status)
	require.Equal(t, "GET", page.Header.Get("Allow"))
	head, err := http.NewRequest(http.MethodHead, cb.URL, http.NoBody)
	require.NoError(t, err)
	answer, err := w.network.Client().Do(head)
	require.NoError(t, err)
	require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode)
	require.Equal(t, http.StatusBadRequest, w.browser.NewTab().Prefetch(cb.URL).Status, "the request is at fault: nothing is out of order here")
	require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
	require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status, "the login is still there")
}

func formPost(c *oidcauth.Config) { c.ResponseMode = oidcauth.FormPost }

func TestAFormPostFromTheProvidersSiteCompletesTheLogin(t *testing.T) {
	w := newWorld(t, formPost)
	w.signIn()
	require.Equal(t, "form_post", w.authenticationRequest().Get("response_mode"))
	require.Equal(t, "alice", w.user().Subject)
}

func TestAFormPostReplacesTheSessionThatTheLoginBeganIn(t *testing.T) {
	w := newWorld(t, formPost)
	w.signIn()
	old := w.browser.Cookie(app, "__Host-session")
	w.browser.Get(app + "/auth/login")
	w.browser.SetCookie(app, &http.Cookie{Name: old.Name, Value: old.Value, Path: "/", Secure: true, HttpOnly: true})
	require.Nil(t, w.user(), "the old session is dead although the callback came without its cookie")
}

func TestAFormPostOfAnotherKindIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		contentType, body, query string
		status                   int
	}{
		"multipart":                      {"multipart/form-data; boundary=x", "--x--", "", http.StatusUnsupportedMediaType},
		"JSON":                           {"application/json", `{"code":"x"}`, "", http.StatusUnsupportedMediaType},
		"no type":                        {"", "code=x&state=y", "", http.StatusUnsupportedMediaType},
		"10 MB":                          {"application/x-www-form-urlencoded", "code=" + strings.Repeat("x", 10<<20), "", http.StatusRequestEntityTooLarge},
		"parameters in query and body":   {"application/x-www-form-urlencoded", "state=y", "?code=evil", http.StatusBadRequest},
		"everything in the query":        {"application/x-www-form-urlencoded", "", "?code=evil&state=y", http.StatusBadRequest},
		"a malformed escape in the body": {"application/x-www-form-urlencoded", "code=%zz&state=y", "", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, formPost)
			r, err := http.NewRequest(http.MethodPost, app+"/auth/callback"+row.query, strings.NewReader(row.body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", row.contentType)
			answer, err := w.network.Client().Do(r)
			require.NoError(t, err)
			require.Equal(t, row.status, answer.StatusCode)
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
		})
	}
}

func TestAGetWhereAFormPostWasAskedIsRefused(t *testing.T) {
	w := newWorld(t, formPost)
	require.Equal(t, http.StatusMethodNotAllowed, w.browser.Get(app+"/auth/callback?code=x&state=y").Status)
}

func TestAnErrorOfTheProviderIsExplainedWithoutItsText(t *testing.T) {
	for name, row := range map[string]struct {
		code, description string
		status            int
	}{
		"denied":                       {"access_denied", "no", http.StatusForbidden},
		"a server error":               {"server_error", "boom", http.StatusBadGateway},
		"overload":                     {"temporarily_unavailable", "later", http.StatusServiceUnavailable},
		"an unknown code":              {"something_else", "hm", http.StatusBadRequest},
		"a script in the code":         {"<script>alert(1)</script>", "x", http.StatusBadRequest},
		"a script in the text":         {"invalid_request", `"><img src=x onerror=alert(1)>`, http.StatusBadRequest},
		"line ends in the text":        {"invalid_request", "a\r\nSet-Cookie: x=y", http.StatusBadRequest},
		"a direction mark in the text": {"invalid_request", "a\u202eb", http.StatusBadRequest},
		"64 kB of text":                {"invalid_request", strings.Repeat("marker", 11<<10), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.BendAuthorizationResponse(func(a *oidcauthtest.AuthorizationResponse) {
				a.Params.Del("code")
				a.Params.Set("error", row.code)
				a.Params.Set("error_description", row.description)
				a.Params.Set("error_uri", "javascript:alert(1)")
			})
			page := w.browser.Get(app + "/me")
			require.Equal(t, row.status, page.Status, page.Body)
			requireProtected(t, page.Header)
			require.NotContains(t, page.Body, "<script")
			require.NotContains(t, page.Body, "onerror")
			require.NotContains(t, page.Body, "javascript:")
			require.NotContains(t, page.Body, "marker")
			require.Less(t, len(page.Body), 4<<10)
			require.Contains(t, page.Body, "Reference:")
			require.Empty(t, page.Header.Get("X-Y"))
			require.False(t, w.hasSession())
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			for _, line := range strings.Split(strings.TrimSpace(w.log.String()), "\n") {
				require.True(t, strings.HasPrefix(line, "time="), "a log line was forged: %q", line)
				require.Less(t, len(line), 2<<10)
			}
		})
	}
}

func TestHooksLoginMayRefuse(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(context.Context, *oidcauth.User) error { return errors.New("the reason is for the log") }
	})
	page := w.browser.Get(app + "/me")
	require.Equal(t, http.StatusForbidden, page.Status)
	require.NotContains(t, page.Body, "the reason")
	require.Contains(t, w.log.String(), "the reason")
	require.False(t, w.hasSession())
}

func TestHooksLoginMayEnrichTheUser(t *testing.T) {
	w := newWorld(t, func(c *oidcauth.Config) {
		c.Hooks.Login = func(_ context.Context, u *oidcauth.User) error {
			u.Roles = append(u.Roles, "admin")
			u.Name = "Alice the Admin"
			return nil
		}
	})
	w.signIn()
	require.Equal(t, "Alice the Admin", w.user().Name)
	require.Equal(t, http.StatusOK, w.browser.Get(app+"/admin").Status)
}

func TestANewLoginIsANewSession(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	old := w.browser.Cookie(app, "__Host-session")
	w.provider.Configure(func(s *oidcauthtest.Settings) { s.User = &oidcauthtest.User{Subject: "bob"} })
	w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.User = &oidcauthtest.User{Subject: "bob"} })
	w.browser.Get(app + "/auth/login?return_to=/me")
	require.Equal(t, "bob", w.user().Subject)
	require.Empty(t, w.user().Name, "nothing of the first user is left")
	w.browser.SetCookie(app, &http.Cookie{Name: old.Name, Value: old.Value, Path: "/", Secure: true, HttpOnly: true})
	require.Nil(t, w.user(), "the first session is dead")
}

func TestWhatTheApplicationKeepsGoesOnlyToTheSameUser(t *testing.T) {
	const cart session.Field[string] = "cart"
	w := newWorld(t)
	w.mux.Handle("/fill", w.auth.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.NoError(t, cart.Set(r.Context(), r.URL.RawQuery))
	})))
	w.mux.Handle("/cart", w.auth.Load(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v, _ := cart.Get(r.Context())
		_, _ = io.WriteString(rw, v)
	})))
	w.browser.Get(app + "/fill?apples")
	w.signIn()
	require.Equal(t, "apples", w.browser.Get(app+"/cart").Body, "a visitor's cart survives the login")
	w.browser.Get(app + "/auth/login")
	require.Equal(t, "apples", w.browser.Get(app+"/cart").Body, "and the same user's next login")
	w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.User = &oidcauthtest.User{Subject: "bob"} })
	w.browser.Get(app + "/auth/login")
	require.Equal(t, "bob", w.user().Subject)
	require.Empty(t, w.browser.Get(app+"/cart").Body)
}

func TestTheUserWithoutTheRoleIsForbidden(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	page := w.browser.Get(app + "/admin")
	require.Equal(t, http.StatusForbidden, page.Status)
	require.NotContains(t, page.Body, "role", "the page does not tell what was required of whom")
	requireProtected(t, page.Header)
}

func TestNoSecretIsInTheLog(t *testing.T) {
	w := newWorld(t)
	cb := w.callbackURL()
	w.browser.Get(cb.URL)
	u, err := url.Parse(cb.URL)
	require.NoError(t, err)
	secrets := []string{"app-secret", u.Query().Get("code"), u.Query().Get("state"), w.browser.Cookie(app, "__Host-session").Value}
	form := w.provider.Last(oidcauthtest.TokenEndpoint).Form
	secrets = append(secrets, form.Get("code_verifier"))
	for _, secret := range secrets {
		require.NotEmpty(t, secret)
		require.NotContains(t, w.log.String(), secret)
	}
}

func TestACallbackThatComesOnceMoreIsToldWhy(t *testing.T) {
	for name, row := range map[string]struct {
		again func(w *world, cb *oidcauthtest.Navigation) *oidcauthtest.Page
		link  string
	}{
		"a reload, signed in": {func(w *world, cb *oidcauthtest.Navigation) *oidcauthtest.Page { return w.browser.Get(cb.URL) }, `href="/"`},
		"a double click, signed in": {func(w *world, cb *oidcauthtest.Navigation) *oidcauthtest.Page {
			return w.browser.Get(cb.URL)
		}, `href="/"`},
		"a reload, signed out since": {func(w *world, cb *oidcauthtest.Navigation) *oidcauthtest.Page {
			w.browser.DeleteCookie(app+"/", "__Host-session")
			return w.browser.Get(cb.URL)
		}, `href="/auth/login`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cb := w.callbackURL()
			cookies := w.browser.Cookies(app + "/auth/callback")
			require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status)
			if name == "a double click, signed in" { // both were sent with the transaction
				for _, c := range cookies {
					w.browser.SetCookie(app+"/", &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true, HttpOnly: true})
				}
			}
			page := row.again(w, cb)
			require.Equal(t, http.StatusBadRequest, page.Status)
			require.Contains(t, page.Body, row.link)
			require.Contains(t, w.log.String(), "code=no_transaction")
			require.Contains(t, w.log.String(), "used before")
			require.NotContains(t, w.log.String(), "another browser")
			require.Equal(t, 1, w.tokenCalls("authorization_code"))
		})
	}
}

func TestALoginThatGaveWayToNewerOnesIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.callbackURL()
		for range 10 {
			time.Sleep(time.Second)
			w.callbackURL()
		}
		page := w.browser.Get(first.URL)
		require.Equal(t, http.StatusBadRequest, page.Status)
		require.Contains(t, page.Body, `href="/auth/login`)
		require.Contains(t, w.log.String(), "was replaced by newer ones: 10 others")
		require.NotContains(t, w.log.String(), "cookies are blocked")
	})
}
