package oidcauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// sendLogout posts to the logout route; changes may alter the request.
func (w *world) sendLogout(cookies, contentType string, body io.Reader, changes ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, app+"/auth/logout", body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Cookie", cookies)
	for _, change := range changes {
		change(r)
	}
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	return answer
}

const multipartBody = "--b\r\nContent-Disposition: form-data; name=\"return_to\"\r\n\r\n/bye\r\n"

// logoutBodies are bodies of a logout, and where it ends without a stop at the provider.
var logoutBodies = map[string]struct{ contentType, body, end string }{
	"no body":                           {"", "", "/auth/signed-out"},
	"a content type alone":              {"application/x-www-form-urlencoded", "", "/auth/signed-out"},
	"a form with a return_to":           {"application/x-www-form-urlencoded", "return_to=%2Fbye", "/bye"},
	"a form with a charset":             {"application/x-www-form-urlencoded; charset=UTF-8", "a=b&return_to=%2Fbye", "/bye"},
	"a multipart form with a return_to": {"multipart/form-data; boundary=b", multipartBody + "--b--\r\n", "/bye"},
	"a doubled return_to":               {"application/x-www-form-urlencoded", "return_to=%2Fbye&return_to=%2Fbye", "/auth/signed-out"},
	"a doubled multipart return_to":     {"multipart/form-data; boundary=b", multipartBody + multipartBody + "--b--\r\n", "/auth/signed-out"},
	"a return_to to another site":       {"application/x-www-form-urlencoded", "return_to=%2F%2Fevil.example", "/auth/signed-out"},
	"a return_to that can't be read":    {"application/x-www-form-urlencoded", "return_to=%zz", "/auth/signed-out"},
	"JSON":                              {"application/json", "{}", "/auth/signed-out"},
	"JSON with a return_to":             {"application/json", `{"return_to":"/bye"}`, "/auth/signed-out"},
	"text":                              {"text/plain;charset=UTF-8", "return_to=/bye", "/auth/signed-out"},
	"a body without a type":             {"", "return_to=/bye", "/auth/signed-out"},
	"a type that can't be read":         {"multipart; ==", "x", "/auth/signed-out"},
	"a multipart without a boundary":    {"multipart/form-data", "x", "/auth/signed-out"},
	"a multipart that breaks off":       {"multipart/form-data; boundary=b", multipartBody, "/auth/signed-out"},
	"a form over 64 kB":                 {"application/x-www-form-urlencoded", "return_to=%2Fbye&x=" + strings.Repeat("x", 65<<10), "/auth/signed-out"},
	"a multipart form over 64 kB":       {"multipart/form-data; boundary=b", multipartBody + "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 65<<10) + "\r\n--b--\r\n", "/auth/signed-out"},
	"many parts":                        {"multipart/form-data; boundary=b", strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", 1200) + "--b--\r\n", "/auth/signed-out"},
}

func TestEveryBodySignsOut(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		w.provider.BendMetadata(func(doc *oidcauthtest.Object) { doc.Delete("end_session_endpoint") })
		require.NoError(t, w.forgetMetadata())
		for name, row := range logoutBodies {
			cookies := w.cookies()
			answer := w.sendLogout(cookies, row.contentType, strings.NewReader(row.body))
			require.Equal(t, http.StatusSeeOther, answer.Code, name)
			require.Equal(t, row.end, answer.Header().Get("Location"), name)
			require.Equal(t, "null\n", w.send(cookies, "/").Body.String(), name)
			w.browser.ClearCookies()
			w.signIn()
		}
	})
}

func TestNoBodyGetsACrossOriginLogoutThrough(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		for name, row := range logoutBodies {
			for _, change := range []func(*http.Request){
				func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
				func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			} {
				answer := w.sendLogout(w.cookies(), row.contentType, strings.NewReader(row.body), change)
				require.Equal(t, http.StatusForbidden, answer.Code, name)
				require.Contains(t, answer.Body.String(), "cross_origin", name)
				require.NotNil(t, w.user(), name)
			}
		}
	})
}

// Middleware around the Authenticator may have read the form already.
func TestAFormThatWasReadBeforeStillSaysWhereToGo(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	answer := w.sendLogout(w.cookies(), "application/x-www-form-urlencoded", strings.NewReader("return_to=/bye"),
		func(r *http.Request) { require.NoError(t, r.ParseForm()) })
	require.Contains(t, strings.Join(answer.Header().Values("Set-Cookie"), "\n"), "__Host-session-logout=", "the return path waits")
}

// Back from a page that was fetched or rendered ahead comes what was before.
func TestPagesOfBeforeAreForgotten(t *testing.T) {
	const ahead = `"prefetchCache", "prerenderCache"`
	inEachMode(t, func(t *testing.T, w *world) {
		w.browser.ClearCookies()
		callback := w.callbackURL()
		back := w.sendTo(w.mux, w.cookies(), strings.TrimPrefix(callback.URL, app))
		require.Equal(t, http.StatusSeeOther, back.Code)
		require.Equal(t, ahead, back.Header().Get("Clear-Site-Data"))
		w.signIn()
		require.Equal(t, ahead, w.postLogout(w.cookies()).Header().Get("Clear-Site-Data"))
		require.Equal(t, ahead, w.postLogout("").Header().Get("Clear-Site-Data"), "nobody was signed in")
		script := w.sendLogout(w.cookies(), "", nil, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Mode", "cors")
			r.Header.Set("Sec-Fetch-Dest", "empty")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		})
		require.Equal(t, ahead, script.Header().Get("Clear-Site-Data"))
		require.Empty(t, w.send(w.cookies(), "/").Header().Get("Clear-Site-Data"), "no other answer has it")
		require.Empty(t, w.send(w.cookies(), "/auth/logout").Header().Get("Clear-Site-Data"), "a GET ends nothing")
	})
}

func TestALogoutLeavesPendingLoginsAloneWhereItEndsNoSession(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		tab := w.browser.NewTab()
		tab.PauseAt(w.provider.URL(oidcauthtest.Authorize))
		require.NotNil(t, tab.Get(app+"/auth/login").Paused)
		all := w.cookies()
		_, pending, found := strings.Cut(all, "__Host-session-login-")
		require.True(t, found)
		pending = "__Host-session-login-" + pending
		require.NotContains(t, pending, "__Host-session=")
		dropped := func(cookies string) bool {
			answer := w.postLogout(cookies)
			return strings.Contains(strings.Join(answer.Header().Values("Set-Cookie"), "\n"), "__Host-session-login-")
		}
		require.False(t, dropped(pending), "no cookie of a session: the request may be another site's")
		require.False(t, dropped(pending+"; __Host-session=nonsense"), "no session that lives")
		require.True(t, dropped(all))
		require.False(t, dropped(all), "the session has ended before")
	})
}

// headerSize is what the header of an answer takes on the wire.
func headerSize(t *testing.T, answer *http.Response) int {
	t.Helper()
	answer.Body = http.NoBody
	size := len("Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n") + len("HTTP/1.1 303 See Other\r\nContent-Length: 0\r\n\r\n")
	for name, values := range answer.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	return size
}

func TestALogoutGoesAsAFormBeforeItsHeaderFillsAProxysBuffer(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		var size int
		w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("x", incompressible(size)) })
		var redirects, forms int
		for size = 1200; size < 2700; size += 60 {
			w.browser.ClearCookies()
			w.signIn()
			answer := w.sendLogout(w.cookies(), "application/x-www-form-urlencoded", strings.NewReader("return_to=/bye")).Result()
			if answer.StatusCode == http.StatusSeeOther {
				redirects++
				require.Zero(t, forms, "a longer token went as a redirect again")
				require.LessOrEqual(t, headerSize(t, answer), 4096)
				continue
			}
			require.Equal(t, http.StatusOK, answer.StatusCode)
			if forms == 0 {
				body := must(io.ReadAll(answer.Body))
				require.Contains(t, string(body), "id_token_hint")
			}
			forms++
		}
		require.NotZero(t, redirects)
		require.NotZero(t, forms)
	})
}

func TestWhatTheApplicationPutIntoTheHeaderCounts(t *testing.T) {
	w := newWorld(t)
	w.mux.Handle("POST /bye", w.auth.RequireLogin(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Permissions-Policy", strings.Repeat("x", 3000))
		w.auth.Logout(rw, r)
	})))
	w.signIn()
	r := httptest.NewRequest(http.MethodPost, app+"/bye", nil)
	r.Header.Set("Cookie", w.cookies())
	answer := httptest.NewRecorder()
	w.mux.ServeHTTP(answer, r)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Contains(t, answer.Body.String(), "id_token_hint")
}

// forgetMetadata makes the Authenticator read the provider's metadata anew.
func (w *world) forgetMetadata() error {
	w.auth = newAuthenticator(w.T, w, func(c *oidcauth.Config) {
		c.APIs = []string{oidcauthtest.DefaultIssuer}
		old := w.auth.Sessions().Config()
		c.Session.Store, c.Session.ServerSide = old.Store, old.ServerSide
	})
	w.mux = appMux(w.auth)
	w.network.Handle(app, w.mux)
	return w.auth.Discover(w.Context())
}

// htmx takes the address from the header, and would put the form into its page.
func TestALongLogoutOfHTMXGoesWithoutTheHint(t *testing.T) {
	for name, row := range map[string]struct {
		size   int
		hinted bool
	}{"a short token": {0, true}, "a long token": {2600, false}} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				w.provider.BendIDToken(func(tok *oidcauthtest.Token) { tok.Claims.Set("x", incompressible(row.size)) })
				w.browser.ClearCookies()
				w.signIn()
				answer := w.sendLogout(w.cookies(), "", nil, func(r *http.Request) {
					r.Header.Set("HX-Request", "true")
					r.Header.Set("Accept", "*/*")
				}).Result()
				target := mustParsed(t, answer.Header.Get("HX-Redirect"))
				require.Equal(t, row.hinted, target.Query().Has("id_token_hint"))
				require.Equal(t, "app", target.Query().Get("client_id"))
				require.LessOrEqual(t, headerSize(t, answer), 4096)
			})
		})
	}
}
