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

// comesBack asks a guard for target as a browser with this request line would, signs in, and returns where the callback sends the
// browser, byte for byte.
func (w *world) comesBack(target string) string {
	w.Helper()
	guarded := w.auth.RequireLogin(http.HandlerFunc(writeUser))
	answer := rawLine(guarded, target, opened)
	require.NotNil(w, answer, "net/http refuses the line")
	require.Equal(w, http.StatusSeeOther, answer.StatusCode)
	return w.finish(answer)
}

// finish follows a login that was begun by answer and returns the Location of its callback.
func (w *world) finish(answer *http.Response) string {
	w.Helper()
	tab := oidcauthtest.NewBrowser(w.network)
	for _, c := range answer.Cookies() {
		tab.SetCookie(app, c)
	}
	page := tab.Get(answer.Header.Get("Location"))
	require.NoError(w, page.Err)
	for _, x := range page.Exchanges {
		if strings.HasPrefix(x.URL, app+"/auth/callback") {
			return x.Answer.Get("Location")
		}
	}
	require.FailNow(w, "no callback")
	return ""
}

func TestAGuardComesBackToWhatItSaw(t *testing.T) {
	for name, target := range map[string]string{
		"an escaped slash":                    "/buckets/a%2Fb",
		"an escaped slash in a scoped name":   "/npm/@scope%2Fname",
		"an escaped percent sign":             "/files/100%25.pdf",
		"an escaped percent sign and digits":  "/files/%2541",
		"a URL as a segment":                  "/proxy/https%3A%2F%2Fother.example%2Fx",
		"a backslash in the query":            `/x?p=C:\Users\a`,
		"a path that looks like ours":         "/Auth/login-help",
		"another that does":                   "/authors",
		"an escaped backslash":                "/files/a%5Cb",
		"an escaped control character":        "/files/a%0Ab",
		"a double slash inside":               "/a//b",
		"dots":                                "/a/../b",
		"escaped dots":                        "/a/%2e%2e/b",
		"a URL in the query":                  "/x?next=https://other.example//a",
		"a query with a malformed escape":     "/x?a=%zz&%",
		"an empty query":                      "/x?",
		"letters beyond ASCII":                "/straße?q=ü",
		"a query of ampersands":               "/x?" + strings.Repeat("a&", 900),
		"a path and query of 2 kB":            "/x?" + strings.Repeat("y", 2045),
		"quotes, which JSON escapes":          "/x?q=\"'<>",
		"a semicolon, which some routers cut": "/x;v=1?a=1;b=2",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			require.Equal(t, target, w.comesBack(target))
			require.NotContains(t, w.log.String(), "way back lost")
		})
	}
}

func TestAGuardLosesTheWayBackAloud(t *testing.T) {
	for name, row := range map[string]struct{ target, want string }{
		"two slashes":                  {"//evil.example/", "/"},
		"a slash and a backslash":      {`/\evil.example/`, "/"},
		"a backslash in the path":      {`/a\b`, "/"},
		"a query that is too long":     {"/x/y?" + strings.Repeat("z", 4096), "/x/y"},
		"a path that is too long":      {"/" + strings.Repeat("x", 4096), "/"},
		"both that are too long":       {"/" + strings.Repeat("x", 4096) + "?z", "/"},
		"a host that is not ours":      {"https://evil.example//x", "/"},
		"bytes that are no characters": {"/\xff?\xfe", "/%FF?%FE"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			require.Equal(t, row.want, w.comesBack(row.target))
			if row.want != "/%FF?%FE" {
				require.Equal(t, 1, strings.Count(w.log.String(), `msg="way back lost"`), w.log)
			}
			require.NotContains(t, w.log.String(), "zzzz", "queries may hold secrets")
		})
	}
}

// As above, by a wish that anybody may put into a link.
func TestAWishToReturnIsGrantedOnThisSite(t *testing.T) {
	rows := map[string]string{
		"an escaped slash":                  "/buckets/a%2Fb",
		"an escaped slash in a scoped name": "/npm/@scope%2Fname",
		"an escaped percent sign":           "/files/100%25.pdf",
		"an escaped percent sign, twice":    "/files/a%252Fb",
		"a URL as a segment":                "/proxy/https%3A%2F%2Fother.example%2Fx",
		"a backslash in the query":          `/x?p=C:\Users\a`,
		"a path that looks like ours":       "/Auth/login-help",
		"another that does":                 "/authors",
		"a space in the query":              "/x?q=a b",
		"letters in the query":              "/x?q=ü",
		"an escaped letter":                 "/%61",
		"two slashes in the query":          "/x?next=//evil.example",
		"dots in the query":                 "/x?f=../y",
	}
	for name, raw := range rows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			answer := w.sendAs("GET", "/auth/login?return_to="+url.QueryEscape(raw), sentForm...)
			require.Equal(t, raw, w.finish(answer))
			require.NotContains(t, w.log.String(), "way back lost")
			require.Equal(t, "/auth/login?return_to="+url.QueryEscape(raw), w.auth.LoginURL(raw))
		})
	}
}

func TestAWishThatIsNotGrantedIsLogged(t *testing.T) {
	for name, row := range map[string]struct{ raw, want string }{
		"an escaped backslash":           {"/a%5cb", "/"},
		"an escaped line end":            {"/a%0ab", "/"},
		"escaped dots":                   {"/a/%2e%2e/b", "/"},
		"dots behind an escaped slash":   {"/a%2F..%2Fb", "/"},
		"dots that are escaped twice":    {"/a/%252e%252e/b", "/"},
		"an escaped slash in front":      {"/%2fevil.example", "/"},
		"an own route":                   {"/auth/logout?x=secret", "/"},
		"an own route with an escape":    {"/%61uth/logout", "/"},
		"an own route in capitals":       {"/AUTH/Logout", "/"},
		"something below the own routes": {"/auth/x/y", "/"},
		"the own routes' prefix":         {"/auth", "/"},
		"an own route with an escaped /": {"/auth%2Flogout", "/"},
		"a query that is too long":       {"/x?" + strings.Repeat("secret", 1000), "/x"},
		"a trick, and a query too long":  {"/a/../b?" + strings.Repeat("y", 4096), "/"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			answer := w.sendAs("GET", "/auth/login?return_to="+url.QueryEscape(row.raw), sentForm...)
			require.Equal(t, row.want, w.finish(answer))
			require.Equal(t, 1, strings.Count(w.log.String(), `msg="way back lost"`), w.log)
			require.NotContains(t, w.log.String(), "secret")
		})
	}
}

// A cookie that is too large would be dropped by the browser, and the login with it.
func TestALongWayBackGivesWayBeforeTheLoginDoes(t *testing.T) {
	w := newWorld(t, noPAR)
	for i := range 9 {
		answer := w.sendAs("GET", "/me?x="+strings.Repeat("y", 400)+string(rune('a'+i)), sentForm...)
		for _, c := range answer.Cookies() {
			w.browser.SetCookie(app, c)
		}
	}
	require.NotContains(t, w.log.String(), "zzz")
	answer := w.sendAs("GET", "/me?x="+strings.Repeat("z", 2000), sentForm...)
	require.Equal(t, "/me", w.finish(answer), "the query gives way first")
	require.Contains(t, w.log.String(), `msg="way back lost"`)

	w = newWorld(t, noPAR, func(c *oidcauth.Config) {
		c.Login.ACRValues = []string{strings.Repeat("a", 900)}
		c.Login.Resource = []string{"https://api.example.test/" + strings.Repeat("r", 900)}
	})
	answer = w.sendAs("GET", "/me?x="+strings.Repeat("z", 2000), sentForm...)
	for _, c := range answer.Cookies() {
		require.LessOrEqual(t, len(c.Raw), 4096)
	}
	require.Equal(t, "/me", w.finish(answer))
}
