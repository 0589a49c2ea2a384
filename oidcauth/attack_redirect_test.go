package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
)

// moreWaysOut are relatives of waysOut.
var moreWaysOut = map[string]string{
	"an upside-down scheme":               "//evil.example:443\\@app.example.test/",
	"a protocol with a tab":               "java\tscript:alert(1)",
	"an encoded line end before a host":   "/%0d%0a//evil.example",
	"a vertical tab":                      "/\v/evil.example",
	"a form feed":                         "/\f/evil.example",
	"a next-line character":               "/\u0085/evil.example",
	"an ideographic full stop":            "//evil。example",
	"an ideographic space":                "/\u3000/evil.example",
	"a byte-order mark":                   "\ufeff//evil.example",
	"a direction mark":                    "/\u202e/evil.example",
	"invalid UTF-8":                       "/\xff\xfe/evil.example",
	"overlong UTF-8 for a slash":          "/%c0%afevil.example\xc0\xaf",
	"a punycode host":                     "//xn--pple-43d.example/",
	"an octal host":                       "//0177.0.0.1/",
	"a host as one number":                "//2130706433/",
	"four slashes":                        "////evil.example",
	"a backslash at the end":              `/a\`,
	"a question mark with a host":         "?//evil.example",
	"a relative path":                     "evil",
	"a relative path with dots":           "../evil",
	"encoded dots with a backslash":       `/%2e%2e%5cevil.example`,
	"a doubly encoded line end":           "/%250d%250a",
	"a header behind a line end":          "/a\r\nLocation: https://evil.example",
	"a cookie behind an encoded line end": "/a%0d%0aSet-Cookie:%20x=y",
	"100 kB":                              "/" + strings.Repeat("a", 100<<10),
	"2 kB and a byte":                     "/" + strings.Repeat("a", 2048),
	"the callback":                        "/auth/callback?code=x&state=y",
	"the callback in capitals":            "/AUTH/Callback",
	"the callback with a letter escaped":  "/auth/%63allback",
	"the callback with dots":              "/auth/x/../callback",
	"the logout":                          "/auth/logout",
	"the logout with a slash behind":      "/auth/logout/",
	"the login":                           "/auth/login?return_to=/auth/login",
	"the prefix":                          "/auth",
	"the front-channel logout":            "/auth/frontchannel-logout?iss=x&sid=y",
}

// Each way out is tried at every door: what comes back is the start page, on this site.
func TestNoDoorLeadsOffTheSite(t *testing.T) {
	rows := map[string]string{}
	for _, more := range []map[string]string{waysOut, moreWaysOut} {
		for name, raw := range more {
			rows[name] = raw
		}
	}
	w := newWorld(t, noPAR)
	w.control()
	for name, raw := range rows {
		t.Run(name, func(t *testing.T) {
			w.T = t
			iss := url.QueryEscape(w.provider.Issuer())
			for door, target := range map[string]string{
				"return_to":                      "/auth/login?return_to=" + url.QueryEscape(raw),
				"target_link_uri":                "/auth/login?iss=" + iss + "&target_link_uri=" + url.QueryEscape(raw),
				"target_link_uri behind our own": "/auth/login?iss=" + iss + "&target_link_uri=" + url.QueryEscape(app+raw),
			} {
				w.anew()
				page := w.browser.Get(app + target)
				require.NoError(t, page.Err)
				require.Equal(t, app+"/", page.URL, door)
				require.Equal(t, http.StatusOK, page.Status, door)
				for _, x := range page.Exchanges {
					require.NotContains(t, x.Answer.Get("Set-Cookie"), "x=y")
				}
			}
			require.Equal(t, "/auth/login", w.auth.LoginURL(raw), "LoginURL")
			w.anew()
			w.signIn()
			w.browser.Get(app + "/")
			page := w.browser.Post("/auth/logout", url.Values{"return_to": {raw}})
			require.True(t, strings.HasPrefix(page.URL, app+"/auth/signed-out"), "logout: %.200s", page.URL)
			require.NotContains(t, w.browser.Get(app+"/auth/logout?return_to="+url.QueryEscape(raw)).Body, `name="return_to"`, "the logout page")
		})
	}
}

// A guard comes back to the very request line, so that this line is an attacker's way in too.
func TestAGuardComesBackOnlyToPlainPaths(t *testing.T) {
	w := newWorld(t, noPAR)
	w.mux.Handle("/any/", w.auth.RequireLogin(http.HandlerFunc(writeUser)))
	guarded := w.auth.RequireLogin(http.HandlerFunc(writeUser))
	for name, line := range map[string]string{
		"two slashes":              "//evil.example/",
		"a backslash":              `/\evil.example/`,
		"an absolute form":         "https://evil.example/me",
		"an absolute form of ours": app + "//evil.example/",
		"a malformed escape":       "/any/%zz",
		"a malformed query":        "/any/x?a=%zz&%",
		"dots":                     "/any/../..//evil.example/",
		"encoded dots":             "/any/%2e%2e//evil.example",
		"100 kB":                   "/any/" + strings.Repeat("a", 100<<10),
		"a fragment":               "/any/#x",
		"an asterisk":              "*",
	} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			answer := rawLine(guarded, line, opened)
			if answer == nil {
				return // net/http itself refuses the line
			}
			require.Equal(t, http.StatusSeeOther, answer.StatusCode)
			tab := oidcauthtest.NewBrowser(w.network)
			for _, c := range answer.Cookies() {
				tab.SetCookie(app, c)
			}
			page := tab.Get(answer.Header.Get("Location"))
			require.NoError(t, page.Err)
			require.True(t, strings.HasPrefix(page.URL, app+"/"), page.URL)
			require.NotContains(t, strings.SplitAfterN(page.URL, "/", 4)[2], "evil", "the host")
		})
	}
}

func TestNestedReturnPathsDoNotLoop(t *testing.T) {
	w := newWorld(t, noPAR)
	raw := "/me"
	for range 50 {
		raw = "/auth/login?return_to=" + url.QueryEscape(raw)
		if len(raw) > 100<<10 {
			break
		}
	}
	page := w.browser.Get(app + raw)
	require.NoError(t, page.Err)
	require.Equal(t, app+"/", page.URL)
	require.Equal(t, 1, w.provider.Count(oidcauthtest.Authorize))
}

// The return path is sealed: whoever edits the cookie only loses the login.
func TestAnEditedTransactionIsNoTransaction(t *testing.T) {
	w := newWorld(t, noPAR)
	cb := w.callbackURL()
	name := transactionOf(t, w)
	value := w.browser.Cookie(app, name).Value
	for i := range value {
		edited := []byte(value)
		edited[i] ^= 1
		if !validCookieByte(edited[i]) {
			edited[i] ^= 3
		}
		w.browser.SetCookie(app, &http.Cookie{Name: name, Value: string(edited), Path: "/", Secure: true})
		requireR1(t, w, w.browser.Get(cb.URL))
	}
	for _, short := range []string{"", "x", value[:len(value)/2], value + "A", value + value} {
		w.browser.SetCookie(app, &http.Cookie{Name: name, Value: short, Path: "/", Secure: true})
		requireR1(t, w, w.browser.Get(cb.URL))
	}
	w.browser.SetCookie(app, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true})
	require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status, "the true one is still good")
}

func validCookieByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'
}

// A transaction is for one state, one name and one key list.
func TestATransactionUnderAnotherNameIsNoTransaction(t *testing.T) {
	w := newWorld(t, noPAR)
	first := w.callbackURL()
	firstName := transactionOf(t, w)
	firstValue := w.browser.Cookie(app, firstName).Value
	w.browser.DeleteCookie(app, firstName)
	second := w.callbackURL()
	secondName := transactionOf(t, w)
	w.browser.SetCookie(app, &http.Cookie{Name: secondName, Value: firstValue, Path: "/", Secure: true})
	requireR1(t, w, w.browser.Get(second.URL))
	w.browser.ClearCookies()
	w.browser.SetCookie(app, &http.Cookie{Name: firstName, Value: firstValue, Path: "/", Secure: true})
	require.Equal(t, http.StatusOK, w.browser.Get(first.URL).Status)

	staging := newWorld(t, noPAR, func(c *oidcauth.Config) { c.Session.Keys = []string{"c3RhZ2luZy1zdGFnaW5nLXN0YWdpbmctc3RhZ2luZyE="} })
	foreignURL := staging.callbackURL().URL
	w.anew()
	for _, c := range staging.browser.Cookies(app) {
		w.browser.SetCookie(app, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true})
	}
	requireR1(t, w, w.browser.Get(foreignURL))
}
