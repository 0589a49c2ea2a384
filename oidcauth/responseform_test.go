package oidcauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// unread are parameters of a response that nobody reads, in shapes that a strict parser refuses as a whole.
var unread = map[string]string{
	"a scope with a semicolon":        "scope=a;b",
	"a malformed escape":              "x=%zz",
	"a cut escape":                    "x=%4",
	"a malformed name":                "%zz=x",
	"no name":                         "=x",
	"the same one twice":              "session_state=a&session_state=b",
	"an error_uri twice":              "error_uri=a&error_uri=%zz",
	"a response where none was asked": "response=a&response=b",
	"nothing between ampersands":      "&&",
	"a state under another name":      "state[]=evil&STATE=evil",
}

func TestWhatNobodyReadsOfAResponseIsIgnored(t *testing.T) {
	for name, extra := range unread {
		for _, mode := range []oidcauth.ResponseMode{oidcauth.Query, oidcauth.FormPost} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t, responseMode(mode))
				require.Equal(t, http.StatusSeeOther, w.respond(w.callbackURL(), extra, "before").Code)
				require.Equal(t, http.StatusSeeOther, w.respond(w.callbackURL(), extra, "after").Code)
				w.provider.BendAuthorization(func(a *oidcauthtest.Authorization) { a.Error = "access_denied" })
				answer := w.respond(w.callbackURL(), extra, "after")
				require.Equal(t, http.StatusForbidden, answer.Code, "an error is seen for what it is")
				require.Contains(t, w.log.String(), "access_denied")
			})
		}
	}
}

func TestWhatIsReadOfAResponseIsWellFormedAndSingle(t *testing.T) {
	for name, extra := range map[string]string{
		"a code twice":                       "code=evil",
		"a code twice, escaped":              "%63ode=evil",
		"a malformed code":                   "code=%zz",
		"a state twice":                      "state=evil",
		"a malformed state":                  "state=%zz",
		"a state behind a semicolon":         "state=a;state=b",
		"an issuer twice":                    "iss=evil",
		"an error beside the code":           "error=access_denied",
		"a malformed error":                  "error=%zz",
		"a malformed description":            "error_description=%zz",
		"a description twice":                "error_description=a&error_description=b",
		"more parameters than anybody sends": strings.Repeat("a=b&", 1001),
	} {
		for _, mode := range []oidcauth.ResponseMode{oidcauth.Query, oidcauth.FormPost} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				w := newWorld(t, responseMode(mode))
				cb := w.callbackURL()
				require.Equal(t, http.StatusBadRequest, w.respond(cb, extra, "after").Code)
				require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
				require.Equal(t, http.StatusSeeOther, w.respond(cb, "", "after").Code, "the true response still completes the login")
			})
		}
	}
}

// A form that the application has parsed before is read all the same.
func TestAPostedResponseMayHaveBeenParsedBefore(t *testing.T) {
	w := newWorld(t, formPost)
	parsing := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.mux.ServeHTTP(rw, r)
	})
	cb := w.callbackURL()
	require.Equal(t, http.StatusBadRequest, w.respondTo(parsing, cb, "state=evil", "after").Code)
	require.Equal(t, http.StatusSeeOther, w.respondTo(parsing, cb, "", "after").Code)
}

// respond sends a response with raw text beside it, as the browser would.
func (w *world) respond(cb *oidcauthtest.Navigation, extra, where string) *httptest.ResponseRecorder {
	return w.respondTo(w.mux, cb, extra, where)
}

func (w *world) respondTo(h http.Handler, cb *oidcauthtest.Navigation, extra, where string) *httptest.ResponseRecorder {
	with := func(encoded string) string {
		switch {
		case extra == "":
			return encoded
		case where == "before":
			return extra + "&" + encoded
		}
		return encoded + "&" + extra
	}
	r := httptest.NewRequest(http.MethodPost, app+"/auth/callback", strings.NewReader(with(cb.Form.Encode())))
	if len(cb.Form) == 0 {
		at := mustParsed(w.T, cb.URL)
		r = httptest.NewRequest(http.MethodGet, app+"/auth/callback", nil)
		r.URL.RawQuery = with(at.RawQuery)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.cookiesOf(w.browser)(r)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func TestAnErrorWithoutStateOffersASignIn(t *testing.T) {
	for _, mode := range []oidcauth.ResponseMode{oidcauth.Query, oidcauth.FormPost, oidcauth.QueryJWT} {
		t.Run("mode "+string(mode), func(t *testing.T) {
			w := newWorld(t, responseMode(mode))
			cb := w.callbackURL()
			params := url.Values{"error": {"access_denied"}, "error_description": {"no, thank you"}}
			var page *oidcauthtest.Page
			if mode == oidcauth.FormPost {
				page = w.browser.NewTab().Post(app+"/auth/callback", params)
			} else {
				page = w.browser.NewTab().Get(app + "/auth/callback?" + params.Encode())
			}
			requireRefused(t, w, page)
			require.Equal(t, http.StatusBadRequest, page.Status)
			require.Contains(t, page.Body, `href="/auth/login"`)
			require.NotContains(t, page.Body, "thank")
			require.Contains(t, w.log.String(), "the response has no state; oidcauth: login failed: access_denied (\\\"no, thank you\\\")")
			require.Equal(t, http.StatusOK, w.browser.Go(cb).Status, "it is nobody's, and ends no login")
		})
	}
}

func TestAnErrorWithAnUnknownStateNamesItsCode(t *testing.T) {
	w := newWorld(t)
	page := w.browser.Get(app + "/auth/callback?error=invalid_scope&state=unknown")
	requireRefused(t, w, page)
	require.Contains(t, w.log.String(), "login failed: invalid_scope")
}
