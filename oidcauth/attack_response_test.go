package oidcauth_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/signet-go/signet/oidcauth"
	"github.com/signet-go/signet/oidcauth/oidcauthtest"
	"github.com/signet-go/signet/session"
)

// Each row sends a login's response in a way of its own; the query is the true one.
func TestAResponseInAnOddShapeIsRefused(t *testing.T) {
	for name, alter := range map[string]func(q string) (method, target, body string){
		"a semicolon separates the parameters": func(q string) (string, string, string) {
			return "GET", "/auth/callback?" + strings.ReplaceAll(q, "&", ";"), ""
		},
		"a semicolon follows":                  func(q string) (string, string, string) { return "GET", "/auth/callback?" + q + ";", "" },
		"an escape of the state is malformed":  func(q string) (string, string, string) { return "GET", "/auth/callback?" + q + "%zz", "" },
		"an escape of the state is cut":        func(q string) (string, string, string) { return "GET", "/auth/callback?" + q + "%4", "" },
		"a name is escaped and given again":    func(q string) (string, string, string) { return "GET", "/auth/callback?" + q + "&%63ode=evil", "" },
		"state is given again without a value": func(q string) (string, string, string) { return "GET", "/auth/callback?" + q + "&state", "" },
		"state is given again, empty":          func(q string) (string, string, string) { return "GET", "/auth/callback?state=&" + q, "" },
		"error is there, empty":                func(q string) (string, string, string) { return "GET", "/auth/callback?" + q + "&error=", "" },
		"state is a list for PHP": func(q string) (string, string, string) {
			return "GET", "/auth/callback?" + strings.Replace(q, "state=", "state[]=", 1), ""
		},
		"state is in capitals": func(q string) (string, string, string) {
			return "GET", "/auth/callback?" + strings.Replace(q, "state=", "STATE=", 1), ""
		},
		"the response is in the fragment only": func(string) (string, string, string) { return "GET", "/auth/callback", "" },
		"20,000 parameters come with it": func(q string) (string, string, string) {
			return "GET", "/auth/callback?" + strings.Repeat("a=b&", 20000) + q, ""
		},
		"state is in the body of a GET": func(q string) (string, string, string) {
			return "GET", "/auth/callback?code=evil", q
		},
		"the path has another slash behind it": func(q string) (string, string, string) { return "GET", "/auth/callback/?" + q, "" },
		"the path goes on":                     func(q string) (string, string, string) { return "GET", "/auth/callback/x?" + q, "" },
		"the path is in capitals":              func(q string) (string, string, string) { return "GET", "/auth/CALLBACK?" + q, "" },
		"the path has an encoded zero byte":    func(q string) (string, string, string) { return "GET", "/auth/callback%00?" + q, "" },
		"the path has a semicolon":             func(q string) (string, string, string) { return "GET", "/auth/callback;x?" + q, "" },
		"the method is POST":                   func(q string) (string, string, string) { return "POST", "/auth/callback?" + q, "" },
		"the method is PUT":                    func(q string) (string, string, string) { return "PUT", "/auth/callback?" + q, "" },
		"the method is HEAD":                   func(q string) (string, string, string) { return "HEAD", "/auth/callback?" + q, "" },
		"the method is OPTIONS":                func(q string) (string, string, string) { return "OPTIONS", "/auth/callback?" + q, "" },
		"the method is TRACE":                  func(q string) (string, string, string) { return "TRACE", "/auth/callback?" + q, "" },
		"the method is CONNECT":                func(q string) (string, string, string) { return "CONNECT", "/auth/callback?" + q, "" },
		"the method is get in small letters":   func(q string) (string, string, string) { return "get", "/auth/callback?" + q, "" },
		"the method is unknown":                func(q string) (string, string, string) { return "PROPFIND", "/auth/callback?" + q, "" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			cb := w.callbackURL()
			method, target, body := alter(mustParsed(t, cb.URL).RawQuery)
			answer := w.raw(method, app+target, opened, w.cookiesOf(w.browser), func(r *http.Request) {
				if body != "" {
					r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
			})
			require.GreaterOrEqual(t, answer.StatusCode, 400)
			require.Less(t, answer.StatusCode, 500)
			require.Empty(t, answer.Header.Values("Set-Cookie"))
			require.Empty(t, answer.Header.Get("Location"))
			requireProtected(t, answer.Header)
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status, "the true response still completes the login")
		})
	}
}

func mustParsed(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

// A path that ServeMux cleans is redirected on this site; what comes of it is the true callback, once.
func TestPathsThatAreCleanedLeadToTheOneCallback(t *testing.T) {
	for _, path := range []string{"/auth//callback", "/auth/./callback", "/x/../auth/callback", "//auth/callback"} {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t, noPAR)
			cb := w.callbackURL()
			page := w.browser.Get(app + path + "?" + mustParsed(t, cb.URL).RawQuery)
			require.True(t, strings.HasPrefix(page.URL, app+"/"), page.URL)
			require.Equal(t, 1, w.provider.Count(oidcauthtest.TokenEndpoint))
		})
	}
}

func TestAPostedResponseInAnOddShapeIsRefused(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, row := range map[string]struct {
		header http.Header
		body   func(q string) io.Reader
		query  func(q string) string
	}{
		"the type is multipart":            {http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, nil, nil},
		"the type is plain text":           {http.Header{"Content-Type": {"text/plain"}}, nil, nil},
		"the type is a list":               {http.Header{"Content-Type": {form + ", text/plain"}}, nil, nil},
		"the type is broken":               {http.Header{"Content-Type": {form + "; charset"}}, nil, nil},
		"the first of two types is wrong":  {http.Header{"Content-Type": {"text/plain", form}}, nil, nil},
		"there is no type":                 {http.Header{}, nil, nil},
		"the query repeats the response":   {http.Header{"Content-Type": {form}}, nil, func(q string) string { return "?" + q }},
		"the query has an error":           {http.Header{"Content-Type": {form}}, nil, func(string) string { return "?error=access_denied" }},
		"a code in the query is malformed": {http.Header{"Content-Type": {form}}, nil, func(string) string { return "?code=%zz" }},
		"the whole response is in the query": {http.Header{"Content-Type": {form}},
			func(string) io.Reader { return strings.NewReader("") }, func(q string) string { return "?" + q }},
		"state is in the body, code in the query": {http.Header{"Content-Type": {form}},
			func(q string) io.Reader {
				v, _ := url.ParseQuery(q)
				v.Del("code")
				return strings.NewReader(v.Encode())
			},
			func(string) string { return "?code=evil" }},
		"a parameter comes twice": {http.Header{"Content-Type": {form}}, func(q string) io.Reader { return strings.NewReader(q + "&code=evil") }, nil},
		"semicolons separate":     {http.Header{"Content-Type": {form}}, func(q string) io.Reader { return strings.NewReader(strings.ReplaceAll(q, "&", ";")) }, nil},
		"64 kB and a byte": {http.Header{"Content-Type": {form}},
			func(q string) io.Reader { return strings.NewReader(q + "&x=" + strings.Repeat("x", 64<<10-len(q)-2)) }, nil},
		"the body never ends": {http.Header{"Content-Type": {form}},
			func(q string) io.Reader { return io.MultiReader(strings.NewReader(q+"&x="), endless{}) }, nil},
		"the body is UTF-16": {http.Header{"Content-Type": {form + "; charset=utf-16"}},
			func(q string) io.Reader { return bytes.NewReader(wide(q)) }, nil},
		"the body is compressed in name": {http.Header{"Content-Type": {form}, "Content-Encoding": {"gzip"}},
			func(string) io.Reader { return strings.NewReader("\x1f\x8b\x08") }, nil},
		"it was fetched ahead": {http.Header{"Content-Type": {form}, "Sec-Purpose": {"prefetch"}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR, formPost)
			cb := w.callbackURL()
			q := cb.Form.Encode()
			var body io.Reader = strings.NewReader(q)
			if row.body != nil {
				body = row.body(q)
			}
			target := "/auth/callback"
			if row.query != nil {
				target += row.query(q)
			}
			counted := &counter{Reader: body}
			answer := w.raw(http.MethodPost, app+target, w.cookiesOf(w.browser), func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(counted), -1
				for k, v := range row.header {
					r.Header[k] = v
				}
			})
			require.GreaterOrEqual(t, answer.StatusCode, 400)
			require.Less(t, answer.StatusCode, 504)
			require.Empty(t, answer.Header.Values("Set-Cookie"))
			requireProtected(t, answer.Header)
			require.Zero(t, w.provider.Count(oidcauthtest.TokenEndpoint))
			require.LessOrEqual(t, counted.n, 64<<10+1)
			page := w.browser.Go(cb)
			require.Equal(t, http.StatusOK, page.Status, "the true response still completes the login: %s", page.Body)
		})
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func wide(s string) []byte {
	var b []byte
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

func TestAPostedResponseMayNameItsCharset(t *testing.T) {
	w := newWorld(t, noPAR, formPost)
	cb := w.callbackURL()
	answer := w.raw(http.MethodPost, app+"/auth/callback", w.cookiesOf(w.browser), func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(cb.Form.Encode()))
		r.Header.Set("Content-Type", "Application/X-WWW-Form-Urlencoded; Charset=UTF-8")
	})
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
}

// Two Authenticators share a session manager: what begins at A must end at A (RFC 9700 §4.4).
func TestTwoProvidersInOneApplicationAreNotMixedUp(t *testing.T) {
	for _, named := range []bool{true, false} {
		t.Run(fmt.Sprintf("B names its issuer in responses: %v", named), func(t *testing.T) {
			w := newWorld(t, noPAR)
			other := oidcauthtest.NewProvider(oidcauthtest.Settings{Issuer: "https://b.provider.test", Clients: []oidcauthtest.Client{{
				ID: "app", Secret: "app-secret", RedirectURIs: []string{app + "/b/callback"},
			}}})
			other.BendMetadata(func(doc *oidcauthtest.Object) { doc.Set("authorization_response_iss_parameter_supported", named) })
			w.network.Handle(other.Issuer(), other)
			b := newAuthenticator(t, w, noPAR, func(c *oidcauth.Config) {
				c.Issuer, c.RedirectURL, c.Session, c.Sessions = other.Issuer(), app+"/b/callback", session.Config{}, w.auth.Sessions()
			})
			w.mux.Handle("/b/", b)
			w.mux.Handle("/of-b", b.RequireLogin(http.HandlerFunc(writeUser)))
			w.control()

			fromA := mustParsed(t, w.callbackURL().URL)
			for _, query := range []string{fromA.RawQuery, withoutIss(fromA.Query())} {
				page := w.browser.Get(app + "/b/callback?" + query)
				requireR1(t, w, page)
				require.Zero(t, other.Count(oidcauthtest.TokenEndpoint), "A's code never goes to B")
			}
			require.Equal(t, http.StatusOK, w.browser.Get(fromA.String()).Status)
			require.Equal(t, http.StatusOK, w.browser.Get(app+"/of-b").Status, "a user of A has to sign in at B")
			require.Equal(t, 1, other.Count(oidcauthtest.TokenEndpoint))
			require.Equal(t, http.StatusUnauthorized, w.browser.Fetch(app+"/me", oidcauthtest.FetchOptions{}).Status, "and is then no user of A's")
		})
	}
}

func withoutIss(q url.Values) string {
	q.Del("iss")
	return q.Encode()
}

// A provider that does not promise iss may leave it out, but not name another.
func TestAnIssuerThatWasNotPromisedIsStillCompared(t *testing.T) {
	w := newWorld(t, noPAR)
	w.provider.BendMetadata(func(doc *oidcauthtest.Object) { doc.Delete("authorization_response_iss_parameter_supported") })
	w.provider.BendAuthorizationResponse(func(a *oidcauthtest.AuthorizationResponse) { a.Params.Del("iss") })
	w.control()
	for name, iss := range map[string]string{"another": "https://evil.example", "empty": "", "near": w.provider.Issuer() + "/"} {
		t.Run(name, func(t *testing.T) {
			w.T = t
			w.anew()
			cb := w.callbackURL()
			requireR1(t, w, w.browser.Get(altered(t, cb, func(q url.Values) { q.Set("iss", iss) })))
			require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status)
		})
	}
}

// An error response is held to the same checks as a code.
func TestAForgedErrorResponseChangesNothing(t *testing.T) {
	for name, change := range map[string]func(url.Values){
		"of a state that nobody has": func(q url.Values) { q.Set("state", "AAAAAAAAAAAAAAAAAAAAAA") },
		"without a state":            func(q url.Values) { q.Del("state") },
		"from another issuer":        func(q url.Values) { q.Set("iss", "https://evil.example") },
		"without the issuer":         func(q url.Values) { q.Del("iss") },
		"with two errors":            func(q url.Values) { q.Add("error", "x") },
		"with an empty error":        func(q url.Values) { q.Set("error", "") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, noPAR)
			cb := w.callbackURL()
			requireR1(t, w, w.browser.Get(altered(t, cb, func(q url.Values) {
				q.Del("code")
				q.Set("error", "access_denied")
				change(q)
			})))
			require.Equal(t, http.StatusOK, w.browser.Get(cb.URL).Status, "an attacker can't abort the login")
		})
	}
}

func TestAThousandStartedLoginsLockNobodyOut(t *testing.T) {
	w := newWorld(t, noPAR)
	tab := w.browser.NewTab()
	tab.PauseAt(w.provider.Issuer())
	for i := range 1000 {
		page := tab.Get(app + "/auth/login?return_to=/me%3Fn=" + fmt.Sprint(i))
		require.NotNil(t, page.Paused)
		size := 0
		for _, c := range w.browser.Cookies(app) {
			size += len(c.Name) + len(c.Value) + 3
		}
		require.LessOrEqual(t, size, 6<<10+1<<10)
	}
	require.LessOrEqual(t, len(w.browser.Cookies(app)), 10)
	w.signIn()
}

func TestTenThousandLoginsAreUnguessable(t *testing.T) {
	w := newWorld(t, noPAR)
	seen := make(map[string]bool, 30000)
	var bits [3][128]int
	const logins = 10000
	for range logins {
		answer := w.raw(http.MethodGet, app+"/auth/login", opened)
		q := mustQuery(t, answer.Header.Get("Location"))
		for i, name := range []string{"state", "nonce", "code_challenge"} {
			value := q.Get(name)
			require.False(t, seen[value], "%s was seen before", name)
			seen[value] = true
			count(t, &bits[i], value)
		}
	}
	for i := range bits {
		for bit, ones := range bits[i] { // 6 standard deviations: 1 run in 1 million
			require.InDelta(t, logins/2, ones, 300, "bit %d of %d leans", bit, i)
		}
	}
}

// count adds the first 128 bits of a base64url text, of which there must be so many.
func count(t *testing.T, ones *[128]int, text string) {
	raw := decoded(t, text)
	require.GreaterOrEqual(t, len(raw), 16, "at least 128 bits")
	for i := range ones {
		ones[i] += int(raw[i/8]>>(i%8)) & 1
	}
}

// The code's URL is left at once, and nothing that could carry it on is loaded there.
func TestTheCodeDoesNotLeak(t *testing.T) {
	w := newWorld(t, noPAR)
	cb := w.callbackURL()
	page := w.browser.Get(cb.URL)
	require.Equal(t, app+"/me", page.URL)
	first := page.Exchanges[0]
	require.Equal(t, http.StatusSeeOther, first.Status)
	require.Equal(t, "no-store", first.Answer.Get("Cache-Control"))
	require.Equal(t, "no-referrer", first.Answer.Get("Referrer-Policy"))
	code := mustQuery(t, cb.URL).Get("code")
	for _, x := range w.browser.History() {
		require.NotContains(t, x.Header.Get("Referer"), code)
	}
	require.NotContains(t, page.Exchanges[0].Location, code)
	require.Empty(t, w.provider.Last(oidcauthtest.TokenEndpoint).URL.RawQuery, "the code is sent in a body")
}

func TestNoAnswerOfTheOwnRoutesMayBeFramed(t *testing.T) {
	w := newWorld(t, noPAR, backChannel)
	for _, path := range []string{"login", "callback", "logout", "signed-out", "backchannel-logout", "jwks.json", "nothing"} {
		answer := w.raw(http.MethodGet, app+"/auth/"+path, opened)
		requireProtected(t, answer.Header)
		require.Contains(t, answer.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		require.Equal(t, "DENY", answer.Header.Get("X-Frame-Options"), path)
	}
	tab := w.browser.NewTab()
	tab.Show("https://evil.example/", "")
	for _, path := range []string{"/auth/login", "/auth/logout", "/auth/signed-out"} {
		require.ErrorIs(t, tab.Frame(app+path).Err, oidcauthtest.ErrFraming, path)
	}
}

func TestASessionCookieIsNoTransaction(t *testing.T) {
	w := newWorld(t, noPAR)
	w.signIn()
	stolen := w.browser.Cookie(app, "__Host-session").Value
	w.anew()
	cb := w.callbackURL()
	name := transactionOf(t, w)
	w.browser.SetCookie(app, &http.Cookie{Name: name, Value: stolen, Path: "/", Secure: true})
	requireR1(t, w, w.browser.Get(cb.URL))
}

// transactionOf is the name of the one transaction cookie in the browser.
func transactionOf(t *testing.T, w *world) string {
	t.Helper()
	all := w.browser.Cookies(app)
	i := slices.IndexFunc(all, func(c *http.Cookie) bool { return strings.HasPrefix(c.Name, "__Host-session-login-") })
	require.GreaterOrEqual(t, i, 0)
	return all[i].Name
}
